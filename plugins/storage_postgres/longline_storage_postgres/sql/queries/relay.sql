-- name: watch_run
-- A process reads the run from now on, if that has not ended. An end that is under way is waited for.
UPDATE longline.runs
SET watched_by = CASE WHEN watched_by IS NULL OR watched_by = %(owner)s THEN %(owner)s ELSE '*' END
WHERE run_id = %(run_id)s AND status IN ('pending', 'running')
RETURNING run_id;

-- name: watch_thread
-- A process reads the thread for a while, perhaps beside others.
UPDATE longline.threads
SET
    watched_by = CASE
        WHEN watched_until > clock_timestamp() AND watched_by <> %(owner)s THEN '*'
        ELSE %(owner)s
    END,
    watched_until = greatest(
        watched_until, clock_timestamp() + make_interval(secs => %(seconds)s::double precision)
    )
WHERE thread_id = %(thread_id)s
RETURNING turns;

-- name: begun
-- Runs that took a turn of their thread after one, by their rows or by the ends that were left of them.
WITH asked AS (
    SELECT thread_id, turn FROM unnest(%(thread_ids)s::text[], %(turns)s::integer[]) AS asked (thread_id, turn)
)
SELECT r.run_id, r.thread_id, r.turn, r.resumable AS is_kept
FROM asked JOIN longline.runs AS r ON r.thread_id = asked.thread_id AND r.turn > asked.turn
UNION ALL
SELECT ended.run_id, ended.thread_id, ended.turn, FALSE
FROM asked JOIN longline.run_ends AS ended ON ended.thread_id = asked.thread_id AND ended.turn > asked.turn
WHERE NOT EXISTS (SELECT 1 FROM longline.runs AS r WHERE r.run_id = ended.run_id)
ORDER BY turn;

-- name: follow_run
-- An unfinished run and the newest event that is stored of it, in the log or relayed.
SELECT r.run_id, r.resumable, coalesce(newest.attempt, 0) AS attempt, coalesce(newest.seq, 0) AS seq
FROM longline.runs AS r
LEFT JOIN LATERAL (
    (SELECT e.attempt, e.seq FROM longline.events AS e WHERE e.run_id = r.run_id ORDER BY 1 DESC, 2 DESC LIMIT 1)
    UNION ALL
    (SELECT e.attempt, e.seq FROM longline.relayed_events AS e WHERE e.run_id = r.run_id ORDER BY 1 DESC, 2 DESC LIMIT 1)
    ORDER BY 1 DESC, 2 DESC
    LIMIT 1
) AS newest ON TRUE
WHERE r.run_id = %(run_id)s;

-- name: follow_thread
-- The same for all unfinished runs of a thread, oldest first.
SELECT r.run_id, r.resumable, coalesce(newest.attempt, 0) AS attempt, coalesce(newest.seq, 0) AS seq
FROM longline.runs AS r
LEFT JOIN LATERAL (
    (SELECT e.attempt, e.seq FROM longline.events AS e WHERE e.run_id = r.run_id ORDER BY 1 DESC, 2 DESC LIMIT 1)
    UNION ALL
    (SELECT e.attempt, e.seq FROM longline.relayed_events AS e WHERE e.run_id = r.run_id ORDER BY 1 DESC, 2 DESC LIMIT 1)
    ORDER BY 1 DESC, 2 DESC
    LIMIT 1
) AS newest ON TRUE
WHERE r.thread_id = %(thread_id)s AND r.status IN ('pending', 'running')
ORDER BY r.position;

-- name: append
-- Events of several attempts whose leases stand; one that is there already stays as it is. The numbers of those leases.
WITH lease AS MATERIALIZED (
    SELECT run_id, attempt, owner, number
    FROM unnest(%(run_ids)s::text[], %(attempts)s::bigint[], %(owners)s::text[])
        WITH ORDINALITY AS lease (run_id, attempt, owner, number)
),
held AS MATERIALIZED (
    SELECT lease.number, r.run_id, r.attempt
    FROM lease JOIN longline.runs AS r ON r.run_id = lease.run_id
    WHERE r.attempt = lease.attempt AND r.lease_owner = lease.owner AND r.status = 'running'
    ORDER BY r.position
    FOR KEY SHARE OF r
),
added AS (
    INSERT INTO longline.relayed_events (run_id, attempt, seq, mode, namespace, data, at_ms, turn)
    SELECT held.run_id, held.attempt, e.seq, e.mode, e.namespace, e.data, e.at_ms, e.turn
    FROM unnest(
        %(numbers)s::bigint[], %(seqs)s::integer[], %(modes)s::text[], %(namespaces)s::text[], %(data)b::bytea[],
        %(at_ms)s::bigint[], %(turns)s::integer[]
    ) AS e (number, seq, mode, namespace, data, at_ms, turn)
    JOIN held ON held.number = e.number
    ON CONFLICT DO NOTHING
)
SELECT number::integer AS number FROM held;

