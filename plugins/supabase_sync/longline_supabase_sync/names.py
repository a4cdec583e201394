"""The words that this plugin writes into assistants, and its own name."""

from typing import Final

SOURCE: Final = "supabase"
"""The name of the source, in messages, logs and commands."""
AGENT_KEY: Final = "supabase_agent_id"
"""The metadata key of the agent that an assistant mirrors."""
ORGANIZATION_KEY: Final = "supabase_organization_id"
"""The key of its organisation: in the metadata for who may see it, in the configuration for the graph."""
