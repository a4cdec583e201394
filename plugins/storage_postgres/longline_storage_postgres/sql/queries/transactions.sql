-- name: write
-- A transaction that may write; each statement sees what is committed when it starts.
BEGIN

-- name: snapshot
-- A transaction that only reads, from one state of the database.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY

-- name: read
-- A transaction that only reads; each statement sees what is committed when it starts.
BEGIN READ ONLY

-- name: limits
-- How long one statement may take, and how long a transaction may idle, until the end of this transaction.
; SET LOCAL statement_timeout = {statement_ms}; SET LOCAL idle_in_transaction_session_timeout = {idle_ms}

-- name: commit
-- Keep it. The server's answer is ROLLBACK where it could not.
COMMIT

-- name: rollback
-- Keep nothing.
ROLLBACK

-- name: look
-- Who answers, and whether it can serve as the storage.
SELECT
    pg_backend_pid() AS pid,
    pg_is_in_recovery() AS is_standby,
    current_setting('transaction_read_only') = 'on' AS is_read_only,
    current_setting('server_encoding') AS encoding,
    current_setting('server_version_num')::int AS version;
