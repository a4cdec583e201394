-- name: put
-- A checkpoint, in place of one with the same id.
INSERT OR REPLACE INTO checkpoints (
    thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata, run_id
) VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_write
-- A pending write; one that is there already stays.
INSERT OR IGNORE INTO writes (
    thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value, run_id
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: replace_write
-- A pending write of a kind that there is once per task (an error, an interrupt, a resume value): the last one counts.
INSERT OR REPLACE INTO writes (
    thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value, run_id
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: copy_checkpoints
-- All checkpoints of a thread, again for another. The copies belong to no run: erasing a run leaves them alone.
INSERT OR REPLACE INTO checkpoints (
    thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata, run_id
)
SELECT :new_thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata, NULL
FROM checkpoints
WHERE thread_id = :thread_id;

-- name: copy_writes
-- All pending writes of a thread, again for another. The copies belong to no run.
INSERT OR REPLACE INTO writes (
    thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value, run_id
)
SELECT :new_thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, value, NULL
FROM writes
WHERE thread_id = :thread_id;

-- name: delete_thread
-- All checkpoints of a thread.
DELETE FROM checkpoints WHERE thread_id = :thread_id;

-- name: delete_thread_writes
-- All pending writes of a thread.
DELETE FROM writes WHERE thread_id = :thread_id;

-- name: delete_writes_by_runs
-- The writes that some runs (a JSON list of ids) made on their threads, also to checkpoints of others.
DELETE FROM writes
WHERE thread_id IN (SELECT thread_id FROM runs WHERE run_id IN (SELECT value FROM json_each(:run_ids)))
    AND run_id IN (SELECT value FROM json_each(:run_ids));

-- name: delete_writes_to_runs
-- The writes to the checkpoints of some runs (a JSON list of ids).
DELETE FROM writes
WHERE rowid IN (
    SELECT writes.rowid
    FROM checkpoints CROSS JOIN writes USING (thread_id, checkpoint_ns, checkpoint_id)
    WHERE checkpoints.run_id IN (SELECT value FROM json_each(:run_ids))
);

-- name: delete_of_runs
-- The checkpoints of some runs (a JSON list of ids).
DELETE FROM checkpoints WHERE run_id IN (SELECT value FROM json_each(:run_ids));

-- name: latest_of_namespaces
-- The newest checkpoint of each namespace of a thread.
SELECT checkpoint_ns, max(checkpoint_id) AS checkpoint_id
FROM checkpoints
WHERE thread_id = :thread_id
GROUP BY checkpoint_ns;

-- name: find
-- One checkpoint.
SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
FROM checkpoints
WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?;

-- name: find_latest
-- The newest checkpoint of a namespace.
SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
FROM checkpoints
WHERE thread_id = ? AND checkpoint_ns = ?
ORDER BY checkpoint_id DESC
LIMIT 1;

-- name: find_writes
-- The pending writes of a checkpoint.
SELECT task_id, channel, type, value, task_path, idx FROM writes
WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id = ?;

-- name: list
-- The start of a search for the ids of checkpoints; LangGraph adds the conditions.
SELECT thread_id, checkpoint_ns, checkpoint_id FROM checkpoints

-- name: list_order
-- Newest first.
ORDER BY checkpoint_id DESC LIMIT ?

-- name: delete_other_checkpoints
-- The checkpoints of a thread but for those of a JSON list of [namespace, id].
DELETE FROM checkpoints
WHERE thread_id = :thread_id
    AND (checkpoint_ns, checkpoint_id) NOT IN (
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:kept)
    );

-- name: delete_other_writes
-- The pending writes of a thread but for those to a JSON list of [namespace, id].
DELETE FROM writes
WHERE thread_id = :thread_id
    AND (checkpoint_ns, checkpoint_id) NOT IN (
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:kept)
    );
