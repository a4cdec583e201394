"""Messages become tasks, and tasks are runs: what the official client sees of them, over both bindings."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from a2a.types import Part, TaskState
from a2a.utils.errors import (
    ContentTypeNotSupportedError,
    InvalidParamsError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from tests.plugins.protocol_a2a.agents import ANSWER, GRAPHS
from tests.plugins.protocol_a2a.talking import (
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
from longline.models.runs import RunQuery
from longline.services.assistants import NewAssistant
from longline_protocol_a2a.parts import data_part

PLUGINS = ("storage_sqlite", "protocol_a2a")


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve_graphs(tmp_path, {name: make() for name, make in GRAPHS.items()}, plugins=PLUGINS) as served:
        yield served


@pytest.fixture(params=["JSONRPC", "HTTP+JSON"])
async def scripted(request: pytest.FixtureRequest, served: Served) -> AsyncIterator[Talker]:
    async with talker(served.url, "scripted", binding=request.param) as talking:
        yield talking


pytestmark = pytest.mark.anyio


async def test_an_answer_is_an_artifact_and_stays_in_the_history(served: Served) -> None:
    async with talker(served.url, "chat") as chat:
        task = await chat.task("hi")
        assert (task.status.state, texts(task)) == (COMPLETED, [ANSWER])
        assert not task.status.HasField("message")
        assert [(message.role, message.parts[0].text) for message in task.history] == [(1, "hi"), (2, ANSWER)]
        assert {message.task_id for message in task.history} == {task.id}
        thread_id, run_id = task.id.split(":")
        assert task.context_id == thread_id
        assert (await served.server.runs.get(LOCAL, thread_id, run_id)).chain_id == run_id
        assert await chat.get(task.id) == task


async def test_the_history_is_as_long_as_the_client_wants(served: Served) -> None:
    async with talker(served.url, "chat") as chat:
        task = await chat.task("hi", history_length=1)
        assert [message.parts[0].text for message in task.history] == [ANSWER]
        assert not (await chat.task("hi", history_length=0)).history
        assert not (await chat.get(task.id, history_length=0)).history
        assert len((await chat.get(task.id, history_length=5)).history) == 2
        with pytest.raises(InvalidParamsError):
            await chat.get(task.id, history_length=-1)


async def test_a_question_is_answered_by_a_message_to_its_task(scripted: Talker) -> None:
    task = await scripted.task("ask your name?|your age?")
    assert task.status.state == WAITS
    assert [part.text for part in task.status.message.parts] == ["your name?"]
    again = await scripted.task(said("Ada", task_id=task.id))
    assert (again.id, again.context_id, again.status.state) == (task.id, task.context_id, WAITS)
    assert again.status.message.parts[0].text == "your age?"
    done = await scripted.task(said(data_part({"age": 36}), "and more", task_id=task.id, context_id=task.context_id))
    assert (done.status.state, texts(done)) == (COMPLETED, ["you said ['Ada', {'age': 36}]"])
    told = ["ask your name?|your age?", "your name?", "Ada", "your age?", "", "you said ['Ada', {'age': 36}]"]
    assert [message.parts[0].text for message in done.history] == told
    assert [message.role for message in done.history] == [1, 2, 1, 2, 1, 2]


async def test_a_question_may_be_data(scripted: Talker) -> None:
    task = await scripted.task("choose")
    (part,) = task.status.message.parts
    assert part.data.struct_value["choices"][0] == "a"
    assert texts(await scripted.task(said("b", task_id=task.id))) == ["you chose b"]


async def test_who_answers_second_is_told_so(scripted: Talker) -> None:
    task = await scripted.task("ask a?")
    await scripted.task(said("one", task_id=task.id))
    with pytest.raises(UnsupportedOperationError, match="completed"):
        await scripted.task(said("two", task_id=task.id))


async def test_a_task_at_work_takes_no_message(scripted: Talker) -> None:
    task = await scripted.task("wait", return_immediately=True)
    assert task.status.state == WORKING
    with pytest.raises(UnsupportedOperationError, match="working"):
        await scripted.task(said("hurry up", task_id=task.id))
    await scripted.cancel(task.id)


async def test_what_goes_wrong_tells_no_more_than_its_kind(scripted: Talker) -> None:
    task = await scripted.task("fail with a password")
    assert task.status.state == FAILED
    assert [part.text for part in task.status.message.parts] == ["The task failed: ValueError"]
    assert "password" not in str(task.status) + str(task.artifacts)


async def test_an_agent_may_reject_and_may_answer_without_a_task(scripted: Talker) -> None:
    task = await scripted.task("reject this")
    assert (task.status.state, task.status.message.parts[0].text) == (REJECTED, "done: reject this")
    assert not task.artifacts
    with pytest.raises(UnsupportedOperationError, match="rejected"):
        await scripted.task(said("please", task_id=task.id))
    answer = await scripted.answer("reply to me")
    assert answer.WhichOneof("payload") == "message"
    assert (answer.message.parts[0].text, answer.message.task_id) == ("done: reply to me", "")
    assert answer.message.context_id


async def test_files_and_data_reach_the_graph_and_come_back(scripted: Talker) -> None:
    parts = [
        Part(text="echo "),
        Part(raw=b"\x89PNG", media_type="image/png", filename="a.png"),
        Part(url="https://example.com/b.pdf", media_type="application/pdf"),
        data_part({"n": 42}),
    ]
    task = await scripted.task(said(*parts, reference_task_ids=["t"]))
    assert list(task.artifacts[0].parts) == parts
    assert list(task.history[0].parts) == parts
    assert list(task.history[0].reference_task_ids) == ["t"]


async def test_media_that_the_agent_does_not_take_are_refused(served: Served) -> None:
    new = NewAssistant(graph_id="scripted", metadata={"a2a": {"input_modes": ["text/*"]}})
    assistant = await served.server.assistants.create(LOCAL, new)
    async with talker(served.url, assistant.assistant_id) as scripted:
        assert (await scripted.task(said(Part(text="hi", media_type="text/markdown")))).status.state == COMPLETED
        with pytest.raises(ContentTypeNotSupportedError, match="image/png"):
            await scripted.task(said("look", Part(raw=b"x", media_type="image/png")))


async def test_a_graph_without_messages_takes_its_input_as_data(served: Served) -> None:
    async with talker(served.url, "counting") as counting:
        task = await counting.task(said(data_part({"x": 4})))
        assert task.artifacts[0].parts[0].data.struct_value["x"] == 5
        assert task.history[0].parts[0].data.struct_value["x"] == 4
        for wrong in (said("four"), said(data_part([4])), said(data_part({"x": 4}), "please")):
            with pytest.raises(InvalidParamsError, match="no `messages` input"):
                await counting.task(wrong)


@pytest.mark.parametrize("context_id", ["my / context", "", "6f1c2a52-6a3e-4b0e-9a55-0b1f6c3d7e90"])
async def test_a_context_keeps_its_name_and_its_conversation(scripted: Talker, context_id: str) -> None:
    first = await scripted.task(said("one", context_id=context_id))
    assert first.context_id == (context_id or first.id.split(":")[0])
    second = await scripted.task(said("two", context_id=first.context_id))
    assert second.context_id == first.context_id
    assert second.id != first.id
    assert texts(second) == ["done: two"]
    assert [message.parts[0].text for message in second.history] == ["two", "done: two"]
    assert await scripted.get(first.id) == first


async def test_a_message_that_comes_twice_is_answered_once(scripted: Talker, served: Served) -> None:
    message = said("one", context_id="ctx")
    first = await scripted.task(message)
    assert await scripted.task(message) == first
    assert [event.task async for event in scripted.stream(message)] == [first]
    other = said("another", message_id=message.message_id, context_id="ctx")
    assert texts(await scripted.task(other)) == ["done: another"]
    query = RunQuery(thread_id=first.id.split(":")[0])
    assert await served.server.runs.count(LOCAL, query) == 2
    task = await scripted.task("ask more?")
    answer = said("yes", task_id=task.id)
    assert await scripted.task(answer) == await scripted.task(answer)


async def test_ids_of_messages_that_are_taken_do_not_replace_what_was_said(scripted: Talker) -> None:
    first = await scripted.task(said("one", message_id="same"))
    second = await scripted.task(said("two", message_id="same", context_id=first.context_id))
    assert second.history[0].message_id == "same"
    assert [message.parts[0].text for message in second.history] == ["two", "done: two"]
    assert await scripted.get(first.id) == first


async def test_what_is_not_there_is_not_found(scripted: Talker) -> None:
    task = await scripted.task("hi")
    thread_id, run_id = task.id.split(":")
    for unknown in ("x", f"{new_id()}:{run_id}", f"{thread_id}:{new_id()}", f"{thread_id}:x", f"{thread_id}:{run_id}x"):
        for refused in (scripted.get(unknown), scripted.cancel(unknown), scripted.task(said("hi", task_id=unknown))):
            with pytest.raises(TaskNotFoundError):
                await refused
    with pytest.raises(InvalidParamsError, match="contextId"):
        await scripted.task(said("hi", task_id=task.id, context_id="another"))


async def test_a_task_belongs_to_its_assistant(served: Served) -> None:
    async with talker(served.url, "scripted") as scripted, talker(served.url, "chat") as chat:
        task = await scripted.task("hi")
        with pytest.raises(TaskNotFoundError):
            await chat.get(task.id)
        assert not (await chat.list()).tasks


async def test_a_question_that_the_context_went_past_cannot_be_answered(scripted: Talker) -> None:
    task = await scripted.task("ask a?")
    await scripted.task(said("never mind", context_id=task.context_id))
    with pytest.raises(UnsupportedOperationError, match="waits no more"):
        await scripted.task(said("late", task_id=task.id))
    assert (await scripted.get(task.id)).status.state == WAITS
    assert (await scripted.cancel(task.id)).status.state == TaskState.TASK_STATE_CANCELED
