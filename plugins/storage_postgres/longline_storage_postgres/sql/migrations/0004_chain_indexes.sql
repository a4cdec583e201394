-- Serves code from 0001 on.
-- Runs by their chain. To prepare it: the statements of 0003, then these with CONCURRENTLY.

CREATE INDEX IF NOT EXISTS runs_of_chain ON longline.runs (chain_id, position) WHERE chain_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS runs_chained ON longline.runs (assistant_id, updated_at, run_id) WHERE chain_id IS NOT NULL;
