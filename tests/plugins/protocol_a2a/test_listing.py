"""Lists of tasks: complete, in order, page by page, and of nobody else."""

import base64
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from a2a.types import TaskState
from a2a.utils.errors import InvalidParamsError, TaskNotFoundError
from google.protobuf.timestamp_pb2 import Timestamp
from tests.plugins.protocol_a2a.agents import GRAPHS
from tests.plugins.protocol_a2a.edge import GUARDED, TOKENS
from tests.plugins.protocol_a2a.talking import (
    CANCELED,
    COMPLETED,
    FAILED,
    REJECTED,
    WAITS,
    WORKING,
    Talker,
    said,
    talker,
    texts,
)
from tests.plugins.protocol_langgraph.served import Served, serve_graphs

from longline.auth.principal import LOCAL
from longline.ids import new_id
from longline.services.run_requests import RunRequest

PLUGINS = ("storage_sqlite", "protocol_a2a")
MADE = {name: make() for name, make in GRAPHS.items()}
pytestmark = pytest.mark.anyio


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve_graphs(tmp_path, MADE, plugins=PLUGINS) as served:
        yield served


@pytest.fixture
async def scripted(served: Served) -> AsyncIterator[Talker]:
    async with talker(served.url, "scripted") as talking:
        yield talking


async def test_a_list_is_by_the_last_change_and_comes_in_pages(scripted: Talker) -> None:
    asked = await scripted.task("ask a?")
    made = [await scripted.task(f"number {number}") for number in range(5)]
    done = await scripted.task(said("yes", task_id=asked.id))
    expected = [done.id, *[task.id for task in reversed(made)]]
    page = await scripted.list(page_size=2)
    assert (page.page_size, page.total_size) == (2, 6)
    seen = [task.id for task in page.tasks]
    await scripted.task("one more")  # it does not move what is behind
    while page.next_page_token:
        page = await scripted.list(page_size=2, page_token=page.next_page_token)
        seen += [task.id for task in page.tasks]
    assert seen == expected
    assert page.total_size == 7


async def test_a_list_holds_what_was_asked_for(scripted: Talker) -> None:
    task = await scripted.task("hi")
    (found,) = (await scripted.list()).tasks
    assert (found.id, found.status) == (task.id, task.status)
    assert not found.artifacts
    assert not found.history
    (found,) = (await scripted.list(include_artifacts=True, history_length=1)).tasks
    assert texts(found) == ["done: hi"]
    assert [message.parts[0].text for message in found.history] == ["done: hi"]


async def test_tasks_are_found_by_state_context_and_time(scripted: Talker) -> None:
    made = {
        COMPLETED: await scripted.task(said("hi", context_id="mine")),
        FAILED: await scripted.task("fail"),
        WAITS: await scripted.task("ask a?"),
        REJECTED: await scripted.task("reject"),
        CANCELED: await scripted.cancel((await scripted.task("ask b?")).id),
        WORKING: await scripted.task("wait", return_immediately=True),
    }
    for state, task in made.items():
        page = await scripted.list(status=state)
        assert [(found.id, found.status.state) for found in page.tasks] == [(task.id, state)]
        assert page.total_size == 1
        assert page.tasks[0].status == (await scripted.get(task.id)).status
    assert not (await scripted.list(status=TaskState.TASK_STATE_AUTH_REQUIRED)).tasks
    assert [task.id for task in (await scripted.list(context_id="mine")).tasks] == [made[COMPLETED].id]
    for nothing in ("other", new_id()):
        assert (await scripted.list(context_id=nothing)).total_size == 0
    later = made[WAITS].status.timestamp.ToDatetime()
    since = Timestamp()
    since.FromDatetime(later)
    after = {task.id for task in (await scripted.list(status_timestamp_after=since)).tasks}
    assert after == {made[state].id for state in (WAITS, REJECTED, CANCELED, WORKING)}
    since.FromDatetime(later + timedelta(days=1))
    assert not (await scripted.list(status_timestamp_after=since)).tasks
    await scripted.cancel(made[WORKING].id)


async def test_runs_that_are_no_tasks_are_not_listed(served: Served, scripted: Talker) -> None:
    request = RunRequest(assistant="scripted", input={"messages": []}, keep_thread=True)
    _, reader = await served.server.runs.watch(LOCAL, request, only_end=True)
    with reader:
        assert await reader.wait_for_end(30) is not None
    assert not (await scripted.list()).tasks


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "%%%",
        "WzEsMl0",
        base64.b64encode(b'[1e99,"a"]').decode(),
        base64.b64encode(b'[9999999999999999999,"a"]').decode(),
    ],
)
async def test_what_is_no_page_is_refused(scripted: Talker, token: str) -> None:
    with pytest.raises(InvalidParamsError):
        await scripted.list(page_token=token)


@pytest.mark.parametrize("size", [0, 101, -1])
async def test_a_page_has_a_reasonable_size(scripted: Talker, size: int) -> None:
    with pytest.raises(InvalidParamsError):
        await scripted.list(page_size=size)


async def test_nobody_sees_the_tasks_of_another(tmp_path: Path) -> None:
    async with (
        serve_graphs(tmp_path, MADE, GUARDED, plugins=PLUGINS) as served,
        talker(served.url, "scripted", token=TOKENS["anna"]) as anna,
        talker(served.url, "scripted", token=TOKENS["bert"]) as bert,
    ):
        task = await anna.task(said("ask a?", context_id="ours"))
        other = await bert.task(said("hi", context_id="ours"))
        assert (task.context_id, other.context_id) == ("ours", "ours")
        assert task.id.split(":")[0] != other.id.split(":")[0]
        assert [found.id for found in (await bert.list()).tasks] == [other.id]
        assert [found.id for found in (await bert.list(context_id="ours")).tasks] == [other.id]
        assert (await bert.list(context_id=task.id.split(":")[0])).total_size == 0
        for refused in (
            bert.get(task.id),
            bert.cancel(task.id),
            bert.task(said("yes", task_id=task.id)),
            anext(bert.subscribe(task.id)),
            anext(bert.stream(said("yes", task_id=task.id))),
        ):
            with pytest.raises(TaskNotFoundError):
                await refused
        with pytest.raises(InvalidParamsError):
            await bert.task(said("hi", context_id=task.id.split(":")[0]))
        assert (await anna.get(task.id)).status.state == WAITS
        assert (await anna.list()).total_size == 1
