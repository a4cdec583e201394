"""Authenticators are tried in order until one knows the caller."""

import pytest
from pydantic import SecretStr

from longline.auth.authenticator import Credentials, authenticate
from longline.auth.principal import LOCAL, Principal
from longline.defaults.static_tokens import StaticTokens, StaticTokensSettings
from longline.errors import SettingsError, UnauthenticatedError
from longline.plugin_host import PluginHost
from longline.settings import parse_settings

pytestmark = pytest.mark.anyio


def shown(authorization: str | None = None) -> Credentials:
    headers = {} if authorization is None else {"authorization": authorization}
    return Credentials(method="GET", path="/x", headers=headers)


class Knows:
    def __init__(self, name: str, answer: Principal | Exception | None) -> None:
        self.name = name
        self.answer = answer
        self.was_asked = False

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        self.was_asked = True
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Bearer    ", None),
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc  ", "abc"),
        ("Basic abc", None),
        ("Bearerabc", None),
        ("abc", None),
        ("Bearer a b", "a b"),
    ],
)
def test_the_bearer_token_is_read_from_its_header_alone(header: str | None, token: str | None) -> None:
    assert shown(header).bearer == token


async def test_without_authenticators_everyone_is_the_local_user() -> None:
    assert await authenticate([], shown("Bearer x")) is LOCAL


async def test_the_first_that_knows_the_caller_wins() -> None:
    ann, bob = Principal(identity="ann"), Principal(identity="bob")
    last = Knows("last", bob)
    assert await authenticate([Knows("no", None), Knows("yes", ann), last], shown()) is ann
    assert not last.was_asked


async def test_whom_nobody_knows_is_unauthenticated() -> None:
    with pytest.raises(UnauthenticatedError):
        await authenticate([Knows("no", None), Knows("neither", None)], shown())


async def test_a_refusal_ends_the_search() -> None:
    last = Knows("last", Principal(identity="ann"))
    with pytest.raises(UnauthenticatedError, match="token expired"):
        await authenticate([Knows("no", UnauthenticatedError("token expired")), last], shown())
    assert not last.was_asked


async def test_static_tokens_name_their_owner_and_keep_the_token_for_the_graph() -> None:
    tokens = StaticTokens({"ann": SecretStr("tok-1"), "bob": SecretStr("tok-2")})
    found = await tokens.authenticate(shown("Bearer tok-2"))
    assert found == Principal(identity="bob", display_name="bob", token="tok-2")
    for wrong in ("tok-3", "tok-", "tok-22", "TOK-2", "ann", "ünï"):
        assert await tokens.authenticate(shown(f"Bearer {wrong}")) is None


def authenticators(order: list[str], **tokens: str) -> list[str]:
    host = PluginHost([])
    settings = parse_settings({"static_tokens": {"tokens": tokens}}, host.settings_sections())
    return [found.name for found in host.authenticators(settings, order)]


async def test_static_tokens_take_part_once_there_is_a_token() -> None:
    assert authenticators([]) == []
    assert authenticators([], ann="tok-1") == ["static_tokens"]
    assert authenticators(["static_tokens"], ann="tok-1") == ["static_tokens"]


async def test_an_order_that_names_nobody_stops_the_start_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"auth\.order: no authenticator 'static_token'; there are: static_tokens"):
        authenticators(["static_token"], ann="tok-1")
    with pytest.raises(SettingsError, match="there are: none"):
        authenticators(["static_tokens"])


@pytest.mark.parametrize("tokens", [{"": "tok-1"}, {"ann": ""}, {" ": "tok-1"}])
async def test_nobody_without_a_name_and_nobody_without_a_token(tokens: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="static_tokens"):
        authenticators([], **tokens)


async def test_the_tokens_are_in_no_representation_of_the_settings() -> None:
    settings = StaticTokensSettings(tokens={"ann": SecretStr("tok-1")})
    assert "tok-1" not in f"{settings!r} {settings} {settings.model_dump_json()}"
