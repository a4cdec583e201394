-- name: find
-- A document, if it has not expired.
SELECT * FROM documents
WHERE collection = :collection AND owner = :owner AND key = :key AND (expires_at IS NULL OR expires_at > :now);

-- name: put
-- A document, over the one that is there or as its first version; what has expired counts as not there. Versions start
-- at the time, in microseconds: those of a document that was deleted are behind.
INSERT INTO documents (collection, owner, key, value, version, created_at, updated_at, expires_at, due_at)
VALUES (:collection, :owner, :key, :value, :now, :now, :now, :expires_at, :due_at)
ON CONFLICT (collection, owner, key) DO UPDATE SET
    value = excluded.value,
    version = CASE WHEN documents.expires_at <= :now THEN max(documents.version + 1, :now) ELSE documents.version + 1 END,
    created_at = CASE WHEN documents.expires_at <= :now THEN :now ELSE documents.created_at END,
    takes = CASE WHEN documents.expires_at <= :now THEN 0 ELSE documents.takes END,
    updated_at = :now,
    expires_at = excluded.expires_at,
    due_at = excluded.due_at,
    holder = NULL
RETURNING *;

-- name: delete
-- Remove a document.
DELETE FROM documents WHERE collection = :collection AND owner = :owner AND key = :key;

-- name: due
-- What is due, the longest due first.
SELECT rowid FROM documents
WHERE collection = :collection AND due_at <= :now AND (expires_at IS NULL OR expires_at > :now)
ORDER BY due_at, rowid
LIMIT :limit;

-- name: take
-- Take up a document: it is due again when the lease ends.
UPDATE documents
SET due_at = :lease_ends_at, holder = :holder, takes = takes + 1, version = version + 1, updated_at = :now
WHERE rowid = :rowid
RETURNING *;

-- name: free_taken
-- Make due what somebody had taken: on opening the file nobody else can be at it.
UPDATE documents SET due_at = updated_at, holder = NULL WHERE holder IS NOT NULL;

-- name: next_due
-- When the earliest document is due.
SELECT min(due_at) FROM documents
WHERE collection = :collection AND due_at IS NOT NULL AND (expires_at IS NULL OR expires_at > :now);

-- name: search
-- The start of a search.
SELECT * FROM documents WHERE 1

-- name: count
-- The start of a search's total.
SELECT count(*) FROM documents WHERE 1

-- name: of_collection
-- A part of a search.
collection = ?

-- name: of_owner
-- A part of a search.
owner = ?

-- name: alive
-- A part of a search: it has not expired.
(expires_at IS NULL OR expires_at > ?)

-- name: by_age_asc
-- An order; ties by owner and key.
ORDER BY created_at, owner, key LIMIT ? OFFSET ?

-- name: by_age_desc
-- An order; ties by owner and key.
ORDER BY created_at DESC, owner DESC, key DESC LIMIT ? OFFSET ?

-- name: append
-- An entry at the end of a log.
INSERT INTO log_entries (collection, owner, log, value, at, expires_at)
VALUES (:collection, :owner, :log, :value, :now, :expires_at)
RETURNING position;

-- name: read
-- Entries of a log after a position, in order.
SELECT position, value, at FROM log_entries
WHERE collection = :collection AND owner = :owner AND log = :log AND position > :after
    AND (expires_at IS NULL OR expires_at > :now)
ORDER BY position
LIMIT :limit;

-- name: delete_log
-- Remove a log.
DELETE FROM log_entries WHERE collection = :collection AND owner = :owner AND log = :log RETURNING expires_at;

-- name: add
-- Count on within the window, or open a new one.
INSERT INTO counters (collection, owner, key, value, expires_at)
VALUES (:collection, :owner, :key, :amount, :ends_at)
ON CONFLICT (collection, owner, key) DO UPDATE SET
    value = CASE WHEN counters.expires_at <= :now THEN :amount ELSE counters.value + :amount END,
    expires_at = CASE WHEN counters.expires_at <= :now THEN :ends_at ELSE counters.expires_at END
RETURNING value, expires_at;

-- name: delete_expired_documents
-- Some documents whose time has passed.
DELETE FROM documents WHERE rowid IN (SELECT rowid FROM documents WHERE expires_at <= :now LIMIT :limit);

-- name: delete_expired_entries
-- Some log entries whose time has passed.
DELETE FROM log_entries WHERE position IN (SELECT position FROM log_entries WHERE expires_at <= :now LIMIT :limit);

-- name: delete_expired_counters
-- Some counters whose window has ended.
DELETE FROM counters
WHERE (collection, owner, key) IN (SELECT collection, owner, key FROM counters WHERE expires_at <= :now LIMIT :limit);
