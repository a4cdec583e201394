-- name: insert
-- A new assistant with its first version; no row if the id is taken.
WITH made AS (
    INSERT INTO longline.assistants (assistant_id, version, created_at, updated_at)
    VALUES (%(assistant_id)s, 1, %(created_at)s, %(updated_at)s)
    ON CONFLICT DO NOTHING
    RETURNING assistant_id
)
INSERT INTO longline.assistant_versions (
    assistant_id, version, graph_id, name, folded_name, description, config, context, metadata, version_created_at
)
SELECT
    assistant_id, 1, %(graph_id)s, %(name)s, %(folded_name)s, %(description)s, %(config)s, %(context)s, %(metadata)s,
    %(created_at)s
FROM made
RETURNING assistant_id;

-- name: insert_current_version
-- One more version of an assistant, which is the current one from now on.
WITH made AS (
    INSERT INTO longline.assistant_versions (
        assistant_id, version, graph_id, name, folded_name, description, config, context, metadata, version_created_at
    ) VALUES (
        %(assistant_id)s, %(version)s, %(graph_id)s, %(name)s, %(folded_name)s, %(description)s, %(config)s,
        %(context)s, %(metadata)s, %(updated_at)s
    )
)
UPDATE longline.assistants
SET version = %(version)s, updated_at = %(updated_at)s
WHERE assistant_id = %(assistant_id)s;

-- name: lock
-- Who changes an assistant does it alone.
SELECT 1 FROM longline.assistants WHERE assistant_id = %(assistant_id)s FOR UPDATE;

-- name: find
-- The current version, dated as the assistant.
SELECT *
FROM longline.assistants JOIN longline.assistant_versions USING (assistant_id, version)
WHERE assistant_id = %(assistant_id)s;

-- name: find_version
-- Whether there is a version.
SELECT version FROM longline.assistant_versions WHERE assistant_id = %(assistant_id)s AND version = %(version)s;

-- name: newest_version
-- The highest number there is, current or not.
SELECT max(version) AS version FROM longline.assistant_versions WHERE assistant_id = %(assistant_id)s;

-- name: choose_version
-- Make a version the current one.
UPDATE longline.assistants
SET version = %(version)s, updated_at = %(updated_at)s
WHERE assistant_id = %(assistant_id)s;

-- name: delete
-- Remove the assistant; a trigger removes its versions and crons.
DELETE FROM longline.assistants WHERE assistant_id = %(assistant_id)s;

-- name: versions
-- The start of a search of one assistant's versions, each dated as itself.
SELECT
    assistant_id, version, graph_id, name, description, config, context, metadata,
    version_created_at AS created_at, version_created_at AS updated_at
FROM longline.assistant_versions
WHERE assistant_id = %s

-- name: versions_order
-- Newest first.
ORDER BY version DESC LIMIT %s OFFSET %s

-- name: search
-- The start of a search.
SELECT * FROM longline.assistants JOIN longline.assistant_versions USING (assistant_id, version) WHERE TRUE

-- name: count
-- The start of a search's total.
SELECT count(*) AS total
FROM longline.assistants JOIN longline.assistant_versions USING (assistant_id, version)
WHERE TRUE

-- name: of_graph
-- A part of a search.
graph_id = %s

-- name: named_like
-- A part of a search: the name holds the (case-folded) text.
strpos(folded_name, %s) > 0

-- name: by_assistant_id_asc
-- An order; ties cannot be.
ORDER BY assistant_id LIMIT %s OFFSET %s

-- name: by_assistant_id_desc
-- An order; ties cannot be.
ORDER BY assistant_id DESC LIMIT %s OFFSET %s

-- name: by_created_at_asc
-- An order; ties by id.
ORDER BY created_at, assistant_id LIMIT %s OFFSET %s

-- name: by_created_at_desc
-- An order; ties by id.
ORDER BY created_at DESC, assistant_id DESC LIMIT %s OFFSET %s

-- name: by_updated_at_asc
-- An order; ties by id.
ORDER BY updated_at, assistant_id LIMIT %s OFFSET %s

-- name: by_updated_at_desc
-- An order; ties by id.
ORDER BY updated_at DESC, assistant_id DESC LIMIT %s OFFSET %s

-- name: by_name_asc
-- An order; ties by id.
ORDER BY name, assistant_id LIMIT %s OFFSET %s

-- name: by_name_desc
-- An order; ties by id.
ORDER BY name DESC, assistant_id DESC LIMIT %s OFFSET %s

-- name: by_graph_id_asc
-- An order; ties by id.
ORDER BY graph_id, assistant_id LIMIT %s OFFSET %s

-- name: by_graph_id_desc
-- An order; ties by id.
ORDER BY graph_id DESC, assistant_id DESC LIMIT %s OFFSET %s
