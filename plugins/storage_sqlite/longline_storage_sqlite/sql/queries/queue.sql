-- name: insert
-- A run, waiting or already started; no row if the id is taken. Its position is after all others.
INSERT INTO runs (
    run_id, thread_id, assistant_id, metadata, status, spec, temporary, multitask_strategy,
    created_at, updated_at, not_before, attempt, lease_owner, lease_expires_at, resumable, token, chain_id
) VALUES (
    :run_id, :thread_id, :assistant_id, :metadata, :status, :spec, :temporary, :multitask_strategy,
    :created_at, :created_at, :not_before, :attempt, :lease_owner, :lease_expires_at,
    :resumable, :token, :chain_id
)
ON CONFLICT (run_id) DO NOTHING;

-- name: unfinished_of_thread
-- The unfinished runs of a thread, oldest first.
SELECT * FROM runs WHERE thread_id = :thread_id AND status = 'running'
UNION ALL
SELECT * FROM runs WHERE thread_id = :thread_id AND status = 'pending'
ORDER BY position;

-- name: has_unfinished
-- Whether a thread has an unfinished run.
SELECT
    EXISTS (SELECT 1 FROM runs WHERE thread_id = :thread_id AND status = 'running')
    OR EXISTS (SELECT 1 FROM runs WHERE thread_id = :thread_id AND status = 'pending');

-- name: claim
-- Start runs that are due and next on their threads, and take over those whose lease ran out. First come, first served
-- among what is due: a delayed run holds up nobody. (Left alone, SQLite would walk through all runs for their order.)
UPDATE runs
SET status = 'running', attempt = attempt + 1, lease_owner = :owner, lease_expires_at = :expires_at
WHERE position IN (
    SELECT position FROM runs INDEXED BY runs_one_running WHERE status = 'running' AND lease_expires_at <= :lease_now
    UNION ALL
    SELECT position FROM runs AS waiting
    WHERE status = 'pending'
        AND not_before <= :now
        AND NOT EXISTS (SELECT 1 FROM runs WHERE thread_id = waiting.thread_id AND status = 'running')
        AND NOT EXISTS (
            SELECT 1 FROM runs
            WHERE thread_id = waiting.thread_id
                AND status = 'pending'
                AND position < waiting.position
                AND not_before <= :now
        )
    ORDER BY position
    LIMIT :limit
)
RETURNING *;

-- name: expire_leases
-- End every lease: on opening the file nobody else can hold one.
UPDATE runs SET lease_expires_at = 0 WHERE status = 'running';

-- name: keep
-- A longer lease, if it still stands, and whether somebody asked to cancel.
UPDATE runs SET lease_expires_at = :expires_at
WHERE run_id = :run_id AND attempt = :attempt AND lease_owner = :owner AND status = 'running'
RETURNING cancel_action, cancel_reason;

-- name: holds
-- Whether the run's thread is temporary, if the lease still stands.
SELECT temporary FROM runs
WHERE run_id = :run_id AND attempt = :attempt AND lease_owner = :owner AND status = 'running';

-- name: release
-- Give the run back, if the lease still stands.
UPDATE runs SET status = 'pending', lease_owner = NULL, lease_expires_at = NULL, released = released + 1
WHERE run_id = :run_id AND attempt = :attempt AND lease_owner = :owner AND status = 'running';

-- name: end
-- End a run. It keeps no token of its caller.
UPDATE runs
SET
    status = :status, failure = :failure, verdict = :verdict, updated_at = :at,
    lease_owner = NULL, lease_expires_at = NULL, token = NULL
WHERE run_id = :run_id;

-- name: request_cancel
-- Leave word for the worker of a running run.
UPDATE runs SET cancel_action = :action, cancel_reason = :reason, updated_at = :at WHERE run_id = :run_id;

-- name: erase_checkpoints
-- Remove what a run wrote to its thread; copies on other threads stay.
DELETE FROM checkpoints WHERE thread_id = :thread_id AND run_id = :run_id;

