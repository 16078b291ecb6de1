CREATE TABLE notes (
    id   TEXT PRIMARY KEY,
    text TEXT NOT NULL
);
