SET LOCAL lock_timeout = '5s';

-- The error policy and its failures so far, and runs in a row that found nothing to do.
ALTER TABLE catalogue
    ADD COLUMN failures         integer NOT NULL DEFAULT 0,
    ADD COLUMN failures_ignored integer NOT NULL DEFAULT 4,
    ADD COLUMN idle_runs        bigint NOT NULL DEFAULT 0,
    ADD COLUMN idle_since       timestamptz;
ALTER TABLE runs ADD COLUMN idle_before bigint NOT NULL DEFAULT 0;
