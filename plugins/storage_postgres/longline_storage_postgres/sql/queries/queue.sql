-- name: insert_with_thread
-- A new thread with a run on it, waiting or, for an owner, started if it is due: then it takes the first turn. Nothing
-- happens, and no row comes back, where the thread is there already; an error where the run's id is taken. What is due
-- does not depend on how well clocks agree: a run that is due for who asks is due.
WITH thread AS (
    INSERT INTO longline.threads (
        thread_id, created_at, updated_at, state_updated_at, metadata, ttl_micros, ttl_strategy, turns
    )
    SELECT
        %(thread_id)s, %(thread_created_at)s, %(thread_created_at)s, %(thread_created_at)s, %(thread_metadata)s,
        %(ttl_micros)s::bigint, %(ttl_strategy)s::text,
        CASE
            WHEN %(owner)s::text IS NOT NULL
                AND (%(is_due)s::boolean OR %(not_before)s::timestamptz <= clock_timestamp()) THEN 1
            ELSE 0
        END
    ON CONFLICT DO NOTHING
    RETURNING thread_id, turns
),
run AS (
    INSERT INTO longline.runs (
        run_id, thread_id, assistant_id, metadata, status, spec, temporary, multitask_strategy, created_at, updated_at,
        not_before, attempt, lease_owner, lease_began_at, lease_expires_at, resumable, turn, watched_by, token,
        chain_id
    )
    SELECT
        %(run_id)s, thread.thread_id, %(assistant_id)s, %(metadata)s,
        CASE thread.turns WHEN 1 THEN 'running' ELSE 'pending' END,
        %(spec)s, %(temporary)s, %(multitask_strategy)s, %(created_at)s, %(created_at)s,
        CASE
            WHEN %(is_due)s::boolean THEN least(%(not_before)s::timestamptz, clock_timestamp())
            ELSE %(not_before)s::timestamptz
        END,
        thread.turns,
        CASE thread.turns WHEN 1 THEN %(owner)s::text END,
        CASE thread.turns WHEN 1 THEN clock_timestamp() END,
        CASE thread.turns
            WHEN 1 THEN clock_timestamp() + make_interval(secs => %(lease_seconds)s::double precision)
        END,
        %(resumable)s, thread.turns, %(watched_by)s::text, %(token)s::text,
        %(chain_id)s::text
    FROM thread
    RETURNING run_id, thread_id, attempt, turn, resumable
),
remembered AS (
    INSERT INTO longline.turns (thread_id, turn, run_id, attempt)
    SELECT thread_id, turn, run_id, attempt FROM run WHERE resumable AND turn > 0
)
SELECT turn, FALSE AS is_watched FROM run;

-- name: insert
-- The same on a thread that is there and locked, which is told what it belongs to. No row if the id is taken. The run's
-- position is after all others of the thread.
WITH due AS MATERIALIZED (
    SELECT
        %(owner)s::text IS NOT NULL
        AND (%(is_due)s::boolean OR %(not_before)s::timestamptz <= clock_timestamp()) AS starts
),
thread AS (
    UPDATE longline.threads AS t
    SET metadata = %(thread_metadata)s, updated_at = clock_timestamp(), turns = t.turns + due.starts::integer
    FROM due
    WHERE t.thread_id = %(thread_id)s
    RETURNING
        due.starts, CASE WHEN due.starts THEN t.turns ELSE 0 END AS turn,
        t.watched_until > clock_timestamp() AND t.watched_by <> %(owner)s::text AS is_watched
),
run AS (
    INSERT INTO longline.runs (
        run_id, thread_id, assistant_id, metadata, status, spec, temporary, multitask_strategy, created_at, updated_at,
        not_before, attempt, lease_owner, lease_began_at, lease_expires_at, resumable, turn, watched_by, token,
        chain_id
    )
    SELECT
        %(run_id)s, %(thread_id)s, %(assistant_id)s, %(metadata)s,
        CASE WHEN thread.starts THEN 'running' ELSE 'pending' END,
        %(spec)s, %(temporary)s, %(multitask_strategy)s, %(created_at)s, %(created_at)s,
        CASE
            WHEN %(is_due)s::boolean THEN least(%(not_before)s::timestamptz, clock_timestamp())
            ELSE %(not_before)s::timestamptz
        END,
        thread.starts::integer,
        CASE WHEN thread.starts THEN %(owner)s::text END,
        CASE WHEN thread.starts THEN clock_timestamp() END,
        CASE WHEN thread.starts THEN clock_timestamp() + make_interval(secs => %(lease_seconds)s::double precision) END,
        %(resumable)s, thread.turn, %(watched_by)s::text, %(token)s::text,
        %(chain_id)s::text
    FROM thread
    ON CONFLICT (run_id) DO NOTHING
    RETURNING run_id, thread_id, attempt, turn, resumable
),
remembered AS (
    INSERT INTO longline.turns (thread_id, turn, run_id, attempt)
    SELECT thread_id, turn, run_id, attempt FROM run WHERE resumable AND turn > 0
)
SELECT run.turn, coalesce(thread.is_watched, FALSE) AS is_watched FROM run CROSS JOIN thread;

