"""What the documents print is tried: files are written, servers started, calls made, links followed."""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.examples.environment import ROOT, call
from tests.processes import LONGLINE, ServerProcess, free_port, running

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/*/README.md")])
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#([^)\s]*))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_URL = "http://127.0.0.1:2024"
_A2A = {"content-type": "application/json", "a2a-version": "1.0"}
_SECTIONS = {"Added", "Changed", "Fixed", "Removed"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `file` is the name behind the language: such a block is a file to write."""

    language: str
    file: str
    text: str


def blocks(document: str, language: str) -> list[Block]:
    """The blocks of a document in one language."""
    found = [Block(*match) for match in _BLOCK.findall((ROOT / document).read_text("utf-8"))]
    return [block for block in found if block.language == language]


def write_files(document: str, folder: Path) -> None:
    """Write every file that a document shows."""
    for match in _BLOCK.findall((ROOT / document).read_text("utf-8")):
        block = Block(*match)
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")


def run_python(block: Block, server: ServerProcess) -> str:
    """What a program of a document prints, with this server in place of the one on the usual port."""
    program = block.text.replace(_URL, server.url)
    assert server.url in program
    done = call([sys.executable, "-W", "error", "-c", program], cwd=server.folder)
    assert done.returncode == 0, f"{program}\n{done.stderr}"
    return done.stdout


def run_bash(block: Block, server: ServerProcess) -> str:
    """What a command of a document prints, with this server in place of the one on the usual port. Skips the test
    where a program that it names is missing."""
    missing = [name for name in ("bash", "curl") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"there is no {missing[0]} here")
    assert _URL in block.text
    done = call(["bash", "-ec", block.text.replace(_URL, server.url)], cwd=server.folder)
    assert done.returncode == 0, f"{block.text}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """`longline dev` in a folder with the files of docs/start.md."""
    folder = tmp_path_factory.mktemp("start")
    write_files("docs/start.md", folder)
    with running(folder) as server:
        yield server


def test_the_readmes_first_call_prints_the_answer(start: ServerProcess) -> None:
    (first,) = [block for block in blocks("README.md", "python") if not block.file]
    assert "The tool calculate answered: 4." in run_python(first, start)


def test_every_program_of_the_start_page_runs_and_prints_what_stands_below_it(start: ServerProcess) -> None:
    printed = [run_python(block, start) for block in blocks("docs/start.md", "python") if not block.file]
    assert "The tool calculate answered: 4." in printed[0]
    assert printed[1] == blocks("docs/start.md", "text")[0].text
    assert "demo" in printed[2]
    assert len(printed) == 3


def test_the_graph_of_the_start_page_answers(start: ServerProcess) -> None:
    said = call([str(LONGLINE), "run", "echo", "Hello"], cwd=start.folder)
    assert (said.returncode, said.stdout) == (0, "You said: Hello\n")


@pytest.mark.parametrize(("document", "count"), [("docs/mcp.md", 2), ("docs/a2a.md", 1)])
def test_every_client_on_the_page_of_a_protocol_gets_the_answer(
    start: ServerProcess, document: str, count: int
) -> None:
    printed = [run_python(block, start) for block in blocks(document, "python")]
    assert len(printed) == count
    assert all("The tool calculate answered: 4." in one for one in printed)


def test_the_first_calls_by_hand_get_the_answer(start: ServerProcess) -> None:
    for document, position in (("docs/start.md", 2), ("docs/a2a.md", 0), ("docs/mcp.md", 0)):
        assert "The tool calculate answered: 4." in run_bash(blocks(document, "bash")[position], start)


def test_the_push_notifications_page_shows_a_request_that_is_taken(start: ServerProcess) -> None:
    (shown,) = blocks("docs/push_notifications.md", "json")
    nobody = f"http://127.0.0.1:{free_port()}/a2a"  # never a foreign address
    request = shown.text.replace("https://client.example.com/a2a", nobody)
    told = httpx.post(f"{start.url}/a2a/echo", content=request, headers=_A2A, timeout=30).json()
    task_id = told["result"]["task"]["id"]
    asked = {"jsonrpc": "2.0", "id": 2, "method": "ListTaskPushNotificationConfigs", "params": {"taskId": task_id}}
    kept = httpx.post(f"{start.url}/a2a/echo", json=asked, headers=_A2A, timeout=30).json()["result"]["configs"]
    assert [one["url"] for one in kept] == [nobody]


def test_the_plugin_of_the_plugins_page_passes_the_contract_that_it_shows(tmp_path: Path) -> None:
    write_files("docs/plugins.md", tmp_path)
    done = call([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "pyproject.toml").is_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target, anchor in _LINK.findall(document.read_text("utf-8")):
        if "://" in target:
            continue
        found = (document.parent / target).resolve()
        assert found.exists(), f"{document.name} links to {target}"
        assert not anchor or anchor in _anchors(found), f"{target} has no heading #{anchor}"


def _anchors(document: Path) -> set[str]:
    headings = _HEADING.findall(document.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_fragment_of_the_changelog_is_a_sentence_that_says_what_happened() -> None:
    fragments = sorted((ROOT / "changes").iterdir())
    for fragment in fragments:
        assert re.fullmatch(r"\d+(-[a-z]+)?\.(feature|fix|breaking|plugin-author)\.md", fragment.name)
        text = fragment.read_text("utf-8").strip()
        assert text.split()[0] in _SECTIONS, fragment.name
        assert text.endswith("."), fragment.name
