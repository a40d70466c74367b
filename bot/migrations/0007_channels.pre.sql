SET LOCAL lock_timeout = '5s';

-- Where a campaign's messages go; without a row, to the default channel. `lost` is what Slack said
-- when the channel could not be reached: from then on its messages go to the default, too.
CREATE TABLE campaign_channels (
    campaign_id uuid PRIMARY KEY,
    channel     text NOT NULL,
    chosen_at   timestamptz NOT NULL,
    lost        text NOT NULL DEFAULT ''
);
CREATE INDEX campaign_channels_channel ON campaign_channels (channel);
