-- Changes of transactions that had not ended when somebody looked last, and what has happened by now. Numbers of rows
-- would not do: transactions do not end in their order.
SELECT
    pg_current_snapshot()::text AS seen,
    changes.agent_id::text AS agent_id
FROM (VALUES (1)) AS one (row)
LEFT JOIN longline_sync.agent_changes AS changes
    ON changes.transaction_id >= pg_snapshot_xmin(%(seen)s::pg_snapshot)
    AND NOT pg_visible_in_snapshot(changes.transaction_id, %(seen)s::pg_snapshot)
ORDER BY changes.id
