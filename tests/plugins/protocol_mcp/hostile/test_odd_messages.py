"""Messages that are well-formed and wrong, or meant to do harm: what they are answered, and what they leave behind."""

import asyncio
import logging
import warnings

import pytest
from tests.plugins.protocol_mcp.raw import INITIALIZE, VERSION, Raw, call, error, messages, request, result
from tests.races.graphs import Gate

pytestmark = pytest.mark.anyio

SECRET = "only-for-the-tool"


@pytest.mark.parametrize("method", ["foo/bar", "", "tools/list/", "roots/list", "sampling/createMessage", "__class__"])
async def test_an_unknown_method_is_named(raw: Raw, session: str, method: str) -> None:
    for within in (session, None):
        answer = await raw.post(request(method), within)
        assert answer.status_code == 200
        assert error(answer) == {"code": -32601, "message": f"Method not found: {method}"}


async def test_parameters_that_do_not_fit_are_refused_without_being_repeated(raw: Raw, session: str) -> None:
    for params in ({}, {"name": 5}, {"name": "count", "arguments": [SECRET]}, {"name": ["x"], "arguments": {}}):
        answer = await raw.post(request("tools/call", params), session)
        assert error(answer)["code"] == -32602
        assert SECRET not in answer.text


async def test_an_unknown_version_is_refused_in_the_header_and_answered_with_ours_at_the_start(
    raw: Raw, session: str
) -> None:
    for version in ("1999-01-01", "2026-07-28", "x" * 200):
        answer = await raw.post(request("ping"), session, mcp_protocol_version=version)
        assert answer.status_code == 400, version
        begun = {**INITIALIZE, "params": {**INITIALIZE["params"], "protocolVersion": version}}
        assert result(await raw.post(begun))["protocolVersion"] == VERSION


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("count", {"x": "five"}, "x"),
        ("test_sampling", {}, "prompt"),
        ("test_elicitation", {"message": [1]}, "message"),
        ("json_schema_2020_12_tool", {"phone": "1", "email": "a", "more": True}, "more"),
        ("json_schema_2020_12_tool", {"contactMethod": "phone", "email": "a"}, "phone"),
    ],
)
async def test_arguments_against_the_schema_are_an_answer_that_is_an_error(
    raw: Raw, session: str, name: str, arguments: dict[str, object], told: str
) -> None:
    answer = result(await raw.post(call(name, arguments), session))
    assert answer["isError"] is True
    assert told in answer["content"][0]["text"]


async def test_an_id_that_is_in_use_is_refused_and_the_first_is_answered(raw: Raw, session: str, gate: Gate) -> None:
    first = asyncio.create_task(raw.post(call("gated", {"name": "first"}, 7), session))
    await asyncio.wait_for(gate.reached.wait(), 10)
    for same in (7, "7"):
        second = await asyncio.wait_for(raw.post(request("ping", request_id=same), session), 10)
        assert second.status_code == 400
        assert "in use" in second.json()["error"]
    gate.opened.set()
    assert messages(await asyncio.wait_for(first, 10))[-1]["id"] == 7
    assert result(await raw.post(request("ping", request_id=7), session)) == {}


@pytest.mark.parametrize("request_id", ["_GET_stream", "x" * 100_000, 2**70])
async def test_an_odd_id_is_refused(raw: Raw, session: str, request_id: object) -> None:
    answer = await asyncio.wait_for(raw.post(request("ping", request_id=request_id), session), 10)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/unheard", "params": {"x": SECRET}},
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": [SECRET]}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": SECRET}},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "count", "arguments": {"x": SECRET}}},
        {"jsonrpc": "2.0", "id": 999, "result": {"x": SECRET}},
        {"jsonrpc": "2.0", "id": SECRET, "result": {}},
        {"jsonrpc": "2.0", "id": 999, "error": {"code": 1, "message": SECRET}},
    ],
)
async def test_what_nobody_waits_for_is_taken_and_not_written_to_the_log(
    raw: Raw, session: str, message: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert (await raw.post(message, session)).status_code == 202
        assert result(await raw.post(request("ping"), session)) == {}
    assert SECRET not in caplog.text
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_cancellation_of_the_start_does_not_end_the_session(raw: Raw, session: str) -> None:
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "first"}}
    assert (await raw.post(cancelled, session)).status_code == 202
    assert result(await raw.post(request("ping"), session)) == {}


async def test_calls_that_overlap_leave_the_warnings_of_the_process_alone(raw: Raw, gate: Gate) -> None:
    sessions = [await raw.open(), await raw.open()]
    before = (warnings.filters, warnings._showwarnmsg_impl, warnings.showwarning)
    first = asyncio.create_task(raw.post(call("gated"), sessions[0]))
    await asyncio.wait_for(gate.reached.wait(), 10)
    second = asyncio.create_task(raw.post(call("test_tool_with_progress"), sessions[1]))
    await asyncio.sleep(0.05)  # it takes 0.1 s: the other one ends within
    gate.opened.set()
    await asyncio.wait_for(asyncio.gather(first, second), 10)
    assert (warnings.filters, warnings._showwarnmsg_impl, warnings.showwarning) == before
