-- name: lock
-- One process at a time brings the schema up to date; the lock goes with the transaction, so it works behind a pooler.
SELECT pg_advisory_xact_lock(4711203110);

-- name: prepare
-- Where everything stands, and what ran.
CREATE SCHEMA IF NOT EXISTS longline;
CREATE TABLE IF NOT EXISTS longline.migrations (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    serves_from INTEGER NOT NULL,
    ran_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

-- name: wait_briefly
-- What waits for a table holds up everybody who comes after it. (Behind the lock above, which may take long.)
SET LOCAL lock_timeout = '1s';

-- name: is_prepared
-- Whether there is anything of ours.
SELECT to_regclass('longline.migrations') IS NOT NULL AS found;

-- name: state
-- The newest migration that ran, and the oldest code that can work with the schema, by its newest migration.
SELECT coalesce(max(number), 0) AS newest, coalesce(max(serves_from), 0) AS serves_from FROM longline.migrations;

-- name: ran
-- A migration ran.
INSERT INTO longline.migrations (number, name, serves_from)
VALUES (%(number)s, %(name)s, %(serves_from)s);
