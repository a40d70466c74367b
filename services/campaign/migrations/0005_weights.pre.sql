SET LOCAL lock_timeout = '5s';

-- How much a campaign's messages weigh where a pressure rule allows somebody fewer than are planned.
ALTER TABLE campaigns ADD COLUMN weight integer NOT NULL DEFAULT 5;
