SET LOCAL lock_timeout = '5s';

-- Whether contacts that share an address each get their message; part of the content's hash.
ALTER TABLE templates ADD COLUMN send_doubles boolean NOT NULL DEFAULT false;
ALTER TABLE contents ADD COLUMN send_doubles boolean NOT NULL DEFAULT false;
ALTER TABLE proofs ADD COLUMN send_doubles boolean NOT NULL DEFAULT false;
ALTER TABLE approvals ADD COLUMN send_doubles boolean NOT NULL DEFAULT false;

-- The member itself, in the rows of a run that goes to doubles as well, and null in all others: so a
-- recipient stands once in a run, or once per member, and always under the key that consent,
-- quarantine and bounces know.
ALTER TABLE ledger ADD COLUMN twin uuid;
DROP INDEX ledger_recipient;
CREATE UNIQUE INDEX ledger_recipient ON ledger (run_id, recipient_key, channel, twin)
    NULLS NOT DISTINCT;
