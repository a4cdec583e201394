"""The driver of Postgres, which may be missing where nobody has agents."""

from longline.errors import PluginMissingExtraError


def require_driver() -> None:
    """Raises PluginMissingExtraError with the line that installs it."""
    try:
        import psycopg  # noqa: F401, PLC0415  # slow to import, and may be missing
    except ImportError as error:
        raise PluginMissingExtraError("supabase_sync", error.name or "psycopg", "longline[supabase-sync]") from error
