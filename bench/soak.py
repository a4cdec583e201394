"""Runs on three replicas while these, and their Postgres, are killed, stopped and restarted, for as long as you like.

    uv run python bench/soak.py --minutes 10 [--seed 1] [--per-second 5]

Each round is a storm of its own on the same database server; exit code 1 if anything was lost or happened twice.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import fields
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.faults.cluster import QUICK, running_cluster
from tests.faults.judge import Figures
from tests.faults.storm import StormPlan, run_storm
from tests.postgres import own_server

_ROUND_SECONDS = 60.0


def add(total: Figures, more: Figures) -> None:
    for field in fields(Figures):
        mine, other = getattr(total, field.name), getattr(more, field.name)
        setattr(total, field.name, max(mine, other) if field.name == "most_attempts" else mine + other)


def show(figures: Figures) -> Table:
    table = Table("figure", "value", title="What came of it")
    for field in fields(Figures):
        if field.name != "faults":
            value = getattr(figures, field.name)
            table.add_row(field.name.replace("_", " "), f"{value:.0f}" if isinstance(value, float) else str(value))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-second", type=float, default=4.5, help="runs that are created a second")
    parser.add_argument("--lease", type=float, default=QUICK["server"]["lease_seconds"])
    arguments = parser.parse_args()
    console, total = Console(width=150), Figures()
    settings = {"server": {**QUICK["server"], "lease_seconds": arguments.lease}}
    until, seed = time.monotonic() + 60 * arguments.minutes, arguments.seed
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with own_server() as postgres, Progress(*columns, console=console) as progress:
        task = progress.add_task("soak", total=60 * arguments.minutes)
        while time.monotonic() < until:
            seconds = min(_ROUND_SECONDS, max(5.0, until - time.monotonic()))
            plan = StormPlan(
                runs=max(5, int(seconds * arguments.per_second)), seed=seed, arrival_seconds=seconds,
                frozen=(arguments.lease + 0.5, arguments.lease + 2.5), limit_seconds=seconds + 180,
            )  # fmt: skip
            with (
                tempfile.TemporaryDirectory() as folder,
                running_cluster(Path(folder), postgres, settings=settings) as cluster,
            ):
                figures = asyncio.run(run_storm(cluster, plan))
            add(total, figures)
            for fault in figures.faults:
                progress.console.print(f"[red]seed {seed}: {fault}", highlight=False)
            progress.update(
                task, completed=60 * arguments.minutes - max(0.0, until - time.monotonic()),
                description=f"round {seed - arguments.seed + 1}: {total.runs_accepted} runs, {total.runs_lost} lost, "
                f"{total.recoveries} recoveries",
            )  # fmt: skip
            seed += 1
    console.print(show(total))
    sys.exit(1 if total.faults else 0)


if __name__ == "__main__":
    main()
