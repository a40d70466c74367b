SET LOCAL lock_timeout = '5s';

-- What is wrong now: failed workflows, late services. told_at is empty until supervisors are told.
CREATE TABLE troubles (
    name    text NOT NULL,
    trouble text NOT NULL,
    since   timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    told_at timestamptz,
    PRIMARY KEY (name, trouble)
);
