-- What was last approved of a campaign, of each kind: cards are compared with their own.
SET LOCAL lock_timeout = '5s';

ALTER TABLE approved ADD COLUMN kind text NOT NULL DEFAULT 'proof';
UPDATE approved SET kind = state->>'kind';
ALTER TABLE approved DROP CONSTRAINT approved_pkey, ADD PRIMARY KEY (campaign_id, kind);
