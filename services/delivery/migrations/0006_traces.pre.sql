SET LOCAL lock_timeout = '5s';

-- The trace of the command that started a run, while spans are recorded: its mails belong there.
ALTER TABLE runs ADD COLUMN traceparent text;
