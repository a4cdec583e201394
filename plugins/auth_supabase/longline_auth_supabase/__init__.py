"""Users of a Supabase project: their access tokens, verified, become principals with their organisations."""

from collections.abc import Sequence

from longline.asgi.mount import AppWrapper
from longline.auth.access import AccessRule
from longline.auth.authenticator import Authenticator
from longline.hookspecs import hookimpl
from longline.services.server import Server
from longline.settings import Settings, SettingsSection
from longline_auth_supabase.choice import chosen_authenticator, service_rules
from longline_auth_supabase.settings import SupabaseAuthSettings


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("auth_supabase", SupabaseAuthSettings)]


@hookimpl
def register_authenticators(settings: Settings) -> Sequence[Authenticator]:
    found = chosen_authenticator(settings)
    return [] if found is None else [found]


@hookimpl
def register_access_rules(settings: Settings) -> Sequence[AccessRule]:
    return service_rules(settings.section(SupabaseAuthSettings))


@hookimpl
def wrap_app(server: Server) -> Sequence[AppWrapper]:
    found = chosen_authenticator(server.settings)
    return [] if found is None else [AppWrapper(order=0, wrap=lambda app: app, lifespan=found.opened)]
