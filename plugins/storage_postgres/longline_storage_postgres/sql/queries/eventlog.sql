-- name: append
-- Events of several attempts, each of those whose lease stands and of which the log has all that was appended before
-- (`expected` is the number of the newest); one that is there already stays as it is. Tells for each attempt whether its
-- lease stands, and what the log had of it. Until the commit nobody can take such a lease away. Unless `is_durable`, a
-- database that crashes in the next moments loses it.
WITH lease AS MATERIALIZED (
    SELECT run_id, attempt, owner, expected, number
    FROM unnest(%(run_ids)s::text[], %(attempts)s::bigint[], %(owners)s::text[], %(expected)s::bigint[])
        WITH ORDINALITY AS lease (run_id, attempt, owner, expected, number)
),
held AS MATERIALIZED (
    SELECT
        lease.number, r.run_id, r.attempt, lease.expected,
        coalesce(
            (SELECT max(e.seq) FROM longline.events AS e WHERE e.run_id = r.run_id AND e.attempt = r.attempt), 0
        ) AS newest
    FROM lease JOIN longline.runs AS r ON r.run_id = lease.run_id
    WHERE r.attempt = lease.attempt AND r.lease_owner = lease.owner AND r.status = 'running'
    ORDER BY r.position
    FOR KEY SHARE OF r
),
added AS (
    INSERT INTO longline.events (run_id, attempt, seq, mode, namespace, data, at_ms)
    SELECT held.run_id, held.attempt, e.seq, e.mode, e.namespace, e.data, e.at_ms
    FROM unnest(
        %(numbers)s::bigint[], %(seqs)s::integer[], %(modes)s::text[], %(namespaces)s::text[], %(data)b::bytea[],
        %(at_ms)s::bigint[]
    ) AS e (number, seq, mode, namespace, data, at_ms)
    JOIN held ON held.number = e.number
    WHERE held.newest >= held.expected
    ON CONFLICT DO NOTHING
)
SELECT
    number::integer AS number, newest,
    set_config('synchronous_commit', CASE WHEN %(is_durable)s THEN current_setting('synchronous_commit') ELSE 'off' END, TRUE)
FROM held;

-- name: put_back
-- Events of an attempt whose lease this transaction holds.
INSERT INTO longline.events (run_id, attempt, seq, mode, namespace, data, at_ms)
SELECT %(run_id)s, %(attempt)s, e.seq, e.mode, e.namespace, e.data, e.at_ms
FROM unnest(
    %(seqs)s::integer[], %(modes)s::text[], %(namespaces)s::text[], %(data)b::bytea[], %(at_ms)s::bigint[]
) AS e (seq, mode, namespace, data, at_ms)
ON CONFLICT DO NOTHING;

-- name: read
-- Events of a run after an id, in order; no more than fit into a page, but one.
SELECT attempt, seq, mode, namespace, data, at_ms, 0 AS turn
FROM (
    SELECT *, sum(octet_length(data)) OVER (ORDER BY attempt, seq) - octet_length(data) AS bytes_before
    FROM (
        SELECT * FROM longline.events
        WHERE run_id = %(run_id)s AND (attempt, seq) > (%(attempt)s::integer, %(seq)s::integer)
        ORDER BY attempt, seq
        LIMIT %(limit)s
    ) AS next
) AS counted
WHERE bytes_before < %(page_bytes)s
ORDER BY attempt, seq;

-- name: last
-- The id of the newest event of a run.
SELECT attempt, seq FROM longline.events WHERE run_id = %(run_id)s ORDER BY attempt DESC, seq DESC LIMIT 1;

-- name: read_thread
-- Events of a thread after a place in the order of its turns, and the end of each kept run, which has a status; no more
-- than fit into a page, but one. A run that ended without a start, while another was under way, is behind that one.
SELECT turn, seq, run_id, attempt, mode, namespace, data, at_ms, status, failure, is_behind
FROM (
    SELECT *, sum(coalesce(octet_length(data), 0)) OVER (ORDER BY turn, seq) - coalesce(octet_length(data), 0) AS bytes_before
    FROM (
        (
            SELECT
                t.turn, e.seq, t.run_id, t.attempt, e.mode, e.namespace, e.data, e.at_ms,
                NULL::text AS status, NULL::text AS failure, FALSE AS is_behind
            FROM longline.turns AS t JOIN longline.events AS e ON e.run_id = t.run_id AND e.attempt = t.attempt
            WHERE t.thread_id = %(thread_id)s
                AND t.turn >= %(turn)s::integer
                AND (t.turn > %(turn)s::integer OR e.seq > %(seq)s::integer)
            ORDER BY t.turn, e.seq
            LIMIT %(limit)s
        )
        UNION ALL
        (
            SELECT
                turn, %(end)s::integer, run_id, attempt, NULL, NULL, NULL,
                floor(extract(epoch FROM updated_at) * 1000)::bigint, status, failure,
                EXISTS (
                    SELECT 1 FROM longline.runs AS r
                    WHERE r.thread_id = %(thread_id)s AND r.status = 'running' AND r.turn < runs.turn
                )
            FROM longline.runs
            WHERE thread_id = %(thread_id)s
                AND turn >= %(turn)s::integer
                AND (turn > %(turn)s::integer OR %(end)s::integer > %(seq)s::integer)
                AND resumable AND turn > 0 AND status NOT IN ('pending', 'running')
            ORDER BY turn
            LIMIT %(limit)s
        )
        ORDER BY turn, seq
        LIMIT %(limit)s
    ) AS next
) AS counted
WHERE bytes_before < %(page_bytes)s
ORDER BY turn, seq;

-- name: check
-- Something small that touches the database.
SELECT count(*) FROM (SELECT 1 FROM longline.threads LIMIT 1) AS one;
