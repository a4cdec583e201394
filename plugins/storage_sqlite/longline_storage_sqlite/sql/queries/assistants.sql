-- name: insert
-- A new assistant; no row if the id is taken.
INSERT INTO assistants (assistant_id, version, created_at, updated_at)
VALUES (:assistant_id, 1, :created_at, :updated_at)
ON CONFLICT DO NOTHING;

-- name: insert_version
-- One version of an assistant.
INSERT INTO assistant_versions (
    assistant_id, version, graph_id, name, description, config, context, metadata, version_created_at
) VALUES (
    :assistant_id, :version, :graph_id, :name, :description, :config, :context, :metadata, :created_at
);

-- name: find
-- The current version, dated as the assistant.
SELECT * FROM assistants JOIN assistant_versions USING (assistant_id, version) WHERE assistant_id = :assistant_id;

-- name: find_version
-- One version, dated as that version.
SELECT
    assistant_id, version, graph_id, name, description, config, context, metadata,
    version_created_at AS created_at, version_created_at AS updated_at
FROM assistant_versions
WHERE assistant_id = :assistant_id AND version = :version;

-- name: newest_version
-- The highest number there is, current or not.
SELECT max(version) FROM assistant_versions WHERE assistant_id = :assistant_id;

-- name: choose_version
-- Make a version the current one.
UPDATE assistants SET version = :version, updated_at = :updated_at WHERE assistant_id = :assistant_id;

-- name: delete
-- Remove the assistant; a trigger removes its versions.
DELETE FROM assistants WHERE assistant_id = :assistant_id;

-- name: versions
-- The start of a search of one assistant's versions, each dated as itself.
SELECT
    assistant_id, version, graph_id, name, description, config, context, metadata,
    version_created_at AS created_at, version_created_at AS updated_at
FROM assistant_versions
WHERE assistant_id = ?

-- name: versions_order
-- Newest first.
ORDER BY version DESC LIMIT ? OFFSET ?

-- name: search
-- The start of a search.
SELECT * FROM assistants JOIN assistant_versions USING (assistant_id, version) WHERE 1

-- name: count
-- The start of a search's total.
SELECT count(*) FROM assistants JOIN assistant_versions USING (assistant_id, version) WHERE 1

-- name: of_graph
-- A part of a search.
graph_id = ?

-- name: named_like
-- A part of a search: the name holds the (case-folded) text.
instr(longline_casefold(name), ?) > 0

-- name: by_assistant_id_asc
-- An order; ties cannot be.
ORDER BY assistant_id LIMIT ? OFFSET ?

-- name: by_assistant_id_desc
-- An order; ties cannot be.
ORDER BY assistant_id DESC LIMIT ? OFFSET ?

-- name: by_created_at_asc
-- An order; ties by id.
ORDER BY created_at, assistant_id LIMIT ? OFFSET ?

-- name: by_created_at_desc
-- An order; ties by id.
ORDER BY created_at DESC, assistant_id DESC LIMIT ? OFFSET ?

-- name: by_updated_at_asc
-- An order; ties by id.
ORDER BY updated_at, assistant_id LIMIT ? OFFSET ?

-- name: by_updated_at_desc
-- An order; ties by id.
ORDER BY updated_at DESC, assistant_id DESC LIMIT ? OFFSET ?

-- name: by_name_asc
-- An order; ties by id.
ORDER BY name, assistant_id LIMIT ? OFFSET ?

-- name: by_name_desc
-- An order; ties by id.
ORDER BY name DESC, assistant_id DESC LIMIT ? OFFSET ?

-- name: by_graph_id_asc
-- An order; ties by id.
ORDER BY graph_id, assistant_id LIMIT ? OFFSET ?

-- name: by_graph_id_desc
-- An order; ties by id.
ORDER BY graph_id DESC, assistant_id DESC LIMIT ? OFFSET ?
