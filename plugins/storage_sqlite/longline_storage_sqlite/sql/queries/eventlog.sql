-- name: append
-- One event; what is there already stays as it is.
INSERT INTO events (run_id, attempt, seq, mode, namespace, data) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING;

-- name: read
-- Events of a run after an id, in order.
SELECT attempt, seq, mode, namespace, data FROM events
WHERE run_id = :run_id AND (attempt, seq) > (:attempt, :seq)
ORDER BY attempt, seq
LIMIT :limit;

-- name: last
-- The id of the newest event of a run.
SELECT attempt, seq FROM events WHERE run_id = :run_id ORDER BY attempt DESC, seq DESC LIMIT 1;

-- name: check
-- Something small that touches the file.
SELECT count(*) FROM (SELECT 1 FROM threads LIMIT 1);
