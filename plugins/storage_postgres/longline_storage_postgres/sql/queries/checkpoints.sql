-- name: put
-- A checkpoint with the values that are new in it, in place of one with the same id. With a lease: only if that stands,
-- and it stands until this is stored. Whether it was stored.
WITH held AS MATERIALIZED (
    SELECT 1 FROM longline.runs
    WHERE run_id = %(lease_run_id)s AND attempt = %(attempt)s AND lease_owner = %(owner)s AND status = 'running'
    FOR KEY SHARE
), allowed AS MATERIALIZED (
    SELECT 1 FROM held
    UNION ALL
    SELECT 1 WHERE %(lease_run_id)s::text IS NULL
), blobs AS (
    INSERT INTO longline.checkpoint_blobs AS b (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT %(thread_id)s, %(checkpoint_ns)s, v.channel, v.version, v.type, v.blob
    FROM allowed
    CROSS JOIN unnest(%(channels)s::text[], %(versions)s::text[], %(types)s::text[], %(blobs)b::bytea[])
        AS v (channel, version, type, blob)
    ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO UPDATE SET type = excluded.type, blob = excluded.blob
    WHERE b.version = %(checkpoint_id)s
), checkpoint AS (
    INSERT INTO longline.checkpoints (
        thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata, run_id
    )
    SELECT
        %(thread_id)s, %(checkpoint_ns)s, %(checkpoint_id)s, %(parent_checkpoint_id)s,
        %(checkpoint)s::jsonb, longline.jsonb_of(%(metadata)s), %(run_id)s
    FROM allowed
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET
        parent_checkpoint_id = excluded.parent_checkpoint_id,
        checkpoint = excluded.checkpoint,
        metadata = excluded.metadata,
        run_id = excluded.run_id
)
SELECT EXISTS (SELECT 1 FROM allowed) AS is_stored;

-- name: put_writes
-- Pending writes; those that are there already stay. With a lease as above. Whether they were stored.
WITH held AS MATERIALIZED (
    SELECT 1 FROM longline.runs
    WHERE run_id = %(lease_run_id)s AND attempt = %(attempt)s AND lease_owner = %(owner)s AND status = 'running'
    FOR KEY SHARE
), allowed AS MATERIALIZED (
    SELECT 1 FROM held
    UNION ALL
    SELECT 1 WHERE %(lease_run_id)s::text IS NULL
), writes AS (
    INSERT INTO longline.checkpoint_writes (
        thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob, run_id
    )
    SELECT
        %(thread_id)s, %(checkpoint_ns)s, %(checkpoint_id)s, %(task_id)s, %(task_path)s,
        v.idx, v.channel, v.type, v.blob, %(run_id)s
    FROM allowed
    CROSS JOIN unnest(%(idx)s::integer[], %(channels)s::text[], %(types)s::text[], %(blobs)b::bytea[])
        AS v (idx, channel, type, blob)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO NOTHING
)
SELECT EXISTS (SELECT 1 FROM allowed) AS is_stored;

-- name: replace_writes
-- Pending writes of kinds that there are once per task (an error, an interrupt, a resume value): the last one counts.
-- With a lease as above. Whether they were stored.
WITH held AS MATERIALIZED (
    SELECT 1 FROM longline.runs
    WHERE run_id = %(lease_run_id)s AND attempt = %(attempt)s AND lease_owner = %(owner)s AND status = 'running'
    FOR KEY SHARE
), allowed AS MATERIALIZED (
    SELECT 1 FROM held
    UNION ALL
    SELECT 1 WHERE %(lease_run_id)s::text IS NULL
), writes AS (
    INSERT INTO longline.checkpoint_writes (
        thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob, run_id
    )
    SELECT
        %(thread_id)s, %(checkpoint_ns)s, %(checkpoint_id)s, %(task_id)s, %(task_path)s,
        v.idx, v.channel, v.type, v.blob, %(run_id)s
    FROM allowed
    CROSS JOIN unnest(%(idx)s::integer[], %(channels)s::text[], %(types)s::text[], %(blobs)b::bytea[])
        AS v (idx, channel, type, blob)
    ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET
        task_path = excluded.task_path,
        channel = excluded.channel,
        type = excluded.type,
        blob = excluded.blob,
        run_id = excluded.run_id
)
SELECT EXISTS (SELECT 1 FROM allowed) AS is_stored;

-- name: copy_checkpoints
-- All checkpoints of a thread, again for another. The copies belong to no run: erasing a run leaves them alone.
INSERT INTO longline.checkpoints (
    thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata, run_id
)
SELECT %(new_thread_id)s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata, NULL
FROM longline.checkpoints
WHERE thread_id = %(thread_id)s
ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id) DO UPDATE SET
    parent_checkpoint_id = excluded.parent_checkpoint_id,
    checkpoint = excluded.checkpoint,
    metadata = excluded.metadata,
    run_id = NULL;

