-- name: due_threads
-- Threads whose time is up, the longest due first: none with an unfinished run, and none is deleted that a cron comes
-- back to. (The conditions are those of the index, word for word.)
SELECT thread_id, ttl_strategy FROM threads
WHERE ttl_micros IS NOT NULL AND (pruned_at IS NULL OR pruned_at < updated_at)
    AND updated_at + ttl_micros <= :now
    AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status = 'running')
    AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status = 'pending')
    AND (
        ttl_strategy <> 'delete'
        OR NOT EXISTS (
            SELECT 1 FROM crons WHERE crons.thread_id = threads.thread_id AND enabled AND next_tick IS NOT NULL
        )
    )
ORDER BY updated_at + ttl_micros
LIMIT :limit;

-- name: is_due
-- Whether that is still so of one thread.
SELECT ttl_strategy FROM threads
WHERE thread_id = :thread_id
    AND ttl_micros IS NOT NULL AND (pruned_at IS NULL OR pruned_at < updated_at)
    AND updated_at + ttl_micros <= :now
    AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status = 'running')
    AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status = 'pending')
    AND (
        ttl_strategy <> 'delete'
        OR NOT EXISTS (
            SELECT 1 FROM crons WHERE crons.thread_id = threads.thread_id AND enabled AND next_tick IS NOT NULL
        )
    );

-- name: set_pruned
-- The thread waits for its next activity.
UPDATE threads SET pruned_at = updated_at WHERE thread_id = :thread_id;

-- name: delete_some_events_of_thread
-- Some events of the runs of a thread.
DELETE FROM events
WHERE (run_id, attempt, seq) IN (
    SELECT events.run_id, events.attempt, events.seq
    FROM runs CROSS JOIN events USING (run_id)
    WHERE runs.thread_id = :thread_id
    LIMIT :limit
);

-- name: delete_some_runs_of_thread
-- Some runs of a thread, with what is left of their events.
DELETE FROM runs
WHERE position IN (SELECT position FROM runs WHERE thread_id = :thread_id LIMIT :limit);

-- name: delete_some_other_writes
-- Some pending writes of a thread, but none to a JSON list of [namespace, id].
DELETE FROM writes
WHERE rowid IN (
    SELECT rowid FROM writes
    WHERE thread_id = :thread_id
        AND (checkpoint_ns, checkpoint_id) NOT IN (
            SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:kept)
        )
    LIMIT :limit
);

-- name: delete_some_other_checkpoints
-- Some checkpoints of a thread, but none of a JSON list of [namespace, id].
DELETE FROM checkpoints
WHERE rowid IN (
    SELECT rowid FROM checkpoints
    WHERE thread_id = :thread_id
        AND (checkpoint_ns, checkpoint_id) NOT IN (
            SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:kept)
        )
    LIMIT :limit
);

-- name: due_streams
-- Runs that ended before a time and still have events. The walk jumps from run to run along the log.
WITH RECURSIVE logged (run_id) AS (
    SELECT min(run_id) FROM events
    UNION ALL
    SELECT (SELECT min(run_id) FROM events WHERE run_id > logged.run_id) FROM logged WHERE logged.run_id IS NOT NULL
)
SELECT runs.run_id
FROM logged CROSS JOIN runs USING (run_id)
WHERE runs.status NOT IN ('pending', 'running') AND runs.updated_at <= :before
LIMIT :limit;

-- name: delete_some_events_of_run
-- Some events of a run, the oldest first.
DELETE FROM events
WHERE (run_id, attempt, seq) IN (
    SELECT run_id, attempt, seq FROM events WHERE run_id = :run_id ORDER BY attempt, seq LIMIT :limit
);

-- name: has_items
-- Whether LangGraph has made its table of items.
SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'store');

-- name: delete_some_items
-- Some items whose time is up; their vectors go with them.
DELETE FROM main.store
WHERE rowid IN (
    SELECT rowid FROM main.store WHERE expires_at IS NOT NULL AND expires_at <= :now ORDER BY expires_at LIMIT :limit
);

-- name: free_pages
-- How many pages of the file are unused.
PRAGMA freelist_count;

-- name: return_pages
-- Hand some of them back to the file system. (Each step of the statement frees one.)
PRAGMA incremental_vacuum(200);

-- name: truncate_log
-- Bring everything into the file and leave nothing in the write-ahead log. The first column is 1 if somebody still read.
PRAGMA wal_checkpoint(TRUNCATE);
