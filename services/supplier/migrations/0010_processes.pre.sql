-- Layouts, approval of files, links, and what routers report of each letter.
SET LOCAL lock_timeout = '5s';

CREATE TABLE suppliers (
    supplier_id uuid PRIMARY KEY,
    version     bigint NOT NULL,
    name        text NOT NULL,
    address     text NOT NULL,
    created_at  timestamptz NOT NULL,
    modified_at timestamptz NOT NULL
);
CREATE TABLE contacts (
    supplier_id uuid NOT NULL REFERENCES suppliers (supplier_id) ON DELETE CASCADE,
    place       integer NOT NULL,
    name        text NOT NULL,
    role        text NOT NULL,
    email       text NOT NULL,
    phone       text NOT NULL,
    notified    boolean NOT NULL,
    PRIMARY KEY (supplier_id, place)
);
CREATE INDEX contacts_email ON contacts (lower(email));

ALTER TABLE services
    ADD COLUMN supplier_id uuid REFERENCES suppliers (supplier_id),
    ADD COLUMN layout jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN file_approval boolean NOT NULL DEFAULT false,
    ADD COLUMN handover text NOT NULL DEFAULT 'attached'
        CHECK (handover IN ('attached', 'link', 'folder', 'sftp')),
    ADD COLUMN router_proof boolean NOT NULL DEFAULT false,
    ADD COLUMN folder text NOT NULL DEFAULT '',
    ADD COLUMN sftp jsonb,
    -- A password or private key, encrypted and bound to the service.
    ADD COLUMN sftp_secret bytea,
    ADD COLUMN ending text NOT NULL DEFAULT 'confirmation'
        CHECK (ending IN ('confirmation', 'results'));

-- As the service said when the first rows came, like columns and name.
ALTER TABLE jobs
    ADD COLUMN layout jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN file_approval boolean NOT NULL DEFAULT false,
    ADD COLUMN handover text NOT NULL DEFAULT 'attached',
    -- Which bytes lie where the router takes its files.
    ADD COLUMN transferred_sha256 text,
    ADD COLUMN ending text NOT NULL DEFAULT 'confirmation',
    -- The router's latest proof, and whether it may print.
    ADD COLUMN router_proof boolean NOT NULL DEFAULT false,
    ADD COLUMN proof_name text NOT NULL DEFAULT '',
    ADD COLUMN proof_sha256 text,
    ADD COLUMN proof_approved boolean NOT NULL DEFAULT false,
    ADD COLUMN bytes bigint NOT NULL DEFAULT 0,
    -- Characters the encoding lacks, and values wider than their column.
    ADD COLUMN replaced integer NOT NULL DEFAULT 0,
    ADD COLUMN cut integer NOT NULL DEFAULT 0,
    ADD COLUMN approved_sha256 text,
    -- How many letters the router reported so; counted from results.
    ADD COLUMN sent integer NOT NULL DEFAULT 0,
    ADD COLUMN failed integer NOT NULL DEFAULT 0,
    -- What a person makes of the letters that no result file names.
    ADD COLUMN rest_outcome text CHECK (rest_outcome IN ('sent', 'failed'));
ALTER TABLE jobs DROP CONSTRAINT jobs_state_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_state_check CHECK (state IN (
    'collecting', 'rows_complete', 'file_to_approve', 'file_returned', 'file_written',
    'mail_attempted', 'awaiting_proof', 'proof_to_approve', 'notified', 'awaiting_results',
    'post_processed', 'removed', 'ambiguous', 'failed', 'refused'));
ALTER TABLE decisions DROP CONSTRAINT decisions_decision_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_decision_check
    CHECK (decision IN ('sent', 'send_again', 'write_again', 'give_up', 'rest_sent',
                        'rest_failed'));
CREATE INDEX jobs_closed ON jobs (next_at)
    WHERE state = 'awaiting_results' AND rest_outcome IS NOT NULL;

-- A router's result file, once per content; applied line by line once it is complete.
CREATE TABLE imports (
    import_id   uuid PRIMARY KEY,
    file_id     uuid NOT NULL REFERENCES jobs (file_id) ON DELETE CASCADE,
    sha256      text NOT NULL,
    actor_id    text NOT NULL,
    lines       integer NOT NULL DEFAULT 0,
    taken       integer NOT NULL DEFAULT 0,
    repeated    integer NOT NULL DEFAULT 0,
    rejected    integer NOT NULL DEFAULT 0,
    applied_to  integer NOT NULL DEFAULT 0,
    is_complete boolean NOT NULL DEFAULT false,
    started_at  timestamptz NOT NULL,
    applied_at  timestamptz,
    UNIQUE (file_id, sha256)
);
CREATE INDEX imports_open ON imports (started_at) WHERE is_complete AND applied_at IS NULL;

-- Lines that could be read, until they are applied.
CREATE TABLE import_lines (
    import_id uuid NOT NULL REFERENCES imports (import_id) ON DELETE CASCADE,
    line      integer NOT NULL,
    ordinal   bigint NOT NULL,
    outcome   text NOT NULL CHECK (outcome IN ('sent', 'failed')),
    reason    text NOT NULL,
    PRIMARY KEY (import_id, line)
);

-- Lines that could not be read or name no letter of the file: where, and why.
CREATE TABLE import_rejects (
    import_id uuid NOT NULL REFERENCES imports (import_id) ON DELETE CASCADE,
    line      integer NOT NULL,
    problem   text NOT NULL,
    PRIMARY KEY (import_id, line)
);

-- What became of each letter; the first word counts.
CREATE TABLE results (
    file_id   uuid NOT NULL REFERENCES jobs (file_id) ON DELETE CASCADE,
    ordinal   bigint NOT NULL,
    outcome   text NOT NULL CHECK (outcome IN ('sent', 'failed')),
    reason    text NOT NULL,
    import_id uuid REFERENCES imports (import_id),
    PRIMARY KEY (file_id, ordinal)
);

-- Who followed a signed link is not known; that somebody did, and when, is.
CREATE TABLE downloads (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id uuid NOT NULL REFERENCES jobs (file_id) ON DELETE CASCADE,
    name    text NOT NULL,
    at      timestamptz NOT NULL
);
CREATE INDEX downloads_file ON downloads (file_id, at);
