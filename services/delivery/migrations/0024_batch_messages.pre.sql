SET LOCAL lock_timeout = '5s';

-- Messages of batch events wait behind those of real-time ones, however long they have waited.
ALTER TABLE queue ADD COLUMN batch boolean NOT NULL DEFAULT false;
CREATE INDEX queue_urgent_first ON queue (batch, next_at) WHERE urgent AND lease_until IS NULL;
CREATE INDEX queue_channel_first ON queue (channel, batch, next_at)
    WHERE channel <> 'email' AND lease_until IS NULL;
