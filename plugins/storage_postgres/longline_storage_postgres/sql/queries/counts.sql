-- name: all
-- How many there are of each, and how the queue stands: of runs that are due, for how many seconds they have waited, also
-- for those alone for which only workers are missing.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
waits AS (
    SELECT
        extract(epoch FROM clock.now - w.not_before)::double precision AS seconds,
        NOT EXISTS (SELECT 1 FROM longline.runs AS r WHERE r.thread_id = w.thread_id AND r.status = 'running')
        AND NOT EXISTS (
            SELECT 1 FROM longline.runs AS r
            WHERE r.thread_id = w.thread_id
                AND r.status = 'pending'
                AND r.position < w.position
                AND r.not_before <= clock.now
        ) AS unblocked
    FROM longline.runs AS w CROSS JOIN clock
    WHERE w.status = 'pending' AND w.not_before <= clock.now
),
queue AS (
    SELECT
        coalesce(max(seconds), 0) AS longest,
        coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), 0) AS median,
        coalesce(max(seconds) FILTER (WHERE unblocked), 0) AS longest_unblocked,
        coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE unblocked), 0) AS median_unblocked
    FROM waits
)
SELECT
    (SELECT count(*) FROM longline.assistants) AS assistants,
    (SELECT count(*) FROM longline.threads) AS threads,
    (SELECT count(*) FROM longline.runs) AS runs,
    (SELECT count(*) FROM longline.items) AS items,
    (SELECT count(*) FROM longline.runs WHERE status = 'pending') AS pending,
    (SELECT count(*) FROM longline.runs WHERE status = 'running') AS running,
    queue.*
FROM queue;
