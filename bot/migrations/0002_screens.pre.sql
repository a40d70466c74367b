SET LOCAL lock_timeout = '5s';

-- What lists filter and sort by stands in columns of its own, so that each screen is one query.
ALTER TABLE campaigns
    ADD COLUMN status text NOT NULL DEFAULT '',
    ADD COLUMN manager_id text NOT NULL DEFAULT '',
    -- Of the pending messages, how many may be in a server's hands; what a stop tells.
    ADD COLUMN in_flight integer NOT NULL DEFAULT 0,
    ADD COLUMN flight_revision bigint NOT NULL DEFAULT 0;
UPDATE campaigns SET status = state->>'status', manager_id = state->>'manager_id';
CREATE INDEX campaigns_manager ON campaigns (manager_id, number);
CREATE INDEX campaigns_status ON campaigns (status, number);

ALTER TABLE approvals
    ADD COLUMN outcome text NOT NULL DEFAULT '',
    ADD COLUMN deadline_at timestamptz NOT NULL DEFAULT 'infinity',
    ADD COLUMN requested_by text NOT NULL DEFAULT '',
    ADD COLUMN reviewers text[] NOT NULL DEFAULT '{}';
UPDATE approvals SET
    outcome = state->>'outcome',
    deadline_at = (state->>'deadline_at')::timestamptz,
    requested_by = state->>'requested_by',
    reviewers = ARRAY(SELECT jsonb_array_elements_text(state->'reviewer_ids'));
CREATE INDEX approvals_pending ON approvals (deadline_at, approval_id) WHERE outcome = 'pending';
CREATE INDEX approvals_expired ON approvals (deadline_at, approval_id) WHERE outcome = 'expired';

-- What /budget and /stock show; empty for what only a form offers.
ALTER TABLE choices ADD COLUMN state jsonb;

-- A duplicate's form starts from another campaign's choices, also when its number comes later.
ALTER TABLE forms ADD COLUMN plan jsonb;

-- Who follows a campaign by a message that changes where it stands.
CREATE TABLE followers (
    campaign_id uuid NOT NULL,
    operator_id text NOT NULL,
    message_key text NOT NULL,
    since       timestamptz NOT NULL,
    PRIMARY KEY (campaign_id, operator_id)
);

ALTER TABLE slack_calls DROP CONSTRAINT slack_calls_kind_check;
ALTER TABLE slack_calls ADD CONSTRAINT slack_calls_kind_check
    CHECK (kind IN ('open', 'update', 'tell', 'home'));

-- What was last approved of a campaign: a later card says what has changed since.
CREATE TABLE approved (
    campaign_id uuid PRIMARY KEY,
    decided_at  timestamptz NOT NULL,
    state       jsonb NOT NULL
);

-- Pictures of proofs: drawn and uploaded by and by; a card without one is as good.
CREATE TABLE pictures (
    approval_id uuid NOT NULL,
    revision    integer NOT NULL,
    path        text NOT NULL,
    file_id     text,
    attempts    integer NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    done_at     timestamptz,
    error       text NOT NULL DEFAULT '',
    PRIMARY KEY (approval_id, revision)
);
CREATE INDEX pictures_due ON pictures (next_at) WHERE done_at IS NULL;

-- What Slack says of people who are operators: their zone, their language, whether they left.
CREATE TABLE slack_people (
    slack_user_id text PRIMARY KEY,
    zone        text NOT NULL DEFAULT '',
    language    text,
    has_left    boolean NOT NULL DEFAULT false,
    checked_at  timestamptz NOT NULL DEFAULT '-infinity',
    attempts    integer NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL
);
CREATE INDEX slack_people_due ON slack_people (next_at);

-- Reminders to one person, each sent once, in that person's working hours.
CREATE TABLE reminders (
    approval_id uuid NOT NULL,
    revision    integer NOT NULL,
    number      integer NOT NULL,
    operator_id text NOT NULL,
    next_at     timestamptz NOT NULL,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    attempts    integer NOT NULL DEFAULT 0,
    done_at     timestamptz,
    outcome     text NOT NULL DEFAULT '',
    PRIMARY KEY (approval_id, revision, number, operator_id)
);
CREATE INDEX reminders_due ON reminders (next_at) WHERE done_at IS NULL;
