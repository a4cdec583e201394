"""`longline serve`: the choices for a server that others use. It says what it needs instead of guessing."""

import logging
from dataclasses import dataclass
from typing import Final

from longline.runtime import OpenServer, Runtime
from longline.settings import SecretSettings, ServerSettings
from longline_hosts.assemble import Profile, assemble
from longline_hosts.environment import Flags, load_configuration
from longline_hosts.errors import NoAuthenticatorError
from longline_hosts.logs import configure_logging
from longline_hosts.place import remove_note, write_note
from longline_hosts.serve import listen, run_server, url_of

logger = logging.getLogger(__name__)

PRODUCTION: Final = Profile(
    name="serve",
    plugins=("agent_tools", "metrics_prometheus", "protocol_langgraph", "storage_sqlite", "webhooks"),
    graph_plugins={"agent_tools": "agent"},
    defaults={},
)


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
    configuration = load_configuration(options.flags)
    configuration.export()
    runtime = assemble(configuration, PRODUCTION)
    _check_safety(runtime, options)
    url = url_of(bound)
    database = runtime.settings.section(ServerSettings).database

    async def announce(opened: OpenServer) -> None:
        write_note(url, database)
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

    try:
        return run_server(runtime, bound, announce)
    finally:
        remove_note()


def _check_safety(runtime: Runtime, options: ServeOptions) -> None:
    if not runtime.authenticators:
        if not options.insecure_no_auth:
            raise NoAuthenticatorError
        logger.warning("authentication is off", extra={"host": options.host})
    if not runtime.settings.section(SecretSettings).key.get_secret_value():
        logger.warning(
            "no secret key configured",
            extra={"consequence": "secrets in configurations cannot be read after a restart", "mend": "secrets.key"},
        )
