SET LOCAL lock_timeout = '5s';

-- What a cost type counts may be taken from a stock line, which the stock service owns.
ALTER TABLE cost_structures
    ADD COLUMN stock_line_id  uuid,
    ADD COLUMN stock_quantity integer NOT NULL DEFAULT 1 CHECK (stock_quantity BETWEEN 1 AND 1000);

-- What a hold's cost types take of a stock line; the hold is answered once all of it is held.
CREATE TABLE hold_goods (
    hold_id         uuid NOT NULL REFERENCES holds,
    line_id         uuid NOT NULL,
    reservation_id  uuid NOT NULL UNIQUE,
    once            bigint NOT NULL CHECK (once >= 0),
    per_letter      bigint NOT NULL CHECK (per_letter >= 0),
    quantity        bigint NOT NULL CHECK (quantity > 0),
    status          text NOT NULL CHECK (status IN ('asked', 'held', 'refused', 'released')),
    PRIMARY KEY (hold_id, line_id)
);
