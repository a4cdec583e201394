-- name: metadata_text
-- The member at a path is this very string. SQLite cuts strings off at a NUL, so documents with one go the other way.
CASE
    WHEN instr(metadata, '\u0000') THEN longline_matches(?, metadata)
    ELSE json_type(metadata, ?) = 'text' AND json_extract(metadata, ?) = ?
END

-- name: metadata_kind
-- The member at a path is of this JSON type: true, false or null.
json_type(metadata, ?) = ?

-- name: metadata_missing
-- The object has no member at a path, or null.
(json_type(metadata) = 'object' AND coalesce(json_type(metadata, ?), 'null') = 'null')

-- name: metadata_other
-- The condition (as JSON) holds, by the words of longline.models.filters.
longline_matches(?, metadata)

-- name: values_text
-- The member at a path is this very string (see metadata_text); a thread without values never matches.
CASE
    WHEN instr(CAST("values" AS TEXT), '\u0000') THEN longline_matches(?, "values")
    ELSE json_type(CAST("values" AS TEXT), ?) = 'text' AND json_extract(CAST("values" AS TEXT), ?) = ?
END

-- name: values_kind
-- The member at a path is of this JSON type: true, false or null.
json_type(CAST("values" AS TEXT), ?) = ?

-- name: values_missing
-- The object has no member at a path, or null.
(json_type(CAST("values" AS TEXT)) = 'object' AND coalesce(json_type(CAST("values" AS TEXT), ?), 'null') = 'null')

-- name: values_other
-- The condition (as JSON) holds, by the words of longline.models.filters.
longline_matches(?, "values")

-- name: value_text
-- The member at a path is this very string (see metadata_text).
CASE
    WHEN instr(value, '\u0000') THEN longline_matches(?, value)
    ELSE json_type(value, ?) = 'text' AND json_extract(value, ?) = ?
END

-- name: value_kind
-- The member at a path is of this JSON type: true, false or null.
json_type(value, ?) = ?

-- name: value_missing
-- The object has no member at a path, or null.
(json_type(value) = 'object' AND coalesce(json_type(value, ?), 'null') = 'null')

-- name: value_other
-- The condition (as JSON) holds, by the words of longline.models.filters.
longline_matches(?, value)
