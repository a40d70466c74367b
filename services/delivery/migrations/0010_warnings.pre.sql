SET LOCAL lock_timeout = '5s';

-- What was noticed in a message when its proof was rendered: code and sentences, nobody's data.
ALTER TABLE proofs ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]';
ALTER TABLE approvals ADD COLUMN warnings jsonb NOT NULL DEFAULT '[]';