-- name: lock_thread
-- What decides who may see the thread. From now on nobody else changes it, starts, ends or adds a run there.
SELECT metadata FROM longline.threads WHERE thread_id = %(thread_id)s FOR UPDATE;

-- name: lock_threads_of
-- The same for all threads of these runs, in the order of their ids; the runs' own threads do not change.
SELECT thread_id FROM longline.threads
WHERE thread_id IN (SELECT r.thread_id FROM longline.runs AS r WHERE r.run_id = ANY(%(run_ids)s::text[]))
ORDER BY thread_id
FOR UPDATE;

-- name: unfinished_of_thread
-- The unfinished runs of a thread, oldest first, and which of them may start now.
SELECT *, not_before <= clock_timestamp() AS is_due
FROM longline.runs
WHERE thread_id = %(thread_id)s AND status = 'running'
UNION ALL
SELECT *, not_before <= clock_timestamp() AS is_due
FROM longline.runs
WHERE thread_id = %(thread_id)s AND status = 'pending'
ORDER BY position;

-- name: has_unfinished
-- Whether a thread has an unfinished run.
SELECT
    EXISTS (SELECT 1 FROM longline.runs WHERE thread_id = %(thread_id)s AND status = 'running')
    OR EXISTS (SELECT 1 FROM longline.runs WHERE thread_id = %(thread_id)s AND status = 'pending') AS is_busy;

-- name: claim
-- Start runs that are due and next on their threads, and (if wanted) take over those whose lease ran out. First come,
-- first served among what is due: a delayed run holds up nobody. Waits for nobody: what others have locked, they are about
-- to change. A thread on which something happened since this statement began is left alone (its turns tell), so that
-- two claimers never start two of its runs. A lease that was last renewed before the server started may be that of a
-- living process, which gets its time to renew it. A run that is taken over may still have readers where it was. Only the first that come into question are looked at. (The subqueries
-- are scalar, and behind an OFFSET, so that each looks into one index, and only until there are enough.)
WITH waiting AS MATERIALIZED (
    SELECT due.position, due.thread_id
    FROM (
        SELECT position, thread_id FROM longline.runs
        WHERE status = 'pending' AND not_before <= statement_timestamp()
        ORDER BY position
        OFFSET 0
    ) AS due
    WHERE (
            SELECT n.position FROM longline.runs AS n
            WHERE n.thread_id = due.thread_id AND n.status = 'running'
            LIMIT 1
        ) IS NULL
        AND due.position = (
            SELECT n.position FROM longline.runs AS n
            WHERE n.thread_id = due.thread_id
                AND n.status = 'pending'
                AND n.not_before <= statement_timestamp()
            ORDER BY n.position
            LIMIT 1
        )
    ORDER BY due.position
    LIMIT 2 * %(limit)s::integer + 32
),
left_behind AS MATERIALIZED (
    SELECT position, thread_id FROM longline.runs
    WHERE status = 'running'
        AND %(takes_over)s
        AND lease_expires_at <= statement_timestamp()
        AND (
            lease_began_at >= pg_postmaster_start_time()
            OR statement_timestamp() - pg_postmaster_start_time()
            > make_interval(secs => %(lease_seconds)s::double precision)
        )
    ORDER BY position
    LIMIT 2 * %(limit)s::integer + 32
),
candidate AS MATERIALIZED (
    SELECT found.position, found.thread_id, found.status, s.turns
    FROM (
        SELECT position, thread_id, 'running' AS status FROM left_behind
        UNION ALL
        SELECT position, thread_id, 'pending' AS status FROM waiting
    ) AS found
    JOIN longline.threads AS s ON s.thread_id = found.thread_id
),
locked AS MATERIALIZED (
    SELECT
        r.position, r.thread_id,
        coalesce(r.lease_owner <> %(owner)s::text, FALSE) AS is_taken_over,
        coalesce(r.watched_by <> %(owner)s::text, FALSE)
        OR coalesce(t.watched_until > statement_timestamp() AND t.watched_by <> %(owner)s::text, FALSE) AS is_watched
    FROM candidate AS c
    JOIN longline.threads AS t ON t.thread_id = c.thread_id
    JOIN longline.runs AS r ON r.position = c.position
    WHERE r.status = c.status
        AND t.turns = c.turns
        AND (r.status = 'pending' OR r.lease_expires_at <= statement_timestamp())
    ORDER BY c.position
    LIMIT %(limit)s::integer
    FOR UPDATE OF t, r SKIP LOCKED
),
taken AS (
    UPDATE longline.threads AS t
    SET turns = t.turns + 1
    FROM locked
    WHERE t.thread_id = locked.thread_id
    RETURNING t.thread_id, t.turns
),
claimed AS (
    UPDATE longline.runs AS r
    SET
        status = 'running',
        attempt = r.attempt + 1,
        turn = taken.turns,
        watched_by = CASE WHEN locked.is_taken_over THEN '*' ELSE r.watched_by END,
        lease_owner = %(owner)s::text,
        lease_began_at = clock_timestamp(),
        lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s::double precision)
    FROM locked JOIN taken ON taken.thread_id = locked.thread_id
    WHERE r.position = locked.position
    RETURNING r.*, locked.is_watched OR locked.is_taken_over AS is_watched
),
remembered AS (
    INSERT INTO longline.turns (thread_id, turn, run_id, attempt)
    SELECT thread_id, turn, run_id, attempt FROM claimed WHERE resumable
)
SELECT * FROM claimed ORDER BY position;

