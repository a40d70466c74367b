SET LOCAL lock_timeout = '5s';

-- Mails to supervisors: one when something goes wrong, one when it is well again, to each of them.
-- An attempt is written before the server is called; one without an end is never repeated.
CREATE TABLE trouble_mails (
    mail_id      uuid PRIMARY KEY,
    name         text NOT NULL,
    trouble      text NOT NULL,
    since        timestamptz NOT NULL,
    operator_id  uuid NOT NULL,
    over         boolean NOT NULL,
    names        text[] NOT NULL,
    error        text NOT NULL DEFAULT '',
    told_at      timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL,
    attempted_at timestamptz,
    outcome      text CHECK (outcome IN ('accepted', 'refused', 'ambiguous', 'given_up')),
    answer       text NOT NULL DEFAULT '',
    UNIQUE (name, trouble, since, operator_id, over)
);
CREATE INDEX trouble_mails_due ON trouble_mails (next_at) WHERE outcome IS NULL AND attempted_at IS NULL;
