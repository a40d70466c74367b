SET LOCAL lock_timeout = '5s';

CREATE TABLE orders (
    order_id        uuid PRIMARY KEY,
    number          text NOT NULL,
    supplier        text NOT NULL,
    supplier_id     uuid,
    budget_id       uuid REFERENCES budgets,
    currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total_minor     bigint NOT NULL CHECK (total_minor >= 0),
    ordered_on      date,
    saved_at        timestamptz NOT NULL,
    UNIQUE (supplier, number)
);

CREATE TABLE order_lines (
    order_id        uuid NOT NULL REFERENCES orders,
    position        integer NOT NULL,
    label           text NOT NULL,
    amount_minor    bigint NOT NULL CHECK (amount_minor >= 0),
    PRIMARY KEY (order_id, position)
);

-- A supplier's number stands once, so that nothing is paid twice.
CREATE TABLE invoices (
    invoice_id      uuid PRIMARY KEY,
    number          text NOT NULL,
    supplier        text NOT NULL,
    supplier_id     uuid,
    budget_id       uuid NOT NULL REFERENCES budgets,
    currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    total_minor     bigint NOT NULL CHECK (total_minor >= 0),
    invoiced_on     date NOT NULL,
    status          text NOT NULL CHECK (status IN ('received', 'paid', 'cancelled')),
    moved_on        date,
    charged_minor   bigint NOT NULL DEFAULT 0 CHECK (charged_minor >= 0),
    saved_at        timestamptz NOT NULL
);
CREATE UNIQUE INDEX invoices_number ON invoices (supplier, number) WHERE status <> 'cancelled';
CREATE INDEX invoices_budget ON invoices (budget_id);

CREATE TABLE invoice_lines (
    invoice_id      uuid NOT NULL REFERENCES invoices,
    position        integer NOT NULL,
    label           text NOT NULL,
    amount_minor    bigint NOT NULL CHECK (amount_minor >= 0),
    order_id        uuid REFERENCES orders,
    kind            text,
    object_id       uuid,
    PRIMARY KEY (invoice_id, position)
);
CREATE INDEX invoice_lines_order ON invoice_lines (order_id) WHERE order_id IS NOT NULL;

-- What a paid invoice was charged to, in its budget's currency.
CREATE TABLE invoice_charges (
    invoice_id      uuid NOT NULL REFERENCES invoices,
    kind            text NOT NULL,
    object_id       uuid NOT NULL,
    budget_id       uuid NOT NULL REFERENCES budgets,
    amount_minor    bigint NOT NULL CHECK (amount_minor >= 0),
    PRIMARY KEY (invoice_id, kind, object_id)
);
CREATE INDEX invoice_charges_object ON invoice_charges (kind, object_id, budget_id);

-- How many of quote one of base is, from a date on.
CREATE TABLE rates (
    base            text NOT NULL CHECK (base ~ '^[A-Z]{3}$'),
    quote           text NOT NULL CHECK (quote ~ '^[A-Z]{3}$'),
    valid_from      date NOT NULL,
    rate            numeric(18, 8) NOT NULL CHECK (rate > 0),
    PRIMARY KEY (base, quote, valid_from),
    CHECK (base <> quote)
);
