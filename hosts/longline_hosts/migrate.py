"""`longline migrate`: bring the database's schema up to date without serving, or say what that would do."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from longline.runtime import Runtime
from longline.settings import ServerSettings
from longline_hosts.assemble import assemble
from longline_hosts.environment import Flags, load_configuration
from longline_hosts.errors import CannotTellError
from longline_hosts.production import PRODUCTION

_UP_TO_DATE = "the schema is up to date"


def migrate(flags: Flags) -> int:
    """Migrate and say what ran; the exit code. Raises LonglineError."""
    runtime = _assembled(flags)
    ran = _ask(runtime.storage_backend.migrate, runtime)
    _tell([*ran, f"{_counted(ran)} ran" if ran else f"nothing to do: {_UP_TO_DATE}"])
    return 0


def check_migrations(flags: Flags) -> int:
    """Change nothing, and say what has not run: 0 if there is nothing, else 1. Raises LonglineError."""
    runtime = _assembled(flags)
    if runtime.storage_backend.pending is None:
        raise CannotTellError(runtime.settings.section(ServerSettings).database_scheme)
    waiting = _ask(runtime.storage_backend.pending, runtime)
    verb = "has" if len(waiting) == 1 else "have"
    _tell([*waiting, f"{_counted(waiting)} {verb} not run: run `longline migrate`" if waiting else _UP_TO_DATE])
    return 1 if waiting else 0


def _assembled(flags: Flags) -> Runtime:
    configuration = load_configuration(flags)
    configuration.export()
    return assemble(configuration, PRODUCTION)


def _ask(question: Callable[[str], Awaitable[Sequence[str]]], runtime: Runtime) -> Sequence[str]:
    async def ask() -> Sequence[str]:
        return await question(runtime.settings.section(ServerSettings).database)

    return asyncio.run(ask())


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} migration{'' if len(names) == 1 else 's'}"


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        print(line)  # noqa: T201  # a command talks to a person
