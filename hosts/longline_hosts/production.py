"""`longline serve`: the choices for a server that others use. It says what it needs instead of guessing."""

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from longline.auth.secrets import new_key
from longline.runtime import OpenServer, Runtime
from longline.settings import SecretSettings, ServerSettings
from longline_hosts.assemble import Profile, assemble_chosen, choose_plugins
from longline_hosts.cores import count_cores
from longline_hosts.environment import Flags, load_configuration, merge
from longline_hosts.errors import NoAuthenticatorError, OneOwnerError
from longline_hosts.logs import configure_logging
from longline_hosts.place import remove_note, write_note
from longline_hosts.serve import CLOSE_SECONDS, listen, run_server, url_of

logger = logging.getLogger(__name__)

PRODUCTION: Final = Profile(
    name="serve",
    plugins=(
        "agent_tools", "auth_supabase", "metrics_prometheus", "protocol_a2a", "protocol_langgraph", "protocol_mcp",
        "storage_postgres", "storage_sqlite", "supabase_sync", "webhooks",
    ),
    graph_plugins={"agent_tools": "agent"},
    defaults={
        # Most runs end within it, and with the closing it fits into the 30 seconds that orchestrators give.
        "server": {"drain_seconds": 20.0},
        # Such a server stays: its first run need not wait for what every later one finds there.
        "agent_tools": {"preload": True},
        "protocol_a2a": {"preload": True},
        "protocol_mcp": {"preload": True},
    },
)  # fmt: skip
_MOST_BY_DEFAULT: Final = 4
"""Workers where nobody says how many: each has connections of its own, of which a Postgres by default takes 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command line says about `longline serve`."""

    flags: Flags
    host: str
    port: int
    level: str
    insecure_no_auth: bool


def run_production(options: ServeOptions) -> int:
    """Serve until SIGTERM; the exit code. Raises LonglineError."""
    configure_logging("json", options.level)
    bound = listen(options.host, options.port)
    runtime = _assembled(options)
    _warn(runtime, options)
    count = _count_workers(runtime)
    note = partial(write_note, url_of(bound), runtime.settings.section(ServerSettings).database)
    try:
        if count == 1:
            return _serve(runtime, bound, note)
        return _supervise(runtime, options, bound, count, note)
    finally:
        remove_note()


def _assembled(options: ServeOptions, worker: int | None = None, *, key: str = "") -> Runtime:
    """The Runtime, if it lets nobody in unasked. `key` is the secret key where none is configured. Raises
    LonglineError."""
    configuration = load_configuration(options.flags)
    configuration.export()
    profile = PRODUCTION
    if worker is not None:
        own = {"metrics_prometheus": {"worker": str(worker)}, "secrets": {"key": key}}
        profile = replace(profile, defaults=merge(profile.defaults, own))
    choice = choose_plugins(configuration, profile)
    runtime = assemble_chosen(configuration, profile, choice.names)
    if not runtime.authenticators and not options.insecure_no_auth:
        raise NoAuthenticatorError
    if worker is None:
        for name, reason in choice.left_out.items():
            logger.info("plugin left out", extra={"plugin": name, "reason": reason})
    return runtime


def _warn(runtime: Runtime, options: ServeOptions) -> None:
    if not runtime.authenticators:
        logger.warning("authentication is off", extra={"host": options.host})
    if not runtime.settings.section(SecretSettings).key.get_secret_value():
        others = " nor by other servers of this database" if runtime.storage_backend.is_shared else ""
        consequence = f"secrets in configurations cannot be read after a restart{others}"
        mend = "set secrets.key (LONGLINE_SECRET_KEY), the same everywhere"
        logger.warning("no secret key configured", extra={"consequence": consequence, "mend": mend})


def _count_workers(runtime: Runtime) -> int:
    """How many processes are to serve. Raises OneOwnerError."""
    server, is_shared = runtime.settings.section(ServerSettings), runtime.storage_backend.is_shared
    if server.workers is None:
        return min(count_cores(), _MOST_BY_DEFAULT) if is_shared else 1
    if server.workers > 1 and not is_shared:
        raise OneOwnerError(server.workers, server.database_scheme)
    return server.workers or (count_cores() if is_shared else 1)


# -- one process ----------------------------------------------------------------------------------------------------


def _serve(runtime: Runtime, bound: socket.socket, on_ready: Callable[[], None], *, is_worker: bool = False) -> int:
    url = url_of(bound)

    async def announce(opened: OpenServer) -> None:
        on_ready()
        facts = opened.server.storage_facts
        logger.info(
            "server started",
            extra={
                "url": url,
                "storage": f"{facts.kind} {facts.place}",
                "plugins": ", ".join(opened.plugins),
                "graphs": ", ".join(opened.server.graphs.graph_ids),
            },
        )

    return run_server(runtime, bound, announce, is_child=is_worker)


# -- several --------------------------------------------------------------------------------------------------------


def _supervise(
    runtime: Runtime, options: ServeOptions, bound: socket.socket, count: int, on_ready: Callable[[], None]
) -> int:
    from longline_hosts.workers import supervise_workers  # noqa: PLC0415  # not for one process

    logger.info("workers starting", extra={"workers": count})
    stop_seconds = runtime.settings.section(ServerSettings).drain_seconds + CLOSE_SECONDS
    work = partial(_work, options, new_key())  # all workers read what one of them sealed
    return supervise_workers(bound, work, count=count, stop_seconds=stop_seconds, on_ready=on_ready)


def _work(options: ServeOptions, key: str, number: int, bound: socket.socket, ready: Callable[[], None]) -> int:
    """One worker from its configuration to its end. Raises LonglineError."""
    configure_logging("json", options.level, {"worker": number, "pid": os.getpid()})
    return _serve(_assembled(options, number, key=key), bound, ready, is_worker=True)
