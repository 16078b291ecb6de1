-- Carts, orders, and the outbox. The same on SQLite and PostgreSQL.

CREATE TABLE cart_lines (
    cart_id  TEXT   NOT NULL,
    position BIGINT NOT NULL,
    sku      TEXT   NOT NULL,
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (cart_id, position)
);

CREATE TABLE coupons (
    code        TEXT   PRIMARY KEY,
    percent_off BIGINT NOT NULL CHECK (percent_off BETWEEN 1 AND 100),
    -- Seconds since the Unix epoch; NULL for a coupon that never expires.
    expires_at  BIGINT
);

INSERT INTO coupons (code, percent_off, expires_at) VALUES
    ('WELCOME10', 10, NULL),
    ('TRAIL15', 15, NULL),
    ('SUMMER2020', 20, 1598918400);

CREATE TABLE orders (
    order_id        TEXT   PRIMARY KEY,
    -- What the client gave, so that it can ask again without ordering again.
    idempotency_key TEXT   UNIQUE,
    -- What was asked for under that key: another request under it is refused.
    fingerprint     TEXT   NOT NULL,
    email           TEXT   NOT NULL,
    -- The lines as JSON: what recovery needs to finish the order.
    lines           TEXT   NOT NULL,
    item_count      BIGINT NOT NULL,
    percent_off     BIGINT NOT NULL,
    status          TEXT   NOT NULL CHECK (status IN ('pending', 'completed', 'failed')),
    total_cents     BIGINT NOT NULL,
    discount_cents  BIGINT NOT NULL,
    message_id      TEXT,
    -- Why it failed, as the kind of a problem.
    failure         TEXT,
    -- The trace context of the request, so that recovery goes on in its trace.
    context         TEXT   NOT NULL,
    -- Milliseconds since the Unix epoch.
    created_at      BIGINT NOT NULL
);

CREATE INDEX orders_by_status ON orders (status);

CREATE TABLE outbox (
    message_id  TEXT   PRIMARY KEY,
    exchange    TEXT   NOT NULL,
    routing_key TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    -- The trace context in which the message was written.
    context     TEXT   NOT NULL,
    created_at  BIGINT NOT NULL
);
