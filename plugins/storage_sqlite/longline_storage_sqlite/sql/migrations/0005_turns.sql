-- The order of a thread: each claim of a run, the end of a run that never started and each state update take the next
-- turn. `turns` says which events belong to a turn; only what is kept has rows there.
ALTER TABLE threads ADD COLUMN turns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN resumable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN at_ms INTEGER NOT NULL DEFAULT 0;

CREATE TABLE turns (
    thread_id TEXT NOT NULL,
    turn INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (thread_id, turn)
) WITHOUT ROWID;

CREATE INDEX turns_of_run ON turns (run_id);
CREATE INDEX runs_kept_by_turn ON runs (thread_id, turn) WHERE resumable AND turn > 0;

CREATE TRIGGER turns_of_run_deleted AFTER DELETE ON runs BEGIN
    DELETE FROM turns WHERE run_id = old.run_id;
END;

PRAGMA user_version = 5;
