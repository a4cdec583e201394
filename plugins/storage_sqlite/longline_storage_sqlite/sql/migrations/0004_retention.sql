-- How long threads stay.

ALTER TABLE threads ADD COLUMN ttl_micros INTEGER;
ALTER TABLE threads ADD COLUMN ttl_strategy TEXT;
ALTER TABLE threads ADD COLUMN pruned_at INTEGER;

CREATE INDEX threads_expiring ON threads (updated_at + ttl_micros)
WHERE ttl_micros IS NOT NULL AND (pruned_at IS NULL OR pruned_at < updated_at);

DROP VIEW thread_rows;

CREATE VIEW thread_rows AS
SELECT
    thread_id, created_at, updated_at, state_updated_at, metadata, "values", interrupts, error, has_run,
    ttl_micros, ttl_strategy,
    CASE
        WHEN EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status = 'running')
            OR EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status = 'pending')
        THEN 'busy'
        ELSE rest_status
    END AS status
FROM threads;

PRAGMA user_version = 4;
