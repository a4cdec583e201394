-- name: insert
-- A new cron; no row if the id is taken.
INSERT INTO longline.crons (
    cron_id, assistant_id, thread_id, schedule, timezone, end_at, enabled, keeps_threads, spec, metadata, creator,
    next_tick, created_at, updated_at
) VALUES (
    %(cron_id)s, %(assistant_id)s, %(thread_id)s, %(schedule)s, %(timezone)s, %(end_at)s, %(enabled)s,
    %(keeps_threads)s, %(spec)s, %(metadata)s, %(creator)s, %(next_tick)s, %(created_at)s, %(updated_at)s
)
ON CONFLICT DO NOTHING;

-- name: replace
-- All of a cron but its id and its creation time; nobody holds it afterwards.
UPDATE longline.crons
SET
    assistant_id = %(assistant_id)s,
    thread_id = %(thread_id)s,
    schedule = %(schedule)s,
    timezone = %(timezone)s,
    end_at = %(end_at)s,
    enabled = %(enabled)s,
    keeps_threads = %(keeps_threads)s,
    spec = %(spec)s,
    metadata = %(metadata)s,
    creator = %(creator)s,
    next_tick = %(next_tick)s,
    updated_at = %(updated_at)s,
    lease_owner = NULL,
    lease_expires_at = NULL
WHERE cron_id = %(cron_id)s;

-- name: find
-- The cron, if there is one.
SELECT * FROM longline.crons WHERE cron_id = %(cron_id)s;

-- name: find_to_change
-- The cron, if there is one; nobody else changes it until the transaction ends.
SELECT * FROM longline.crons WHERE cron_id = %(cron_id)s FOR UPDATE;

-- name: delete
-- Remove the cron.
DELETE FROM longline.crons WHERE cron_id = %(cron_id)s;

-- name: take_due
-- Hold crons whose tick has come and that nobody holds, nor is about to.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
due AS MATERIALIZED (
    SELECT cron_id FROM longline.crons
    WHERE enabled AND next_tick IS NOT NULL AND next_tick <= (SELECT now FROM clock)
        AND (lease_expires_at IS NULL OR lease_expires_at <= (SELECT now FROM clock))
    ORDER BY next_tick, cron_id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE longline.crons AS c
SET
    lease_owner = %(owner)s,
    lease_expires_at = (SELECT now FROM clock) + make_interval(secs => %(lease_seconds)s::double precision)
FROM due
WHERE c.cron_id = due.cron_id
RETURNING c.*;

-- name: advance
-- From a tick to the next, if the cron is still due at this one; nobody holds it afterwards.
UPDATE longline.crons
SET next_tick = %(next_tick)s, lease_owner = NULL, lease_expires_at = NULL
WHERE cron_id = %(cron_id)s AND enabled AND next_tick = %(tick)s;

-- name: becomes
-- From a tick to the next with the run that it makes, if the cron is still due at this one and was not changed since it
-- was read (null: that does not matter); nobody holds it afterwards. Tells whether that was so, and whether the run
-- of the tick before still waits to start. The row of the thread is locked before that of the cron, as everywhere.
WITH thread AS MATERIALIZED (
    SELECT thread_id FROM longline.threads WHERE thread_id = %(thread_id)s FOR UPDATE
),
old AS MATERIALIZED (
    SELECT cron_id, last_run_id FROM longline.crons
    WHERE cron_id = %(cron_id)s AND enabled AND next_tick = %(tick)s
        AND updated_at = coalesce(%(updated_at)s::timestamptz, updated_at)
        AND (SELECT count(*) FROM thread) >= 0
    FOR UPDATE
),
moved AS (
    UPDATE longline.crons AS c
    SET next_tick = %(next_tick)s, lease_owner = NULL, lease_expires_at = NULL, last_run_id = %(run_id)s
    FROM old
    WHERE c.cron_id = old.cron_id
    RETURNING c.cron_id
)
SELECT
    EXISTS (SELECT 1 FROM moved) AS has_moved,
    EXISTS (
        SELECT 1 FROM old JOIN longline.runs AS r ON r.run_id = old.last_run_id WHERE r.status = 'pending'
    ) AS is_behind;

-- name: next_due
-- When the earliest can be taken: one that is held not before its lease is over.
SELECT min(greatest(next_tick, CASE WHEN lease_expires_at > clock_timestamp() THEN lease_expires_at END)) AS due_at
FROM longline.crons
WHERE enabled AND next_tick IS NOT NULL;

-- name: search
-- The start of a search.
SELECT * FROM longline.crons WHERE TRUE

-- name: count
-- The start of a search's total.
SELECT count(*) AS total FROM longline.crons WHERE TRUE

-- name: of_assistant
-- A part of a search.
assistant_id = %s

-- name: of_thread
-- A part of a search.
thread_id = %s

-- name: of_enabled
-- A part of a search.
enabled = %s

-- name: by_cron_id_asc
-- An order; ties cannot be.
ORDER BY cron_id LIMIT %s OFFSET %s

-- name: by_cron_id_desc
-- An order; ties cannot be.
ORDER BY cron_id DESC LIMIT %s OFFSET %s

-- name: by_assistant_id_asc
-- An order; ties by id.
ORDER BY assistant_id, cron_id LIMIT %s OFFSET %s

-- name: by_assistant_id_desc
-- An order; ties by id.
ORDER BY assistant_id DESC, cron_id DESC LIMIT %s OFFSET %s

-- name: by_thread_id_asc
-- An order; those without it last, ties by id.
ORDER BY thread_id IS NULL, thread_id, cron_id LIMIT %s OFFSET %s

-- name: by_thread_id_desc
-- An order; those without it last, ties by id.
ORDER BY thread_id IS NULL, thread_id DESC, cron_id DESC LIMIT %s OFFSET %s

-- name: by_next_tick_asc
-- An order; those without it last, ties by id.
ORDER BY next_tick IS NULL, next_tick, cron_id LIMIT %s OFFSET %s

-- name: by_next_tick_desc
-- An order; those without it last, ties by id.
ORDER BY next_tick IS NULL, next_tick DESC, cron_id DESC LIMIT %s OFFSET %s

-- name: by_end_at_asc
-- An order; those without it last, ties by id.
ORDER BY end_at IS NULL, end_at, cron_id LIMIT %s OFFSET %s

-- name: by_end_at_desc
-- An order; those without it last, ties by id.
ORDER BY end_at IS NULL, end_at DESC, cron_id DESC LIMIT %s OFFSET %s

-- name: by_created_at_asc
-- An order; ties by id.
ORDER BY created_at, cron_id LIMIT %s OFFSET %s

-- name: by_created_at_desc
-- An order; ties by id.
ORDER BY created_at DESC, cron_id DESC LIMIT %s OFFSET %s

-- name: by_updated_at_asc
-- An order; ties by id.
ORDER BY updated_at, cron_id LIMIT %s OFFSET %s

-- name: by_updated_at_desc
-- An order; ties by id.
ORDER BY updated_at DESC, cron_id DESC LIMIT %s OFFSET %s
