SET LOCAL lock_timeout = '5s';

-- The error policy of a workflow and its failures in a row so far.
ALTER TABLE seen_workflows
    ADD COLUMN failures         integer NOT NULL DEFAULT 0,
    ADD COLUMN failures_ignored integer NOT NULL DEFAULT 4;

-- The services that supervision says are late.
CREATE TABLE seen_late (
    service text PRIMARY KEY,
    since   timestamptz NOT NULL
);
