-- What the provider was asked to charge, by the key that the asker chose. No card is kept.

CREATE TABLE charges (
    idempotency_key TEXT PRIMARY KEY,
    charge_id       TEXT NOT NULL UNIQUE,
    amount_cents    BIGINT NOT NULL,
    currency        TEXT NOT NULL,
    status          TEXT NOT NULL
        CHECK (status IN ('succeeded', 'declined', 'refunded', 'cancelled'))
);
