-- name: listen
-- Signals of all topics come on one channel.
LISTEN longline;

-- name: send
-- Send signals in the order of the array; they arrive when this commits.
SELECT pg_notify('longline', payload) FROM unnest(%(payloads)s::text[]) AS payload;

-- name: prepare
-- A signal is worth no wait for a disk; nothing else is written on this connection.
SET synchronous_commit = off;

-- name: probe
-- The cheapest question: is somebody there?
SELECT 1;

-- name: try_listen
-- Listen where nothing but the trial is ever said: behind a pooler, nobody can say whose connection goes on listening.
LISTEN longline_trial;

-- name: try_send
-- Say something on the channel of the trial.
SELECT pg_notify('longline_trial', %(token)s);

-- name: try_unlisten
-- The trial is over.
UNLISTEN longline_trial;
