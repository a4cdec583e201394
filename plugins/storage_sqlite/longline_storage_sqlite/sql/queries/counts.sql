-- name: rows
-- How many there are of each. SQLite counts the smallest index of a table.
SELECT
    (SELECT count(*) FROM assistants) AS assistants,
    (SELECT count(*) FROM threads) AS threads,
    (SELECT count(*) FROM runs) AS runs;

-- name: has_items
-- Whether LangGraph has made the table of its store: it does so when the store is first used.
SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'store');

-- name: items
-- How many items there are.
SELECT count(*) FROM store;

-- name: waits
-- For how many microseconds each run that is due has waited, and whether only workers are missing for it.
SELECT
    :now - not_before AS wait,
    NOT EXISTS (SELECT 1 FROM runs WHERE thread_id = waiting.thread_id AND status = 'running')
    AND NOT EXISTS (
        SELECT 1 FROM runs
        WHERE thread_id = waiting.thread_id
            AND status = 'pending'
            AND position < waiting.position
            AND not_before <= :now
    ) AS unblocked
FROM runs AS waiting
WHERE status = 'pending' AND not_before <= :now;
