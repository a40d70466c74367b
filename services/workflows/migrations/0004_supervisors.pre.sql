SET LOCAL lock_timeout = '5s';

-- Who is told of a workflow's troubles; without a row, whoever may control workflows.
CREATE TABLE supervisors (
    name      text PRIMARY KEY,
    operators uuid[] NOT NULL,
    groups    text[] NOT NULL
);
