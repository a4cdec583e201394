-- name: due_threads
-- Threads whose time is up, the longest due first: none with an unfinished run, and none is deleted that a cron comes
-- back to. (The conditions are those of the index, word for word.)
SELECT thread_id FROM longline.threads AS t
WHERE ttl_micros IS NOT NULL AND (pruned_at IS NULL OR pruned_at < updated_at)
    AND longline.micros_of(updated_at) + ttl_micros <= longline.micros_of(%(now)s::timestamptz)
    AND NOT EXISTS (SELECT 1 FROM longline.runs AS r WHERE r.thread_id = t.thread_id AND r.status = 'running')
    AND NOT EXISTS (SELECT 1 FROM longline.runs AS r WHERE r.thread_id = t.thread_id AND r.status = 'pending')
    AND (
        ttl_strategy <> 'delete'
        OR NOT EXISTS (
            SELECT 1 FROM longline.crons AS c WHERE c.thread_id = t.thread_id AND c.enabled AND c.next_tick IS NOT NULL
        )
    )
ORDER BY longline.micros_of(updated_at) + ttl_micros
LIMIT %(limit)s;

-- name: lock_free_thread
-- Hold a thread until the transaction ends; no row if somebody else does.
SELECT thread_id FROM longline.threads WHERE thread_id = %(thread_id)s FOR UPDATE SKIP LOCKED;

-- name: is_due
-- Whether that is still so of one thread, which is held: what was done to it before is seen.
SELECT ttl_strategy FROM longline.threads AS t
WHERE thread_id = %(thread_id)s
    AND ttl_micros IS NOT NULL AND (pruned_at IS NULL OR pruned_at < updated_at)
    AND longline.micros_of(updated_at) + ttl_micros <= longline.micros_of(%(now)s::timestamptz)
    AND NOT EXISTS (SELECT 1 FROM longline.runs AS r WHERE r.thread_id = t.thread_id AND r.status = 'running')
    AND NOT EXISTS (SELECT 1 FROM longline.runs AS r WHERE r.thread_id = t.thread_id AND r.status = 'pending')
    AND (
        ttl_strategy <> 'delete'
        OR NOT EXISTS (
            SELECT 1 FROM longline.crons AS c WHERE c.thread_id = t.thread_id AND c.enabled AND c.next_tick IS NOT NULL
        )
    );

-- name: lock_thread
-- Hold a thread until the transaction ends.
SELECT metadata FROM longline.threads WHERE thread_id = %(thread_id)s FOR UPDATE;

-- name: set_pruned
-- The thread waits for its next activity.
UPDATE longline.threads SET pruned_at = updated_at WHERE thread_id = %(thread_id)s;

-- name: delete_thread
-- Remove the thread with what is left on it.
DELETE FROM longline.threads WHERE thread_id = %(thread_id)s;

-- name: delete_some_events_of_thread
-- Some events of the runs of a thread.
DELETE FROM longline.events
WHERE ctid = ANY (ARRAY(
    SELECT e.ctid
    FROM longline.runs AS r JOIN longline.events AS e USING (run_id)
    WHERE r.thread_id = %(thread_id)s
    LIMIT %(limit)s
    FOR UPDATE OF e SKIP LOCKED
));

-- name: delete_some_runs_of_thread
-- Some runs of a thread, with what is left of their events.
DELETE FROM longline.runs
WHERE position IN (
    SELECT position FROM longline.runs WHERE thread_id = %(thread_id)s ORDER BY position LIMIT %(limit)s FOR UPDATE
);

-- name: delete_some_other_writes
-- Some pending writes of a thread, but none to some checkpoints (pairs of namespace and id).
DELETE FROM longline.checkpoint_writes
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM longline.checkpoint_writes
    WHERE thread_id = %(thread_id)s
        AND (checkpoint_ns, checkpoint_id) NOT IN (
            SELECT v.ns, v.id FROM unnest(%(kept_ns)s::text[], %(kept_ids)s::text[]) AS v (ns, id)
        )
    LIMIT %(limit)s
    FOR UPDATE
));

-- name: delete_some_other_checkpoints
-- Some checkpoints of a thread, but none of some (pairs of namespace and id).
DELETE FROM longline.checkpoints
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM longline.checkpoints
    WHERE thread_id = %(thread_id)s
        AND (checkpoint_ns, checkpoint_id) NOT IN (
            SELECT v.ns, v.id FROM unnest(%(kept_ns)s::text[], %(kept_ids)s::text[]) AS v (ns, id)
        )
    LIMIT %(limit)s
    FOR UPDATE
));

-- name: delete_some_unused_blobs
-- Some values of a thread that none of its checkpoints has any more.
DELETE FROM longline.checkpoint_blobs
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM longline.checkpoint_blobs
    WHERE thread_id = %(thread_id)s
        AND (checkpoint_ns, channel, version) NOT IN (
            SELECT c.checkpoint_ns, v.key, v.value
            FROM longline.checkpoints AS c CROSS JOIN jsonb_each_text(c.checkpoint -> 'channel_versions') AS v
            WHERE c.thread_id = %(thread_id)s
        )
    LIMIT %(limit)s
    FOR UPDATE
));

-- name: due_streams
-- Runs that ended before a time and still have events. The walk jumps from run to run along the log.
WITH RECURSIVE logged (run_id) AS (
    (SELECT run_id FROM longline.events ORDER BY run_id LIMIT 1)
    UNION ALL
    SELECT (SELECT e.run_id FROM longline.events AS e WHERE e.run_id > logged.run_id ORDER BY e.run_id LIMIT 1)
    FROM logged
    WHERE logged.run_id IS NOT NULL
)
SELECT r.run_id
FROM logged JOIN longline.runs AS r USING (run_id)
WHERE r.status NOT IN ('pending', 'running') AND r.updated_at <= %(before)s
LIMIT %(limit)s;

-- name: delete_some_events_of_runs
-- Some events of some runs, the oldest of each first, but none that somebody else is at.
DELETE FROM longline.events
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM longline.events
    WHERE run_id = ANY (%(run_ids)s::text[])
    ORDER BY run_id, attempt, seq
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
));

-- name: delete_some_items
-- Some items whose time is up, but none that somebody else is at; their vectors go with them.
DELETE FROM longline.items
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM longline.items
    WHERE expires_at IS NOT NULL AND expires_at <= %(now)s
    ORDER BY expires_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
));
