SET LOCAL lock_timeout = '5s';

-- A run that is sent in waves: as it was asked for, and up to which position its open waves go. Rows
-- from there on wait; without a value nothing waits.
ALTER TABLE runs
    ADD COLUMN waves jsonb,
    ADD COLUMN wave_until integer CHECK (wave_until >= 0);
CREATE INDEX runs_waves ON runs (run_id) WHERE wave_until IS NOT NULL;

CREATE TABLE waves (
    run_id    uuid NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    number    integer NOT NULL CHECK (number > 0),
    starts_at timestamptz NOT NULL,
    size      integer CHECK (size > 0),
    opened_at timestamptz,
    PRIMARY KEY (run_id, number)
);
