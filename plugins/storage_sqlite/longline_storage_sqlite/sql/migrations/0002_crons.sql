-- Crons: schedules that make runs.

-- `next_tick` and `end_at` are wall time, the lease is of the monotonic clock. `creator` and `spec` hold sealed secrets.
CREATE TABLE crons (
    cron_id TEXT NOT NULL PRIMARY KEY,
    assistant_id TEXT NOT NULL,
    thread_id TEXT,
    schedule TEXT NOT NULL,
    timezone TEXT,
    end_at INTEGER,
    enabled INTEGER NOT NULL,
    keeps_threads INTEGER NOT NULL,
    spec TEXT NOT NULL,
    metadata TEXT NOT NULL,
    creator TEXT NOT NULL,
    next_tick INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    lease_owner TEXT,
    lease_expires_at INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX crons_by_age ON crons (created_at, cron_id);
CREATE INDEX crons_due ON crons (next_tick) WHERE enabled AND next_tick IS NOT NULL;
CREATE INDEX crons_of_assistant ON crons (assistant_id);
CREATE INDEX crons_of_thread ON crons (thread_id) WHERE thread_id IS NOT NULL;

CREATE TRIGGER crons_of_assistant_deleted AFTER DELETE ON assistants BEGIN
    DELETE FROM crons WHERE assistant_id = old.assistant_id;
END;

CREATE TRIGGER crons_of_thread_deleted AFTER DELETE ON threads BEGIN
    DELETE FROM crons WHERE thread_id = old.thread_id;
END;

PRAGMA user_version = 2;
