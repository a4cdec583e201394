-- Whether the triggers' outbox is there, and what has happened so far.
SELECT
    to_regclass('longline_sync.agent_changes') IS NOT NULL AS is_there,
    pg_current_snapshot()::text AS seen
