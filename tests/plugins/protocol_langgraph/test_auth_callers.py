"""The authenticate handler of an Auth object: what it is told, who callers become, who is remembered."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from langgraph_sdk import Auth
from pydantic import BaseModel, SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request

from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.errors import UnauthenticatedError
from longline.testing.authenticator import AuthenticatorContract, AuthenticatorExample
from longline_protocol_langgraph.custom_auth.authenticator import CustomAuthenticator
from longline_protocol_langgraph.custom_auth.errors import (
    HandlerFailedError,
    HandlerUnauthenticatedError,
)
from longline_protocol_langgraph.custom_auth.settings import CustomAuthSettings
from longline_protocol_langgraph.custom_auth.users import STUDIO, principal_from

pytestmark = pytest.mark.anyio

ANN = Principal(identity="ann", display_name="Ann", permissions=("read",), claims={"org": "o1"})
STUDIO_KEY = "a-key-for-studio"


def settings(**more: object) -> CustomAuthSettings:
    return CustomAuthSettings.model_validate({"path": "./auth.py:auth", **more})


def credentials(
    headers: dict[str, str] | None = None, *, path: str = "/threads", query: str = "", body: bytes = b""
) -> Credentials:
    async def read_body() -> bytes:
        return body

    lines = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {"type": "http", "path": path, "query_string": query.encode(), "headers": lines}
    return Credentials(method="POST", path=path, headers=headers or {}, query=query, scope=scope, read_body=read_body)


async def ask(handler: Any, shown: Credentials | None = None, **more: object) -> Principal | None:
    return await CustomAuthenticator(handler, settings(**more)).authenticate(shown or credentials())


class TestContract(AuthenticatorContract):
    @pytest.fixture
    def example(self) -> AuthenticatorExample:
        async def authenticate(authorization: str | None) -> str | None:
            if authorization == "Bearer good-secret":
                return "ann"
            if (authorization or "").startswith("Bearer"):
                raise Auth.exceptions.HTTPException(status_code=401, detail="no such token")
            return None

        return AuthenticatorExample(
            authenticator=CustomAuthenticator(authenticate, settings()),
            good=credentials({"authorization": "Bearer good-secret"}),
            foreign=credentials({"x-badge": "1"}),
            bad=credentials({"authorization": "Bearer bad-secret"}),
            secret="secret",
            refuses=True,
        )


# -- users ----------------------------------------------------------------------------------------------------------


class ModelUser(BaseModel):
    identity: str
    permissions: list[str] = []
    since: datetime


@dataclass
class PlainUser:
    identity: str
    org: str
    _private: str = "p"


class PropertyUser:
    __slots__ = ("_name", "team")

    def __init__(self) -> None:
        self._name = "ann"
        self.team = {"blue"}

    @property
    def identity(self) -> str:
        return self._name

    @property
    def is_authenticated(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("ann", Principal(identity="ann", display_name="ann")),
        (
            {"identity": "ann", "display_name": "Ann", "permissions": ["read"], "org": "o1", "is_authenticated": True},
            ANN,
        ),
        (PlainUser("ann", "o1"), Principal(identity="ann", display_name="ann", claims={"org": "o1"})),
        (PropertyUser(), Principal(identity="ann", display_name="ann", claims={"team": ["blue"]})),
        (
            ModelUser(identity="ann", permissions=["x"], since=datetime(2026, 1, 2, tzinfo=UTC)),
            Principal(
                identity="ann",
                display_name="ann",
                permissions=("x",),
                claims={"since": "2026-01-02T00:00:00+00:00"},
            ),
        ),
        (
            {"identity": "ann", "organizations": ["o1", 2, "o3"]},
            Principal(identity="ann", display_name="ann", organizations=("o1", "o3")),
        ),
        ({"identity": "ann", "client": object()}, Principal(identity="ann", display_name="ann")),
        (None, None),
    ],
)
async def test_a_user_is_a_text_a_mapping_or_an_object(user: object, expected: Principal | None) -> None:
    assert principal_from(user, token=None) == expected


@pytest.mark.parametrize(
    "user", [{"identity": "ann", "is_authenticated": False}, {"identity": "x", "is_authenticated": 0}]
)
async def test_a_user_who_is_not_authenticated_is_turned_away(user: object) -> None:
    with pytest.raises(UnauthenticatedError):
        principal_from(user, token=None)


@pytest.mark.parametrize(
    "user", ["", {}, {"identity": ""}, {"identity": 7}, 7, object(), {"identity": "a", "permissions": "all"}]
)
async def test_what_is_no_user_lets_nobody_in(user: object) -> None:
    with pytest.raises(HandlerFailedError):
        principal_from(user, token=None)


async def test_a_handler_that_breaks_leaves_no_credentials_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def look_up(authorization: str) -> str:
        return {"a token": "ann"}[authorization.removeprefix("Bearer ")]

    async def divide(authorization: str) -> str:
        return str(1 / 0)

    for handler in (look_up, divide):
        with pytest.raises(HandlerFailedError):
            await ask(handler, credentials({"authorization": "Bearer very-private"}))
    first, second = (record for record in caplog.records if record.message == "auth handler failed")
    assert "very-private" not in caplog.text + str(vars(first))
    assert str(vars(first)["cause"]).startswith("KeyError in look_up, line ")
    assert second.exc_info is not None


# -- what the authenticate handler is told --------------------------------------------------------------------------


async def test_the_handler_gets_what_it_names() -> None:
    told: dict[str, Any] = {}

    async def authenticate(  # noqa: PLR0917  # all that there is
        request: Request, headers: dict[bytes, bytes], authorization: str | None, body: Any, path: str, method: str,
        path_params: dict[str, str], query_params: dict[str, str], scopes: list[str], extra: int = 3,
    ) -> str:  # fmt: skip
        told.update(
            request=request, headers=headers, authorization=authorization, body=body, path=path, method=method,
            path_params=path_params, query_params=query_params, scopes=scopes, extra=extra, read=await request.json(),
        )  # fmt: skip
        return "ann"

    thread_id, run_id = str(uuid4()), str(uuid4())
    path = f"/threads/{thread_id}/runs/{run_id}/stream"
    shown = credentials({"authorization": "Bearer t", "x-a": "1"}, path=path, query="a=1&b=", body=b'{"k": [1]}')
    assert await ask(authenticate, shown) == Principal(identity="ann", display_name="ann", token="t")
    request = told.pop("request")
    assert (request.method, request.url.path, request.headers["x-a"]) == ("POST", path, "1")
    ids = {"thread_id": thread_id, "run_id": run_id}
    assert told == {
        "headers": {b"authorization": b"Bearer t", b"x-a": b"1"}, "authorization": "Bearer t", "body": {"k": [1]},
        "read": {"k": [1]}, "path": path, "method": "POST", "path_params": ids, "query_params": {"a": "1", "b": ""},
        "scopes": [], "extra": 3,
    }  # fmt: skip


async def test_a_body_that_is_not_json_is_none() -> None:
    async def authenticate(body: Any) -> str:
        return repr(body)

    for raw in (b"", b"{"):
        principal = await ask(authenticate, credentials(body=raw))
        assert principal is not None
        assert principal.identity == "None"


async def test_a_plain_function_does_not_hold_the_event_loop() -> None:
    loop_thread = threading.get_ident()

    def authenticate(**shown: object) -> dict[str, object]:
        return {"identity": "ann", "elsewhere": threading.get_ident() != loop_thread, "names": sorted(shown)}

    principal = await ask(authenticate)
    assert principal is not None
    assert principal.claims["elsewhere"] is True
    assert "authorization" in principal.claims["names"]  # type: ignore[operator]  # a list


async def test_a_parameter_that_nobody_gives_is_named_at_the_start() -> None:
    async def authenticate(token: str) -> str:
        return token

    with pytest.raises(ValueError, match="its parameter 'token' is not known; it may take by name: request, body"):
        CustomAuthenticator(authenticate, settings())


@pytest.mark.parametrize(
    ("error", "status", "detail", "headers"),
    [
        (Auth.exceptions.HTTPException(), 401, "Unauthorized", {}),
        (
            Auth.exceptions.HTTPException(status_code=403, detail="no", headers={"x-why": "y"}),
            403,
            "no",
            {"x-why": "y"},
        ),
        (HTTPException(status_code=429, detail="slowly"), 429, "slowly", {}),
    ],
)
async def test_an_http_exception_is_the_answer(error: Exception, status: int, detail: str, headers: object) -> None:
    async def authenticate() -> str:
        raise error

    with pytest.raises(HandlerUnauthenticatedError) as caught:
        await ask(authenticate)
    assert (caught.value.status, caught.value.detail, caught.value.headers) == (status, detail, headers)


@pytest.mark.parametrize("error", [RuntimeError("secret"), Auth.exceptions.HTTPException(status_code=200)])
async def test_a_handler_that_breaks_lets_nobody_in_and_tells_nothing(error: Exception) -> None:
    async def authenticate() -> str:
        raise error

    with pytest.raises(HandlerFailedError) as caught:
        await ask(authenticate)
    assert "secret" not in str(caught.value)


# -- the Studio user ------------------------------------------------------------------------------------------------


async def nobody() -> None:
    return None


@pytest.mark.parametrize(
    ("headers", "more", "is_studio"),
    [
        ({"x-auth-scheme": "langsmith", "x-api-key": STUDIO_KEY}, {"studio_key": STUDIO_KEY}, True),
        ({"x-auth-scheme": "langsmith", "x-api-key": "other"}, {"studio_key": STUDIO_KEY}, False),
        ({"x-auth-scheme": "langsmith"}, {"studio_key": STUDIO_KEY}, False),
        ({"x-api-key": STUDIO_KEY}, {"studio_key": STUDIO_KEY}, False),
        (
            {"x-auth-scheme": "langsmith", "x-api-key": STUDIO_KEY},
            {"studio_key": STUDIO_KEY, "disable_studio_auth": True}, False,
        ),
        ({"x-auth-scheme": "langsmith"}, {}, False),
        ({"x-auth-scheme": "langsmith", "x-api-key": ""}, {}, False),
    ],
)  # fmt: skip
async def test_only_who_shows_the_studio_key_is_the_studio_user(
    headers: dict[str, str], more: dict[str, object], is_studio: bool
) -> None:
    found = await ask(nobody, credentials(headers), **more)
    assert (found is STUDIO) is is_studio
    assert found is None or is_studio


async def test_a_claim_that_is_a_secret_object_is_not_told() -> None:
    principal = principal_from({"identity": "ann", "key": SecretStr("hidden")}, token=None)
    assert principal is not None
    assert principal.claims == {"key": "***"}
