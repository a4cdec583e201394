"""Users of a Supabase project: their access tokens, verified, become principals with their organisations."""
