SET LOCAL lock_timeout = '5s';

-- How a campaign's e-mails are parted, and how many of its run's waves are open.
ALTER TABLE campaigns
    ADD COLUMN waves jsonb,
    ADD COLUMN wave_progress jsonb,
    DROP CONSTRAINT campaigns_held_back_check,
    ADD CONSTRAINT campaigns_held_back_check
        CHECK (held_back IN ('missed', 'queued', 'window', 'series', 'waves'));
