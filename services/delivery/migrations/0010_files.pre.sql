-- Suppliers' files are approved before they leave, beside the approval of content and target.
SET LOCAL lock_timeout = '5s';

ALTER TABLE approvals ADD COLUMN file_id uuid;
DROP INDEX approvals_open;
CREATE UNIQUE INDEX approvals_open ON approvals (campaign_id)
    WHERE outcome = 'pending' AND file_id IS NULL;
CREATE UNIQUE INDEX approvals_open_file ON approvals (file_id) WHERE outcome = 'pending';
