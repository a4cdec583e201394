"""The JavaScript SDK against a server: its newest version, and the newest that speaks protocol v2."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.clients.node import SCRIPTS
from tests.clients.served import Served

CHECKS = re.findall(r'^check\("(.+?)"', (SCRIPTS / "sdk.mjs").read_text(encoding="utf-8"), re.MULTILINE)
PACKAGES = ["@langchain/langgraph-sdk", "langgraph-sdk-1"]
SECONDS = 90


@pytest.fixture(scope="module", params=PACKAGES)
def results(request: pytest.FixtureRequest, served: Served, scripts: Path) -> dict[str, dict]:
    """What the script reports, by the name of the check."""
    done = subprocess.run(
        ["node", str(scripts / "sdk.mjs"), request.param, served.url, str(served.folder / "gates")],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert reports, f"no report from the script:\n{done.stderr}"
    return {report.get("name", "missing"): report for report in reports}


@pytest.mark.parametrize("name", CHECKS)
def test_js(results: dict[str, dict], name: str) -> None:
    report = results[name]
    assert report["ok"], report["error"]


def test_every_public_method_was_called(results: dict[str, dict]) -> None:
    assert set(results) == {*CHECKS, "missing"}
    assert results["missing"]["missing"] == []
