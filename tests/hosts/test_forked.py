"""A command that is forked from a process with its imports is what people start: the same answer, and all its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests import forked
from tests.hosts.command import ask, longline, running, serving
from tests.hosts.conftest import SAYS, Project

LOOK = """
import json, os, re, signal, sys

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE)
print(json.dumps({
    "arguments": sys.argv, "path": sys.path, "folder": os.getcwd(), "environment": dict(os.environ),
    "main": sys.modules["__main__"].__file__, "pid": os.getpid(), "session": os.getsid(0),
    "files": sorted(os.listdir("/proc/self/fd")), "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "handlers": [re.sub("0x[0-9a-f]+", "", str(signal.getsignal(number))) for number in SIGNALS],
    "bytecode": sys.dont_write_bytecode, "through": sys.stdout.write_through, "read": sys.stdin.read(),
    "encodings": [sys.stdin.encoding, sys.stdout.encoding, sys.stderr.encoding],
}), flush=True)
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture
def looking(project: Project) -> Path:
    """A project whose graph tells, on being loaded, what its process is like."""
    text = f"import a_pond\n{LOOK}\n{SAYS}\ngraph = says('fish').compile()\n"
    return project({"g": "./g.py:graph"}, {"g.py": text, "site/a_pond.py": ""})


def look(folder: Path, unbuffered: str, *, afresh: bool) -> dict:
    env = {"SOME": "thing", "PYTHONPATH": str(folder / "site"), "PYTHONDONTWRITEBYTECODE": unbuffered}
    env["PYTHONUNBUFFERED"] = unbuffered
    with running(folder, "check", "--port", "0", env=env, afresh=afresh) as command:
        assert isinstance(command.process, subprocess.Popen) is afresh
        found = json.loads(command.wait_for(r"(?m)^\{.*\}$").group())
        assert command.end() == 0, command.output
        assert found["pid"] == found["session"] == command.process.pid
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_a_command_finds_around_it_is_what_the_script_gives_it(looking: Path, unbuffered: str) -> None:
    forked_one, fresh = look(looking, unbuffered, afresh=False), look(looking, unbuffered, afresh=True)
    assert forked_one["environment"]["SOME"] == "thing"
    for other in ("pid", "session"):
        assert forked_one.pop(other) != fresh.pop(other)
    assert forked_one == fresh


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["plugins"], ["migrate", "--check"], ["check", "--port", "0"], ["run", "agent", "hi"]],
    ids=lambda arguments: arguments[0],
)
def test_the_script_itself_says_the_same(tmp_path: Path, arguments: list[str]) -> None:
    outcomes = []
    for afresh in (False, True):
        folder = tmp_path / str(afresh)
        folder.mkdir()
        done = longline(folder, *arguments, afresh=afresh)
        texts = [text.replace(str(folder), "") for text in (done.stdout, done.stderr)]
        outcomes.append((done.returncode, texts[0], len(texts[1].splitlines())))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][1] or outcomes[0][0] == 2


@pytest.mark.parametrize("arguments", [["dev", "--no-reload"], ["serve", "--insecure-no-auth"]], ids=["dev", "serve"])
def test_the_script_itself_serves(project: Project, arguments: list[str]) -> None:
    folder = project({"g": "./g.py:graph"}, {"g.py": f"{SAYS}\ngraph = says('fish').compile()\n"})
    with running(folder, *arguments, "--port", "0", afresh=True) as server:
        assert isinstance(server.process, subprocess.Popen)
        server.wait_for("graphs loaded|server started")
        assert ask(server.url, "g") == {"said": "fish"}
        assert server.stop() == 0


def test_output_and_errors_are_apart_and_the_exit_code_is_the_command_s(tmp_path: Path) -> None:
    refused = longline(tmp_path, "swim")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "invalid choice: 'swim'" in refused.stderr
    listed = longline(tmp_path, "plugins")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "storage_sqlite" in listed.stdout


def test_a_command_that_takes_too_long_is_killed_with_its_group(project: Project, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    child = (
        "import subprocess, time\nsubprocess.Popen('echo here; exec sleep 300', shell=True, stdout=open('alive', 'wb'))"
    )
    folder = project({"g": "./g.py:graph"}, {"g.py": f"{child}\nprint('and here', flush=True)\ntime.sleep(300)\n"})
    with open(os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)) as alive:
        with pytest.raises(subprocess.TimeoutExpired) as raised:
            longline(folder, "check", "--port", "0", seconds=8)
        os.set_blocking(alive.fileno(), True)
        assert alive.read() == "here\n"  # to its end: nobody holds it any more
    assert "and here" in str(raised.value.output)


def test_two_at_once_have_nothing_of_each_other(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        (folder / ".env").write_text(f"DATABASE_URL=sqlite:///{folder.name}.db\n")
    with serving(folders[0], "--no-reload") as one, serving(folders[1], "--no-reload") as two:
        assert one.url != two.url
        assert one.process.pid != two.process.pid
        assert two.stop() == 0
        assert httpx.get(f"{one.url}/ok").status_code == 200
        assert one.process.poll() is None
        assert one.stop(signal.SIGKILL) == -signal.SIGKILL
    assert [(folder / f"{folder.name}.db").exists() for folder in folders] == [True, True]
    assert longline(tmp_path, "plugins").returncode == 0
    assert "DATABASE_URL" not in os.environ


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, True),
        ({"DATABASE_URL": "sqlite:///x.db", "PATH": ""}, True),
        ({"PYTHONSTARTUP": "x.py"}, False),
        ({"LANGGRAPH_DEFAULT_RECURSION_LIMIT": "3"}, False),
        ({"TZ": "Asia/Tokyo"}, False),
    ],
    ids=str,
)
def test_what_python_and_imports_read_keeps_a_process_of_its_own(
    tmp_path: Path, env: dict[str, str], expected: bool
) -> None:
    assert forked.can_fork({**os.environ, **env}) is expected
    process = forked.start(["--version"], folder=tmp_path, env={**os.environ, **env})
    assert process.wait(40) == 0
    assert process.stdout is not None
    process.stdout.close()
    assert isinstance(process, forked.Forked) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a_pond.py", True),
        ("longline_pond-1.2.3.dist-info/METADATA", True),
        ("psycopg.py", False),
        ("rich/__init__.py", False),
        ("pydantic-1.0.dist-info/METADATA", False),
        ("sitecustomize.py", False),
    ],
)
def test_a_path_may_add_modules_and_replace_none(tmp_path: Path, name: str, expected: bool) -> None:
    path = tmp_path / "site" / name
    path.parent.mkdir(parents=True)
    path.touch()
    assert forked.can_fork({**os.environ, "PYTHONPATH": str(tmp_path / "site")}) is expected
    assert not forked.can_fork({**os.environ, "PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}relative"})


def test_another_program_is_what_it_is(tmp_path: Path) -> None:
    program = Path(sys.executable)
    process = forked.start(["-c", "raise SystemExit(3)"], folder=tmp_path, env=os.environ, program=program)
    assert process.wait(40) == 3
    assert process.stdout is not None
    process.stdout.close()
