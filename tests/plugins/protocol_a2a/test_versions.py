"""In which version of the protocol a request is, and what it may ask then."""

from pathlib import Path

import a2a.server.routes.jsonrpc_dispatcher as sdk
import pytest
from tests.plugins.protocol_a2a.edge import call, serve_agents

from longline.asgi.types import Scope
from longline_protocol_a2a.errors import UnknownMethodError, UnsaidVersionError, UnsupportedVersionError
from longline_protocol_a2a.versions import METHODS, check_method, version_of

SPOKEN = ["1.0", "0.3"]


def scope_of(header: bytes | None = None, query: bytes = b"") -> Scope:
    return {"headers": [] if header is None else [(b"a2a-version", header)], "query_string": query}


def test_the_methods_are_those_of_the_sdk() -> None:
    assert METHODS["1.0"] == set(sdk.JsonRpcDispatcher.METHOD_TO_MODEL)
    assert METHODS["0.3"] == set(sdk.JSONRPC03Adapter.METHOD_TO_MODEL)


@pytest.mark.parametrize(
    ("header", "query", "version"),
    [
        (None, b"", "0.3"),
        (b"", b"", "0.3"),
        (b"  ", b"", "0.3"),
        (b"0.3", b"", "0.3"),
        (b"0.3.0", b"", "0.3"),
        (b"1.0", b"", "1.0"),
        (b" 1.0.7 ", b"", "1.0"),
        (b"01.00", b"", "1.0"),
        (None, b"A2A-Version=1.0", "1.0"),
        (None, b"x=1&a2a-version=1.0.2", "1.0"),
        (b"1.0", b"A2A-Version=9.9", "1.0"),
    ],
)
def test_major_and_minor_say_the_version(header: bytes | None, query: bytes, version: str) -> None:
    assert version_of(scope_of(header, query), SPOKEN) == version


@pytest.mark.parametrize(
    "header", [b"99.0", b"1", b"1.1", b"0.2", b"0.4", b"1.0.x", b"v1.0", b"1.0, 0.3", b"\xff", b"1" * 9_999]
)
def test_other_versions_are_refused(header: bytes) -> None:
    with pytest.raises(UnsupportedVersionError) as caught:
        version_of(scope_of(header), SPOKEN)
    assert len(str(caught.value)) < 300


def test_a_version_that_is_switched_off_is_refused() -> None:
    assert version_of(scope_of(b"1.0"), ["1.0"]) == "1.0"
    with pytest.raises(UnsupportedVersionError, match=r"'0\.3'.*speaks 1\.0"):
        version_of(scope_of(), ["1.0"])
    with pytest.raises(UnsupportedVersionError):
        version_of(scope_of(b"1.0"), ["0.3"])


def test_a_method_is_called_as_in_its_version() -> None:
    check_method("SendMessage", "1.0")
    check_method("message/send", "0.3")
    with pytest.raises(UnsaidVersionError, match=r"send the header A2A-Version: 1\.0"):
        check_method("SendMessage", "0.3")
    with pytest.raises(UnknownMethodError):
        check_method("message/send", "1.0")


@pytest.mark.anyio
async def test_both_bindings_tell_that_a_version_is_not_supported(tmp_path: Path) -> None:
    async with serve_agents(tmp_path) as (_, http):
        for headers in ({"A2A-Version": "99.0"}, {"A2A-Version": "0.5"}):
            rpc = await http.post("/a2a/chat", json=call("SendMessage"), headers=headers)
            assert (rpc.status_code, rpc.json()["error"]["code"], rpc.json()["id"]) == (200, -32009, "1")
            assert rpc.json()["error"]["data"][0]["reason"] == "VERSION_NOT_SUPPORTED"
            for verb, place in (("POST", "message:send"), ("GET", "tasks"), ("POST", "v1/message:send")):
                rest = await http.request(verb, f"/a2a/chat/{place}", headers=headers)
                assert (rest.status_code, rest.json()["error"]["code"]) == (400, 400)
                assert rest.json()["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"
        unsaid = await http.post("/a2a/chat", json=call("SendMessage"))
        assert unsaid.json()["error"]["code"] == -32009
