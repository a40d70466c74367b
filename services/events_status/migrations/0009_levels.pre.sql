SET LOCAL lock_timeout = '5s';

-- How service levels stood last, as the live view shows them.
CREATE TABLE level_snapshots (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    told_until timestamptz NOT NULL,
    as_of      timestamptz NOT NULL,
    snapshot   jsonb NOT NULL
);

-- From when on a level is told, and what was told last; an empty channel or type stands for all.
CREATE TABLE level_thresholds (
    indicator       text NOT NULL,
    channel         text NOT NULL DEFAULT '',
    event_type      text NOT NULL DEFAULT '',
    time_window     text NOT NULL DEFAULT 'hour',
    below           boolean NOT NULL DEFAULT false,
    warning         double precision,
    alert           double precision,
    minimum_events  bigint NOT NULL DEFAULT 0,
    minutes         integer NOT NULL DEFAULT 2,
    changed_by      text NOT NULL,
    changed_at      timestamptz NOT NULL,
    grade           text NOT NULL DEFAULT 'normal' CHECK (grade IN ('normal', 'warning', 'alert')),
    since           timestamptz,
    value           double precision,
    candidate       text,
    candidate_since timestamptz,
    crossing_id     uuid,
    PRIMARY KEY (indicator, channel, event_type),
    CHECK (warning IS NOT NULL OR alert IS NOT NULL)
);
-- Errors of more than a few events in a hundred, readers who wait minutes for what they expect at
-- once, and a queue where something stands still, whatever the cause.
INSERT INTO level_thresholds
    (indicator, warning, alert, minimum_events, changed_by, changed_at)
VALUES ('error_rate', 0.05, 0.2, 50, 'system:events_status', now()),
       ('sending_time', 60, 300, 10, 'system:events_status', now()),
       ('oldest_wait', 300, 1800, 0, 'system:events_status', now());

-- Every change of a threshold, by the command that made it: a command replayed changes nothing.
CREATE TABLE threshold_changes (
    source     text NOT NULL,
    command_id text NOT NULL,
    indicator  text NOT NULL,
    channel    text NOT NULL,
    event_type text NOT NULL,
    warning    double precision,
    alert      double precision,
    actor      text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (source, command_id)
);

-- Every crossing of a threshold, and every return.
CREATE TABLE level_crossings (
    crossing_id uuid NOT NULL,
    at          timestamptz NOT NULL,
    indicator   text NOT NULL,
    channel     text NOT NULL,
    event_type  text NOT NULL,
    before      text NOT NULL,
    after       text NOT NULL,
    value       double precision,
    PRIMARY KEY (crossing_id, at)
);
CREATE INDEX level_crossings_at ON level_crossings (at DESC);
