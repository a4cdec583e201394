"""Calls of assistants as tools: what goes in, what comes out, where it goes on."""

import asyncio
from pathlib import Path

import orjson
import pytest
from tests.plugins.protocol_mcp.assistant_calling import ANNA, BERT, NOWHERE, Heard, open_tools, words
from tests.plugins.protocol_mcp.assistant_graphs import (
    asking,
    chatting_with_a_question,
    counting,
    failing,
    parrot,
    showing,
)
from tests.races.graphs import Gate, gated

from longline.auth.principal import LOCAL
from longline.errors import InvalidInputError, NotFoundError
from longline.ids import new_id
from longline.models.json import JsonObject
from longline.models.runs import RunQuery, RunStatus
from longline.tools.caller import Answer
from longline.tools.content import File, Image, Link, Text, ToolResult

pytestmark = pytest.mark.anyio
WAIT_SECONDS = 20


def structured(result: ToolResult) -> JsonObject:
    assert result.structured is not None
    return result.structured


async def test_a_graph_answers_with_its_output_as_json(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"count": counting()}) as tools:
        result = await tools.call("count", {"x": 2})
        assert orjson.loads(words(result)) == {"x": 3}
        assert structured(result)["x"] == 3
        assert not result.is_error


@pytest.mark.parametrize(
    "said",
    [
        {"messages": "hello"},
        {"message": "hello"},
        {"messages": "hello", "message": "hello"},
        {"messages": [{"role": "user", "content": "hello"}]},
        {"messages": {"role": "user", "content": "hello"}},
        {"messages": ["hello"]},
        {"messages": [{"type": "human", "content": "hello", "id": "mine"}]},
    ],
)
async def test_a_chat_takes_its_message_in_any_form(tmp_path: Path, said: JsonObject) -> None:
    async with open_tools(tmp_path, {"parrot": parrot()}) as tools:
        result = await tools.call("parrot", said)
        assert words(result) == "1: hello"
        (message,) = structured(result)["messages"]  # type: ignore[misc,union-attr]  # a list of one
        assert message["content"] == "1: hello"


async def test_the_answer_tells_the_thread_in_which_the_next_call_goes_on(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"parrot": parrot()}) as tools:
        first = await tools.call("parrot", {"messages": "one"})
        thread_id = structured(first)["thread_id"]
        second = await tools.call("parrot", {"messages": "two", "thread_id": thread_id})
        assert words(second) == "2: two"
        assert structured(second)["thread_id"] == thread_id
        assert structured(second)["run_id"] != structured(first)["run_id"]
        assert len(structured(second)["messages"]) == 1  # type: ignore[arg-type]  # a list


async def test_a_thread_that_is_not_there_is_made(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"count": counting()}) as tools:
        thread_id = new_id()
        result = await tools.call("count", {"x": 1, "thread_id": thread_id.upper()}, principal=ANNA)
        assert structured(result)["thread_id"] == thread_id
        assert (await tools.server.threads.get(ANNA, thread_id)).thread_id == thread_id


async def test_somebody_elses_thread_looks_like_none_and_stays_as_it_is(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"parrot": parrot(), "ask": asking("Really?")}) as tools:
        for name, said in (("parrot", {"messages": "one"}), ("ask", {"topic": "x"})):
            mine = structured(await tools.call(name, said, principal=ANNA))
            before = await tools.server.threads.get(ANNA, str(mine["thread_id"]))
            theirs = await tools.call(name, {**said, "thread_id": mine["thread_id"]}, principal=BERT)
            assert theirs.is_error
            assert words(theirs) == f"no thread with id {mine['thread_id']!r}"
            assert theirs.structured is None
            with pytest.raises(InvalidInputError, match="nothing to resume"):
                await tools.call(name, {"resume": "yes", "thread_id": mine["thread_id"]}, principal=BERT)
            assert await tools.server.threads.get(ANNA, str(mine["thread_id"])) == before


@pytest.mark.parametrize(
    ("name", "arguments", "fault"),
    [
        ("count", {"x": "two"}, "x: 'two' is not of type 'integer'"),
        ("count", {"x": 2**70}, "beyond 64 bits"),
        ("count", {"x": 1, "thread_id": 5}, "thread_id: 5 is not of type 'string'"),
        ("count", {"x": 1, "thread_id": "mine"}, "thread_id must be a UUID"),
        ("count", {"resume": 1}, "there is nothing to resume"),
        ("count", {"resume": 1, "thread_id": NOWHERE}, "there is nothing to resume"),
        ("parrot", {}, "messages is missing"),
        ("parrot", {"messages": None}, "None is not of type"),
        ("parrot", {"messages": 5}, "messages: 5 is not of type"),
        ("parrot", {"message": ["hello"]}, "message: .* is not of type 'string'"),
        ("parrot", {"messages": "one", "message": "two"}, "different things"),
        ("parrot", {"messages": "half of a character: \ud800"}, "no Unicode"),
    ],
)
async def test_arguments_that_do_not_fit_are_named_and_nothing_runs(
    tmp_path: Path, name: str, arguments: JsonObject, fault: str
) -> None:
    async with open_tools(tmp_path, {"count": counting(), "parrot": parrot()}) as tools:
        with pytest.raises(InvalidInputError, match=fault):
            await tools.call(name, arguments)
        assert list(await tools.server.runs.search(LOCAL, RunQuery())) == []


