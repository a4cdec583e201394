"""A receiver that does what docs/webhooks.md says takes what was signed, and nothing else."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.plugins.protocol_langgraph import graphs
from tests.plugins.webhooks.conftest import Serve
from tests.plugins.webhooks.receiver import Receiver

from longline.delivery.signature import sign

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "webhooks.md").read_text("utf-8")


def _documented() -> Callable[..., bool]:
    found = re.search(r"^```python verify_webhook\.py\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)  # the example, as it stands in the document
    return names["is_genuine"]


is_genuine = _documented()


def _headers(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    return {name.lower(): value for name, value in sign(secret, body, at).items()}


@given(st.text(min_size=1), st.binary(), st.binary(min_size=1), st.text(min_size=1))
def test_what_was_signed_is_genuine_and_anything_else_is_not(secret: str, body: bytes, more: bytes, other: str) -> None:
    secret, other = (text.encode("utf-8", "replace").decode() for text in (secret, other))
    headers = _headers(secret, body, datetime.now(UTC))
    assert is_genuine(secret, headers, body)
    assert not is_genuine(secret, headers, body + more)
    assert is_genuine(other, headers, body) is (other == secret)
    later = str(int(headers["longline-timestamp"]) + 1)
    assert not is_genuine(secret, {**headers, "longline-timestamp": later}, body)
    assert not is_genuine(secret, {}, body)


def test_an_old_call_is_not_taken_again() -> None:
    for seconds, expected in ((-400, False), (-200, True), (400, False)):
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        assert is_genuine("s", _headers("s", b"{}", at), b"{}") is expected


@pytest.mark.anyio
async def test_each_call_is_signed_anew_and_only_if_there_is_a_secret(serve: Serve, receiver: Receiver) -> None:
    receiver.answers += [(500, {})]
    async with serve({"count": graphs.counting()}, signing_secret="of this test") as served:
        await served.client.runs.wait(None, "count", input={"x": 1}, webhook=receiver.url)
        for call in await receiver.wait_for(2):
            assert is_genuine("of this test", call.headers, call.body)
            assert not is_genuine("of this tesT", call.headers, call.body)
    async with serve({"count": graphs.counting()}) as served:
        await served.client.runs.wait(None, "count", input={"x": 1}, webhook=receiver.url)
        last = (await receiver.wait_for(3))[2]
        assert not [name for name in last.headers if name in ("longline-signature", "longline-timestamp")]
