SET LOCAL lock_timeout = '5s';

-- The 64-bit number that a SOAP caller gets for an event: the instance in its high byte.
CREATE SEQUENCE event_numbers_seq;
CREATE TABLE event_numbers (
    number   bigint PRIMARY KEY,
    event_id uuid NOT NULL UNIQUE
);
