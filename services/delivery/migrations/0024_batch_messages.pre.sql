SET LOCAL lock_timeout = '5s';

-- Messages of batch events wait behind those of real-time ones, however long they have waited.
ALTER TABLE queue ADD COLUMN batch boolean NOT NULL DEFAULT false;
DROP INDEX queue_urgent;
DROP INDEX queue_channel;
CREATE INDEX queue_urgent ON queue (batch, next_at) WHERE urgent AND lease_until IS NULL;
CREATE INDEX queue_channel ON queue (channel, batch, next_at)
    WHERE channel <> 'email' AND lease_until IS NULL;
