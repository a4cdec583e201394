-- name: get
-- Some items (pairs of prefix and key), and which of them have a time to live.
SELECT
    i.prefix, i.key, i.value, i.created_at, i.updated_at, NULL::float8 AS score, i.ttl_minutes IS NOT NULL AS has_ttl
FROM unnest(%(prefixes)s::text[], %(keys)s::text[]) AS v (prefix, key)
JOIN longline.items AS i ON i.prefix = v.prefix AND i.key = v.key
WHERE i.expires_at IS NULL OR i.expires_at > clock_timestamp();

-- name: write
-- Remove some items, and store others in place of those with the same names; a time to live is in minutes. All that are
-- there are locked first, in the order of their names, so that no two batches wait for each other in a circle.
WITH held AS MATERIALIZED (
    SELECT i.prefix
    FROM unnest(%(gone_prefixes)s::text[] || %(prefixes)s::text[], %(gone_keys)s::text[] || %(keys)s::text[])
        AS v (prefix, key)
    JOIN longline.items AS i ON i.prefix = v.prefix AND i.key = v.key
    ORDER BY i.prefix, i.key
    FOR UPDATE OF i
),
gone AS (
    DELETE FROM longline.items AS i USING unnest(%(gone_prefixes)s::text[], %(gone_keys)s::text[]) AS v (prefix, key)
    WHERE i.prefix = v.prefix AND i.key = v.key AND (SELECT count(*) FROM held) >= 0
)
INSERT INTO longline.items AS i (prefix, key, value, created_at, updated_at, expires_at, ttl_minutes)
SELECT
    v.prefix, v.key, v.value, statement_timestamp(), statement_timestamp(),
    statement_timestamp() + v.ttl * INTERVAL '1 minute', v.ttl
FROM unnest(%(prefixes)s::text[], %(keys)s::text[], %(values)s::text[], %(ttls)s::float8[])
    AS v (prefix, key, value, ttl)
WHERE (SELECT count(*) FROM held) >= 0
ON CONFLICT (prefix, key) DO UPDATE SET
    value = excluded.value,
    created_at = CASE WHEN i.expires_at <= clock_timestamp() THEN excluded.created_at ELSE i.created_at END,
    updated_at = excluded.updated_at,
    expires_at = excluded.expires_at,
    ttl_minutes = excluded.ttl_minutes;

-- name: refresh
-- Give some items (pairs of prefix and key) their whole time again, if that is not over. Locked in the same order.
WITH held AS MATERIALIZED (
    SELECT i.prefix, i.key
    FROM unnest(%(prefixes)s::text[], %(keys)s::text[]) AS v (prefix, key)
    JOIN longline.items AS i ON i.prefix = v.prefix AND i.key = v.key
    WHERE i.ttl_minutes IS NOT NULL AND i.expires_at > clock_timestamp()
    ORDER BY i.prefix, i.key
    FOR NO KEY UPDATE OF i
)
UPDATE longline.items AS i
SET expires_at = clock_timestamp() + i.ttl_minutes * INTERVAL '1 minute'
FROM held
WHERE i.prefix = held.prefix AND i.key = held.key AND i.ttl_minutes IS NOT NULL AND i.expires_at > clock_timestamp();

-- name: search
-- The start of a search: items whose time is not over. Conditions and an order follow.
SELECT
    i.prefix, i.key, i.value, i.created_at, i.updated_at, NULL::float8 AS score, i.ttl_minutes IS NOT NULL AS has_ttl
FROM longline.items AS i
WHERE (i.expires_at IS NULL OR i.expires_at > clock_timestamp())

-- name: search_order
-- What was changed last comes first, in whole seconds, as LangGraph's store on SQLite has it; what was changed in the same
-- second comes in the order in which it was made.
ORDER BY date_trunc('second', i.updated_at) DESC, i.created_at, i.prefix, i.key LIMIT %s OFFSET %s

-- name: nearest
-- The start of a search by meaning, of one best score per item. ({vectors} is where the extension stands.) The score is
-- the cosine itself: taken from the distance, which is 1 less it, it would lose its last digits.
SELECT
    i.prefix, i.key, i.value, i.created_at, i.updated_at,
    max(CASE WHEN c.cosine > 1 THEN 1 ELSE c.cosine END) AS score,
    i.ttl_minutes IS NOT NULL AS has_ttl
