"""What is refused before the operations of the protocol see it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.plugins.protocol_a2a.edge import CARD, GUARDED, NEW, bearing, call, message, serve_agents

from longline_protocol_a2a.bodies import MAX_DEPTH, MAX_VALUES, parse_json
from longline_protocol_a2a.errors import (
    TooDeepError,
    TooManyValuesError,
    UnreadableBodyError,
)

pytestmark = pytest.mark.anyio
DEEP = b"[" * 9_000 + b"]" * 9_000
RPC, REST = "/a2a/chat", "/a2a/chat/message:send"


@pytest.mark.parametrize("place", [RPC, REST, f"/a2a/chat{CARD}", CARD])
async def test_a_wrong_host_is_answered_421_and_a_wrong_origin_403(tmp_path: Path, place: str) -> None:
    async with serve_agents(tmp_path) as (_, http):
        for header, status in (({"host": "evil.example"}, 421), ({"origin": "https://evil.example"}, 403)):
            verb = "POST" if place in (RPC, REST) else "GET"
            answer = await http.request(verb, place, headers=header, json=call("tasks/get"))
            assert answer.status_code == status
            assert answer.json()["error"]["message"]
            assert answer.json().get("jsonrpc") == ("2.0" if place == RPC else None)
        assert (await http.post(RPC, json=call("nothing"))).status_code == 200


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"", -32700, 200),
        (b"{", -32700, 200),
        (b'{"jsonrpc": "2.0", "method": "\xff"}', -32700, 200),
        (b'{"id": "\\ud800"}', -32700, 200),
        (DEEP, -32700, 400),
        (b"[" * 100_000, -32700, 400),
        (b"[" + b"1," * 30_000 + b"1]", -32700, 400),
        (b"[]", -32600, 200),
        (json.dumps([call("tasks/get"), call("tasks/get")]).encode(), -32600, 200),
        (b"7", -32600, 200),
        (b"null", -32600, 200),
        (json.dumps({**call("tasks/get"), "jsonrpc": "1.0"}).encode(), -32600, 200),
        (json.dumps({"jsonrpc": "2.0", "id": 1}).encode(), -32600, 200),
        (json.dumps(call("")).encode(), -32600, 200),
        (json.dumps({**call("x"), "method": 7}).encode(), -32600, 200),
        (json.dumps(call("tasks/get", request_id={"bad": "type"})).encode(), -32600, 200),
        (json.dumps(call("tasks/get", request_id=True)).encode(), -32600, 200),
        (json.dumps(call("tasks/get", ["x"])).encode(), -32602, 200),
        (json.dumps(call("message/ssend")).encode(), -32601, 200),
        (json.dumps(call("__class__")).encode(), -32601, 200),
    ],
)
async def test_what_is_no_request_is_refused_as_json_rpc_says(
    tmp_path: Path, body: bytes, code: int, status: int
) -> None:
    async with serve_agents(tmp_path) as (_, http):
        for place in (RPC, RPC + "/"):
            answer = await http.post(place, content=body, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
            assert answer.headers["content-type"] == "application/json"


async def test_an_error_has_the_id_of_its_request(tmp_path: Path) -> None:
    async with serve_agents(tmp_path) as (_, http):
        for given, told in (("a", "a"), (7, 7), (None, None), (True, None), ([1], None)):
            assert (await http.post(RPC, json=call("nothing", request_id=given))).json()["id"] == told


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"[]", 400), (b"7", 400), (DEEP, 400), (b"\xff", 400), (b'"text"', 400)]
)
async def test_what_is_no_json_object_is_refused_over_http(tmp_path: Path, body: bytes, status: int) -> None:
    async with serve_agents(tmp_path) as (_, http):
        answer = await http.post(REST, content=body, headers={"content-type": "application/json", **NEW})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["status"]) == (status, status, "INVALID_ARGUMENT")
        assert error["details"][0]["@type"].endswith("google.rpc.ErrorInfo")


@pytest.mark.parametrize("given", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "junk"])
async def test_other_content_types_are_refused(tmp_path: Path, given: str) -> None:
    body = json.dumps(call("message/send", {"message": message()}))
    async with serve_agents(tmp_path) as (_, http):
        rpc = await http.post(RPC, content=body, headers={"content-type": given})
        assert (rpc.status_code, rpc.json()["error"]["code"]) == (415, -32005)
        rest = await http.post(REST, content=body, headers={"content-type": given, **NEW})
        assert (rest.status_code, rest.json()["error"]["code"]) == (415, 415)
        assert rest.json()["error"]["details"][0]["reason"] == "CONTENT_TYPE_NOT_SUPPORTED"
        for fine in ("application/json; charset=utf-8", "Application/JSON", ""):
            answer = await http.post(RPC, content=json.dumps(call("nothing")), headers={"content-type": fine})
            assert answer.json()["error"]["code"] == -32601


@pytest.mark.parametrize("place", [RPC, REST])
async def test_a_large_body_is_answered_413_and_the_connection_goes_on(tmp_path: Path, place: str) -> None:
    large = b'"' + b"x" * 12_000_000 + b'"'

    async def chunks() -> Any:
        for _ in range(12):
            yield b"x" * 1_000_000

    async with serve_agents(tmp_path) as (_, http):
        for body in (large, chunks()):
            headers = {"content-type": "application/json", **NEW}
            answer = await http.post(place, content=body, headers=headers)
            assert answer.status_code == 413
            assert (await http.get("/a2a/chat")).status_code == 200
        assert len(http._transport._pool.connections) == 1  # type: ignore[attr-defined]  # httpx has no better word


async def test_a_body_that_does_not_come_is_not_waited_for(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, {"body_seconds": 0.2}) as (served, _):
        url = httpx.URL(served.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(b"POST /a2a/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: 50\r\n\r\n{")
        async with asyncio.timeout(20):
            assert b" 408 " in await reader.readline()
        writer.close()


async def test_paths_and_methods_that_are_not_there_are_told_apart(tmp_path: Path) -> None:
    async with serve_agents(tmp_path) as (_, http):
        deleted = await http.delete(RPC)
        assert (deleted.status_code, deleted.headers["allow"]) == (405, "GET, HEAD, POST")
        for place in (
            "/a2a",
            "/a2a/",
            "/a2a//",
            "/a2a/nope",
            "/a2a/nope/tasks",
            f"/a2a/nope{CARD}",
            "/a2a/%2e%2e/chat",
        ):
            assert (await http.get(place)).status_code == 404
        for place in ("/a2a/nope/message:send", "/a2a/00000000-0000-0000-0000-000000000000/message:send"):
            answer = await http.post(place, json={}, headers=NEW)
            assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")
        told = (await http.post("/a2a/nope", json=call("message/send"))).json()
        assert (told["error"]["code"], told["error"]["message"]) == (-32602, "Assistant 'nope' not found")


async def test_refusals_come_before_credentials_are_of_use_and_tell_nothing(tmp_path: Path) -> None:
    async with serve_agents(tmp_path, others=GUARDED) as (_, http):
        made = await http.post("/assistants", json={"graph_id": "chat"}, headers=bearing("anna"))
        agent = made.json()["assistant_id"]
        of_bert = await http.post(f"/a2a/{agent}", json=call("message/send"), headers=bearing("bert"))
        assert of_bert.json()["error"]["message"] == f"Assistant '{agent}' not found"
        assert (await http.post(f"/a2a/{agent}/message:send", json={}, headers=bearing("bert"))).status_code == 404


def test_texts_are_measured_before_they_are_parsed() -> None:
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(TooDeepError):
        parse_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    with pytest.raises(TooManyValuesError):
        parse_json(b"[" + b"{}," * MAX_VALUES + b"1]")
    with pytest.raises(TooManyValuesError):
        parse_json(b"[" + b'"a",' * (2 * MAX_VALUES + 2) + b"1]")
    with pytest.raises(UnreadableBodyError):
        parse_json(b'{"a": NaN}')
    assert parse_json(b'"' + b"[" * 50_000 + b'"') == "[" * 50_000
