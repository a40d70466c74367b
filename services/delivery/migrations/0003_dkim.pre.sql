SET LOCAL lock_timeout = '5s';

-- Keys that sign mails, by the name their public half has in the DNS. The private half is encrypted
-- under a key derived from MUSTER_SECRET_KEY, and forgotten when a key is retired.
CREATE TABLE dkim_keys (
    domain     text NOT NULL,
    selector   text NOT NULL,
    algorithm  text NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
    sealed_key bytea,
    public_key text NOT NULL,
    valid_from timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    PRIMARY KEY (domain, selector)
);
