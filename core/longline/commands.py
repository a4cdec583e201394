"""Subcommands of the `longline` command that plugins add."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from longline.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A subcommand: `configure` declares its arguments, `run` does it and returns the exit code."""

    name: str
    help: str
    run: Callable[[argparse.Namespace, Settings], int]
    configure: Callable[[argparse.ArgumentParser], None] = lambda parser: None  # noqa: ARG005
