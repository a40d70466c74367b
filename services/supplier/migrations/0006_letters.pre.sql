SET LOCAL lock_timeout = '5s';

ALTER TABLE extraction_rows ADD COLUMN first_name text NOT NULL DEFAULT '';
ALTER TABLE extraction_rows ADD COLUMN last_name text NOT NULL DEFAULT '';

-- The letter as it was approved; empty where the addresses alone are wanted.
ALTER TABLE jobs ADD COLUMN letter text NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN letter_language text NOT NULL DEFAULT 'en';
ALTER TABLE jobs ADD COLUMN letter_window text NOT NULL DEFAULT 'din_5008_b';
ALTER TABLE jobs ADD COLUMN pages integer NOT NULL DEFAULT 0;

-- A PDF file each. Which rows it holds is fixed before the first of them is set, so that whoever
-- sets a batch again, after a crash or an erasure, sets the same letters into the same file.
CREATE TABLE letter_batches (
    file_id uuid NOT NULL REFERENCES jobs (file_id) ON DELETE CASCADE,
    batch   integer NOT NULL CHECK (batch >= 1),
    first   bigint NOT NULL,
    last    bigint NOT NULL CHECK (last >= first),
    -- The pages of each letter, in the order of their rows; with the SHA-256, once the file is written.
    pages   integer[] NOT NULL DEFAULT '{}',
    sha256  text,
    bytes   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (file_id, batch)
);

-- Addressees whose letter cannot be set: their rows are gone, delivery counts them as failed.
CREATE TABLE letter_failures (
    file_id      uuid NOT NULL REFERENCES jobs (file_id) ON DELETE CASCADE,
    recipient_id uuid NOT NULL,
    failed_at    timestamptz NOT NULL,
    PRIMARY KEY (file_id, recipient_id)
);
