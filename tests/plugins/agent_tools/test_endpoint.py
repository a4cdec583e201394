"""`agent` over an OpenAI-compatible endpoint, and what is left of the keys that were used."""

import asyncio
import gc
import logging
import socket
from collections.abc import AsyncIterator
from types import FunctionType, ModuleType
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import SecretStr
from tests.plugins.agent_tools.aimock import Aimock
from tests.plugins.agent_tools.conftest import KEY, ask, load_agent, secret

from longline_agent_tools.errors import (
    ModelBusyError,
    ModelError,
    ModelKeyRefusedError,
    ModelTimeoutError,
    ModelUnreachableError,
)

MODES = ["values", "updates", "messages", "debug", "tasks", "checkpoints", "custom"]


@pytest.fixture(autouse=True)
async def _no_shared_connections() -> AsyncIterator[None]:
    """Connections belong to an event loop, and each test has its own."""
    from langchain_openai.chat_models import _client_utils

    yield
    await asyncio.gather(*(client.aclose() for client in _clients()))
    _client_utils._cached_async_httpx_client.cache_clear()
    _client_utils._cached_sync_httpx_client.cache_clear()


def _clients() -> list[Any]:
    from langchain_openai.chat_models._client_utils import _AsyncHttpxClientWrapper

    # Not isinstance: asked for its class, a proxy of what is gone raises.
    return [found for found in gc.get_objects() if issubclass(type(found), _AsyncHttpxClientWrapper)]


@pytest.mark.anyio
async def test_an_answer_is_streamed_from_the_endpoint(aimock: Aimock) -> None:
    agent = await load_agent(openai_base_url=aimock.base_url, openai_api_key=KEY)()
    parts = [part async for part in agent.astream(ask("hello"), stream_mode=["values", "messages", "updates"])]
    order = [mode for mode, _ in parts]
    assert order == ["values", *["messages"] * order.count("messages"), "updates", "values"]
    chunks = [data[0] for mode, data in parts if mode == "messages"]
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)
    assert len([chunk for chunk in chunks if chunk.text]) > 1
    assert "".join(chunk.text for chunk in chunks) == "Hello from a stand-in that streams its words."
    assert parts[-1][1]["messages"][-1].text == "Hello from a stand-in that streams its words."


@pytest.mark.anyio
async def test_the_endpoint_calls_tools_and_gets_their_results(aimock: Aimock) -> None:
    agent = await load_agent(openai_base_url=aimock.base_url, openai_api_key=KEY)()
    messages = (await agent.ainvoke(ask("add twenty and twenty-two")))["messages"]
    assert [message.content for message in messages if isinstance(message, ToolMessage)] == ["42"]
    assert messages[-1].text == "It is 42."


@pytest.mark.anyio
async def test_every_key_of_the_configuration_reaches_the_endpoint(aimock: Aimock) -> None:
    make = load_agent()
    agent = await make(
        base_url=aimock.base_url,
        custom_model_name="qwen3:4b",
        custom_api_key=secret(),
        temperature=0.25,
        max_tokens=77,
        system_prompt="Sprich Deutsch, bitte: äöü.",
        agent_tools=["current_time"],
    )
    await agent.ainvoke(ask("hello, all keys"))
    request = aimock.requests()[-1]
    assert request["model"] == "qwen3:4b"
    assert (request["temperature"], request["max_tokens"]) == (0.25, 77)
    assert request["messages"][0] == {"role": "system", "content": "Sprich Deutsch, bitte: äöü."}
    (tool,) = request["tools"]
    assert tool["function"]["name"] == "current_time"
    assert list(tool["function"]["parameters"]["properties"]) == ["timezone"]
    assert not {"stream_options", "max_completion_tokens", "parallel_tool_calls"} & set(request)


@pytest.mark.anyio
async def test_usage_is_asked_for_where_the_operator_says_so(aimock: Aimock) -> None:
    agent = await load_agent(openai_base_url=aimock.base_url, openai_api_key=KEY, stream_usage=True)()
    chunks = [data[0] async for data in agent.astream(ask("hello"), stream_mode="messages")]
    assert any(chunk.usage_metadata for chunk in chunks)


@pytest.mark.anyio
async def test_a_plain_string_is_a_key_too(aimock: Aimock) -> None:
    agent = await load_agent()(model_name="openai:m", base_url=aimock.base_url, apiKeys={"OPENAI_API_KEY": KEY})
    assert (await agent.ainvoke(ask("hello")))["messages"][-1].text.startswith("Hello")


@pytest.mark.anyio
async def test_a_refused_key_is_an_error_that_names_the_endpoint(aimock: Aimock) -> None:
    agent = await load_agent()(base_url=aimock.base_url, custom_api_key=secret("sk-bad-0123456789"))
    with pytest.raises(ModelKeyRefusedError, match=r"at http://127.0.0.1:\d+ failed: it refused the API key") as caught:
        await agent.ainvoke(ask("hello"))
    assert "sk-bad" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.anyio
