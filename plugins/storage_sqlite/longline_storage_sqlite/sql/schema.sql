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

-- `rest_status` is what the last run left behind; a thread with an unfinished run is busy whatever it says. Its time is
-- up `ttl_micros` after `updated_at`; one that was pruned (`keep_latest`) waits for its next activity. `turns` is
-- the newest turn that was taken.
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
    has_run INTEGER NOT NULL DEFAULT 0,
    ttl_micros INTEGER,
    ttl_strategy TEXT,
    pruned_at INTEGER,
    turns INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX threads_by_age ON threads (created_at, thread_id);
CREATE INDEX threads_expiring ON threads (updated_at + ttl_micros)
WHERE ttl_micros IS NOT NULL AND (pruned_at IS NULL OR pruned_at < updated_at);

-- `position` is the order of insertion, which is the order of waiting on a thread. `chain_id` is the first of the runs that
-- are one piece of work together.
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
    failure TEXT,
    turn INTEGER NOT NULL DEFAULT 0,
    resumable INTEGER NOT NULL DEFAULT 0,
    token TEXT,
    chain_id TEXT,
    verdict TEXT
);

CREATE INDEX runs_of_thread ON runs (thread_id, created_at);
CREATE UNIQUE INDEX runs_one_running ON runs (thread_id) WHERE status = 'running';
CREATE INDEX runs_waiting_on_thread ON runs (thread_id, position, not_before) WHERE status = 'pending';
CREATE INDEX runs_waiting ON runs (position, thread_id, not_before) WHERE status = 'pending';
CREATE INDEX runs_kept_by_turn ON runs (thread_id, turn) WHERE resumable AND turn > 0;
CREATE INDEX runs_of_chain ON runs (chain_id, position) WHERE chain_id IS NOT NULL;
CREATE INDEX runs_chained ON runs (assistant_id, updated_at, run_id) WHERE chain_id IS NOT NULL;

-- The order of a thread: each claim of a run, the end of a run that never started and each state update take the next
-- turn. Only turns whose events are kept have rows here.
CREATE TABLE turns (
    thread_id TEXT NOT NULL,
    turn INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (thread_id, turn)
) WITHOUT ROWID;

CREATE INDEX turns_of_run ON turns (run_id);

-- Threads as they are seen: busy from the moment a run is created until none is unfinished.
CREATE VIEW thread_rows AS
SELECT
    thread_id, created_at, updated_at, state_updated_at, metadata, "values", interrupts, error, has_run,
    ttl_micros, ttl_strategy,
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
    at_ms INTEGER NOT NULL DEFAULT 0,
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

-- `next_tick` and `end_at` are wall time, the lease is of the monotonic clock. `creator` and `spec` hold sealed secrets.
-- `last_run_id` is the run of the newest tick that made one.
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
    lease_expires_at INTEGER NOT NULL DEFAULT 0,
    last_run_id TEXT
);

CREATE INDEX crons_by_age ON crons (created_at, cron_id);
CREATE INDEX crons_due ON crons (next_tick) WHERE enabled AND next_tick IS NOT NULL;
CREATE INDEX crons_of_assistant ON crons (assistant_id);
CREATE INDEX crons_of_thread ON crons (thread_id) WHERE thread_id IS NOT NULL;

-- What plugins keep. `due_at` of a document that is taken is the end of that lease; AUTOINCREMENT: a position is never
-- used again.
CREATE TABLE documents (
    collection TEXT NOT NULL,
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER,
    due_at INTEGER,
    takes INTEGER NOT NULL DEFAULT 0,
    holder TEXT,
    PRIMARY KEY (collection, owner, key)
);

CREATE INDEX documents_by_age ON documents (collection, created_at, owner, key);
CREATE INDEX documents_due ON documents (collection, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX documents_held ON documents (holder) WHERE holder IS NOT NULL;
CREATE INDEX documents_expiring ON documents (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE log_entries (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    collection TEXT NOT NULL,
    owner TEXT NOT NULL,
    log TEXT NOT NULL,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    expires_at INTEGER
);

CREATE INDEX log_entries_of_log ON log_entries (collection, owner, log, position);
CREATE INDEX log_entries_expiring ON log_entries (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE counters (
    collection TEXT NOT NULL,
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    value INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (collection, owner, key)
) WITHOUT ROWID;

CREATE INDEX counters_expiring ON counters (expires_at);

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

CREATE TRIGGER crons_of_assistant_deleted AFTER DELETE ON assistants BEGIN
    DELETE FROM crons WHERE assistant_id = old.assistant_id;
END;

CREATE TRIGGER crons_of_thread_deleted AFTER DELETE ON threads BEGIN
    DELETE FROM crons WHERE thread_id = old.thread_id;
END;

CREATE TRIGGER turns_of_run_deleted AFTER DELETE ON runs BEGIN
    DELETE FROM turns WHERE run_id = old.run_id;
END;
