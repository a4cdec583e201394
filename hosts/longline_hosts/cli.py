"""The `longline` command: arguments → a host. Every user error is a sentence on stderr and exit code 2."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from longline.errors import LonglineError
from longline_hosts.environment import Flags
from longline_hosts.errors import print_error

_USER_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except LonglineError as error:
        if options.debug:
            raise
        print_error(error)
        return _USER_ERROR
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="longline", description="Serve agents: LangGraph graphs over open protocols.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    dev = _command(commands, "dev", "serve this folder's graphs, or the built-in agent, and reload on change", _dev)
    _add_server_flags(dev)
    dev.add_argument("--no-reload", action="store_true", help="do not restart when files change")
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
    parser.add_argument("--debug", action="store_true", help="log everything, and show tracebacks of errors")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), help="what is logged")
    parser.set_defaults(run=run)
    return parser


def _add_server_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="the port to listen on (2024); 0: any free one")
    parser.add_argument("--runs", type=int, metavar="N", help="how many runs execute at once (10)")
    parser.add_argument("--workers", type=int, metavar="N", default=1, help="how many processes serve (1)")


def _flags(options: argparse.Namespace) -> Flags:
    return Flags(config=options.config, database=options.database, runs=getattr(options, "runs", None))


def _dev(options: argparse.Namespace) -> int:
    from longline_hosts.dev import DevOptions, run_dev  # noqa: PLC0415  # each command imports what it needs

    return run_dev(
        DevOptions(
            flags=_flags(options),
            host=options.host or "127.0.0.1",
            port=options.port if options.port is not None else 2024,
            level="debug" if options.debug else options.log_level or "info",
            reload=not options.no_reload,
        )
    )
