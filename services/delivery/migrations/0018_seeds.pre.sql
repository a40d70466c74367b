SET LOCAL lock_timeout = '5s';

-- Seeds get what a campaign's recipients get, in a run of their own beside the campaign's: so they
-- count nowhere among its recipients.
ALTER TABLE runs
    DROP CONSTRAINT runs_kind_check,
    ADD CONSTRAINT runs_kind_check
        CHECK (kind IN ('campaign', 'proof', 'transactional', 'seeds')),
    ADD COLUMN seeds_of uuid;
CREATE UNIQUE INDEX runs_seeds ON runs (seeds_of) WHERE seeds_of IS NOT NULL;

-- Of a template, and of a campaign in place of its template's: a list of address and fields.
ALTER TABLE templates ADD COLUMN seeds jsonb NOT NULL DEFAULT '[]';
CREATE TABLE campaign_seeds (
    campaign_id uuid PRIMARY KEY,
    seeds       jsonb NOT NULL,
    saved_by    text NOT NULL,
    saved_at    timestamptz NOT NULL
);
