SET LOCAL lock_timeout = '5s';

-- What those without e-mail are sent on paper; part of the content's hash where there is one.
ALTER TABLE templates ADD COLUMN letter text NOT NULL DEFAULT '';
ALTER TABLE templates ADD COLUMN letter_window text NOT NULL DEFAULT 'din_5008_b';
ALTER TABLE contents ADD COLUMN letter text NOT NULL DEFAULT '';
ALTER TABLE contents ADD COLUMN letter_window text NOT NULL DEFAULT 'din_5008_b';
