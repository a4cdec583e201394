"""Environment variables with names of their own, as the ecosystem knows them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable with a name of its own, and the setting that it sets."""

    name: str
    section: str
    key: str


VARIABLES: Final = (
    Variable("DATABASE_URL", "server", "database"),
    Variable("DATABASE_DIRECT_URL", "storage_postgres", "direct_url"),
    Variable("OPENAI_API_KEY", "agent_tools", "openai_api_key"),
    Variable("OPENAI_API_BASE", "agent_tools", "openai_base_url"),
    Variable("OPENAI_BASE_URL", "agent_tools", "openai_base_url"),
    Variable("SUPABASE_URL", "auth_supabase", "url"),
    Variable("SUPABASE_KEY", "auth_supabase", "key"),
    Variable("SUPABASE_JWT_SECRET", "auth_supabase", "jwt_secret"),
    Variable("SUPABASE_DATABASE_URL", "auth_supabase", "database"),
    Variable("SUPABASE_DATABASE_URL", "supabase_sync", "database"),
    Variable("SUPABASE_DATABASE_DIRECT_URL", "supabase_sync", "direct_url"),
    Variable("AGENT_SYNC_SCOPE", "supabase_sync", "scope"),
    Variable("LONGLINE_SECRET_KEY", "secrets", "key"),
)
"""Names that the ecosystem knows; of two for one setting the later one wins. An empty value counts as none."""
