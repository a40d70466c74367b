SET LOCAL lock_timeout = '5s';

-- How service levels stood last, as the live view shows them.
CREATE TABLE level_snapshots (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    told_until timestamptz NOT NULL,
    as_of      timestamptz NOT NULL,
    snapshot   jsonb NOT NULL
);
