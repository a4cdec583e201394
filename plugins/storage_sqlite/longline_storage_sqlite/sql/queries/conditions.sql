-- name: metadata_text
-- The member at a path is this very string.
(json_type(metadata, ?) = 'text' AND json_extract(metadata, ?) = ?)

-- name: metadata_kind
-- The member at a path is of this JSON type: true, false or null.
json_type(metadata, ?) = ?

-- name: metadata_other
-- The condition (as JSON) holds, by the words of longline.models.filters.
longline_matches(?, metadata)

-- name: values_text
-- The member at a path is this very string; a thread without values never matches.
(json_type(CAST("values" AS TEXT), ?) = 'text' AND json_extract(CAST("values" AS TEXT), ?) = ?)

-- name: values_kind
-- The member at a path is of this JSON type: true, false or null.
json_type(CAST("values" AS TEXT), ?) = ?

-- name: values_other
-- The condition (as JSON) holds, by the words of longline.models.filters.
longline_matches(?, "values")