FROM (SELECT %s::float4[]::{vectors}.vector AS wanted) AS q
CROSS JOIN longline.items AS i
JOIN longline.item_vectors AS v ON v.prefix = i.prefix AND v.key = i.key AND v.dims = %s
CROSS JOIN LATERAL (
    SELECT nullif(
        -(v.embedding OPERATOR({vectors}.<#>) q.wanted) / nullif(
            sqrt(-(v.embedding OPERATOR({vectors}.<#>) v.embedding)) * sqrt(-(q.wanted OPERATOR({vectors}.<#>) q.wanted)),
            0
        ),
        'NaN'::float8
    ) AS cosine
) AS c
WHERE (i.expires_at IS NULL OR i.expires_at > clock_timestamp())

-- name: nearest_order
-- What is nearest comes first.
GROUP BY i.prefix, i.key
ORDER BY score DESC NULLS LAST, i.prefix, i.key LIMIT %s OFFSET %s

-- name: in_namespace
-- In a namespace or below it. (What comes after a dot is a slash.)
AND (i.prefix = %s OR (i.prefix >= %s || '.' AND i.prefix < %s || '/'))

-- name: equals
-- A value is equal to one in JSON.
AND longline.jsonb_of(i.value) #> %s::text[] = longline.jsonb_of(%s)

-- name: differs
-- There is a value, and it is not equal to one in JSON.
AND coalesce(longline.jsonb_of(i.value) #> %s::text[], 'null') NOT IN ('null', longline.jsonb_of(%s))

-- name: is_null
-- There is no value, or null.
AND coalesce(longline.jsonb_of(i.value) #> %s::text[], 'null') = 'null'

-- name: is_not_null
-- There is a value.
AND coalesce(longline.jsonb_of(i.value) #> %s::text[], 'null') <> 'null'

-- name: compares_as_number
-- A value is a number, and what comes of comparing it (-1, 0 or 1) is wanted.
AND CASE WHEN jsonb_typeof(longline.jsonb_of(i.value) #> %s::text[]) = 'number'
    THEN (
        SELECT CASE WHEN one < other THEN -1 WHEN one > other THEN 1 ELSE 0 END
        FROM (SELECT (longline.jsonb_of(i.value) #> %s::text[])::numeric AS one, %s::numeric AS other) AS numbers
    ) = ANY (%s::integer[])
    ELSE FALSE
END

-- name: compares_as_text
-- A value is a text, and what comes of comparing it (-1, 0 or 1), byte by byte, is wanted.
AND CASE WHEN jsonb_typeof(longline.jsonb_of(i.value) #> %s::text[]) = 'string'
    THEN (
        SELECT CASE WHEN one < other THEN -1 WHEN one > other THEN 1 ELSE 0 END
        FROM (
            SELECT
                (longline.jsonb_of(i.value) #>> %s::text[]) COLLATE "C" AS one,
                (longline.jsonb_of(%s) #>> ARRAY[]::text[]) COLLATE "C" AS other
        ) AS texts
    ) = ANY (%s::integer[])
    ELSE FALSE
END

-- name: namespaces
-- The start of a list of namespaces, cut to a depth; NULL is the whole of it.
SELECT DISTINCT
    array_to_string((string_to_array(i.prefix, '.'))[1:coalesce(%s::integer, 1000000)], '.') COLLATE "C" AS prefix
FROM longline.items AS i
WHERE (i.expires_at IS NULL OR i.expires_at > clock_timestamp())

-- name: namespace_matches
-- The dotted namespace matches a regular expression.
AND i.prefix ~ %s

-- name: namespaces_order
-- By name.
ORDER BY prefix LIMIT %s OFFSET %s

-- name: find_vectors
-- In which schema the extension stands that compares vectors, and whether the table for them is there.
SELECT
    (
        SELECT n.nspname::text FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
        WHERE e.extname = 'vector'
    ) AS vectors,
    to_regclass('longline.item_vectors') IS NOT NULL AS has_table;

-- name: create_extension
-- What compares vectors.
CREATE EXTENSION IF NOT EXISTS vector;

-- name: create_vectors
-- The vectors of the texts of items. They go when the value does that they were made from. ({vectors} as above.)
CREATE TABLE IF NOT EXISTS longline.item_vectors (
    prefix TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    field_name TEXT COLLATE "C" NOT NULL,
    dims INTEGER NOT NULL,
    embedding {vectors}.vector NOT NULL,
    PRIMARY KEY (prefix, key, field_name),
    FOREIGN KEY (prefix, key) REFERENCES longline.items (prefix, key) ON DELETE CASCADE
);

CREATE INDEX IF NOT EXISTS item_vectors_by_size ON longline.item_vectors (dims);

CREATE OR REPLACE FUNCTION longline.after_item_replaced() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM longline.item_vectors WHERE prefix = NEW.prefix AND key = NEW.key;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER item_replaced AFTER UPDATE OF value ON longline.items
FOR EACH ROW EXECUTE FUNCTION longline.after_item_replaced();

-- name: delete_other_vectors
-- Vectors of another size: they cannot be compared with those of this index.
DELETE FROM longline.item_vectors WHERE dims < %(dims)s OR dims > %(dims)s;

-- name: put_vectors
-- The vectors of some texts of items. ({vectors} as above.)
INSERT INTO longline.item_vectors (prefix, key, field_name, dims, embedding)
VALUES (%(prefix)s, %(key)s, %(field_name)s, %(dims)s, %(embedding)s::float4[]::{vectors}.vector)
ON CONFLICT (prefix, key, field_name) DO UPDATE SET dims = excluded.dims, embedding = excluded.embedding;
