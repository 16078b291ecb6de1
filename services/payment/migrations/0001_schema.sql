-- What each order was charged, or was not. No card is kept.

CREATE TABLE charges (
    order_id     TEXT PRIMARY KEY,
    -- The provider's id: there is none until the provider has charged.
    charge_id    TEXT,
    amount_cents BIGINT NOT NULL,
    currency     TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('pending', 'charged', 'declined', 'voided')),
    CHECK (status <> 'charged' OR charge_id IS NOT NULL)
);
