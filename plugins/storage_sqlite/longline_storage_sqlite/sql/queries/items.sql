-- name: put
-- An item, in place of one with the same name; `ttl` is in minutes.
INSERT INTO main.store (prefix, key, value, created_at, updated_at, expires_at, ttl_minutes)
VALUES (
    :prefix, :key, :value, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP,
    strftime('%Y-%m-%d %H:%M:%f', 'now', :ttl || ' minutes'), :ttl
)
ON CONFLICT (prefix, key) DO UPDATE SET
    value = excluded.value,
    created_at = CASE WHEN expires_at <= strftime('%Y-%m-%d %H:%M:%f', 'now') THEN CURRENT_TIMESTAMP ELSE created_at END,
    updated_at = CURRENT_TIMESTAMP,
    expires_at = excluded.expires_at,
    ttl_minutes = excluded.ttl_minutes;

-- name: delete
-- An item; its vectors go with it.
DELETE FROM main.store WHERE prefix = :prefix AND key = :key;

-- name: has_vectors
-- Whether LangGraph has made its table of vectors.
SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'store_vectors');

-- name: delete_vectors
-- The vectors of an item.
DELETE FROM main.store_vectors WHERE prefix = :prefix AND key = :key;

-- name: put_vector
-- The vector of one text of an item.
INSERT OR REPLACE INTO main.store_vectors (prefix, key, field_name, embedding) VALUES (?, ?, ?, ?);

-- name: create_vectors
-- LangGraph's table of vectors, as its store makes it.
CREATE TABLE IF NOT EXISTS store_vectors (
    prefix text NOT NULL,
    key text NOT NULL,
    field_name text NOT NULL,
    embedding BLOB,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (prefix, key, field_name),
    FOREIGN KEY (prefix, key) REFERENCES store(prefix, key) ON DELETE CASCADE
);

-- name: delete_other_vectors
-- Vectors of another size: they cannot be compared with those of this index.
DELETE FROM main.store_vectors WHERE length(embedding) <> :size;

-- name: expires
-- Whether an item has a time to live.
SELECT EXISTS (SELECT 1 FROM main.store WHERE prefix = :prefix AND key = :key AND ttl_minutes IS NOT NULL);

-- name: refresh
-- Give an item its whole time again, if that is not over.
UPDATE main.store
SET expires_at = strftime('%Y-%m-%d %H:%M:%f', 'now', ttl_minutes || ' minutes')
WHERE prefix = :prefix AND key = :key
    AND ttl_minutes IS NOT NULL
    AND expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now');

-- name: living
-- What LangGraph's statements see as their table, on connections that only read: items whose time is not over.
CREATE TEMP VIEW store AS
SELECT * FROM main.store WHERE expires_at IS NULL OR expires_at > strftime('%Y-%m-%d %H:%M:%f', 'now');
