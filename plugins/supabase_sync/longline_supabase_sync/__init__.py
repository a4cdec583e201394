"""Agents of a Supabase project, mirrored as assistants for the members of their organisations."""

from collections.abc import Mapping, Sequence
from functools import partial

from longline.asgi.mount import AppWrapper, ProtocolMount
from longline.auth.access import AccessRule
from longline.commands import Command
from longline.hookspecs import hookimpl
from longline.models.json import JsonObject
from longline.services.server import Server
from longline.services.sources import AssistantSource
from longline.settings import ServerSettings, Settings, SettingsSection
from longline_supabase_sync.app import build_mount
from longline_supabase_sync.commands import supabase_command
from longline_supabase_sync.driver import require_driver
from longline_supabase_sync.report import agent_sync, check_membership, is_shown, membership_checked
from longline_supabase_sync.rule import OrganizationRule
from longline_supabase_sync.settings import SECTION, SyncSettings


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection(SECTION, SyncSettings)]


@hookimpl
def register_commands() -> Sequence[Command]:
    return [supabase_command()]


@hookimpl
def register_access_rules() -> Sequence[AccessRule]:
    return [OrganizationRule()]


@hookimpl
def register_assistant_sources(settings: Settings) -> Sequence[AssistantSource]:
    sync, server = settings.section(SyncSettings), settings.section(ServerSettings)
    if not sync.has_database(server):
        return []
    require_driver()
    from longline_supabase_sync.source import SupabaseSource  # noqa: PLC0415  # the driver may be missing

    return [SupabaseSource(sync, server)]


@hookimpl
def register_protocols(server: Server) -> Sequence[ProtocolMount]:
    check_membership(server)
    return [build_mount(server)] if is_shown(server) else []


@hookimpl
def wrap_app(server: Server) -> Sequence[AppWrapper]:
    # Behind those of authenticators, which look first.
    return [AppWrapper(order=1_000, wrap=lambda app: app, lifespan=partial(membership_checked, server))]


@hookimpl
def describe_server(server: Server) -> Mapping[str, JsonObject]:
    return {"agent_sync": agent_sync(server)} if is_shown(server) else {}
