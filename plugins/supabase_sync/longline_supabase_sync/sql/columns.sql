-- The columns that this user may read, whether policies hide rows of their tables from it, and what has happened so
-- far: the rest is news.
SELECT
    c.table_name,
    c.column_name,
    c.udt_name,
    CASE
        WHEN c.table_name IS NOT NULL THEN row_security_active(format('%%I.%%I', c.table_schema, c.table_name))
        ELSE FALSE
    END AS is_filtered,
    pg_current_snapshot()::text AS seen
FROM (VALUES (1)) AS one (row)
LEFT JOIN information_schema.columns AS c ON c.table_schema = 'public' AND c.table_name = ANY (%(tables)s)
