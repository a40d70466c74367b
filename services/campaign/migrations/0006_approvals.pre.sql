-- How a campaign's approvals are asked, which are granted over its snapshot, and which is open.
SET LOCAL lock_timeout = '5s';

ALTER TABLE campaigns
    ADD COLUMN approvals jsonb,
    ADD COLUMN granted text[] NOT NULL DEFAULT '{}',
    ADD COLUMN asked text;
