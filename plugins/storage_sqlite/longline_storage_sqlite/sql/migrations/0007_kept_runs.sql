-- Unfinished runs from before 0005 keep their place on their thread too. (A run whose row cannot be read ends when it is
-- claimed, not here.)

UPDATE runs SET resumable = 1
WHERE status IN ('pending', 'running')
    AND CASE WHEN json_valid(spec) THEN json_extract(spec, '$.resumable') END;

PRAGMA user_version = 7;
