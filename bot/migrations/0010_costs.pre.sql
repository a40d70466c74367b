SET LOCAL lock_timeout = '5s';

-- What a campaign was to cost when it was last approved: a later card says what has changed since.
ALTER TABLE approved
    ADD COLUMN amount_minor bigint,
    ADD COLUMN currency text;
