SET LOCAL lock_timeout = '5s';

-- Single messages by SMS and webhook wait in the same queue. They are not urgent there: urgent is
-- what the mail server is handed first, and its claim sees no row of another channel.
ALTER TABLE queue ADD COLUMN channel text NOT NULL DEFAULT 'email';
CREATE INDEX queue_channel ON queue (channel, next_at)
    WHERE channel <> 'email' AND lease_until IS NULL;

-- What a template is for; a webhook's names the registered endpoint that gets the event.
ALTER TABLE templates
    ADD COLUMN channel  text NOT NULL DEFAULT 'email',
    ADD COLUMN endpoint text NOT NULL DEFAULT '';
ALTER TABLE contents
    ADD COLUMN channel  text NOT NULL DEFAULT 'email',
    ADD COLUMN endpoint text NOT NULL DEFAULT '';

-- How many parts an SMS was sent in: what a gateway charges.
ALTER TABLE attempts ADD COLUMN parts smallint;

-- Where webhooks go: registered by people, never named by an event. Secrets are encrypted under a
-- key derived from MUSTER_SECRET_KEY; after a rotation the previous one signs too, for a while.
CREATE TABLE webhook_endpoints (
    name            text PRIMARY KEY,
    url             text NOT NULL,
    sealed_secret   bytea NOT NULL,
    sealed_previous bytea,
    previous_until  timestamptz,
    active          boolean NOT NULL DEFAULT true,
    reason          text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL
);
