SET LOCAL lock_timeout = '5s';

-- What claims that knew no batch messages were ordered by.
DROP INDEX queue_urgent;
DROP INDEX queue_channel;
