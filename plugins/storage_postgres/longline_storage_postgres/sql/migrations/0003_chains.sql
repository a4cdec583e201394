-- Serves code from 0001 on.
-- Runs that are one piece of work together, and what their ends mean to who asked for them.

ALTER TABLE longline.runs ADD COLUMN chain_id TEXT COLLATE "C";
ALTER TABLE longline.runs ADD COLUMN verdict TEXT;

CREATE INDEX runs_of_chain ON longline.runs (chain_id, position) WHERE chain_id IS NOT NULL;
CREATE INDEX runs_chained ON longline.runs (assistant_id, updated_at, run_id) WHERE chain_id IS NOT NULL;
