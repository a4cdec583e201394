-- Runs that are one piece of work together, and what their ends mean to who asked for them.

ALTER TABLE runs ADD COLUMN chain_id TEXT;
ALTER TABLE runs ADD COLUMN verdict TEXT;

CREATE INDEX runs_of_chain ON runs (chain_id, position) WHERE chain_id IS NOT NULL;
CREATE INDEX runs_chained ON runs (assistant_id, updated_at, run_id) WHERE chain_id IS NOT NULL;

PRAGMA user_version = 9;