async def test_an_error_of_the_graph_tells_its_class_and_where_it_was(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"fail": failing()}) as tools:
        result = await tools.call("fail", {"x": 1})
        assert result.is_error
        assert result.content == (Text("ValueError"),)
        assert "hunter2" not in repr(result)
        assert structured(result).keys() == {"thread_id", "run_id", "error"}


async def test_what_the_graph_asks_is_answered_by_a_later_call(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"ask": asking({"question": "Really?"}, "Sure?")}) as tools:
        first = await tools.call("ask", {"topic": "x"})
        place = structured(first)
        assert not first.is_error
        assert [one["value"] for one in place["interrupts"]] == [{"question": "Really?"}]  # type: ignore[union-attr,index,call-overload]  # a list of objects
        assert "Really?" in words(first)
        assert str(place["thread_id"]) in words(first)
        second = await tools.call("ask", {"thread_id": place["thread_id"], "resume": None})
        assert "Sure?" in words(second)
        third = await tools.call("ask", {"thread_id": place["thread_id"], "resume": {"yes": True}})
        assert structured(third)["answers"] == [None, {"yes": True}]
        assert "interrupts" not in structured(third)
        with pytest.raises(InvalidInputError, match="nothing to resume"):
            await tools.call("ask", {"thread_id": place["thread_id"], "resume": "again"})


async def test_another_graph_gets_no_answer_that_is_not_its_own(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"ask": asking("Really?"), "shop": chatting_with_a_question()}) as tools:
        thread_id = structured(await tools.call("ask", {}))["thread_id"]
        with pytest.raises(InvalidInputError, match="nothing to resume"):
            await tools.call("shop", {"resume": "yes", "thread_id": thread_id})
        assert structured(await tools.call("ask", {"resume": "yes", "thread_id": thread_id}))["answers"] == ["yes"]


async def test_a_message_answers_the_question_of_a_chat(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"shop": chatting_with_a_question()}) as tools:
        first = await tools.call("shop", {"messages": "shirt"})
        assert "Which size?" in words(first)
        again = {"thread_id": structured(first)["thread_id"]}
        assert words(await tools.call("shop", {"messages": "XL", **again})) == "One shirt of size XL."


async def test_a_plain_question_is_put_to_who_can_be_asked(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"ask": asking({"question": "Really?", "what": "x"}, "Sure?")}) as tools:
        yes = [Answer(action="accept", content={"answer": "yes"}), Answer(action="accept", content={"answer": "very"})]
        caller = Heard(*yes)
        result = await tools.call("ask", {"topic": "x"}, caller=caller)
        assert [question for question, _ in caller.asked] == ["Really?\nwhat: x", "Sure?"]
        assert structured(result)["answers"] == ["yes", "very"]


@pytest.mark.parametrize("question", [{"nested": {"question": "?"}}, {"question": "?", "more": []}, 5])
async def test_other_questions_are_left_to_the_model(tmp_path: Path, question: object) -> None:
    async with open_tools(tmp_path, {"ask": asking(question)}) as tools:
        caller = Heard(Answer(action="accept", content={"answer": "yes"}))
        result = await tools.call("ask", {}, caller=caller)
        assert caller.asked == []
        assert [one["value"] for one in structured(result)["interrupts"]] == [question]  # type: ignore[union-attr,index,call-overload]  # a list of objects


async def test_who_says_no_may_still_answer_later(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"ask": asking("Really?")}) as tools:
        first = await tools.call("ask", {}, caller=Heard(Answer(action="decline")))
        again = {"thread_id": structured(first)["thread_id"], "resume": "now"}
        assert structured(await tools.call("ask", again))["answers"] == ["now"]


