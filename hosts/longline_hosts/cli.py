"""The `longline` command: arguments → a host. Every user error is a sentence on stderr and exit code 2."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from longline.errors import LonglineError
from longline_hosts.environment import HOST, LEVELS, PORT, Flags, load_configuration, parse_port
from longline_hosts.errors import print_error

if TYPE_CHECKING:
    from longline.commands import Command
    from longline.runtime import Runtime

_USER_ERROR: Final = 2
_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _parser(given).parse_args(given)
        return int(options.run(options))
    except LonglineError as error:
        if "--debug" in given:
            raise
        print_error(error)
        return _USER_ERROR
    except KeyboardInterrupt:
        return _INTERRUPTED


# -- arguments ------------------------------------------------------------------------------------------------------


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="longline",
        description="Serve agents: LangGraph graphs over open protocols, durable on this machine or on many.",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    parser.set_defaults(run=partial(_no_command, parser))
    add = partial(_command, commands)
    dev = add("dev", "serve this folder's graphs, or the built-in agent, and restart on change", _dev)
    _add_server_flags(dev)
    dev.add_argument("--no-reload", action="store_true", help="do not restart when files change")
    serve = add("serve", "serve in production: no reload, logs in JSON, nobody gets in without credentials", _serve)
    _add_server_flags(serve)
    serve.add_argument(
        "--workers", type=_workers, metavar="N", help="how many processes serve; auto, or 0: one for each core"
    )
    serve.add_argument(
        "--insecure-no-auth", action="store_true", help="let everyone in: something in front of this server keeps watch"
    )
    run = add("run", "run an assistant once and stream its answer; Ctrl-C cancels", _run)
    run.add_argument("assistant", metavar="ASSISTANT", help="a graph's id, or the UUID of an assistant")
    run.add_argument("text", metavar="TEXT", help="what to say; a JSON object is the graph's input as it is")
    run.add_argument("--thread", metavar="ID", help="go on with this thread, or start it")
    run.add_argument("--url", help="the server to run on (else the one of this folder, else this process)")
    add("plugins", "list the plugins that are installed, and which are chosen", _plugins)
    check = add("check", "say what is wrong with this configuration, its plugins and its graphs", _check)
    _add_address(check)
    migrate = add("migrate", "bring the database's schema up to date without serving", _migrate)
    migrate.add_argument(
        "--check", action="store_true", help="change nothing: list what would run, with exit code 1 if there is any"
    )
    if given and (given[0] in ("-h", "--help") or given[0] not in {*commands.choices, "--version"}):
        _add_plugin_commands(commands, given)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    about: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    parser.add_argument("--config", type=Path, metavar="FILE", help="a longline.toml or a langgraph.json")
    parser.add_argument("--database", metavar="URL", help="e.g. sqlite:///.longline/longline.db")
    parser.add_argument("--debug", action="store_true", help="log everything, and show the traceback of an error")
    parser.add_argument("--log-level", choices=LEVELS, help="what is logged")
    parser.set_defaults(run=run)
    return parser


def _add_server_flags(parser: argparse.ArgumentParser) -> None:
    _add_address(parser)
    parser.add_argument("--runs", type=int, metavar="N", help="how many runs each process executes at once (10)")


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help=f"the address to listen on ({HOST})")
    parser.add_argument("--port", type=_port, help=f"the port to listen on ({PORT}); 0: any free one")


def _port(text: str) -> int:
    try:
        return parse_port(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _workers(text: str) -> int:
    if text == "auto":
        return 0
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes")  # noqa: TRY003  # for argparse
    return int(text)


def _no_command(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if options.version:
        from importlib.metadata import version  # noqa: PLC0415  # only here

        print(version("longline"))  # noqa: T201  # a command talks to a person
        return 0
    parser.print_help(sys.stderr)
    return _USER_ERROR


# -- commands -------------------------------------------------------------------------------------------------------


def _flags(options: argparse.Namespace) -> Flags:
    return Flags(
        config=options.config,
        database=options.database,
        runs=getattr(options, "runs", None),
        workers=getattr(options, "workers", None),
    )


def _level(options: argparse.Namespace, default: str) -> str:
    if options.debug:
        return "debug"
    return options.log_level or load_configuration(_flags(options)).level(default)


def _address(options: argparse.Namespace) -> tuple[str, int]:
    return load_configuration(_flags(options)).address(options.host, options.port)


def _dev(options: argparse.Namespace) -> int:
    from longline_hosts.dev import DevOptions, run_dev  # noqa: PLC0415  # each command imports what it needs

    host, port = _address(options)
    reload = not options.no_reload and not getattr(sys, "frozen", False)
    level = _level(options, "info")
    return run_dev(DevOptions(flags=_flags(options), host=host, port=port, level=level, reload=reload))


def _serve(options: argparse.Namespace) -> int:
    from longline_hosts.production import ServeOptions, run_production  # noqa: PLC0415  # the same

    host, port = _address(options)
    return run_production(
        ServeOptions(
            flags=_flags(options),
            host=host,
            port=port,
            level=_level(options, "info"),
            insecure_no_auth=options.insecure_no_auth,
        )
    )


def _run(options: argparse.Namespace) -> int:
    from longline_hosts.run import RunOptions, run_once  # noqa: PLC0415  # the same

    return run_once(
        RunOptions(
            flags=_flags(options),
            assistant=options.assistant,
            text=options.text,
            thread_id=options.thread,
            url=options.url,
            level=_level(options, "error"),
        )
    )


def _plugins(options: argparse.Namespace) -> int:
    from longline_hosts.plugins import list_plugins  # noqa: PLC0415  # the same

    return list_plugins(_flags(options))


def _check(options: argparse.Namespace) -> int:
    from longline_hosts.check import check  # noqa: PLC0415  # the same

    return check(_flags(options), options.host, options.port)


def _migrate(options: argparse.Namespace) -> int:
    from longline_hosts.migrate import check_migrations, migrate  # noqa: PLC0415  # the same

    return check_migrations(_flags(options)) if options.check else migrate(_flags(options))


# -- commands of plugins --------------------------------------------------------------------------------------------


def _add_plugin_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", given: Sequence[str]) -> None:
    """The subcommands that chosen plugins add: they are imported for that, so only where such a command may be meant.
    Help is given even where the configuration is broken."""
    try:
        runtime = _runtime(given)
    except LonglineError:
        if given[0] in ("-h", "--help"):
            return
        raise
    for command in runtime.host.commands():
        parser = _command(commands, command.name, command.help, partial(_run_plugin_command, runtime, command))
        command.configure(parser)


def _runtime(given: Sequence[str]) -> "Runtime":
    from longline_hosts.assemble import assemble  # noqa: PLC0415  # the same
    from longline_hosts.production import PRODUCTION  # noqa: PLC0415  # the same

    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config", type=Path)
    finder.add_argument("--database")
    found, _ = finder.parse_known_args(given)
    configuration = load_configuration(Flags(config=found.config, database=found.database))
    configuration.export()
    return assemble(configuration, PRODUCTION)


def _run_plugin_command(runtime: "Runtime", command: "Command", options: argparse.Namespace) -> int:
    from longline_hosts.logs import configure_logging  # noqa: PLC0415  # the same
    from longline_hosts.plugin_commands import run_command  # noqa: PLC0415  # the same

    configure_logging("lines", _level(options, "warning"))
    return run_command(runtime, command, options)