async def test_the_operators_key_is_not_sent_to_a_callers_endpoint(aimock: Aimock) -> None:
    agent = await load_agent(openai_api_key=KEY)(base_url=aimock.base_url)
    with pytest.raises(ModelKeyRefusedError):
        await agent.ainvoke(ask("hello"))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "kind", "reason"), [("too much", ModelBusyError, "Limit reached"), ("broken", ModelError, "gears")]
)
async def test_failures_of_the_endpoint_tell_its_reason_without_the_key(
    aimock: Aimock, text: str, kind: type[ModelError], reason: str
) -> None:
    agent = await load_agent()(base_url=aimock.base_url, custom_api_key=secret())
    with pytest.raises(kind, match=reason) as caught:
        await agent.ainvoke(ask(text))
    assert KEY not in str(caught.value)


@pytest.mark.anyio
async def test_an_endpoint_where_nobody_listens_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        agent = await load_agent(openai_base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")()
        with pytest.raises(ModelUnreachableError, match="cannot be reached; check OPENAI_BASE_URL"):
            await agent.ainvoke(ask("hello"))


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["values", "messages"])
async def test_an_endpoint_that_stays_silent_is_given_up(mode: str) -> None:
    done = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    agent = await load_agent(openai_base_url=f"http://127.0.0.1:{port}/v1", timeout_seconds=0.2)()
    try:
        with pytest.raises(ModelTimeoutError, match="silent for too long"):
            async for _ in agent.astream(ask("hello"), stream_mode=mode):
                pass
    finally:
        done.set()
        server.close()
        await server.wait_closed()


@pytest.mark.anyio
@pytest.mark.parametrize("key", [KEY, "sk-bad-0123456789abcdef"])
async def test_a_key_is_in_no_stream_checkpoint_log_or_error(
    aimock: Aimock, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    saver = InMemorySaver()
    make = load_agent()
    made = await make(base_url=aimock.base_url, custom_api_key=secret(key))
    agent = made.copy(update={"checkpointer": saver})
    configurable = {
        "thread_id": "t",
        "base_url": aimock.base_url,
        "custom_api_key": SecretStr(key),
        "apiKeys": {"OPENAI_API_KEY": SecretStr(key)},
    }
    shown: list[object] = []
    with caplog.at_level(logging.DEBUG):
        try:
            parts = agent.astream(
                ask("add"), {"configurable": configurable}, context=dict(configurable), stream_mode=MODES
            )
            shown += [part async for part in parts]
            events = agent.astream_events(ask("add"), {"configurable": configurable}, version="v2")
            shown += [event async for event in events]
        except ModelError as error:
            shown += [error, error.__dict__, error.__cause__, error.__context__]
    shown += [saver.storage, saver.blobs, saver.writes, [tuple(c) for c in saver.list(None)]]
    shown += [(record.getMessage(), record.__dict__) for record in caplog.records]
    shown += [caplog.text, make.__closure__, await agent.aget_state({"configurable": {"thread_id": "t"}})]
    assert len(shown) > 10
    assert key not in "".join(f"{item!r}{item}" for item in shown)


@pytest.mark.anyio
async def test_agents_with_a_callers_key_are_made_anew_and_forgotten(aimock: Aimock) -> None:
    make = load_agent(openai_base_url=aimock.base_url, openai_api_key=KEY)
    kept = await make(model_name="openai:m")
    first = await make(model_name="openai:m", apiKeys={"OPENAI_API_KEY": secret("sk-callers-own-key")})
    second = await make(model_name="openai:m", apiKeys={"OPENAI_API_KEY": secret("sk-callers-own-key")})
    assert first is not second
    assert first is not kept
    assert await make(model_name="openai:m") is kept
    del first, second
    await asyncio.sleep(0)  # the loop still holds the result of the latest thread
    gc.collect()
    assert {model.openai_api_key.get_secret_value() for model in _alive("ChatOpenAI")} == {KEY}
    kept_strings = _strings_of(_alive("AgentFactory"))
    assert KEY in kept_strings
    assert "sk-callers-own-key" not in kept_strings


def _alive(class_name: str) -> list[Any]:
    return [found for found in gc.get_objects() if type(found).__name__ == class_name]


def _strings_of(roots: list[Any]) -> set[str]:
    """All strings that can be reached from these objects, through closures too, modules and classes aside."""
    seen: set[int] = set()
    found: set[str] = set()
    pending = list(roots)
    while pending:
        item = pending.pop()
        if id(item) in seen or isinstance(item, type | ModuleType):
            continue
        seen.add(id(item))
        if isinstance(item, str):
            found.add(item)
        else:
            pending += (item.__closure__ or ()) if isinstance(item, FunctionType) else gc.get_referents(item)
    return found
