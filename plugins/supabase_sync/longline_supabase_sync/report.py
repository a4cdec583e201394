"""What the server tells about the sync, and whether it can start with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from longline.errors import SettingsError
from longline.models.json import JsonObject
from longline.services.server import Server
from longline_supabase_sync.names import SOURCE
from longline_supabase_sync.settings import SECTION, SyncSettings


def is_shown(server: Server) -> bool:
    """Whether anybody here means agents of a project: a server on Postgres has a source too where nobody does."""
    is_meant = server.settings.section(SyncSettings).is_asked_for or server.knows_organizations
    return SOURCE in server.mirrors.sources and is_meant


def check_membership(server: Server) -> None:
    """Raises SettingsError where agents are mirrored and nobody could see them."""
    scope = server.settings.section(SyncSettings).parsed_scope
    if scope.is_empty or not server.is_authenticated or server.knows_organizations:
        return
    fault = f"{SECTION}.scope is {scope}, but nothing here knows to which organisations callers belong"
    way = "nobody could see an agent; set auth_supabase.organizations_claim to the path of"
    way += " the claim that lists them, or auth_supabase.organizations_query to a query that works; or scope to none"
    raise SettingsError([f"{fault}: {way}"])


@asynccontextmanager
async def membership_checked(server: Server) -> AsyncIterator[None]:
    """Once more when the authenticators have looked whether what they are told works. Raises SettingsError."""
    check_membership(server)
    yield


def agent_sync(server: Server) -> JsonObject:
    """The scope, and how the latest sync of all agents went in this process."""
    report = server.mirrors.listings.report(SOURCE)
    counts = report.counts
    return {
        "scope": str(server.settings.section(SyncSettings).parsed_scope),
        "last_finished_at": None if report.last_finished_at is None else report.last_finished_at.isoformat(),
        "counts": {
            "total": counts.total,
            "created": counts.created,
            "updated": counts.updated,
            "skipped": counts.skipped,
            "failed": counts.failed,
        },
    }
