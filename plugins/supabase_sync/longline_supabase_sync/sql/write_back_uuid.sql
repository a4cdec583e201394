-- Agents learn the ids of their assistants, as far as they do not know them. Rows that somebody else changes are left.
WITH known AS (
    SELECT a.id, given.assistant_id
    FROM unnest(%(keys)s::uuid[], %(assistant_ids)s::uuid[]) AS given (id, assistant_id)
    INNER JOIN public.agents AS a ON a.id = given.id
    WHERE a.langgraph_assistant_id IS DISTINCT FROM given.assistant_id
    ORDER BY a.id
    FOR NO KEY UPDATE OF a SKIP LOCKED
)
UPDATE public.agents AS a SET langgraph_assistant_id = known.assistant_id
FROM known
WHERE a.id = known.id
RETURNING a.id::text AS key
