"""Callers that the authenticate handler knew a moment ago."""

import pytest
from langgraph_sdk import Auth

from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.errors import UnauthenticatedError
from longline_protocol_langgraph.custom_auth.authenticator import CustomAuthenticator
from longline_protocol_langgraph.custom_auth.cache import PrincipalCache
from longline_protocol_langgraph.custom_auth.settings import AuthCacheSettings, CustomAuthSettings

pytestmark = pytest.mark.anyio


def credentials(headers: dict[str, str] | None = None) -> Credentials:
    return Credentials(method="POST", path="/threads", headers=headers or {})


async def test_callers_are_remembered_by_the_headers_that_tell_them_apart() -> None:
    asked: list[str] = []

    async def authenticate(authorization: str | None) -> str | None:
        asked.append(str(authorization))
        if authorization == "bad":
            raise Auth.exceptions.HTTPException
        return authorization

    given = {"path": "./auth.py:auth", "cache": {"cache_keys": ["Authorization"]}}
    authenticator = CustomAuthenticator(authenticate, CustomAuthSettings.model_validate(given))
    for shown in ("a", "b", "a", "b"):
        principal = await authenticator.authenticate(credentials({"authorization": shown}))
        assert principal is not None
        assert principal.identity == shown
    for _ in range(2):
        with pytest.raises(UnauthenticatedError):
            await authenticator.authenticate(credentials({"authorization": "bad"}))
        assert await authenticator.authenticate(credentials()) is None
    assert asked == ["a", "b", "bad", "None", "bad", "None"]


async def test_a_token_that_is_no_part_of_the_key_is_the_one_that_is_shown() -> None:
    async def authenticate(headers: dict[bytes, bytes]) -> str:
        return headers[b"x-who"].decode()

    given = {"path": "./auth.py:auth", "cache": {"cache_keys": ["x-who"]}}
    authenticator = CustomAuthenticator(authenticate, CustomAuthSettings.model_validate(given))
    for token in ("old", "new"):
        principal = await authenticator.authenticate(credentials({"x-who": "ann", "authorization": f"Bearer {token}"}))
        assert principal is not None
        assert (principal.identity, principal.token) == ("ann", token)


async def test_what_is_remembered_grows_old_and_makes_room() -> None:
    now = [0.0]
    cache = PrincipalCache(AuthCacheSettings(cache_keys=["x"], ttl_seconds=10, max_size=2), clock=lambda: now[0])
    people = {name: Principal(identity=name) for name in "abc"}
    for name in "ab":
        cache.keep((name,), people[name])
    assert cache.find(("a",)) == people["a"]
    cache.keep(("c",), people["c"])
    assert (cache.find(("a",)), cache.find(("b",)), cache.find(("c",))) == (people["a"], None, people["c"])
    now[0] = 10.0
    assert cache.find(("a",)) is None
