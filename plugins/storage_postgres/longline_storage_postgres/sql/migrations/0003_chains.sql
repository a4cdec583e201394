-- Serves code from 0001 on.
-- Runs that are one piece of work together, and what their ends mean to who asked for them. The indexes come with 0004:
-- they read the whole table, and nobody should wait for these columns so long.

ALTER TABLE longline.runs ADD COLUMN IF NOT EXISTS chain_id TEXT COLLATE "C";
ALTER TABLE longline.runs ADD COLUMN IF NOT EXISTS verdict TEXT;
