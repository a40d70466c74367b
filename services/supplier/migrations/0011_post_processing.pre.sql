SET LOCAL lock_timeout = '5s';

-- What follows once a router has a file, as a workflow of its own: listed, stopped and resumed by
-- its name, until it has ended.
CREATE TABLE post_processings (
    file_id         uuid PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    name            text NOT NULL UNIQUE,
    version         bigint NOT NULL DEFAULT 1,
    status          text NOT NULL DEFAULT 'started'
                    CHECK (status IN ('started', 'paused', 'stopped')),
    runs            bigint NOT NULL DEFAULT 0,
    last_run_at     timestamptz,
    created_at      timestamptz NOT NULL,
    ended_at        timestamptz
);
CREATE INDEX post_processings_held ON post_processings (file_id)
    WHERE status <> 'started' AND ended_at IS NULL;

-- Files that are on their way already have theirs, too.
INSERT INTO post_processings (file_id, name, created_at)
SELECT file_id, 'postProcessing-C' || campaign_number || '-' || right(file_id::text, 12), created_at
FROM jobs WHERE state NOT IN ('post_processed', 'removed', 'refused');
