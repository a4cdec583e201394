-- name: append
-- One event; what is there already stays as it is.
INSERT INTO events (run_id, attempt, seq, mode, namespace, data, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- name: read
-- Events of a run after an id, in order.
SELECT attempt, seq, mode, namespace, data, at_ms, 0 AS turn FROM events
WHERE run_id = :run_id AND (attempt, seq) > (:attempt, :seq)
ORDER BY attempt, seq
LIMIT :limit;

-- name: last
-- The id of the newest event of a run.
SELECT attempt, seq FROM events WHERE run_id = :run_id ORDER BY attempt DESC, seq DESC LIMIT 1;

-- name: read_thread
-- Events of a thread after a place in the order of its turns, and the end of each kept run, which has a status.
-- A run that ended without a start, while another was under way, is behind that one.
SELECT
    turns.turn AS turn, events.seq AS seq, turns.run_id AS run_id, turns.attempt AS attempt, events.mode AS mode,
    events.namespace AS namespace, events.data AS data, events.at_ms AS at_ms, NULL AS status, NULL AS failure,
    FALSE AS is_behind
FROM turns CROSS JOIN events ON events.run_id = turns.run_id AND events.attempt = turns.attempt
WHERE turns.thread_id = :thread_id AND turns.turn >= :turn AND (turns.turn > :turn OR events.seq > :seq)
UNION ALL
SELECT turn, :end, run_id, attempt, NULL, NULL, NULL, updated_at / 1000, status, failure,
    EXISTS (
        SELECT 1 FROM runs AS r WHERE r.thread_id = :thread_id AND r.status = 'running' AND r.turn < runs.turn
    )
FROM runs
WHERE
    thread_id = :thread_id AND turn >= :turn AND (turn > :turn OR :end > :seq)
    AND resumable AND turn > 0 AND status NOT IN ('pending', 'running')
ORDER BY 1, 2
LIMIT :limit;

-- name: check
-- Something small that touches the file.
SELECT count(*) FROM (SELECT 1 FROM threads LIMIT 1);
