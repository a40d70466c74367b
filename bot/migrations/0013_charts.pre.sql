SET LOCAL lock_timeout = '5s';

-- A picture may be drawn of what the bot itself says: then its HTML stands here, and the message.
ALTER TABLE pictures
    ADD COLUMN html        text,
    ADD COLUMN message_key text;
