-- Which messages were answered with a mail. The same on SQLite and PostgreSQL.

CREATE TABLE mails (
    -- The id of the message that asked for the mail: a consumer is idempotent by it.
    message_id TEXT   PRIMARY KEY,
    order_id   TEXT   NOT NULL,
    recipient  TEXT   NOT NULL,
    -- Milliseconds since the Unix epoch.
    sent_at    BIGINT NOT NULL
);