-- name: erase_writes
-- Remove the writes of a run, and those to its checkpoints.
DELETE FROM writes
WHERE thread_id = :thread_id
    AND (
        run_id = :run_id
        OR (checkpoint_ns, checkpoint_id) IN (
            SELECT checkpoint_ns, checkpoint_id FROM checkpoints WHERE thread_id = :thread_id AND run_id = :run_id
        )
    );

-- name: delete
-- Remove a run; a trigger removes its events.
DELETE FROM runs WHERE run_id = :run_id;

-- name: find
-- The run, if it is on this thread.
SELECT * FROM runs WHERE run_id = :run_id AND thread_id = :thread_id;

-- name: unfinished_of_ids
-- Those runs of a JSON list of ids that have not ended, oldest first.
SELECT * FROM runs
WHERE run_id IN (SELECT value FROM json_each(:run_ids)) AND status IN ('pending', 'running')
ORDER BY position;

-- name: unfinished_ids_of_thread
-- The ids of the unfinished runs of a thread, oldest first.
SELECT run_id, position FROM runs WHERE thread_id = :thread_id AND status = 'running'
UNION ALL
SELECT run_id, position FROM runs WHERE thread_id = :thread_id AND status = 'pending'
ORDER BY position;

-- name: search
-- The start of a search.
SELECT * FROM runs WHERE 1

-- name: of_thread
-- A part of a search.
thread_id = ?

-- name: of_ids
-- A part of a search: the ids are a JSON list.
run_id IN (SELECT value FROM json_each(?))

-- name: of_threads
-- A part of a search: the ids are a JSON list.
thread_id IN (SELECT value FROM json_each(?))

-- name: of_statuses
-- A part of a search: the statuses are a JSON list.
status IN (SELECT value FROM json_each(?))

-- name: of_verdicts
-- A part of a search: the verdicts are a JSON list, with null for none.
EXISTS (SELECT 1 FROM json_each(?) WHERE value IS verdict)

-- name: of_assistant
-- A part of a search.
assistant_id = ?

-- name: of_chain
-- A part of a search.
chain_id = ?

-- name: heads
-- A part of a search: the newest runs of their chains.
chain_id IS NOT NULL
AND NOT EXISTS (
    SELECT 1 FROM runs AS later WHERE later.chain_id = runs.chain_id AND later.position > runs.position
)

-- name: updated_since
-- A part of a search.
updated_at >= ?

-- name: behind
-- A part of a search: behind a place in the order by `updated_at`.
(updated_at, run_id) < (?, ?)

-- name: on_threads
-- A part of a search: the runs of threads that fulfil what follows, up to `end_of_threads`. (Their columns come first.)
EXISTS (SELECT 1 FROM threads WHERE threads.thread_id = runs.thread_id AND

-- name: end_of_threads
-- See on_threads.
)

-- name: count
-- The start of a count.
SELECT count(*) FROM runs WHERE 1

-- name: latest_first
-- The order of a search by what happened last; ties by id.
ORDER BY updated_at DESC, run_id DESC LIMIT ? OFFSET ?

-- name: last_added_first
-- The order of a search by insertion.
ORDER BY position DESC LIMIT ? OFFSET ?

-- name: head
-- The newest run of a thread.
SELECT run_id, chain_id, verdict FROM runs WHERE thread_id = :thread_id ORDER BY position DESC LIMIT 1;

-- name: give_up
-- A run that waits will not go on, unless its chain has. One row if so.
UPDATE runs SET status = 'interrupted', verdict = NULL, updated_at = :at
WHERE run_id = :run_id AND thread_id = :thread_id AND status = 'success' AND verdict IS :verdict
    AND NOT EXISTS (
        SELECT 1 FROM runs AS later WHERE later.chain_id = runs.chain_id AND later.position > runs.position
    );

-- name: newest_first
-- The order of a search; ties by id.
ORDER BY created_at DESC, run_id DESC LIMIT ? OFFSET ?

-- name: next_due
-- When the earliest delayed run may start.
SELECT min(not_before) FROM runs WHERE status = 'pending' AND not_before > :now;

-- name: count_unfinished
-- How many runs wait, and how many run.
SELECT
    (SELECT count(*) FROM runs WHERE status = 'pending') AS pending,
    (SELECT count(*) FROM runs WHERE status = 'running') AS running;
