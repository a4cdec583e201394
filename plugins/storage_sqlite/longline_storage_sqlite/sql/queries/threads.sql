-- name: insert
-- An empty idle thread; no row if the id is taken.
INSERT INTO threads (thread_id, created_at, updated_at, state_updated_at, metadata, ttl_micros, ttl_strategy)
VALUES (:thread_id, :created_at, :created_at, :created_at, :metadata, :ttl_micros, :ttl_strategy)
ON CONFLICT DO NOTHING;

-- name: find
-- The thread, if there is one.
SELECT * FROM thread_rows WHERE thread_id = :thread_id;

-- name: find_metadata
-- Only what decides who may see the thread.
SELECT metadata FROM threads WHERE thread_id = :thread_id;

-- name: set_metadata
-- New metadata, already merged.
UPDATE threads SET metadata = :metadata, updated_at = :at WHERE thread_id = :thread_id;

-- name: touch
-- Something happened on the thread.
UPDATE threads SET updated_at = :at WHERE thread_id = :thread_id;

-- name: set_ttl
-- How long the thread stays from now on.
UPDATE threads
SET ttl_micros = :ttl_micros, ttl_strategy = :ttl_strategy, pruned_at = NULL
WHERE thread_id = :thread_id;

-- name: set_state
-- What a run or a state update left behind.
UPDATE threads
SET
    rest_status = :status,
    "values" = :values,
    interrupts = :interrupts,
    error = :error,
    has_run = has_run OR :has_run,
    updated_at = :at,
    state_updated_at = :at
WHERE thread_id = :thread_id;

-- name: set_rest
-- How the thread rests after a run that wrote no state; its values and interrupts stay.
UPDATE threads
SET rest_status = :status, error = :error, has_run = 1, updated_at = :at, state_updated_at = :at
WHERE thread_id = :thread_id;

-- name: copy
-- A new idle thread with the metadata, values and time to live of another.
INSERT INTO threads (
    thread_id, created_at, updated_at, state_updated_at, metadata, "values", has_run, ttl_micros, ttl_strategy
)
SELECT :new_thread_id, :at, :at, :at, metadata, "values", has_run, ttl_micros, ttl_strategy
FROM threads
WHERE thread_id = :thread_id
ON CONFLICT DO NOTHING;

-- name: delete
-- Remove the thread; triggers remove its runs, their events, its checkpoints and writes.
DELETE FROM threads WHERE thread_id = :thread_id;

-- name: search
-- The start of a search.
SELECT * FROM thread_rows WHERE 1

-- name: count
-- The start of a search's total.
SELECT count(*) FROM thread_rows WHERE 1

-- name: of_status
-- A part of a search.
status = ?

-- name: of_ids
-- A part of a search: the ids are a JSON list.
thread_id IN (SELECT value FROM json_each(?))

-- name: by_thread_id_asc
-- An order; ties cannot be.
ORDER BY thread_id LIMIT ? OFFSET ?

-- name: by_thread_id_desc
-- An order; ties cannot be.
ORDER BY thread_id DESC LIMIT ? OFFSET ?

-- name: by_status_asc
-- An order; ties by id.
ORDER BY status, thread_id LIMIT ? OFFSET ?

-- name: by_status_desc
-- An order; ties by id.
ORDER BY status DESC, thread_id DESC LIMIT ? OFFSET ?

-- name: by_created_at_asc
-- An order; ties by id.
ORDER BY created_at, thread_id LIMIT ? OFFSET ?

-- name: by_created_at_desc
-- An order; ties by id.
ORDER BY created_at DESC, thread_id DESC LIMIT ? OFFSET ?

-- name: by_updated_at_asc
-- An order; ties by id.
ORDER BY updated_at, thread_id LIMIT ? OFFSET ?

-- name: by_updated_at_desc
-- An order; ties by id.
ORDER BY updated_at DESC, thread_id DESC LIMIT ? OFFSET ?

-- name: by_state_updated_at_asc
-- An order; ties by id.
ORDER BY state_updated_at, thread_id LIMIT ? OFFSET ?

-- name: by_state_updated_at_desc
-- An order; ties by id.
ORDER BY state_updated_at DESC, thread_id DESC LIMIT ? OFFSET ?
