-- Approvals of several kinds stand side by side, each asked by its own rule.
SET LOCAL lock_timeout = '5s';

ALTER TABLE approvals
    ADD COLUMN rules jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN reviewer_groups text[] NOT NULL DEFAULT '{}',
    ADD COLUMN remind_at timestamptz[] NOT NULL DEFAULT '{}';
ALTER TABLE proofs ADD COLUMN rules jsonb NOT NULL DEFAULT '{}';
-- The approvals without which a run does not start, besides its proof's.
ALTER TABLE runs ADD COLUMN approvals text[] NOT NULL DEFAULT '{}';

DROP INDEX approvals_open;
DROP INDEX approvals_open_file;
CREATE UNIQUE INDEX approvals_open ON approvals (campaign_id, kind)
    WHERE outcome = 'pending' AND file_id IS NULL;
CREATE UNIQUE INDEX approvals_open_file ON approvals (file_id, kind) WHERE outcome = 'pending';
