"""Which pages may open a WebSocket, whatever they call themselves."""

import pytest

from longline_protocol_langgraph.custom_http.settings import CorsSettings
from longline_protocol_langgraph.protocol_v2.origins import is_allowed

STRICT = CorsSettings(allow_origins=["http://page.test"], allow_origin_regex=r"https://[a-z]+\.page\.test")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True), ("http://page.test", True), ("https://a.page.test", True), ("http://Here.test:2024", True),
        ("http://here.test", False), ("http://evil.test", False), ("https://a.page.test.evil.test", False),
        ("null", False), ("", False), ("http://[", False), ("http://page.test@evil.test", False),
    ],
)  # fmt: skip
def test_an_origin_is_let_in_by_name_by_rule_or_because_it_is_the_server(origin: str | None, allowed: bool) -> None:
    headers = [(b"host", b"here.test:2024"), *([(b"Origin", origin.encode())] if origin is not None else [])]
    assert is_allowed({"type": "websocket", "headers": headers}, STRICT) is allowed
