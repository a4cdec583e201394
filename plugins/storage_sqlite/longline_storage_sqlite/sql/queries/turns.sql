-- name: take
-- The thread's next turn.
UPDATE threads SET turns = turns + 1 WHERE thread_id = :thread_id RETURNING turns;

-- name: give_to_run
-- The turn of a run's present attempt.
UPDATE runs SET turn = :turn WHERE run_id = :run_id;

-- name: remember
-- Where the events of a turn are found.
INSERT INTO turns (thread_id, turn, run_id, attempt) VALUES (:thread_id, :turn, :run_id, :attempt);

-- name: newest
-- The newest turn of a thread.
SELECT turns FROM threads WHERE thread_id = :thread_id;

-- name: is_under_way
-- Whether a run of the thread runs.
SELECT EXISTS (SELECT 1 FROM runs WHERE thread_id = :thread_id AND status = 'running');
