"""A Supabase project and what belongs to it, for tests: its database, its users' tokens, MCP servers, a model."""
