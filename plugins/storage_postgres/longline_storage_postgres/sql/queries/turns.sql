-- name: take
-- The thread's next turn.
UPDATE longline.threads SET turns = turns + 1 WHERE thread_id = %(thread_id)s RETURNING turns;

-- name: newest
-- The newest turn of a thread.
SELECT turns FROM longline.threads WHERE thread_id = %(thread_id)s;
