-- name: metadata_contains
-- The object holds these pairs (as JSON), by the words of longline.models.filters; the indexes on metadata answer it.
longline.jsonb_of(metadata) @> longline.jsonb_of(%s)

-- name: metadata_contains_one_of
-- The object holds the pairs of one of these objects (a JSON list).
longline.jsonb_of(metadata) @> ANY (ARRAY(SELECT jsonb_array_elements(longline.jsonb_of(%s))))

-- name: values_contains
-- The object holds these pairs (see metadata_contains); a thread without values never matches.
longline.jsonb_of(convert_from("values", 'UTF8')) @> longline.jsonb_of(%s)

-- name: values_contains_one_of
-- The object holds the pairs of one of these objects (a JSON list).
longline.jsonb_of(convert_from("values", 'UTF8')) @> ANY (ARRAY(SELECT jsonb_array_elements(longline.jsonb_of(%s))))

-- name: value_contains
-- The object holds these pairs (see metadata_contains).
longline.jsonb_of(value) @> longline.jsonb_of(%s)

-- name: value_contains_one_of
-- The object holds the pairs of one of these objects (a JSON list).
longline.jsonb_of(value) @> ANY (ARRAY(SELECT jsonb_array_elements(longline.jsonb_of(%s))))

-- name: metadata_missing
-- The object has none of the keys of this object (as JSON), or null there.
(
    jsonb_typeof(longline.jsonb_of(metadata)) = 'object'
    AND NOT EXISTS (
        SELECT FROM jsonb_object_keys(longline.jsonb_of(%s)) AS wanted (key)
        WHERE jsonb_typeof(longline.jsonb_of(metadata) -> wanted.key) <> 'null'
    )
)

-- name: values_missing
-- The object has none of the keys of this object (as JSON), or null there.
(
    jsonb_typeof(longline.jsonb_of(convert_from("values", 'UTF8'))) = 'object'
    AND NOT EXISTS (
        SELECT FROM jsonb_object_keys(longline.jsonb_of(%s)) AS wanted (key)
        WHERE jsonb_typeof(longline.jsonb_of(convert_from("values", 'UTF8')) -> wanted.key) <> 'null'
    )
)

-- name: value_missing
-- The object has none of the keys of this object (as JSON), or null there.
(
    jsonb_typeof(longline.jsonb_of(value)) = 'object'
    AND NOT EXISTS (
        SELECT FROM jsonb_object_keys(longline.jsonb_of(%s)) AS wanted (key)
        WHERE jsonb_typeof(longline.jsonb_of(value) -> wanted.key) <> 'null'
    )
)
