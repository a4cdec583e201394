"""Agents of a Supabase project, mirrored as assistants for the members of their organisations."""
