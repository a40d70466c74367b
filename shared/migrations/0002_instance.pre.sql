SET LOCAL lock_timeout = '5s';

-- Which life of the instance this schema belongs to: a restore begins another.
CREATE TABLE instance (
    single      boolean PRIMARY KEY DEFAULT true CHECK (single),
    epoch       bigint NOT NULL DEFAULT 1,
    backup_at   timestamptz,
    restored_at timestamptz
);
INSERT INTO instance DEFAULT VALUES;
