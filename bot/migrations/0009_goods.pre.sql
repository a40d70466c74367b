SET LOCAL lock_timeout = '5s';

-- What a campaign's cost types would take of the stock, as estimated with its cost.
ALTER TABLE estimates ADD COLUMN goods jsonb NOT NULL DEFAULT '[]';
