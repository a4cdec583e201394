-- name: insert
-- A new cron; no row if the id is taken.
INSERT INTO crons (
    cron_id, assistant_id, thread_id, schedule, timezone, end_at, enabled, keeps_threads, spec, metadata, creator,
    next_tick, created_at, updated_at
) VALUES (
    :cron_id, :assistant_id, :thread_id, :schedule, :timezone, :end_at, :enabled, :keeps_threads, :spec, :metadata,
    :creator, :next_tick, :created_at, :updated_at
)
ON CONFLICT DO NOTHING;

-- name: replace
-- All of a cron but its id and its creation time; nobody holds it afterwards.
UPDATE crons
SET
    assistant_id = :assistant_id,
    thread_id = :thread_id,
    schedule = :schedule,
    timezone = :timezone,
    end_at = :end_at,
    enabled = :enabled,
    keeps_threads = :keeps_threads,
    spec = :spec,
    metadata = :metadata,
    creator = :creator,
    next_tick = :next_tick,
    updated_at = :updated_at,
    lease_owner = NULL,
    lease_expires_at = 0
WHERE cron_id = :cron_id;

-- name: find
-- The cron, if there is one.
SELECT * FROM crons WHERE cron_id = :cron_id;

-- name: delete
-- Remove the cron.
DELETE FROM crons WHERE cron_id = :cron_id;

-- name: take_due
-- Hold crons whose tick has come and that nobody holds.
UPDATE crons
SET lease_owner = :owner, lease_expires_at = :expires_at
WHERE cron_id IN (
    SELECT cron_id FROM crons INDEXED BY crons_due
    WHERE enabled AND next_tick IS NOT NULL AND next_tick <= :now AND lease_expires_at <= :lease_now
    ORDER BY next_tick, cron_id
    LIMIT :limit
)
RETURNING *;

-- name: move_on
-- From a tick to the next, if the cron is still due at this one and was not changed since it was read (null: that does
-- not matter); nobody holds it afterwards.
UPDATE crons
SET next_tick = :next_tick, lease_owner = NULL, lease_expires_at = 0
WHERE cron_id = :cron_id AND enabled AND next_tick = :tick AND updated_at = coalesce(:updated_at, updated_at);

-- name: is_behind
-- Whether the run of the newest tick still waits to start.
SELECT EXISTS (
    SELECT 1 FROM crons CROSS JOIN runs ON runs.run_id = crons.last_run_id
    WHERE crons.cron_id = :cron_id AND runs.status = 'pending'
);

-- name: set_last_run
-- The run that the newest tick made.
UPDATE crons SET last_run_id = :run_id WHERE cron_id = :cron_id;

-- name: next_due
-- When the earliest can be taken: one that is held not before its lease is over, told in wall time.
SELECT min(max(next_tick, CASE WHEN lease_expires_at > :lease_now THEN :now + lease_expires_at - :lease_now ELSE 0 END))
FROM crons
WHERE enabled AND next_tick IS NOT NULL;

-- name: expire_leases
-- Let go of every cron: on opening the file nobody else can hold one.
UPDATE crons SET lease_owner = NULL, lease_expires_at = 0 WHERE lease_expires_at > 0;

-- name: search
-- The start of a search.
SELECT * FROM crons WHERE 1

-- name: count
-- The start of a search's total.
SELECT count(*) FROM crons WHERE 1

-- name: of_assistant
-- A part of a search.
assistant_id = ?

-- name: of_thread
-- A part of a search.
thread_id = ?

-- name: of_enabled
-- A part of a search.
enabled = ?

-- name: by_cron_id_asc
-- An order; ties cannot be.
ORDER BY cron_id LIMIT ? OFFSET ?

-- name: by_cron_id_desc
-- An order; ties cannot be.
ORDER BY cron_id DESC LIMIT ? OFFSET ?

-- name: by_assistant_id_asc
-- An order; ties by id.
ORDER BY assistant_id, cron_id LIMIT ? OFFSET ?

-- name: by_assistant_id_desc
-- An order; ties by id.
ORDER BY assistant_id DESC, cron_id DESC LIMIT ? OFFSET ?

-- name: by_thread_id_asc
-- An order; those without it last, ties by id.
ORDER BY thread_id IS NULL, thread_id, cron_id LIMIT ? OFFSET ?

-- name: by_thread_id_desc
-- An order; those without it last, ties by id.
ORDER BY thread_id IS NULL, thread_id DESC, cron_id DESC LIMIT ? OFFSET ?

-- name: by_next_tick_asc
-- An order; those without it last, ties by id.
ORDER BY next_tick IS NULL, next_tick, cron_id LIMIT ? OFFSET ?

-- name: by_next_tick_desc
-- An order; those without it last, ties by id.
ORDER BY next_tick IS NULL, next_tick DESC, cron_id DESC LIMIT ? OFFSET ?

-- name: by_end_at_asc
-- An order; those without it last, ties by id.
ORDER BY end_at IS NULL, end_at, cron_id LIMIT ? OFFSET ?

-- name: by_end_at_desc
-- An order; those without it last, ties by id.
ORDER BY end_at IS NULL, end_at DESC, cron_id DESC LIMIT ? OFFSET ?

-- name: by_created_at_asc
-- An order; ties by id.
ORDER BY created_at, cron_id LIMIT ? OFFSET ?

-- name: by_created_at_desc
-- An order; ties by id.
ORDER BY created_at DESC, cron_id DESC LIMIT ? OFFSET ?

-- name: by_updated_at_asc
-- An order; ties by id.
ORDER BY updated_at, cron_id LIMIT ? OFFSET ?

-- name: by_updated_at_desc
-- An order; ties by id.
ORDER BY updated_at DESC, cron_id DESC LIMIT ? OFFSET ?
