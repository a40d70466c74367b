SET LOCAL lock_timeout = '5s';

-- Whether its content goes to every contact of a shared address: what it may cost depends on it.
ALTER TABLE campaigns ADD COLUMN send_doubles boolean NOT NULL DEFAULT false;