-- name: copy_blobs
-- The values of all checkpoints of a thread, again for another.
INSERT INTO longline.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
SELECT %(new_thread_id)s, checkpoint_ns, channel, version, type, blob
FROM longline.checkpoint_blobs
WHERE thread_id = %(thread_id)s
ON CONFLICT (thread_id, checkpoint_ns, channel, version) DO UPDATE SET type = excluded.type, blob = excluded.blob;

-- name: copy_writes
-- All pending writes of a thread, again for another. The copies belong to no run.
INSERT INTO longline.checkpoint_writes (
    thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob, run_id
)
SELECT %(new_thread_id)s, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob, NULL
FROM longline.checkpoint_writes
WHERE thread_id = %(thread_id)s
ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) DO UPDATE SET
    task_path = excluded.task_path,
    channel = excluded.channel,
    type = excluded.type,
    blob = excluded.blob,
    run_id = NULL;

-- name: delete_thread
-- All checkpoints of a thread, with their values and pending writes.
WITH checkpoints AS (
    DELETE FROM longline.checkpoints WHERE thread_id = %(thread_id)s
), blobs AS (
    DELETE FROM longline.checkpoint_blobs WHERE thread_id = %(thread_id)s
)
DELETE FROM longline.checkpoint_writes WHERE thread_id = %(thread_id)s;

-- name: delete_of_runs
-- The checkpoints of some runs with the values that no other needs, the writes to them, and the writes that these runs
-- made on their threads to checkpoints of others.
WITH gone AS (
    DELETE FROM longline.checkpoints
    WHERE run_id = ANY (%(run_ids)s::text[])
    RETURNING thread_id, checkpoint_ns, checkpoint_id, checkpoint -> 'channel_versions' AS versions
), writes_by AS (
    DELETE FROM longline.checkpoint_writes
    WHERE thread_id IN (SELECT thread_id FROM longline.runs WHERE run_id = ANY (%(run_ids)s::text[]))
        AND run_id = ANY (%(run_ids)s::text[])
), writes_to AS (
    DELETE FROM longline.checkpoint_writes AS w USING gone
    WHERE w.thread_id = gone.thread_id
        AND w.checkpoint_ns = gone.checkpoint_ns
        AND w.checkpoint_id = gone.checkpoint_id
), unused AS (
    SELECT gone.thread_id, gone.checkpoint_ns, v.key AS channel, v.value AS version
    FROM gone CROSS JOIN jsonb_each_text(gone.versions) AS v
    EXCEPT
    SELECT c.thread_id, c.checkpoint_ns, v.key, v.value
    FROM longline.checkpoints AS c CROSS JOIN jsonb_each_text(c.checkpoint -> 'channel_versions') AS v
    WHERE c.thread_id IN (SELECT thread_id FROM gone)
        AND (c.run_id IS NULL OR c.run_id <> ALL (%(run_ids)s::text[]))
)
DELETE FROM longline.checkpoint_blobs AS b USING unused
WHERE b.thread_id = unused.thread_id
    AND b.checkpoint_ns = unused.checkpoint_ns
    AND b.channel = unused.channel
    AND b.version = unused.version;

