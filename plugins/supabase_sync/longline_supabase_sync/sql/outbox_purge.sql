-- Changes that every server has seen, or has made up for since.
DELETE FROM longline_sync.agent_changes WHERE changed_at < now() - interval '1 day'
