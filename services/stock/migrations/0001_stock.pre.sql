SET LOCAL lock_timeout = '5s';

-- A stock line and its levels; each level is the sum of its account in ledger_entries.
CREATE TABLE stock_lines (
    line_id         uuid PRIMARY KEY,
    version         bigint NOT NULL,
    stock           text NOT NULL,
    label           text NOT NULL,
    initial         bigint NOT NULL DEFAULT 0 CHECK (initial >= 0),
    delivered       bigint NOT NULL DEFAULT 0 CHECK (delivered >= 0),
    consumed        bigint NOT NULL DEFAULT 0 CHECK (consumed >= 0),
    reserved        bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    on_order        bigint NOT NULL DEFAULT 0 CHECK (on_order >= 0),
    alert_level     bigint NOT NULL CHECK (alert_level >= 0),
    alert_group     text NOT NULL DEFAULT '',
    alert           boolean NOT NULL DEFAULT false,
    crossing        integer NOT NULL DEFAULT 0,
    CHECK (reserved <= initial + delivered - consumed)
);
-- What stockMgt looks for: lines whose alert does not fit their level.
CREATE INDEX stock_lines_crossed ON stock_lines (line_id)
    WHERE alert <> (initial + delivered - consumed <= alert_level);

CREATE TABLE orders (
    order_id        uuid PRIMARY KEY,
    line_id         uuid NOT NULL REFERENCES stock_lines,
    quantity        bigint NOT NULL CHECK (quantity > 0),
    due_on          date NOT NULL,
    ordered_at      timestamptz NOT NULL,
    received_at     timestamptz
);
CREATE INDEX orders_line ON orders (line_id, due_on);
CREATE INDEX orders_waiting ON orders (due_on) WHERE received_at IS NULL;

-- line_id is NULL when a reservation was given back before it was asked for.
CREATE TABLE reservations (
    reservation_id  uuid PRIMARY KEY,
    campaign_id     uuid NOT NULL,
    line_id         uuid,
    status          text NOT NULL CHECK (status IN ('asked', 'held', 'refused', 'released')),
    quantity        bigint NOT NULL DEFAULT 0 CHECK (quantity >= 0),
    rest            bigint NOT NULL DEFAULT 0 CHECK (rest >= 0),
    asked_at        timestamptz NOT NULL,
    CHECK (rest = 0 OR status = 'held')
);
CREATE INDEX reservations_line ON reservations (line_id);
CREATE INDEX reservations_campaign ON reservations (campaign_id);

-- One row per extraction file; it may come before its reservation and then waits for it.
CREATE TABLE consumptions (
    cause_id        uuid PRIMARY KEY,
    campaign_id     uuid NOT NULL,
    reservation_id  uuid NOT NULL,
    asked           bigint NOT NULL CHECK (asked >= 0),
    taken           bigint CHECK (taken BETWEEN 0 AND asked),
    requested_at    timestamptz NOT NULL,
    booked_at       timestamptz
);
CREATE INDEX consumptions_reservation ON consumptions (reservation_id);

-- Every movement, once per cause and kind; seq is taken while the line's row is locked.
CREATE TABLE ledger_entries (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    line_id         uuid NOT NULL REFERENCES stock_lines,
    cause           uuid NOT NULL,
    kind            text NOT NULL
                    CHECK (kind IN ('initial', 'receive', 'reserve', 'release', 'draw', 'consume')),
    account         text NOT NULL
                    CHECK (account IN ('initial', 'delivered', 'consumed', 'reserved')),
    quantity        bigint NOT NULL,
    booked_at       timestamptz NOT NULL,
    UNIQUE (cause, kind)
);
CREATE INDEX ledger_entries_line ON ledger_entries (line_id, seq);

-- What a command was answered: the same command gets the same answer again.
CREATE TABLE answers (
    cause           uuid NOT NULL,
    command         text NOT NULL,
    ce_type         text NOT NULL,
    body            text NOT NULL,
    PRIMARY KEY (cause, command)
);

-- Saves that came as messages: one read again must not undo a later one.
CREATE TABLE saves (
    cause           text PRIMARY KEY,
    saved_at        timestamptz NOT NULL
);
