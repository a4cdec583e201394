-- name: find
-- A document, if it has not expired.
SELECT * FROM longline.documents
WHERE collection = %(collection)s AND owner = %(owner)s AND key = %(key)s
    AND (expires_at IS NULL OR expires_at > clock_timestamp());

-- name: put
-- A document, over the one that is there or as its first version; what has expired counts as not there. With `is_new`
-- no row if there is one. Versions go up by one; those of a document that was deleted are behind, because each new
-- document starts in a block of a million that no other document had.
INSERT INTO longline.documents AS d (
    collection, owner, key, value, version, created_at, updated_at, expires_at, due_at
)
SELECT
    %(collection)s, %(owner)s, %(key)s, %(value)s, nextval('longline.document_versions') << 20, clock.now, clock.now,
    %(expires_at)s::timestamptz, %(due_at)s::timestamptz
FROM (SELECT clock_timestamp() AS now) AS clock
ON CONFLICT (collection, owner, key) DO UPDATE SET
    value = excluded.value,
    version = CASE WHEN d.expires_at <= excluded.updated_at THEN excluded.version ELSE d.version + 1 END,
    created_at = CASE WHEN d.expires_at <= excluded.updated_at THEN excluded.updated_at ELSE d.created_at END,
    takes = CASE WHEN d.expires_at <= excluded.updated_at THEN 0 ELSE d.takes END,
    updated_at = excluded.updated_at,
    expires_at = excluded.expires_at,
    due_at = excluded.due_at,
    holder = NULL
WHERE NOT %(is_new)s::boolean OR d.expires_at <= excluded.updated_at
RETURNING *;

-- name: put_over
-- A document over one version of it; no row if another is there, or none.
UPDATE longline.documents
SET
    value = %(value)s,
    version = version + 1,
    updated_at = clock_timestamp(),
    expires_at = %(expires_at)s,
    due_at = %(due_at)s,
    holder = NULL
WHERE collection = %(collection)s AND owner = %(owner)s AND key = %(key)s AND version = %(expected)s
    AND (expires_at IS NULL OR expires_at > clock_timestamp())
RETURNING *;

-- name: delete
-- Remove a document, with `expected` only that version (0: only one that has expired); tells whether it had not expired.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
)
DELETE FROM longline.documents AS d
USING clock
WHERE d.collection = %(collection)s AND d.owner = %(owner)s AND d.key = %(key)s
    AND (
        %(expected)s::bigint IS NULL
        OR %(expected)s::bigint = CASE WHEN d.expires_at <= clock.now THEN 0 ELSE d.version END
    )
RETURNING d.expires_at IS NULL OR d.expires_at > clock.now AS was_there;

-- name: take_due
-- Take up what is due, the longest due first, but nothing that somebody else is about to: it is due again when the
-- lease ends.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
due AS MATERIALIZED (
    SELECT collection, owner, key, due_at FROM longline.documents
    WHERE collection = %(collection)s AND due_at <= (SELECT now FROM clock)
        AND (expires_at IS NULL OR expires_at > (SELECT now FROM clock))
    ORDER BY due_at, created_at, owner, key
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE longline.documents AS d
SET
    due_at = clock.now + make_interval(secs => %(lease_seconds)s::double precision),
    holder = %(holder)s,
    takes = d.takes + 1,
    version = d.version + 1,
    updated_at = clock.now
FROM due, clock
WHERE d.collection = due.collection AND d.owner = due.owner AND d.key = due.key
RETURNING d.*, due.due_at AS was_due_at;

-- name: next_due
-- When the earliest document is due.
SELECT min(due_at) AS due_at FROM longline.documents
WHERE collection = %(collection)s AND due_at IS NOT NULL AND (expires_at IS NULL OR expires_at > clock_timestamp());

-- name: search
-- The start of a search.
SELECT * FROM longline.documents WHERE TRUE

-- name: count
-- The start of a search's total.
SELECT count(*) AS total FROM longline.documents WHERE TRUE

-- name: of_collection
-- A part of a search.
collection = %s

-- name: of_owner
-- A part of a search.
owner = %s

-- name: alive
-- A part of a search: it has not expired. (By the time of the transaction: the page and its total agree.)
(expires_at IS NULL OR expires_at > transaction_timestamp())

-- name: by_age_asc
-- An order; ties by owner and key.
ORDER BY created_at, owner, key LIMIT %s OFFSET %s

-- name: by_age_desc
-- An order; ties by owner and key.
ORDER BY created_at DESC, owner DESC, key DESC LIMIT %s OFFSET %s

-- name: append
-- Entries at the end of a log, in order. Who appends waits for those before it to commit: a reader who has seen a
-- position never finds one before it later.
WITH held AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(
        hashtextextended(jsonb_build_array(%(collection)s::text, %(owner)s::text, %(log)s::text)::text, 0)
    )
),
clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now FROM held
)
INSERT INTO longline.log_entries (collection, owner, log, value, at, expires_at)
SELECT %(collection)s, %(owner)s, %(log)s, entry.value, clock.now, %(expires_at)s::timestamptz
FROM clock, unnest(%(values)s::text[]) WITH ORDINALITY AS entry (value, place)
ORDER BY entry.place
RETURNING position, at;

-- name: read
-- Entries of a log after a position, in order.
SELECT position, value, at FROM longline.log_entries
WHERE collection = %(collection)s AND owner = %(owner)s AND log = %(log)s AND position > %(after)s
    AND (expires_at IS NULL OR expires_at > clock_timestamp())
ORDER BY position
LIMIT %(limit)s;

-- name: delete_log
-- Remove a log; tells whether there was anything in it.
WITH gone AS (
    DELETE FROM longline.log_entries
    WHERE collection = %(collection)s AND owner = %(owner)s AND log = %(log)s
    RETURNING expires_at
)
SELECT EXISTS (SELECT 1 FROM gone WHERE expires_at IS NULL OR expires_at > clock_timestamp()) AS was_there;

-- name: add
-- Count on within the window, or open a new one.
INSERT INTO longline.counters AS c (collection, owner, key, value, expires_at)
VALUES (
    %(collection)s, %(owner)s, %(key)s, %(amount)s,
    statement_timestamp() + make_interval(secs => %(window_seconds)s::double precision)
)
ON CONFLICT (collection, owner, key) DO UPDATE SET
    value = CASE WHEN c.expires_at <= statement_timestamp() THEN excluded.value ELSE c.value + excluded.value END,
    expires_at = CASE WHEN c.expires_at <= statement_timestamp() THEN excluded.expires_at ELSE c.expires_at END
RETURNING value, expires_at;

-- name: delete_expired
-- Some documents, log entries and counters whose time has passed, but none that somebody else is at; how many of that
-- kind of which the most went.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
documents AS (
    DELETE FROM longline.documents
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM longline.documents WHERE expires_at <= (SELECT now FROM clock)
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
),
entries AS (
    DELETE FROM longline.log_entries
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM longline.log_entries WHERE expires_at <= (SELECT now FROM clock)
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
),
counters AS (
    DELETE FROM longline.counters
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM longline.counters WHERE expires_at <= (SELECT now FROM clock)
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)
SELECT greatest(
    (SELECT count(*) FROM documents), (SELECT count(*) FROM entries), (SELECT count(*) FROM counters)
) AS gone;
