SET LOCAL lock_timeout = '5s';

-- Lists may be asked for as a file: its rows are read when it is uploaded.
ALTER TABLE slack_calls DROP CONSTRAINT slack_calls_kind_check;
ALTER TABLE slack_calls ADD CONSTRAINT slack_calls_kind_check
    CHECK (kind IN ('open', 'update', 'tell', 'home', 'file'));
