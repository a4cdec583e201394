-- name: insert
-- An empty idle thread; no row if the id is taken.
INSERT INTO longline.threads (
    thread_id, created_at, updated_at, state_updated_at, metadata, ttl_micros, ttl_strategy
) VALUES (
    %(thread_id)s, %(created_at)s, %(created_at)s, %(created_at)s, %(metadata)s, %(ttl_micros)s, %(ttl_strategy)s
)
ON CONFLICT DO NOTHING;

-- name: lock
-- Who changes a thread, or puts a run on it, does it alone. A statement of its own: what follows sees all that was
-- committed while this one waited.
SELECT 1 FROM longline.threads WHERE thread_id = %(thread_id)s FOR UPDATE;

-- name: hold
-- Nobody changes the thread for now; others may hold it too.
SELECT 1 FROM longline.threads WHERE thread_id = %(thread_id)s FOR SHARE;

-- name: find
-- The thread, if there is one.
SELECT * FROM longline.thread_rows WHERE thread_id = %(thread_id)s;

-- name: find_metadata
-- Only what decides who may see the thread.
SELECT metadata FROM longline.threads WHERE thread_id = %(thread_id)s;

-- name: set_metadata
-- New metadata, already merged.
UPDATE longline.threads SET metadata = %(metadata)s, updated_at = %(at)s WHERE thread_id = %(thread_id)s;

-- name: touch
-- Something happened on the thread.
UPDATE longline.threads SET updated_at = clock_timestamp() WHERE thread_id = %(thread_id)s;

-- name: set_ttl
-- How long the thread stays from now on.
UPDATE longline.threads
SET ttl_micros = %(ttl_micros)s, ttl_strategy = %(ttl_strategy)s, pruned_at = NULL
WHERE thread_id = %(thread_id)s;

-- name: set_state
-- What a run or a state update left behind.
UPDATE longline.threads
SET
    rest_status = %(status)s,
    "values" = %(values)s,
    interrupts = %(interrupts)s,
    error = %(error)s,
    has_run = has_run OR %(has_run)s,
    updated_at = %(at)s,
    state_updated_at = %(at)s
WHERE thread_id = %(thread_id)s;

-- name: set_rest
-- How the thread rests after a run that wrote no state; its values and interrupts stay.
UPDATE longline.threads
SET rest_status = %(status)s, error = %(error)s, has_run = TRUE, updated_at = %(at)s, state_updated_at = %(at)s
WHERE thread_id = %(thread_id)s;

-- name: set_state_between_runs
-- What a state update of a locked thread left behind, and the turn that it took; no row while a run is unfinished.
UPDATE longline.threads
SET
    rest_status = %(status)s,
    "values" = %(values)s,
    interrupts = %(interrupts)s,
    error = %(error)s,
    updated_at = %(at)s,
    state_updated_at = %(at)s,
    turns = turns + 1
WHERE
    thread_id = %(thread_id)s
    AND NOT EXISTS (SELECT FROM longline.runs WHERE thread_id = %(thread_id)s AND status = 'running')
    AND NOT EXISTS (SELECT FROM longline.runs WHERE thread_id = %(thread_id)s AND status = 'pending')
RETURNING turns;

-- name: unfinished_run_ids
-- The ids of the unfinished runs of a locked thread, oldest first; they are locked in this order.
SELECT run_id FROM longline.runs
WHERE thread_id = %(thread_id)s AND status IN ('running', 'pending')
ORDER BY position
FOR UPDATE;

-- name: copy
-- A new idle thread with the metadata, values and time to live of another.
INSERT INTO longline.threads (
    thread_id, created_at, updated_at, state_updated_at, metadata, "values", has_run, ttl_micros, ttl_strategy
)
SELECT %(new_thread_id)s, %(at)s, %(at)s, %(at)s, metadata, "values", has_run, ttl_micros, ttl_strategy
FROM longline.threads
WHERE thread_id = %(thread_id)s
ON CONFLICT DO NOTHING;

-- name: delete
-- Remove the thread; triggers remove its runs, their events, its checkpoints, writes and crons.
DELETE FROM longline.threads WHERE thread_id = %(thread_id)s;

-- name: search
-- The start of a search.
SELECT * FROM longline.thread_rows WHERE TRUE

-- name: count
-- The start of a search's total.
SELECT count(*) AS total FROM longline.thread_rows WHERE TRUE

-- name: of_status
-- A part of a search.
status = %s

-- name: of_ids
-- A part of a search.
thread_id = ANY (%s::text[])

-- name: by_thread_id_asc
-- An order; ties cannot be.
ORDER BY thread_id LIMIT %s OFFSET %s

-- name: by_thread_id_desc
-- An order; ties cannot be.
ORDER BY thread_id DESC LIMIT %s OFFSET %s

-- name: by_status_asc
-- An order; ties by id.
ORDER BY status, thread_id LIMIT %s OFFSET %s

-- name: by_status_desc
-- An order; ties by id.
ORDER BY status DESC, thread_id DESC LIMIT %s OFFSET %s

-- name: by_created_at_asc
-- An order; ties by id.
ORDER BY created_at, thread_id LIMIT %s OFFSET %s

-- name: by_created_at_desc
-- An order; ties by id.
ORDER BY created_at DESC, thread_id DESC LIMIT %s OFFSET %s

-- name: by_updated_at_asc
-- An order; ties by id.
ORDER BY updated_at, thread_id LIMIT %s OFFSET %s

-- name: by_updated_at_desc
-- An order; ties by id.
ORDER BY updated_at DESC, thread_id DESC LIMIT %s OFFSET %s

-- name: by_state_updated_at_asc
-- An order; ties by id.
ORDER BY state_updated_at, thread_id LIMIT %s OFFSET %s

-- name: by_state_updated_at_desc
-- An order; ties by id.
ORDER BY state_updated_at DESC, thread_id DESC LIMIT %s OFFSET %s