-- name: delete_other_checkpoints
-- The checkpoints of a thread but for some (pairs of namespace and id).
DELETE FROM longline.checkpoints
WHERE thread_id = %(thread_id)s
    AND (checkpoint_ns, checkpoint_id) NOT IN (
        SELECT v.ns, v.id FROM unnest(%(kept_ns)s::text[], %(kept_ids)s::text[]) AS v (ns, id)
    );

-- name: delete_other_writes
-- The pending writes of a thread but for those to some checkpoints (pairs of namespace and id).
DELETE FROM longline.checkpoint_writes
WHERE thread_id = %(thread_id)s
    AND (checkpoint_ns, checkpoint_id) NOT IN (
        SELECT v.ns, v.id FROM unnest(%(kept_ns)s::text[], %(kept_ids)s::text[]) AS v (ns, id)
    );

-- name: delete_unused_blobs
-- The values of a thread that none of its checkpoints has any more.
DELETE FROM longline.checkpoint_blobs
WHERE thread_id = %(thread_id)s
    AND (checkpoint_ns, channel, version) NOT IN (
        SELECT c.checkpoint_ns, v.key, v.value
        FROM longline.checkpoints AS c CROSS JOIN jsonb_each_text(c.checkpoint -> 'channel_versions') AS v
        WHERE c.thread_id = %(thread_id)s
    );

-- name: one_state
-- From here to its end the transaction sees the database as it is now.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- name: latest_of_namespaces
-- The newest checkpoint of each namespace of a thread, and which of its channels LangGraph keeps as differences.
SELECT DISTINCT ON (checkpoint_ns)
    checkpoint_ns, checkpoint_id,
    CASE WHEN jsonb_typeof(metadata -> 'counters_since_delta_snapshot') = 'object'
        THEN ARRAY(SELECT jsonb_object_keys(metadata -> 'counters_since_delta_snapshot'))
        ELSE ARRAY[]::text[]
    END AS channels
FROM longline.checkpoints
WHERE thread_id = %(thread_id)s
ORDER BY checkpoint_ns DESC, checkpoint_id DESC;

-- name: find_parent
-- What came before a checkpoint.
SELECT parent_checkpoint_id FROM longline.checkpoints
WHERE thread_id = %(thread_id)s AND checkpoint_ns = %(checkpoint_ns)s AND checkpoint_id = %(checkpoint_id)s;

-- name: find_latest_parent
-- What came before the newest checkpoint of a namespace.
SELECT parent_checkpoint_id FROM longline.checkpoints
WHERE thread_id = %(thread_id)s AND checkpoint_ns = %(checkpoint_ns)s
ORDER BY checkpoint_id DESC
LIMIT 1;

-- name: walk
-- For each of some channels: a checkpoint and those before it, back to one that has the channel's whole value. Nearest
-- first.
WITH RECURSIVE walk (channel, depth, checkpoint_id, before, version, value, is_whole) AS (
    SELECT v.channel, 0, NULL::text, %(checkpoint_id)s::text, NULL::text, NULL::jsonb, FALSE
    FROM unnest(%(channels)s::text[]) AS v (channel)
    UNION ALL
    SELECT
        walk.channel, walk.depth + 1, c.checkpoint_id COLLATE "default", c.parent_checkpoint_id COLLATE "default",
        c.checkpoint -> 'channel_versions' ->> walk.channel,
        c.checkpoint -> 'channel_values' -> walk.channel,
        c.checkpoint -> 'channel_values' ? walk.channel OR EXISTS (
            SELECT 1 FROM longline.checkpoint_blobs AS b
            WHERE b.thread_id = c.thread_id
                AND b.checkpoint_ns = c.checkpoint_ns
                AND b.channel = walk.channel
                AND b.version = c.checkpoint -> 'channel_versions' ->> walk.channel
        )
    FROM walk JOIN longline.checkpoints AS c
        ON c.thread_id = %(thread_id)s AND c.checkpoint_ns = %(checkpoint_ns)s AND c.checkpoint_id = walk.before
    WHERE NOT walk.is_whole AND walk.before IS DISTINCT FROM walk.checkpoint_id
)
SELECT channel, checkpoint_id, version, value::text AS value, is_whole
FROM walk
WHERE depth > 0
ORDER BY channel, depth;

