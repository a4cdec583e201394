"""Passwords and tokens in URLs: hidden and taken out where they stand, and sealed with the URL that holds them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from longline.auth.secret_texts import hide_in_text
from longline.auth.secret_urls import hide_in_url, secrets_of_url, strip_url
from longline.auth.secrets import Vault

VAULT = Vault(bytes(range(32)))

HOLDING = [
    ("https://ann:pw@tools.example/mcp", "https://***@tools.example/mcp", "https://tools.example/mcp"),
    ("https://ghp_abc@git.example", "https://***@git.example", "https://git.example"),
    ("HTTPS://u:p%40ss@[::1]:80/", "HTTPS://***@[::1]:80/", "HTTPS://[::1]:80/"),
    ("postgresql://u:p@ss@db:5432/x?sslmode=require", "postgresql://***@db:5432/x?sslmode=require",
     "postgresql://db:5432/x?sslmode=require"),
    ("https://rag.example/?token=t&lang=de", "https://rag.example/?token=***&lang=de", "https://rag.example/?lang=de"),
    ("https://rag.example/a?x=1&apiKey=k", "https://rag.example/a?x=1&apiKey=***", "https://rag.example/a?x=1"),
    ("https://rag.example?access%5Ftoken=t", "https://rag.example?access%5Ftoken=***", "https://rag.example"),
    ("https://s3.example/o?X-Amz-Signature=a&X-Amz-Date=2", "https://s3.example/o?X-Amz-Signature=***&X-Amz-Date=2",
     "https://s3.example/o?X-Amz-Date=2"),
    ("https://fn.example/api?code=c&key=k&sig=s", "https://fn.example/api?code=***&key=***&sig=***",
     "https://fn.example/api"),
    ("https://app.example/#access_token=t&expires_in=1", "https://app.example/#access_token=***&expires_in=1",
     "https://app.example/#expires_in=1"),
    (" wss://u:p@live.example/x ", " wss://***@live.example/x ", " wss://live.example/x "),
]  # fmt: skip
PLAIN = [
    "https://tools.example/mcp?lang=de&country_code=de&sort_key=a&keys=1", "postgresql://longline@db/longline",
    "https://tools.example/@ann", "https://tools.example/?token=", "https://tools.example/?token", "ftp://ann@files/",
    "https://***@tools.example/?token=***", "https://ann:***@tools.example/",
    "look at https://tools.example/?token=t, please", "no url: at all",
    "http://[::1", "://", "", "mailto:ann@tools.example", "https://tools.example/#part",
]  # fmt: skip


@pytest.mark.parametrize(("url", "hidden", "stripped"), HOLDING)
def test_the_secrets_of_a_url_are_hidden_or_taken_out_and_nothing_else(url: str, hidden: str, stripped: str) -> None:
    assert hide_in_url(url) == hidden
    assert hide_in_url(hidden) == hidden
    assert strip_url(url) == stripped
    assert secrets_of_url(url)
    assert not secrets_of_url(stripped)


@pytest.mark.parametrize("text", PLAIN)
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert hide_in_url(text) == strip_url(text) == text
    assert VAULT.seal({"url": text}) == VAULT.hide({"url": text}) == VAULT.strip({"url": text}) == {"url": text}


def test_urls_in_a_text_are_hidden_one_by_one() -> None:
    text = 'GET "https://a.example/?token=t" failed (see https://u:p@b.example/x, wss://k@c.example) at 12:00://'
    assert hide_in_text(text) == (
        'GET "https://a.example/?token=***" failed (see https://***@b.example/x, wss://***@c.example) at 12:00://'
    )


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"token {JWT} expired", "token *** expired"),
        (f"Authorization: Bearer {JWT}", "Authorization: Bearer ***"),
        ("b'authorization': b'bearer 0123456789abcdef'", "b'authorization': b'bearer ***'"),
        ("the bearer of news; eyJust.a.word", "the bearer of news; eyJust.a.word"),
    ],
)
def test_tokens_are_known_by_their_looks(text: str, shown: str) -> None:
    assert hide_in_text(text) == shown


NAMES = st.sampled_from(["url", "name", "servers", "api_key", "headers"])
PARTS = st.text(alphabet="abcXYZ019-_.~%üß", min_size=1, max_size=6)
URLS = st.builds(
    "{}://{}{}.example/{}?a={}&{}={}".format,
    st.sampled_from(["https", "http", "wss", "postgresql"]),
    st.just("") | st.builds("{}:{}@".format, PARTS, PARTS) | st.builds("{}@".format, PARTS),
    st.sampled_from(["tools", "rag"]), PARTS, PARTS,
    st.sampled_from(["lang", "token", "apiKey", "sig"]), PARTS,
)  # fmt: skip
VALUES = st.recursive(
    URLS | st.integers(0, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


def _clear(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _clear(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clear(item) for item in value]
    return value.get_secret_value() if isinstance(value, SecretStr) else value


@given(OBJECTS)
def test_a_url_is_sealed_and_opened_as_it_was(value: dict[str, Any]) -> None:
    sealed = VAULT.seal(value)
    assert _clear(VAULT.open_as_handles(sealed)) == VAULT.open_in_clear(sealed)
    assert VAULT.seal(sealed) == sealed
    assert _strings(VAULT.open_in_clear(sealed)) == _strings(value)


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [found for item in value.values() for found in _strings(item)]
    if isinstance(value, list):
        return [found for item in value for found in _strings(item)]
    return [str(value)]


@given(URLS, NAMES)
def test_no_secret_of_a_url_stands_in_what_is_sealed_shown_or_handed_over(url: str, name: str) -> None:
    marked = url.replace("://", "://mark:mark@", 1) if "@" not in url else url
    marked += "&token=mark"
    value = {"list": [{name: marked}], name: [marked]}
    sealed = VAULT.seal(value)
    for shown in (sealed, VAULT.hide(value), VAULT.hide(sealed), VAULT.strip(value), VAULT.strip(sealed)):
        assert "mark" not in json.dumps(shown)
    assert "mark" not in repr(VAULT.open_as_handles(sealed))


@given(OBJECTS)
def test_what_is_shown_is_the_same_of_what_is_sealed_and_what_is_not(value: dict[str, Any]) -> None:
    sealed = VAULT.seal(value)
    assert VAULT.hide(sealed) == VAULT.hide(value)
    assert VAULT.hide(VAULT.hide(value)) == VAULT.hide(value)
    assert VAULT.strip(sealed) == VAULT.strip(value)


@given(OBJECTS)
def test_an_object_sent_back_as_it_was_shown_keeps_its_urls(value: dict[str, Any]) -> None:
    sealed = VAULT.seal(value)
    assert VAULT.seal(VAULT.hide(sealed), sealed) == sealed


def test_a_shown_url_that_was_changed_carries_no_secret_to_the_new_place() -> None:
    old = VAULT.seal({"rag_url": "https://rag.example/?token=secret", "urls": ["https://u:secret@a.example"]})
    new = VAULT.seal({"rag_url": "https://evil.example/?token=***", "urls": ["https://***@evil.example"]}, old)
    assert "secret" not in json.dumps(VAULT.open_in_clear(new))


@given(OBJECTS)
def test_nothing_secret_is_left_of_an_object_without_its_secrets(value: dict[str, Any]) -> None:
    stripped = VAULT.strip(VAULT.seal(value))
    assert VAULT.hide(stripped) == stripped == VAULT.seal(stripped)
    assert not {"api_key", "headers"} & _names(stripped)


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(name for item in value.values() for name in _names(item))}
    return {name for item in value for name in _names(item)} if isinstance(value, list) else set()


def test_without_its_secrets_an_object_is_what_else_it_was() -> None:
    sealed = VAULT.seal({"token": "t"})["token"]
    assert VAULT.strip(
        {"a": 1, "api_key": "k", "note": sealed, "list": [sealed, {"headers": {"X": "y"}, "n": None}, "x"], "lang": "ü"}
    ) == {"a": 1, "list": [{"n": None}, "x"], "lang": "ü"}


def test_texts_are_scrubbed_of_secrets_whole_and_in_parts() -> None:
    config = VAULT.seal({
        "configurable": {
            "apiKeys": {"Größe": ["sk-ünïque-1"]}, "headers": {"Authorization": "Bearer tok-12345678"},
            "rag_url": "https://ann:pass%20word@rag.example/?key=k-9999", "pin": "x", "custom_api_key": "abc",
        }
    })  # fmt: skip
    text = (
        "sk-ünïque-1: 'tok-12345678' refused; pass word, pass%20word, k-9999; https://a.example/?token=new abc Bearer"
    )
    assert VAULT.scrub(text, config) == ("***: '***' refused; ***, ***, ***; https://a.example/?token=*** abc Bearer")
    assert VAULT.scrub(text, {}) == text.replace("token=new", "token=***")


def test_secrets_of_another_key_scrub_nothing() -> None:
    foreign = Vault(bytes(32)).seal({"token": "secret-1"})
    assert VAULT.scrub("secret-1", foreign) == "secret-1"