-- name: read
-- Events of a run after an id, in order, of the log and relayed ones; no more than fit into a page, but one.
SELECT attempt, seq, mode, namespace, data, at_ms, turn
FROM (
    SELECT *, sum(octet_length(data)) OVER (ORDER BY attempt, seq) - octet_length(data) AS bytes_before
    FROM (
        (
            SELECT
                e.attempt, e.seq, e.mode, e.namespace, e.data, e.at_ms,
                coalesce(
                    (SELECT t.turn FROM longline.turns AS t WHERE t.run_id = e.run_id AND t.attempt = e.attempt), 0
                ) AS turn
            FROM longline.events AS e
            WHERE e.run_id = %(run_id)s AND (e.attempt, e.seq) > (%(attempt)s::integer, %(seq)s::integer)
            ORDER BY e.attempt, e.seq
            LIMIT %(limit)s
        )
        UNION ALL
        (
            SELECT e.attempt, e.seq, e.mode, e.namespace, e.data, e.at_ms, e.turn
            FROM longline.relayed_events AS e
            WHERE e.run_id = %(run_id)s AND (e.attempt, e.seq) > (%(attempt)s::integer, %(seq)s::integer)
            ORDER BY e.attempt, e.seq
            LIMIT %(limit)s
        )
        ORDER BY attempt, seq
        LIMIT %(limit)s
    ) AS next
) AS counted
WHERE bytes_before < %(page_bytes)s
ORDER BY attempt, seq;

-- name: leave_events
-- What the log keeps of a run that is about to go, for its readers elsewhere who have not come to its end.
INSERT INTO longline.relayed_events (run_id, attempt, seq, mode, namespace, data, at_ms, turn)
SELECT
    e.run_id, e.attempt, e.seq, e.mode, e.namespace, e.data, e.at_ms,
    coalesce((SELECT t.turn FROM longline.turns AS t WHERE t.run_id = e.run_id AND t.attempt = e.attempt), 0)
FROM longline.events AS e
WHERE e.run_id = %(run_id)s
ON CONFLICT DO NOTHING;

-- name: leave_end
-- How a watched run ended, for its readers elsewhere.
INSERT INTO longline.run_ends (run_id, thread_id, turn, status, result, failure, is_kept, at_ms)
SELECT
    r.run_id, r.thread_id, r.turn, %(run_status)s::text, %(result)s::bytea, %(failure)s::text,
    r.resumable AND NOT %(is_gone)s,
    floor(extract(epoch FROM %(at)s::timestamptz) * 1000)::bigint
FROM longline.runs AS r
WHERE r.run_id = %(run_id)s
ON CONFLICT (run_id) DO NOTHING;

-- name: ends
-- How runs ended: what was left of watched ones, of others what their rows say, and what their threads hold now.
SELECT
    asked.run_id,
    r.run_id IS NOT NULL OR ended.run_id IS NOT NULL AS is_known,
    ended.run_id IS NOT NULL OR r.status NOT IN ('pending', 'running') AS has_ended,
    coalesce(ended.thread_id, r.thread_id) AS thread_id,
    coalesce(ended.turn, r.turn) AS turn,
    CASE WHEN ended.run_id IS NOT NULL THEN ended.status ELSE r.status END AS status,
    CASE WHEN ended.run_id IS NOT NULL THEN ended.failure ELSE r.failure END AS failure,
    CASE WHEN ended.run_id IS NOT NULL THEN ended.result ELSE t."values" END AS result,
    ended.run_id IS NULL AS is_of_thread,
    ended.run_id IS NULL
    AND EXISTS (
        SELECT 1 FROM longline.runs AS n
        WHERE n.thread_id = r.thread_id AND n.status = 'running' AND n.turn < r.turn
    ) AS is_behind,
    CASE WHEN ended.run_id IS NOT NULL THEN ended.is_kept ELSE r.resumable AND r.turn > 0 END AS is_kept,
    CASE
        WHEN ended.run_id IS NOT NULL THEN ended.at_ms
        ELSE floor(extract(epoch FROM r.updated_at) * 1000)::bigint
    END AS at_ms
FROM unnest(%(run_ids)s::text[]) AS asked (run_id)
LEFT JOIN longline.runs AS r ON r.run_id = asked.run_id
LEFT JOIN longline.threads AS t ON t.thread_id = r.thread_id
LEFT JOIN longline.run_ends AS ended ON ended.run_id = asked.run_id;

-- name: forget
-- Remove what was relayed long ago; how many rows.
WITH events AS (
    DELETE FROM longline.relayed_events
    WHERE stored_at < statement_timestamp() - make_interval(secs => %(older_than_seconds)s::double precision)
    RETURNING 1
),
ends AS (
    DELETE FROM longline.run_ends
    WHERE stored_at < statement_timestamp() - make_interval(secs => %(older_than_seconds)s::double precision)
    RETURNING 1
)
SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM ends) AS gone;
