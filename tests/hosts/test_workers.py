"""`longline serve --workers`: several processes behind one socket, and a supervisor that keeps them there."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from longline_hosts.cores import count_cores
from tests.hosts.apart import APART
from tests.hosts.command import Command, longline, running
from tests.hosts.third_party import install

STARTED = r'\{.*"message": "server started".*\}'
ENDED = r'\{.*"message": "worker ended".*\}'


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment with a storage that processes can share."""
    site = tmp_path / "site"
    install(site, "longline-apart", {"apart_plugin": APART}, plugins={"apart": "apart_plugin"})
    return {"PYTHONPATH": str(site), "DATABASE_URL": f"apart:///{tmp_path}"}


@contextmanager
def served(folder: Path, env: Mapping[str, str], *arguments: str, workers: str = "2") -> Iterator[Command]:
    command = ["serve", "--port", "0", "--insecure-no-auth", "--workers", workers, *arguments]
    with running(folder, *command, env=dict(env)) as server:
        server.wait_for(STARTED, count=int(workers))
        yield server


def lines_of(server: Command, message: str) -> list[dict[str, object]]:
    return [line for line in map(json.loads, server.output.splitlines()) if line["message"] == message]


def pids_of(server: Command) -> dict[object, int]:
    """The newest process of each worker."""
    return {line["worker"]: int(str(line["pid"])) for line in lines_of(server, "server started")}


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pids: list[int], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


