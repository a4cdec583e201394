-- The run of a cron's newest tick: a tick makes no run while that one still waits to start.

ALTER TABLE crons ADD COLUMN last_run_id TEXT;

PRAGMA user_version = 6;