-- name: keep
-- For each lease: whether it stands, and what there is to learn. Those that stand get a longer lease; one whose row
-- somebody has locked just now gets it the next time.
WITH asked AS MATERIALIZED (
    SELECT run_id, attempt, number
    FROM unnest(%(run_ids)s::text[], %(attempts)s::bigint[]) WITH ORDINALITY AS lease (run_id, attempt, number)
),
free AS MATERIALIZED (
    SELECT r.position
    FROM longline.runs AS r JOIN asked ON asked.run_id = r.run_id AND asked.attempt = r.attempt
    WHERE r.lease_owner = %(owner)s AND r.status = 'running'
    ORDER BY r.position
    FOR NO KEY UPDATE OF r SKIP LOCKED
),
renewed AS (
    UPDATE longline.runs AS r
    SET
        lease_began_at = clock_timestamp(),
        lease_expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s::double precision)
    FROM free
    WHERE r.position = free.position
)
SELECT
    asked.run_id, asked.attempt, r.run_id IS NOT NULL AS held, r.cancel_action, r.cancel_reason,
    coalesce(r.watched_by <> %(owner)s, FALSE)
    OR coalesce(t.watched_until > statement_timestamp() AND t.watched_by <> %(owner)s, FALSE) AS is_watched
FROM asked
LEFT JOIN longline.runs AS r
    ON r.run_id = asked.run_id AND r.attempt = asked.attempt AND r.lease_owner = %(owner)s AND r.status = 'running'
LEFT JOIN longline.threads AS t ON t.thread_id = r.thread_id
ORDER BY asked.number;

-- name: holds
-- A row if the lease stands.
SELECT 1 AS one FROM longline.runs
WHERE run_id = %(run_id)s AND attempt = %(attempt)s AND lease_owner = %(owner)s AND status = %(running)s;

-- name: share
-- A row if the lease stands. Until the transaction ends nobody can take it away.
SELECT 1 AS one FROM longline.runs
WHERE run_id = %(run_id)s AND attempt = %(attempt)s AND lease_owner = %(owner)s AND status = %(running)s
FOR KEY SHARE;

