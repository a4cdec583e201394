"""Replicas and their database are killed, stopped and restarted: nothing is lost, nothing happens twice."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.faults.cluster import QUICK, running_cluster
from tests.faults.storm import StormPlan, run_storm

SEED = int(os.environ.get("LONGLINE_FAULT_SEED", "20261121"))
RUNS = int(os.environ.get("LONGLINE_FAULT_RUNS", "200"))


@pytest.mark.timeout(300)
def test_runs_survive_a_storm_of_kills_stops_and_database_restarts(tmp_path: Path) -> None:
    with running_cluster(tmp_path, settings=QUICK) as cluster:
        figures = asyncio.run(run_storm(cluster, StormPlan(runs=RUNS, seed=SEED, arrival_seconds=RUNS / 7)))
        print(figures)
        assert not figures.faults, "\n".join(figures.faults)
