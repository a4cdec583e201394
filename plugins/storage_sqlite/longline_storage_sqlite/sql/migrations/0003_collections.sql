-- What plugins keep: documents, logs and counters.

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

PRAGMA user_version = 3;
