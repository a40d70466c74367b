-- Suppliers' services, extraction jobs with their rows, and each attempt to mail a router.
SET LOCAL lock_timeout = '5s';

CREATE TABLE services (
    service_id     uuid PRIMARY KEY,
    version        bigint NOT NULL,
    supplier       text NOT NULL,
    label          text NOT NULL,
    router_address text NOT NULL,
    file_pattern   text NOT NULL,
    columns        text[] NOT NULL,
    language       text NOT NULL CHECK (language IN ('en', 'fr')),
    created_at     timestamptz NOT NULL,
    modified_at    timestamptz NOT NULL
);

-- One file a delivery's run. Columns and name are those of the service when the first rows came.
CREATE TABLE jobs (
    file_id         uuid PRIMARY KEY,
    run_id          uuid NOT NULL,
    delivery_id     uuid NOT NULL,
    campaign_id     uuid NOT NULL,
    campaign_number integer NOT NULL,
    campaign_label  text NOT NULL,
    service_id      uuid NOT NULL,
    chunks          integer NOT NULL CHECK (chunks >= 1),
    columns         text[] NOT NULL,
    file_name       text NOT NULL,
    state           text NOT NULL DEFAULT 'collecting' CHECK (state IN (
                        'collecting', 'rows_complete', 'file_written', 'mail_attempted',
                        'notified', 'post_processed', 'removed', 'ambiguous', 'failed', 'refused')),
    -- True while the file's next step may be carried out: supplierMgt gives the order.
    ordered         boolean NOT NULL DEFAULT false,
    next_at         timestamptz NOT NULL,
    rows            integer NOT NULL DEFAULT 0,
    erased          integer NOT NULL DEFAULT 0,
    sha256          text,
    announced       boolean NOT NULL DEFAULT false,
    failures        integer NOT NULL DEFAULT 0,
    error           text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    lease_until     timestamptz NOT NULL DEFAULT '-infinity',
    lease_epoch     bigint NOT NULL DEFAULT 0,
    UNIQUE (run_id, delivery_id)
);
CREATE INDEX jobs_open ON jobs (next_at)
    WHERE state IN ('rows_complete', 'file_written', 'mail_attempted', 'notified',
                    'post_processed');
CREATE INDEX jobs_campaign ON jobs (campaign_id);

CREATE TABLE extraction_chunks (
    file_id uuid NOT NULL REFERENCES jobs (file_id) ON DELETE CASCADE,
    index   integer NOT NULL,
    PRIMARY KEY (file_id, index)
);

-- ordinal = index * 1000 + position in the chunk: the order of the lines in the file.
CREATE TABLE extraction_rows (
    file_id      uuid NOT NULL REFERENCES jobs (file_id) ON DELETE CASCADE,
    ordinal      bigint NOT NULL,
    recipient_id uuid NOT NULL,
    recipient    text NOT NULL,
    site         text NOT NULL,
    street       text NOT NULL,
    postal_code  text NOT NULL,
    town         text NOT NULL,
    country      text NOT NULL,
    phone        text NOT NULL,
    language     text NOT NULL,
    PRIMARY KEY (file_id, ordinal)
);
CREATE UNIQUE INDEX extraction_rows_once ON extraction_rows (recipient_id, file_id);

-- Written before the router's server is called. An attempt without outcome is one nobody knows.
CREATE TABLE mail_attempts (
    attempt_id uuid PRIMARY KEY,
    file_id    uuid NOT NULL REFERENCES jobs (file_id) ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    ended_at   timestamptz,
    outcome    text CHECK (outcome IN ('accepted', 'deferred', 'refused', 'ambiguous')),
    answer     text NOT NULL DEFAULT ''
);
CREATE INDEX mail_attempts_file ON mail_attempts (file_id, started_at);

-- What people decided about a mail that was refused, or that nobody knows about.
CREATE TABLE decisions (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id  uuid NOT NULL REFERENCES jobs (file_id) ON DELETE CASCADE,
    decision text NOT NULL CHECK (decision IN ('sent', 'send_again')),
    actor_id text NOT NULL,
    at       timestamptz NOT NULL
);