async def test_progress_grows_with_each_step_and_logs_say_what_the_graph_writes(tmp_path: Path) -> None:
    async with open_tools(tmp_path, {"parrot": parrot()}) as tools:
        caller = Heard()
        result = await tools.call("parrot", {"messages": "a few words more"}, caller=caller)
        assert words(result) == "1: a few words more"
        done = [number for number, _ in caller.progress_told]
        assert done == sorted(set(done))
        assert {message for _, message in caller.progress_told} == {"ear: half", "1 tokens", "answer"}
        assert done[-1] > len(done)  # tokens that were not told are counted
        assert caller.logged == [{"heard": 1}, "loud"]


async def test_a_call_that_is_cancelled_cancels_its_run(tmp_path: Path) -> None:
    gate = Gate()
    async with open_tools(tmp_path, {"gated": gated(gate)}) as tools:
        thread_id = new_id()
        calling = asyncio.create_task(tools.call("gated", {"name": "x", "thread_id": thread_id}))
        async with asyncio.timeout(WAIT_SECONDS):
            await gate.reached.wait()
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            await tools.tools.settle()
            (run,) = await tools.server.runs.search(LOCAL, RunQuery(thread_id=thread_id))
            _, reader = await tools.server.runs.join(LOCAL, thread_id, run.run_id, only_end=True)
            with reader:
                end = await reader.wait_for_end(WAIT_SECONDS)
        assert end is not None
        assert end.status is RunStatus.INTERRUPTED
        assert not gate.opened.is_set()


async def test_a_call_that_is_cancelled_at_once_leaves_no_run_behind(tmp_path: Path) -> None:
    gate = Gate()
    async with open_tools(tmp_path, {"gated": gated(gate)}) as tools:
        await tools.tools.list(LOCAL)  # the graph is loaded
        for steps in (*range(0, 120, 4), None):  # wherever it stands; at last where its run waits
            thread_id = new_id()
            calling = asyncio.create_task(tools.call("gated", {"thread_id": thread_id}))
            for _ in range(steps or 0):
                await asyncio.sleep(0)
            if steps is None:
                gate.reached.clear()
                async with asyncio.timeout(WAIT_SECONDS):
                    await gate.reached.wait()
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            await tools.tools.settle()
            try:
                (run,) = await tools.server.runs.search(LOCAL, RunQuery(thread_id=thread_id))
            except NotFoundError:
                assert steps is not None  # it had not come so far
                continue
            _, reader = await tools.server.runs.join(LOCAL, thread_id, run.run_id, only_end=True)
            with reader:
                assert await reader.wait_for_end(WAIT_SECONDS) is not None


async def test_a_server_that_leaves_takes_no_run_with_it(tmp_path: Path) -> None:
    gate, thread_id = Gate(), new_id()
    async with open_tools(tmp_path, {"gated": gated(gate)}) as tools:
        calling = asyncio.create_task(tools.call("gated", {"name": "x", "thread_id": thread_id}))
        async with asyncio.timeout(WAIT_SECONDS):
            await gate.reached.wait()
            await tools.tools.close()
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
    gate.opened.set()
    async with open_tools(tmp_path, {"gated": gated(gate)}) as tools, asyncio.timeout(WAIT_SECONDS):
        result = await tools.call("gated", {"name": "y", "thread_id": thread_id})  # it waits for the one before
        assert structured(result)["steps"] == ["before", "gate of x", "after", "before", "gate of y", "after"]


async def test_a_run_that_somebody_else_cancelled_is_an_error(tmp_path: Path) -> None:
    gate = Gate()
    async with open_tools(tmp_path, {"gated": gated(gate)}) as tools:
        thread_id = new_id()
        calling = asyncio.create_task(tools.call("gated", {"thread_id": thread_id}))
        async with asyncio.timeout(WAIT_SECONDS):
            await gate.reached.wait()
            await tools.server.threads.delete(LOCAL, thread_id)
            result = await calling
        assert result.is_error
        assert words(result) == "the run was removed before it ended"


async def test_pictures_and_files_are_shown_as_what_they_are(tmp_path: Path) -> None:
    content = [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "Look:"},
        {"type": "image", "base64": "AAEC", "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAEC"}},
        {"type": "image", "url": "https://example.org/a/b.png"},
        {"type": "file", "base64": "AAEC", "mime_type": "application/pdf"},
        {"type": "image", "base64": "not base64", "mime_type": "image/png"},
    ]
    async with open_tools(tmp_path, {"show": showing(*content)}) as tools:
        result = await tools.call("show", {"messages": "x"})
        assert result.content == (
            Text("Look:"),
            Image(b"\x00\x01\x02", "image/png"),
            Image(b"\x00\x01\x02", "image/jpeg"),
            Link(uri="https://example.org/a/b.png", name="b.png"),
            File(uri="longline:file", data=b"\x00\x01\x02", media_type="application/pdf"),
        )
