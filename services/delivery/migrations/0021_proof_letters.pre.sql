SET LOCAL lock_timeout = '5s';

-- The letter of a proof as PDF, shown behind the proof's link; it goes when its person is erased.
ALTER TABLE proofs ADD COLUMN letter bytea;
ALTER TABLE approvals ADD COLUMN has_letter boolean NOT NULL DEFAULT false;
