SET LOCAL lock_timeout = '5s';

-- What a campaign waits for by code, so that the page can say it in the reader's language.
ALTER TABLE seen_campaigns
    ADD COLUMN waiting_code text,
    ADD COLUMN waiting_values jsonb NOT NULL DEFAULT '{}';
