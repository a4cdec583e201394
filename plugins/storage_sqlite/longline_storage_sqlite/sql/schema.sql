-- The schema as it is today, for reading. The migrations make it; a test compares the two.
-- Times are microseconds since 1970 (leases: of a monotonic clock). JSON is TEXT where SQL looks inside, else BLOB.

CREATE TABLE assistants (
    assistant_id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE assistant_versions (
    assistant_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    graph_id TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    config TEXT NOT NULL,
    context TEXT NOT NULL,
    metadata TEXT NOT NULL,
    version_created_at INTEGER NOT NULL,
    PRIMARY KEY (assistant_id, version)
) WITHOUT ROWID;

-- `rest_status` is what the last run left behind; a thread with an unfinished run is busy whatever it says.
CREATE TABLE threads (
    thread_id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    state_updated_at INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    rest_status TEXT NOT NULL DEFAULT 'idle',
    "values" BLOB,
    interrupts BLOB,
    error TEXT,
    has_run INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX threads_by_age ON threads (created_at, thread_id);

-- `position` is the order of insertion, which is the order of waiting on a thread.
CREATE TABLE runs (
    position INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    thread_id TEXT NOT NULL,
    assistant_id TEXT NOT NULL,
    metadata TEXT NOT NULL,
    status TEXT NOT NULL,
    spec TEXT NOT NULL,
    temporary INTEGER NOT NULL,
    multitask_strategy TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    released INTEGER NOT NULL DEFAULT 0,
    lease_owner TEXT,
    lease_expires_at INTEGER,
    cancel_action TEXT,
    cancel_reason TEXT,
    failure TEXT
);

CREATE INDEX runs_of_thread ON runs (thread_id, created_at);
CREATE UNIQUE INDEX runs_one_running ON runs (thread_id) WHERE status = 'running';
CREATE INDEX runs_waiting_on_thread ON runs (thread_id, position, not_before) WHERE status = 'pending';
CREATE INDEX runs_waiting ON runs (position, thread_id, not_before) WHERE status = 'pending';

-- Threads as they are seen: busy from the moment a run is created until none is unfinished.
CREATE VIEW thread_rows AS
SELECT
    thread_id, created_at, updated_at, state_updated_at, metadata, "values", interrupts, error, has_run,
    CASE
        WHEN EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status = 'running')
            OR EXISTS (SELECT 1 FROM runs WHERE runs.thread_id = threads.thread_id AND runs.status = 'pending')
        THEN 'busy'
        ELSE rest_status
    END AS status
FROM threads;

CREATE TABLE events (
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    mode TEXT NOT NULL,
    namespace TEXT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run_id, attempt, seq)
) WITHOUT ROWID;

-- LangGraph's two tables, as its saver makes them, plus who wrote a row, so that a rollback finds it.
CREATE TABLE checkpoints (
    thread_id TEXT NOT NULL,
    checkpoint_ns TEXT NOT NULL DEFAULT '',
    checkpoint_id TEXT NOT NULL,
    parent_checkpoint_id TEXT,
    type TEXT,
    checkpoint BLOB,
    metadata BLOB,
    run_id TEXT,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);

CREATE INDEX checkpoints_of_run ON checkpoints (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE writes (
    thread_id TEXT NOT NULL,
    checkpoint_ns TEXT NOT NULL DEFAULT '',
    checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    task_path TEXT NOT NULL DEFAULT '',
    idx INTEGER NOT NULL,
    channel TEXT NOT NULL,
    type TEXT,
    value BLOB,
    run_id TEXT,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);

-- What belongs to a row goes with it, in the same statement.
CREATE TRIGGER assistants_deleted AFTER DELETE ON assistants BEGIN
    DELETE FROM assistant_versions WHERE assistant_id = old.assistant_id;
END;

CREATE TRIGGER threads_deleted AFTER DELETE ON threads BEGIN
    DELETE FROM runs WHERE thread_id = old.thread_id;
    DELETE FROM checkpoints WHERE thread_id = old.thread_id;
    DELETE FROM writes WHERE thread_id = old.thread_id;
END;

CREATE TRIGGER runs_deleted AFTER DELETE ON runs BEGIN
    DELETE FROM events WHERE run_id = old.run_id;
END;
