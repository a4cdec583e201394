-- The token that a run's caller showed, sealed, until the run ends.

ALTER TABLE runs ADD COLUMN token TEXT;

PRAGMA user_version = 8;
