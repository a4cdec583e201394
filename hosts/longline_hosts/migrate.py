"""`longline migrate`: bring the database's schema up to date without serving."""

import asyncio
from collections.abc import Sequence

from longline.runtime import Runtime
from longline.settings import ServerSettings
from longline_hosts.assemble import assemble
from longline_hosts.environment import Flags, load_configuration
from longline_hosts.production import PRODUCTION


def migrate(flags: Flags) -> int:
    """Migrate and say what ran; the exit code. Raises LonglineError."""
    configuration = load_configuration(flags)
    configuration.export()
    ran = asyncio.run(_migrate(assemble(configuration, PRODUCTION)))
    for name in ran:
        print(name)  # noqa: T201  # a command talks to a person
    print(f"{len(ran)} migrations ran" if ran else "nothing to do: the schema is up to date")  # noqa: T201  # the same
    return 0


async def _migrate(runtime: Runtime) -> Sequence[str]:
    return await runtime.storage_backend.migrate(runtime.settings.section(ServerSettings).database)
