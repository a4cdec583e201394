"""`longline dev`: the choices for a developer's machine. Everything works without a key, a service or a question."""

import logging
import multiprocessing
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from longline.errors import LonglineError
from longline.runtime import OpenServer
from longline.settings import ServerSettings
from longline_hosts.assemble import Profile, assemble_chosen, choose_plugins
from longline_hosts.banner import print_banner, report_graphs
from longline_hosts.environment import Configuration, Flags, load_configuration, merge
from longline_hosts.errors import OpenToEveryoneError
from longline_hosts.logs import configure_logging
from longline_hosts.place import remove_note, secret_key, write_note
from longline_hosts.serve import is_loopback, listen, run_server, url_of

logger = logging.getLogger(__name__)

DEV: Final = Profile(
    name="dev",
    plugins=(
        "agent_tools",
        "auth_supabase",
        "metrics_prometheus",
        "protocol_a2a",
        "protocol_langgraph",
        "protocol_mcp",
        "storage_postgres",
        "storage_sqlite",
        "supabase_sync",
        "webhooks",
    ),
    graph_plugins={"agent_tools": "agent"},
    defaults={
        # A reload or Ctrl-C does not wait for a long run: it goes on after the next start.
        "server": {"drain_seconds": 0.3},
        # What a developer tries is on this machine.
        "agent_tools": {"mcp_loopback": True, "rag_loopback": True},
        "protocol_a2a": {"push_loopback": True},
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevOptions:
    """What the command line says about `longline dev`."""

    flags: Flags
    host: str
    port: int
    level: str
    reload: bool


def run_dev(options: DevOptions) -> int:
    """Serve until Ctrl-C; the exit code. Raises LonglineError."""
    bound = listen(options.host, options.port)
    configure_logging("lines", options.level)
    if not options.reload:
        return serve_dev(options, bound, lambda: None, is_first=True)
    from longline_hosts.reload import supervise  # noqa: PLC0415  # not without reload

    return supervise(bound, partial(serve_dev, options), partial(_watched, options))


def serve_dev(options: DevOptions, bound: socket.socket, ready: Callable[[], None], *, is_first: bool) -> int:
    """One server from its configuration to its end, here or in a child of the reloader. Raises LonglineError."""
    configure_logging("lines", options.level)
    configuration = with_secret_key(load_configuration(options.flags))
    configuration.export()
    choice = choose_plugins(configuration, DEV)
    runtime = assemble_chosen(configuration, DEV, choice.names)
    if not runtime.authenticators and not is_loopback(options.host):
        raise OpenToEveryoneError(options.host)
    url = url_of(bound)
    database = runtime.settings.section(ServerSettings).database

    async def greet(opened: OpenServer) -> None:
        write_note(url, database)
        if is_first:
            print_banner(opened, url, choice.left_out)
        else:
            logger.info("server restarted", extra={"url": url})
        await report_graphs(opened.server.graphs)
        ready()

    try:
        return run_server(runtime, bound, greet, is_child=multiprocessing.parent_process() is not None)
    finally:
        remove_note()


def _watched(options: DevOptions) -> tuple[Iterable[Path], Iterable[Path]]:
    """The folders and files to watch; while the configuration cannot be read, those that can be known without it."""
    try:
        configuration = load_configuration(options.flags)
    except LonglineError:
        config = options.flags.config
        return [config.absolute().parent if config else Path.cwd()], [config.absolute()] if config else []
    folders = configuration.langgraph.folders if configuration.langgraph is not None else ()
    return [configuration.folder, *folders], configuration.files


def with_secret_key(configuration: Configuration) -> Configuration:
    """The configuration with this folder's key, where it has none of its own."""
    if configuration.values.get("secrets", {}).get("key"):
        return configuration
    return replace(configuration, values=merge(configuration.values, {"secrets": {"key": secret_key()}}))
