SET LOCAL lock_timeout = '5s';

-- What takes a place of the few that may be under way at once: a target that is being frozen since
-- asked_at, a run whose recipients, letters and actions are not all there yet.
ALTER TABLE campaigns
    ADD COLUMN severity text NOT NULL DEFAULT 'normal'
        CHECK (severity IN ('normal', 'production', 'critical')),
    ADD COLUMN asked_at timestamptz,
    ADD COLUMN delivery_prepared boolean NOT NULL DEFAULT false;
UPDATE campaigns SET delivery_prepared = true WHERE delivery_counts IS NOT NULL;
CREATE INDEX campaigns_freezing ON campaigns (asked_at)
    WHERE snapshot_id IS NOT NULL AND snapshot_hash IS NULL;
UPDATE campaigns SET asked_at = modified_at
WHERE snapshot_id IS NOT NULL AND snapshot_hash IS NULL;