# -- which storage, and how many ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["flag", "variable", "file"])
def test_several_processes_on_a_file_with_one_owner_are_refused_before_it_is_made(tmp_path: Path, how: str) -> None:
    if how == "file":
        (tmp_path / "longline.toml").write_text("[server]\nworkers = 2\n")
    done = longline(
        tmp_path, "serve", "--port", "0", "--insecure-no-auth", *(["--workers", "2"] if how == "flag" else []),
        env={"LONGLINE_SERVER__WORKERS": "2"} if how == "variable" else {},
    )  # fmt: skip
    assert done.returncode == 2
    (said,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert said.startswith("longline: --workers 2: a sqlite:// database is served by one process")
    assert not (tmp_path / ".longline").exists()


@pytest.mark.parametrize("workers", ["auto", "1"])
def test_a_file_with_one_owner_is_served_by_one_process_by_default(tmp_path: Path, workers: str) -> None:
    command = ["serve", "--port", "0", "--insecure-no-auth", "--workers", workers]
    with running(tmp_path, *command) as server:
        server.wait_for(STARTED)
        assert lines_of(server, "workers starting") == []
        assert server.stop() == 0


@pytest.mark.parametrize("workers", ["x", "-1", "1000"])
def test_a_number_of_workers_that_cannot_be_is_a_sentence(tmp_path: Path, workers: str) -> None:
    done = longline(tmp_path, "serve", "--port", "0", "--insecure-no-auth", "--workers", workers)
    assert done.returncode == 2
    assert "workers" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_container_gets_as_many_cores_as_it_may_keep_busy(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    here = count_cores(tmp_path / "missing")
    assert here == len(os.sched_getaffinity(0))
    for text, cores in (("max 100000", here), ("50000 100000", 1), ("junk", here), ("9000000 100000", here)):
        quota.write_text(text + "\n")
        assert count_cores(quota) == cores, text


# -- life -----------------------------------------------------------------------------------------------------------


def test_each_worker_is_a_process_and_all_answer_at_one_address(tmp_path: Path, env: dict[str, str]) -> None:
    with served(tmp_path, env) as server:
        pids = pids_of(server)
        assert set(pids) == {1, 2}
        assert len({*pids.values(), server.process.pid}) == 3
        (url,) = {line["url"] for line in lines_of(server, "server started")}
        seen: set[str] = set()
        deadline = time.monotonic() + 20
        while seen != {'worker="1"', 'worker="2"'}:
            assert time.monotonic() < deadline
            answer = httpx.get(f"{url}/metrics", headers={"connection": "close"})
            seen |= set(re.findall(r'worker="\d+"', answer.text))
        assert json.loads((tmp_path / ".longline/server.json").read_text())["pid"] == server.process.pid
        assert server.stop() == 0
        wait_until_gone(list(pids.values()))
        assert not (tmp_path / ".longline/server.json").exists()


def test_figures_of_a_worker_have_its_number_and_those_of_the_storage_have_not(
    tmp_path: Path, env: dict[str, str]
) -> None:
    with served(tmp_path, env) as server:
        text = httpx.get(f"{server.url}/metrics").text
        figures = [line for line in text.splitlines() if not line.startswith("#")]
        shared = [line for line in figures if line.startswith(("longline_storage", "longline_queue"))]
        assert shared
        assert not any("worker=" in line for line in shared)
        assert all("worker=" in line for line in figures if line not in shared)


def test_a_worker_that_dies_is_started_again_and_the_others_go_on(tmp_path: Path, env: dict[str, str]) -> None:
    with served(tmp_path, env) as server:
        before = pids_of(server)
        os.kill(before[1], signal.SIGKILL)
        server.wait_for(ENDED)
        assert httpx.get(f"{server.url}/ok").status_code == 200
        server.wait_for(STARTED, count=3)
        after = pids_of(server)
        assert after[2] == before[2]
        assert after[1] != before[1]
        (ended,) = lines_of(server, "worker ended")
        assert (ended["worker"], ended["worker_pid"], ended["exit_code"]) == (1, before[1], -9)
        assert server.stop() == 0


def test_a_worker_that_dies_at_once_each_time_is_started_ever_more_rarely(tmp_path: Path, env: dict[str, str]) -> None:
    with served(tmp_path, env) as server:
        (tmp_path / "broken").touch()
        os.kill(pids_of(server)[2], signal.SIGKILL)
        server.wait_for(ENDED, count=3)
        assert [line["restart_seconds"] for line in lines_of_json(server, "worker ended")] == [0.5, 1.0, 2.0]
        assert [line["exit_code"] for line in lines_of_json(server, "worker ended")] == [-9, 2, 2]
        (tmp_path / "broken").unlink()
        server.wait_for(STARTED, count=3)
        assert server.stop() == 0


def lines_of_json(server: Command, message: str) -> list[dict[str, object]]:
    """As `lines_of`, among the sentences of workers that could not start."""
    found = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    return [line for line in found if line["message"] == message]


def test_a_worker_that_is_told_to_stop_drains_and_another_takes_its_place(tmp_path: Path, env: dict[str, str]) -> None:
    with served(tmp_path, env) as server:
        os.kill(pids_of(server)[1], signal.SIGTERM)
        server.wait_for(STARTED, count=3)
        (ended,) = lines_of(server, "worker ended")
        assert ended["exit_code"] == 0
        assert server.stop() == 0


def test_what_keeps_all_workers_from_starting_is_said_once(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "broken").touch()
    done = longline(tmp_path, "serve", "--port", "0", "--insecure-no-auth", "--workers", "3", env=env)
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if not line.startswith("{")] == [
        "longline: storage unavailable: the pond is dry"
    ]


# -- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "whom"), [(signal.SIGTERM, "supervisor"), (signal.SIGTERM, "group"), (signal.SIGINT, "group")]
)
def test_one_signal_stops_all_whoever_gets_it(tmp_path: Path, env: dict[str, str], number: int, whom: str) -> None:
    with served(tmp_path, env) as server:
        pids, url = pids_of(server), server.url
        if whom == "group":
            os.killpg(server.process.pid, number)
            assert server.end(seconds=20) == 0
        else:
            assert server.stop(number, seconds=20) == 0
        wait_until_gone(list(pids.values()))
        assert "worker ended" not in server.output
        assert "Traceback" not in server.output
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/ok")


def test_a_second_signal_ends_all_at_once(tmp_path: Path, env: dict[str, str]) -> None:
    with served(tmp_path, {**env, "LONGLINE_SERVER__DRAIN_SECONDS": "100"}) as server:
        pids = pids_of(server)
        os.kill(pids[1], signal.SIGSTOP)  # it will not stop by itself
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("server stopping")
        assert server.stop(signal.SIGTERM, seconds=10) == 130
        wait_until_gone(list(pids.values()))


def test_workers_end_when_their_supervisor_was_killed(tmp_path: Path, env: dict[str, str]) -> None:
    with served(tmp_path, env) as server:
        pids = pids_of(server)
        server.process.kill()
        server.process.wait(10)
        wait_until_gone(list(pids.values()))
