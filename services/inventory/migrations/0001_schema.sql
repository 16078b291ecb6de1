-- What the shop sells, how much of it there is, and what is set aside for which order.

CREATE TABLE products (
    sku         TEXT PRIMARY KEY,
    -- The place in the shop window.
    position    BIGINT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    price_cents BIGINT NOT NULL CHECK (price_cents > 0)
);

CREATE TABLE stock (
    sku       TEXT PRIMARY KEY REFERENCES products (sku),
    available BIGINT NOT NULL CHECK (available >= 0)
);

-- A released reservation is kept: a request to reserve that comes late must find it.
CREATE TABLE reservations (
    order_id TEXT PRIMARY KEY,
    status   TEXT NOT NULL CHECK (status IN ('reserved', 'released'))
);

-- Lines are written before it is known whether each product exists; only at the commit they must.
CREATE TABLE reservation_lines (
    order_id TEXT NOT NULL REFERENCES reservations (order_id),
    sku      TEXT NOT NULL REFERENCES stock (sku) DEFERRABLE INITIALLY DEFERRED,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, sku)
);
