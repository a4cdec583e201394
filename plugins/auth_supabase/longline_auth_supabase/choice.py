"""Whether this plugin takes part. What it is made of is imported only then: HTTP client, cryptography, driver."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from longline.auth.access import AccessRule
from longline.errors import PluginMissingExtraError
from longline.settings import Settings
from longline_auth_supabase.settings import SupabaseAuthSettings

if TYPE_CHECKING:
    from longline_auth_supabase.authenticator import SupabaseAuthenticator

_NAME: Final = "auth_supabase"
_NEEDED: Final = frozenset({"cryptography", "httpx", "jwt", "psycopg", "psycopg_pool"})


def chosen_authenticator(settings: Settings) -> "SupabaseAuthenticator | None":
    """The authenticator of this server; None where no project is configured. Raises PluginMissingExtraError."""
    if not settings.section(SupabaseAuthSettings).url:
        return None
    try:
        from longline_auth_supabase.assembly import authenticator_of  # noqa: PLC0415  # see the module
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _NEEDED:
            raise
        raise PluginMissingExtraError(_NAME, missing, f"longline[{_NAME.replace('_', '-')}]") from error
    return authenticator_of(settings)


def service_rules(settings: SupabaseAuthSettings) -> Sequence[AccessRule]:
    """The rule about service keys. What one of them left behind, such as a cron, does not outlive its permission."""
    if not settings.url:
        return []
    from longline_auth_supabase.service_keys import ServiceRule  # noqa: PLC0415  # see the module

    return [ServiceRule(settings.service_role)]
