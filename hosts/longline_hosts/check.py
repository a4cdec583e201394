"""`longline check`: everything that would keep a server from starting, and every graph that would fail, at once."""

import asyncio
import logging
import tempfile
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from rich.console import Console
from rich.markup import escape

from longline.errors import GraphLoadError, LonglineError, PluginError, PluginMissingExtraError, SettingsError
from longline.graphs.registry import GraphRegistry
from longline.plugin_host import PluginHost
from longline.runtime import Runtime
from longline.settings import ServerSettings
from longline_hosts.assemble import assemble_chosen, choose_plugins
from longline_hosts.dev import DEV
from longline_hosts.environment import HOST, PORT, Configuration, Flags, load_configuration
from longline_hosts.serve import is_loopback, listen
from longline_hosts.sqlite_file import look_at

_SQLITE: Final = "sqlite"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was looked at, and what it is like."""

    subject: str
    text: str
    is_problem: bool = False


def check(flags: Flags, host: str | None, port: int | None) -> int:
    """Look at everything and print what was found; 0 if nothing is wrong, else 1."""
    logging.disable(logging.CRITICAL)  # what is logged on the way is reported here, with what mends it
    findings: list[Finding] = []
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    for finding in _findings(flags, host, port):
        findings.append(finding)
        sign = "[red]✗[/red]" if finding.is_problem else "[green]✓[/green]"
        console.print(f"{sign} [bold]{escape(finding.subject):13}[/bold] {escape(finding.text)}")
    problems = sum(finding.is_problem for finding in findings)
    console.print(f"\n{_counted(problems)}" if problems else "\nnothing is wrong")
    return 1 if problems else 0


def _counted(problems: int) -> str:
    return f"{problems} problem{'s' if problems > 1 else ''}"


def _findings(flags: Flags, host: str | None, port: int | None) -> Iterator[Finding]:
    try:
        configuration = load_configuration(flags)
        host, port = configuration.address(host, port)
    except LonglineError as error:
        yield from _problems("configuration", error)
        yield from _port(host or HOST, PORT if port is None else port)
        return
    yield Finding("configuration", _files(configuration))
    yield from _port(host, port)
    yield from _langgraph(configuration)
    configuration.export()
    runtime: Runtime | None = None
    for item in _assembled(configuration):
        if isinstance(item, Finding):
            yield item
        else:
            runtime = item
    if runtime is not None:
        yield from _open_parts(configuration, runtime, host)


def _files(configuration: Configuration) -> str:
    return ", ".join(str(path) for path in configuration.files) or "no file: defaults and environment"


def _langgraph(configuration: Configuration) -> Iterator[Finding]:
    file = configuration.langgraph
    if file is None:
        return
    for name in file.missing:
        text = f"dependency {name!r} of {file.path} is neither a folder beside it nor an installed package"
        yield Finding("langgraph", f"{text}; run: pip install {name}", is_problem=True)
    if file.unused:
        yield Finding("langgraph", f"this version does not act on: {', '.join(file.unused)}")


def _assembled(configuration: Configuration) -> Iterator[Finding | Runtime]:
    """What is wrong with plugins and settings; the Runtime if it can be made without the broken plugins."""
    try:
        choice = choose_plugins(configuration, DEV)
    except LonglineError as error:
        yield from _problems("plugins", error)
        return
    usable = []
    for name in choice.names:
        try:
            PluginHost([name])
        except PluginError as error:
            mend = "" if isinstance(error, PluginMissingExtraError) else f'; or [plugins] disable = ["{name}"]'
            yield Finding("plugin", f"{error}{mend}", is_problem=True)
        else:
            usable.append(name)
    yield Finding("plugins", ", ".join(usable) or "none")
    for name, reason in choice.left_out.items():
        if "pip install" in reason:
            yield Finding("left out", f"{name}: {reason}")
    try:
        yield assemble_chosen(configuration, DEV, usable)
    except LonglineError as error:
        yield from _problems("settings" if isinstance(error, SettingsError) else "plugins", error)


def _open_parts(configuration: Configuration, runtime: Runtime, host: str) -> Iterator[Finding]:
    base = configuration.langgraph.path.parent if configuration.langgraph is not None else configuration.folder
    yield from asyncio.run(_graphs(runtime.graphs, base))
    yield from _assembly(runtime)
    yield from _storage(runtime)
    yield from _authentication(runtime, host)


async def _graphs(graphs: GraphRegistry, base: Path) -> list[Finding]:
    await graphs.load_all()
    found = []
    for graph_id in graphs.graph_ids:
        origin = graphs.definition(graph_id).origin
        try:
            graphs.require(graph_id)
        except GraphLoadError as error:
            place = error.place.replace("./", f"{base}/", 1) if error.place.startswith("./") else error.place
            found.append(Finding("graph", f"{graph_id} ← {origin}: {error.cause} ({place})", is_problem=True))
        else:
            found.append(Finding("graph", f"{graph_id} ← {origin}"))
    return found


def _assembly(runtime: Runtime) -> Iterator[Finding]:
    """Paths, background tasks and the like: they need an open storage, so they get one of their own for a moment."""
    if _scheme(runtime) != _SQLITE:
        return
    try:
        with tempfile.TemporaryDirectory(prefix="longline-check-") as folder:
            asyncio.run(runtime.try_assembly(f"sqlite:///{folder}/check.db"))
    except LonglineError as error:
        yield from _problems("plugins", error)


def _storage(runtime: Runtime) -> Iterator[Finding]:
    database = runtime.settings.section(ServerSettings).database
    try:
        yield Finding("storage", look_at(database) if _scheme(runtime) == _SQLITE else _asked(runtime, database))
    except LonglineError as error:
        yield from _problems("storage", error)


def _asked(runtime: Runtime, database: str) -> str:
    """What a database server says for itself."""
    pending = runtime.storage_backend.pending
    if pending is None:
        return f"{_scheme(runtime)}:// is looked at when the server starts"
    waiting = len(asyncio.run(_awaited(pending(database))))
    found = f"to run at the next start: {waiting} of its migrations" if waiting else "its schema is up to date"
    return f"the {_scheme(runtime)}:// database answers; {found}"


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _scheme(runtime: Runtime) -> str:
    return runtime.settings.section(ServerSettings).database_scheme


def _authentication(runtime: Runtime, host: str) -> Iterator[Finding]:
    names = ", ".join(authenticator.name for authenticator in runtime.authenticators)
    if names:
        yield Finding("authentication", names)
    else:
        here = is_loopback(host)
        text = "off: `longline dev` serves this machine only, `longline serve` needs --insecure-no-auth"
        yield Finding("authentication", text, is_problem=not here)


def _port(host: str, port: int) -> Iterator[Finding]:
    try:
        listen(host, port).close()
    except LonglineError as error:
        yield from _problems("port", error)
    else:
        yield Finding("port", f"{port} on {host} is free")


def _problems(subject: str, error: LonglineError) -> Iterator[Finding]:
    for line in str(error).splitlines():
        yield Finding(subject, line, is_problem=True)
