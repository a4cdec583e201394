"""Subcommands of plugins: run as they are, or beside an open server that serves nobody."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from longline.errors import StorageInUseError
from longline_hosts.errors import HeldByServerError
from longline_hosts.serve import new_loop

if TYPE_CHECKING:
    from longline.commands import Command
    from longline.runtime import Runtime
    from longline.services.server import Server


def run_command(runtime: "Runtime", command: "Command", options: argparse.Namespace) -> int:
    """The command's exit code. Raises LonglineError."""
    if command.with_server is None or not command.wants_server(options):
        return command.run(options, runtime.settings)
    try:
        with asyncio.Runner(loop_factory=new_loop()) as runner:
            return runner.run(_beside(runtime, command.with_server, options))
    except StorageInUseError as error:
        raise HeldByServerError(error.place, error.owner, command.instead) from error


async def _beside(
    runtime: "Runtime", work: "Callable[[argparse.Namespace, Server], Awaitable[int]]", options: argparse.Namespace
) -> int:
    async with runtime.open(only_own_runs=True) as opened:
        return await work(options, opened.server)