-- name: seize
-- What an end must know, if the lease stands. Locks the thread, then the run: no write under the lease is under way.
SELECT
    r.temporary,
    coalesce(r.watched_by <> %(owner)s, FALSE)
    OR coalesce(t.watched_until > clock_timestamp() AND t.watched_by <> %(owner)s, FALSE) AS is_watched,
    CASE
        WHEN r.resumable THEN coalesce(
            (SELECT max(e.seq) FROM longline.events AS e WHERE e.run_id = r.run_id AND e.attempt = r.attempt), 0
        )
        ELSE 0
    END AS newest_seq,
    pg_current_xact_id()::text AS transaction
FROM longline.threads AS t JOIN longline.runs AS r ON r.thread_id = t.thread_id
WHERE t.thread_id = %(thread_id)s
    AND r.run_id = %(run_id)s AND r.attempt = %(attempt)s AND r.lease_owner = %(owner)s AND r.status = %(running)s
FOR UPDATE OF t, r;

-- name: what_became
-- Of a transaction whose end nobody heard: whether it was committed, and the run as it is now.
SELECT
    pg_xact_status(%(transaction)s::xid8) = 'committed' AS is_committed,
    (SELECT attempt FROM longline.runs WHERE run_id = %(run_id)s) AS attempt,
    (SELECT status FROM longline.runs WHERE run_id = %(run_id)s) AS status;

-- name: release
-- Give back a run whose lease stands.
UPDATE longline.runs
SET status = 'pending', lease_owner = NULL, lease_began_at = NULL, lease_expires_at = NULL, released = released + 1
WHERE run_id = %(run_id)s;

-- name: end
-- End a run that was under way, and leave its thread as it left it. It keeps no token of its caller.
WITH run AS (
    UPDATE longline.runs
    SET
        status = %(run_status)s, failure = %(failure)s::text, verdict = %(verdict)s::text, updated_at = %(at)s,
        lease_owner = NULL, lease_began_at = NULL, lease_expires_at = NULL, token = NULL
    WHERE run_id = %(run_id)s
)
UPDATE longline.threads
SET
    rest_status = %(status)s,
    "values" = CASE WHEN %(keep_values)s THEN "values" ELSE %(values)s::bytea END,
    interrupts = CASE WHEN %(keep_values)s THEN interrupts ELSE %(interrupts)s::bytea END,
    error = %(error)s::text,
    has_run = TRUE,
    updated_at = %(at)s,
    state_updated_at = %(at)s
WHERE thread_id = %(thread_id)s;

-- name: end_unstarted
-- End a run that never started: it takes the thread's next turn.
WITH taken AS (
    UPDATE longline.threads SET turns = turns + 1 WHERE thread_id = %(thread_id)s RETURNING turns
)
UPDATE longline.runs
SET
    status = 'interrupted', updated_at = %(at)s, lease_owner = NULL, lease_expires_at = NULL, token = NULL,
    turn = taken.turns
FROM taken
WHERE run_id = %(run_id)s
RETURNING
    turn,
    EXISTS (
        SELECT 1 FROM longline.runs AS r WHERE r.thread_id = %(thread_id)s AND r.status = 'running'
    ) AS is_behind;

-- name: rest
-- How a thread rests after a run that wrote no state, unless another is unfinished.
UPDATE longline.threads AS t
SET rest_status = %(status)s, error = %(error)s::text, has_run = TRUE, updated_at = %(at)s, state_updated_at = %(at)s
WHERE t.thread_id = %(thread_id)s
    AND NOT EXISTS (SELECT 1 FROM longline.runs AS r WHERE r.thread_id = t.thread_id AND r.status = 'running')
    AND NOT EXISTS (SELECT 1 FROM longline.runs AS r WHERE r.thread_id = t.thread_id AND r.status = 'pending');

-- name: request_cancel
-- Leave word for the worker of a running run.
UPDATE longline.runs
SET cancel_action = %(action)s, cancel_reason = %(reason)s, updated_at = %(at)s
WHERE run_id = %(run_id)s;

-- name: erase_checkpoints
-- Remove what a run wrote to its thread, and what others wrote to its checkpoints; copies on other threads stay.
WITH gone AS (
    DELETE FROM longline.checkpoints WHERE thread_id = %(thread_id)s AND run_id = %(run_id)s
    RETURNING checkpoint_ns, checkpoint_id
)
DELETE FROM longline.checkpoint_writes AS w
WHERE w.thread_id = %(thread_id)s
    AND (
        w.run_id = %(run_id)s
        OR EXISTS (
            SELECT 1 FROM gone
            WHERE gone.checkpoint_ns = w.checkpoint_ns AND gone.checkpoint_id = w.checkpoint_id
        )
    );

