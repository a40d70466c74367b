-- An approval's course: put off by its reviewers, escalated, and all of it in a log.
SET LOCAL lock_timeout = '5s';

ALTER TABLE approvals
    ADD COLUMN escalate_at timestamptz,
    ADD COLUMN escalated_at timestamptz;

CREATE TABLE approval_snoozes (
    approval_id uuid NOT NULL REFERENCES approvals (approval_id),
    operator_id uuid NOT NULL,
    until       timestamptz NOT NULL,
    PRIMARY KEY (approval_id, operator_id)
);

-- Rows are added, never changed.
CREATE TABLE approval_log (
    entry_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    approval_id  uuid NOT NULL REFERENCES approvals (approval_id),
    campaign_id  uuid NOT NULL,
    kind         text NOT NULL,
    revision     integer NOT NULL,
    event        text NOT NULL,
    actor_id     text NOT NULL,
    operator_ids uuid[] NOT NULL,
    until        timestamptz,
    comment      text NOT NULL,
    at           timestamptz NOT NULL
);
CREATE INDEX approval_log_campaign ON approval_log (campaign_id, entry_id);

INSERT INTO approval_log (approval_id, campaign_id, kind, revision, event, actor_id, operator_ids,
    until, comment, at)
SELECT * FROM (
    SELECT approval_id, campaign_id, kind, revision, 'requested' AS event, requested_by,
        reviewer_ids, deadline_at, '' AS comment, requested_at AS at FROM approvals
    UNION ALL
    SELECT approval_id, campaign_id, kind, revision, outcome, coalesce(decided_by, ''),
        '{}'::uuid[], NULL, reason, decided_at FROM approvals WHERE decided_at IS NOT NULL
) AS known ORDER BY at;
