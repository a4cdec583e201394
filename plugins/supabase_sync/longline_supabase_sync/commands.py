"""`longline supabase …`: install triggers, and sync by hand or only say what that would do."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from longline.auth.principal import SYSTEM
from longline.commands import Command
from longline.errors import SettingsError
from longline.models.assistants import AssistantQuery
from longline.models.filters import Equals
from longline.services.mirror_listing import SyncCounts
from longline.services.server import Server
from longline.settings import ServerSettings, Settings
from longline_supabase_sync.driver import require_driver
from longline_supabase_sync.scope import BadScopeError, parse_scope
from longline_supabase_sync.settings import SECTION, SyncSettings
from longline_supabase_sync.tables import table

if TYPE_CHECKING:
    from longline_supabase_sync.source import SupabaseSource

_PAGE: Final = 500
_MIRRORED: Final = Equals("created_by", "system")
_WORDS: Final = {"skipped": "unchanged"}
_NO_SCOPE: Final = (
    f"whose agents? {SECTION}.scope (AGENT_SYNC_SCOPE) is none; give --scope all, or --scope org:<uuid>[,org:<uuid>…]"
)

Line = tuple[str, str, str, str]


def supabase_command() -> Command:
    """All of it as one command."""
    return Command(
        name="supabase",
        help="agents of a Supabase project: install-triggers, sync",
        run=_run,
        configure=_configure,
        wants_server=lambda options: options.what == "sync",
        with_server=_sync,
        instead="or leave it running and let it sync one agent: POST /agents/<id>/sync",
    )


def _configure(parser: argparse.ArgumentParser) -> None:
    parts = parser.add_subparsers(title="what to do", metavar="WHAT", dest="what", required=True)
    about = "print the SQL that tells this server of changed agents, or apply it"
    triggers = parts.add_parser("install-triggers", help=about, description=about)
    how = triggers.add_mutually_exclusive_group()
    how.add_argument("--print", action="store_true", help="print it and change nothing (this is the default)")
    how.add_argument("--apply", action="store_true", help="run it in the project's database; it may be run again")
    triggers.add_argument("--grant", metavar="ROLE", help="also let this role read the changes")
    about = "mirror the agents of a scope as assistants now"
    sync = parts.add_parser("sync", help=about, description=about)
    sync.add_argument("--scope", type=_scope, help="all, or org:<uuid>[,org:<uuid>…] (what is configured)")
    sync.add_argument("--dry-run", action="store_true", help="change nothing: show what would change")


def _scope(text: str) -> str:
    try:
        return str(parse_scope(text))
    except BadScopeError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


# -- triggers -------------------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace, settings: Settings) -> int:
    require_driver()
    from longline_supabase_sync.places import Place  # noqa: PLC0415  # the driver may be missing
    from longline_supabase_sync.triggers import install, script  # noqa: PLC0415  # the same

    if not options.apply:
        sys.stdout.write(script(options.grant))
        return 0
    sync = settings.section(SyncSettings)
    url, setting = _direct(sync, settings.section(ServerSettings))
    place = Place(url, setting, sync.connect_seconds)
    install(place, options.grant)
    sys.stdout.write(f"installed in {place.name}\n")
    return 0


def _direct(sync: SyncSettings, server: ServerSettings) -> tuple[str, str]:
    direct = sync.direct_url.get_secret_value()
    if direct:
        return direct, f"{SECTION}.direct_url"
    url = sync.database_url(server)
    if not url:
        raise SettingsError([f"where are the agents? set {SECTION}.database (SUPABASE_DATABASE_URL)"])
    return url, f"{SECTION}.database"


# -- sync -----------------------------------------------------------------------------------------------------------


async def _sync(options: argparse.Namespace, server: Server) -> int:
    """0, or 1 if an agent could not be mirrored."""
    source = _source(options.scope, server.settings)
    async with source.open():
        planned, faults = await server.mirrors.listings.plan(source)
        known = {one.agent.key for one in planned} | {key for key, _ in faults}
        lines: list[Line] = [
            (_WORDS.get(one.action, one.action), one.agent.key, one.agent.name, ", ".join(one.changes))
            for one in planned
        ]
        lines += [("withdrawn", key, name, "") for key, name in await _gone(source, server, known)]
        lines += [("failed", key, "", reason) for key, reason in faults]
        if lines:
            sys.stdout.write(table(("ACTION", "AGENT", "NAME", "WHAT"), lines) + "\n\n")
        if options.dry_run:
            sys.stdout.write(f"{_counted([line[0] for line in lines])}; nothing was changed\n")
            return 1 if faults else 0
        counts = await server.mirrors.listings.list(source)
    sys.stdout.write(f"{_told(counts)}\n")
    return 1 if counts.failed else 0


def _source(scope: str | None, settings: Settings) -> "SupabaseSource":
    require_driver()
    from longline_supabase_sync.source import SupabaseSource  # noqa: PLC0415  # the driver may be missing

    sync = settings.section(SyncSettings)
    asked = sync.model_copy(update={"scope": scope or sync.scope})
    if asked.parsed_scope.is_empty:
        raise SettingsError([_NO_SCOPE])
    server = settings.section(ServerSettings)
    asked.has_database(server)
    return SupabaseSource(asked, server)


async def _gone(source: "SupabaseSource", server: Server, known: set[str]) -> Sequence[tuple[str, str]]:
    """The agents, with their names, whose mirrors stand and that may not be used any more."""
    mirrored: dict[str, str] = {}
    offset = 0
    while True:
        query = AssistantQuery(metadata=_MIRRORED, limit=_PAGE, offset=offset, sort_by="assistant_id")
        page = await server.assistants.search(SYSTEM, query)
        for assistant in page.items:
            key = source.reference(assistant.metadata)
            if key is not None and key not in known:
                mirrored[key] = assistant.name
        offset += _PAGE
        if offset >= page.total:
            break
    there = await source.some([*mirrored])
    usable = {agent.key for agent in there.agents} | {fault.key for fault in there.faults}
    return [(key, name) for key, name in mirrored.items() if key not in usable]


def _counted(actions: Sequence[str]) -> str:
    words = ("created", "updated", "unchanged", "withdrawn", "failed")
    return f"{len(actions)} agents: " + ", ".join(f"{actions.count(word)} {word}" for word in words)


def _told(counts: SyncCounts) -> str:
    numbers = {"created": counts.created, "updated": counts.updated, "unchanged": counts.skipped,
               "withdrawn": counts.withdrawn, "failed": counts.failed}  # fmt: skip
    return f"{counts.total} agents: " + ", ".join(f"{number} {word}" for word, number in numbers.items())
