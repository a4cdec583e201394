"""React's `useStream` in a real browser: the classic hook over runs, the newer one over protocol v2.

Needs Node, npm and a Chromium of the system: skipped with a reason where one is missing, failed where `CI` is set.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.node import SCRIPTS, give_up
from tests.clients.served import Served

pytestmark = pytest.mark.slow

STEPS = re.findall(r'^  "(.+?)": async', (SCRIPTS / "browser.mjs").read_text(encoding="utf-8"), re.MULTILINE)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 110

SENT = {
    "classic": {"POST /threads", "POST /threads/T/runs/stream", "GET /threads/T/runs/R/stream"},
    "session": {"POST /threads/T/commands", "POST /threads/T/stream/events", "GET /threads/T/state"},
    "session websocket": {"WS /threads/T/stream/events", "GET /threads/T/state"},
}
"""Page and its transport → calls that it makes on the way. A hook that no longer makes them tests something else."""


@pytest.fixture(scope="module")
def browser() -> str:
    """The program of a Chromium."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        give_up(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return found


@pytest.fixture(scope="module", params=SENT)
def results(
    request: pytest.FixtureRequest,
    served: Served,
    scripts: Path,
    browser: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, dict]:
    """What the script reports, by the name of the step; a picture of the last page is left in the test's folder."""
    folder = tmp_path_factory.mktemp("browser")
    page, *transport = request.param.split()
    done = subprocess.run(
        ["node", scripts / "browser.mjs", page, served.url, served.folder / "gates", browser, folder, *transport],
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    reports = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert reports, f"no report from the script:\n{done.stderr}"
    assert (folder / "page.png").stat().st_size > 1000
    return {"page": {"name": request.param}, **{report["name"]: report for report in reports}}


@pytest.mark.parametrize("name", STEPS)
def test_page(results: dict[str, dict], name: str) -> None:
    report = results[name]
    assert report["ok"], f"{report['error']}\n" + "\n".join(results["requests"]["requests"])


def test_the_page_called_what_its_hook_is_known_to_call(results: dict[str, dict]) -> None:
    assert set(results) == {*STEPS, "page", "requests"}
    calls = {_call(request) for request in results["requests"]["requests"]}
    assert SENT[results["page"]["name"]] <= calls


def _call(request: str) -> str:
    method, path, *_ = request.split()
    path = re.sub(r"/threads/[0-9a-f-]{36}", "/threads/T", path.partition("?")[0])
    return f"{method} {re.sub(r'/runs/[0-9a-f-]{36}', '/runs/R', path)}"
