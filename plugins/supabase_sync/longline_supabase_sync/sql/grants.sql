
-- What the user that Longline connects as needs for this.
GRANT USAGE ON SCHEMA longline_sync TO {role};
GRANT SELECT, DELETE ON longline_sync.agent_changes TO {role};