-- name: delete
-- Remove a run; a trigger removes its events.
DELETE FROM longline.runs WHERE run_id = %(run_id)s;

-- name: delete_thread
-- Remove a thread; triggers remove its runs, their events, its checkpoints and writes. The ids of the unfinished runs
-- that were on it, oldest first.
WITH gone AS (
    DELETE FROM longline.threads WHERE thread_id = %(thread_id)s
)
SELECT run_id FROM (
    SELECT run_id, position FROM longline.runs WHERE thread_id = %(thread_id)s AND status = 'running'
    UNION ALL
    SELECT run_id, position FROM longline.runs WHERE thread_id = %(thread_id)s AND status = 'pending'
) AS unfinished
ORDER BY position;

-- name: find
-- The run, if it is on this thread.
SELECT * FROM longline.runs WHERE run_id = %(run_id)s AND thread_id = %(thread_id)s;

-- name: unfinished_of_ids
-- Those runs of a list of ids that have not ended, oldest first.
SELECT * FROM longline.runs
WHERE run_id = ANY(%(run_ids)s::text[]) AND status IN ('pending', 'running')
ORDER BY position;

-- name: search
-- The start of a search.
SELECT * FROM longline.runs WHERE TRUE

-- name: of_thread
-- A part of a search.
thread_id = %s

-- name: of_ids
-- A part of a search.
run_id = ANY(%s::text[])

-- name: of_threads
-- A part of a search.
thread_id = ANY(%s::text[])

-- name: of_statuses
-- A part of a search.
status = ANY(%s::text[])

-- name: of_verdicts
-- A part of a search; '' stands for none.
coalesce(verdict, '') = ANY(%s::text[])

-- name: of_assistant
-- A part of a search.
assistant_id = %s

-- name: of_chain
-- A part of a search.
chain_id = %s

-- name: heads
-- A part of a search: the newest runs of their chains.
chain_id IS NOT NULL
AND NOT EXISTS (
    SELECT 1 FROM longline.runs AS later WHERE later.chain_id = runs.chain_id AND later.position > runs.position
)

-- name: updated_since
-- A part of a search.
updated_at >= %s

-- name: behind
-- A part of a search: behind a place in the order by `updated_at`.
(updated_at, run_id) < (%s, %s)

-- name: on_threads
-- A part of a search: the runs of threads that fulfil what follows, up to `end_of_threads`. (Their columns come first.)
EXISTS (SELECT 1 FROM longline.threads WHERE threads.thread_id = runs.thread_id AND

-- name: end_of_threads
-- See on_threads.
)

-- name: count
-- The start of a count.
SELECT count(*) AS total FROM longline.runs WHERE TRUE

-- name: latest_first
-- The order of a search by what happened last; ties by id.
ORDER BY updated_at DESC, run_id DESC LIMIT %s OFFSET %s

-- name: last_added_first
-- The order of a search by insertion.
ORDER BY position DESC LIMIT %s OFFSET %s

-- name: head
-- The newest run of a thread.
SELECT run_id, chain_id, verdict FROM longline.runs WHERE thread_id = %(thread_id)s ORDER BY position DESC LIMIT 1;

-- name: give_up
-- A run that waits will not go on, unless its chain has; its thread is locked.
UPDATE longline.runs AS r SET status = 'interrupted', verdict = NULL, updated_at = %(at)s
WHERE r.run_id = %(run_id)s AND r.thread_id = %(thread_id)s AND r.status = 'success'
    AND r.verdict IS NOT DISTINCT FROM %(verdict)s::text
    AND NOT EXISTS (
        SELECT 1 FROM longline.runs AS later WHERE later.chain_id = r.chain_id AND later.position > r.position
    );

-- name: newest_first
-- The order of a search; ties by id.
ORDER BY created_at DESC, run_id DESC LIMIT %s OFFSET %s

-- name: next_due
-- When the earliest delayed run may start.
SELECT min(not_before) AS due_at FROM longline.runs
WHERE status = 'pending' AND not_before > statement_timestamp();

-- name: count_unfinished
-- How many runs wait, and how many run.
SELECT
    (SELECT count(*) FROM longline.runs WHERE status = 'pending') AS pending,
    (SELECT count(*) FROM longline.runs WHERE status = 'running') AS running;
