"""Subcommands of the `longline` command that plugins add."""

import argparse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from longline.services.server import Server
from longline.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A subcommand: `configure` declares its arguments, `run` does it and returns the exit code.

    One that needs the services has `with_server`, which is called in the place of `run` where `wants_server` says so:
    the server is open and serves nobody, nothing runs in its background, and it takes no runs off the queue."""

    name: str
    help: str
    run: Callable[[argparse.Namespace, Settings], int]
    configure: Callable[[argparse.ArgumentParser], None] = lambda parser: None  # noqa: ARG005
    wants_server: Callable[[argparse.Namespace], bool] = lambda options: False  # noqa: ARG005
    with_server: Callable[[argparse.Namespace, Server], Awaitable[int]] | None = None
    instead: str = ""
    """What to do, besides stopping it, where a running server has the storage for itself."""