-- name: find_writes_of_channels
-- The writes to some channels at some checkpoints (pairs), in the order in which they count.
SELECT w.channel, w.checkpoint_id, w.task_id, w.type, w.blob
FROM unnest(%(channels)s::text[], %(checkpoint_ids)s::text[]) AS v (channel, checkpoint_id)
JOIN longline.checkpoint_writes AS w
    ON w.thread_id = %(thread_id)s AND w.checkpoint_ns = %(checkpoint_ns)s
    AND w.checkpoint_id = v.checkpoint_id AND w.channel = v.channel
ORDER BY w.checkpoint_id, w.task_path, w.task_id, w.idx;

-- name: find_blobs
-- The values of some channels (pairs of channel and version).
SELECT b.channel, b.type, b.blob
FROM unnest(%(channels)s::text[], %(versions)s::text[]) AS v (channel, version)
JOIN longline.checkpoint_blobs AS b
    ON b.thread_id = %(thread_id)s AND b.checkpoint_ns = %(checkpoint_ns)s
    AND b.channel = v.channel AND b.version = v.version;

-- name: rows
-- Checkpoints with their values and pending writes, these in the order in which they count; what follows says which.
SELECT
    c.thread_id, c.checkpoint_ns, c.checkpoint_id, c.parent_checkpoint_id,
    c.checkpoint::text AS checkpoint, c.metadata::text AS metadata,
    b.channels, b.types, b.blobs,
    w.task_ids, w.channels AS write_channels, w.types AS write_types, w.blobs AS write_blobs
FROM longline.checkpoints AS c
CROSS JOIN LATERAL (
    SELECT array_agg(b.channel) AS channels, array_agg(b.type) AS types, array_agg(b.blob) AS blobs
    FROM jsonb_each_text(c.checkpoint -> 'channel_versions') AS v
    JOIN longline.checkpoint_blobs AS b
        ON b.thread_id = c.thread_id AND b.checkpoint_ns = c.checkpoint_ns
        AND b.channel = v.key AND b.version = v.value
) AS b
CROSS JOIN LATERAL (
    SELECT
        array_agg(w.task_id) AS task_ids, array_agg(w.channel) AS channels,
        array_agg(w.type) AS types, array_agg(w.blob) AS blobs
    FROM (
        SELECT task_id, channel, type, blob FROM longline.checkpoint_writes
        WHERE thread_id = c.thread_id AND checkpoint_ns = c.checkpoint_ns AND checkpoint_id = c.checkpoint_id
        ORDER BY task_path, task_id, idx
    ) AS w
) AS w

-- name: one
-- One of them.
WHERE c.thread_id = %(thread_id)s AND c.checkpoint_ns = %(checkpoint_ns)s AND c.checkpoint_id = %(checkpoint_id)s

-- name: latest
-- The newest of a namespace.
WHERE c.thread_id = %(thread_id)s AND c.checkpoint_ns = %(checkpoint_ns)s
ORDER BY c.checkpoint_id DESC
LIMIT 1

-- name: some
-- Some of them (thread, namespace and id of each).
WHERE (c.thread_id, c.checkpoint_ns, c.checkpoint_id) IN (
    SELECT v.thread_id, v.ns, v.id
    FROM unnest(%(thread_ids)s::text[], %(namespaces)s::text[], %(ids)s::text[]) AS v (thread_id, ns, id)
)

-- name: list
-- The ids of checkpoints, newest first. What is NULL restricts nothing.
SELECT thread_id, checkpoint_ns, checkpoint_id FROM longline.checkpoints
WHERE (%(thread_id)s::text IS NULL OR thread_id = %(thread_id)s)
    AND (%(checkpoint_ns)s::text IS NULL OR checkpoint_ns = %(checkpoint_ns)s)
    AND (%(checkpoint_id)s::text IS NULL OR checkpoint_id = %(checkpoint_id)s)
    AND (%(before)s::text IS NULL OR checkpoint_id < %(before)s)
    AND (%(filter)s::text IS NULL OR metadata @> longline.jsonb_of(%(filter)s))
ORDER BY checkpoint_id DESC, thread_id, checkpoint_ns
LIMIT %(limit)s;
