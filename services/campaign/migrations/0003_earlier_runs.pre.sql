SET LOCAL lock_timeout = '5s';

-- The runs that edits of a suspended campaign ended, oldest first: their totals, and what is held.
ALTER TABLE campaigns ADD COLUMN earlier_runs jsonb NOT NULL DEFAULT '[]';

-- Edits that came as messages: one read again must not end a later run.
CREATE TABLE edits (
    cause     text PRIMARY KEY,
    edited_at timestamptz NOT NULL
);
