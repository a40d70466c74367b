SET LOCAL lock_timeout = '5s';

-- Files by their SHA-256 (hex), uploaded before the templates that name them.
CREATE TABLE attachment_files (
    sha256     text PRIMARY KEY,
    content    bytea NOT NULL,
    size_bytes integer NOT NULL,
    saved_at   timestamptz NOT NULL
);

-- What a content has attached; like it, never changed.
CREATE TABLE content_attachments (
    template_hash text NOT NULL REFERENCES contents (template_hash),
    position      smallint NOT NULL,
    name          text NOT NULL,
    content_type  text NOT NULL,
    sha256        text NOT NULL REFERENCES attachment_files (sha256),
    PRIMARY KEY (template_hash, position)
);
