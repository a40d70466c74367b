SET LOCAL lock_timeout = '5s';

-- What becomes of the rows that a run which was ended by an edit has not handed over: they are left
-- for a later run of the campaign, and then taken by it.
ALTER TABLE runs ADD COLUMN rest text CHECK (rest IN ('left', 'taken'));
