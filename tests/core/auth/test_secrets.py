"""Secrets are sealed at rest, reach graphs as handles, and are hidden in everything that is shown."""

import base64
import copy
import json
import logging

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from longline.auth.secrets import Vault, new_key, parse_key
from longline.encoding import HIDDEN
from longline.errors import SettingsError

KEY = bytes(range(32))
VAULT = Vault(KEY)

SECRET_NAMES = [
    "token", "access_token", "accessToken", "access-token", "refresh_token", "id_token", "bearer_token", "auth_token",
    "authToken", "session_token", "tokens.access_token", "x-supabase-access-token", "api_key", "apiKey", "apikey",
    "APIKey", "APIKEY", "api-key", "x-api-key", "X-Api-Key", "apiKeys", "openai_api_key", "OPENAI_API_KEY",
    "openAIApiKey", "custom_api_key", "secret", "client_secret", "clientSecret", "secrets", "secret_key",
    "aws_secret_access_key", "password", "db_password", "passwd", "authorization", "Authorization",
    "proxy-authorization", "credentials", "private_key", "privateKey", "private-key", "signing_key", "encryption_key",
    "cookie", "set-cookie", "headers", "default_headers", "httpHeaders", "auth_header", "Authorization-Header",
    "mcp_tokens", "apiTokens", "jwt", "supabase_jwt", "bearer", "passphrase", "db_pwd",
]  # fmt: skip
PLAIN_NAMES = [
    "max_tokens", "maxTokens", "max_completion_tokens", "token_count", "tokenizer", "tokens", "model_name",
    "temperature", "key", "keyword", "primary_key", "public_key", "key_name", "passenger", "secretary",
    "authorization_url", "auth_required", "author", "system_prompt", "user_id", "thread_id", "api_keys_url",
    "credential_type", "x-request-id", "aws_access_key_id", "header", "headers_count", "prompt_tokens", "stop_tokens",
    "total_tokens", "keys", "url", "rag_url", "",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_that_says_secret_is_one(name: str) -> None:
    assert VAULT.is_secret(name)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_a_name_that_only_sounds_like_a_secret_is_none(name: str) -> None:
    assert not VAULT.is_secret(name)


def test_further_names_come_from_the_settings_in_any_case() -> None:
    vault = Vault(KEY, ["Pin", "x-magic"])
    assert vault.is_secret("pin")
    assert vault.is_secret("PIN")
    assert vault.is_secret("X-Magic")
    assert not vault.is_secret("pins")


NAMES = st.sampled_from(["a", "model_name", "servers", "url", *SECRET_NAMES[:6], "apiKeys", "headers", "Authorization"])
TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


def _secrets(value: object, *, is_below: bool = False) -> list[str]:
    """The texts of all secrets in a value, and what numbers below a secret key read as."""
    if isinstance(value, dict):
        return [
            found for key, item in value.items() for found in _secrets(item, is_below=is_below or VAULT.is_secret(key))
        ]
    if isinstance(value, list):
        return [found for item in value for found in _secrets(item, is_below=is_below)]
    if not is_below or value is None or isinstance(value, bool):
        return []
    return [str(value)]


def _opened(value: object, *, is_below: bool = False) -> object:
    """What a graph should get: secrets as text, numbers among them too, everything else as it was."""
    if isinstance(value, dict):
        return {k: _opened(v, is_below=is_below or VAULT.is_secret(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_opened(item, is_below=is_below) for item in value]
    if is_below and value is not None and not isinstance(value, bool):
        return str(value)
    return value


def _clear(value: object) -> object:
    """Handles → their texts."""
    if isinstance(value, dict):
        return {key: _clear(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clear(item) for item in value]
    return value.get_secret_value() if isinstance(value, SecretStr) else value


@given(OBJECTS)
def test_what_is_sealed_opens_as_it_was(value) -> None:
    sealed = VAULT.seal(value)
    assert VAULT.open_in_clear(sealed) == _opened(value)
    assert _clear(VAULT.open_as_handles(sealed)) == _opened(value)
    assert Vault(KEY).open_in_clear(sealed) == _opened(value)


@given(OBJECTS)
def test_sealing_and_opening_leave_their_input_as_it_was(value) -> None:
    before = copy.deepcopy(value)
    sealed = VAULT.seal(value, value)
    kept = copy.deepcopy(sealed)
    VAULT.hide(sealed)
    VAULT.open_as_handles(sealed)
    VAULT.open_in_clear(sealed)
    assert value == before
    assert sealed == kept


@given(OBJECTS)
def test_no_secret_stands_in_what_is_sealed_or_shown(value) -> None:
    text = "sk-7f3a9c"

    def marked(item: object, *, is_below: bool) -> object:
        if isinstance(item, dict):
            return {k: marked(v, is_below=is_below or VAULT.is_secret(k)) for k, v in item.items()}
        if isinstance(item, list):
            return [marked(part, is_below=is_below) for part in item]
        return f"{text}{item}" if is_below and isinstance(item, str) else item

    marked_value = marked(value, is_below=False)
    sealed = VAULT.seal(marked_value)
    for shown in (sealed, VAULT.hide(sealed), VAULT.hide(marked_value)):
        assert text not in json.dumps(shown)
    assert text not in repr(VAULT.open_as_handles(sealed))


@given(OBJECTS)
def test_hiding_shows_the_same_of_what_is_sealed_and_what_is_not(value) -> None:
    assert VAULT.hide(VAULT.seal(value)) == VAULT.hide(value)
    for secret in _secrets(VAULT.hide(value)):
        assert secret in (HIDDEN, "")


@given(OBJECTS)
def test_what_is_no_secret_passes_through(value) -> None:
    assume(not _secrets(value))
    assert VAULT.seal(value) == value
    assert VAULT.hide(value) == value
    assert VAULT.open_as_handles(value) == value


@given(OBJECTS)
def test_sealing_twice_is_sealing_once(value) -> None:
    sealed = VAULT.seal(value)
    assert VAULT.seal(sealed) == sealed


@given(OBJECTS)
def test_an_object_sent_back_as_it_was_shown_keeps_its_secrets(value) -> None:
    sealed = VAULT.seal(value)
    assert VAULT.seal(VAULT.hide(sealed), sealed) == sealed


def test_one_text_is_sealed_differently_each_time() -> None:
    assert VAULT.seal({"token": "t"}) != VAULT.seal({"token": "t"})


def test_stars_keep_what_stood_there_and_other_texts_replace_it() -> None:
    old = VAULT.seal({"configurable": {"api_key": "one", "token": "two"}})
    new = VAULT.seal({"configurable": {"api_key": HIDDEN, "token": "three"}}, old)
    assert VAULT.open_in_clear(new) == {"configurable": {"api_key": "one", "token": "three"}}


def test_stars_in_a_list_keep_the_secret_of_the_entry_that_was_shown_so() -> None:
    servers = [{"name": "a", "api_key": "one"}, {"name": "b", "api_key": "two"}, {"name": "c"}]
    old = VAULT.seal({"servers": servers})
    shown = VAULT.hide(old)["servers"]
    new = VAULT.seal({"servers": [shown[2], shown[1], {"name": "d", "api_key": "four"}]}, old)
    assert VAULT.open_in_clear(new) == {
        "servers": [{"name": "c"}, {"name": "b", "api_key": "two"}, {"name": "d", "api_key": "four"}]
    }


def test_stars_never_carry_a_secret_over_to_an_entry_that_was_changed() -> None:
    old = VAULT.seal({"servers": [{"url": "https://a.example", "api_key": "one"}]})
    new = VAULT.seal({"servers": [{"url": "https://evil.example", "api_key": HIDDEN}]}, old)
    assert "one" not in repr(VAULT.open_in_clear(new))


def test_a_handle_shows_nothing_until_it_is_asked() -> None:
    handles = VAULT.open_as_handles(VAULT.seal({"apiKeys": {"openai": ["sk-1"]}}))
    assert handles == {"apiKeys": {"openai": [SecretStr("sk-1")]}}
    assert "sk-1" not in f"{handles}"


@pytest.mark.parametrize("opener", ["open_as_handles", "open_in_clear"])
def test_a_secret_of_another_key_is_left_out_and_the_log_says_which(
    opener: str, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = Vault(bytes(32)).seal({"api_key": "one", "deep": {"token": "two", "n": 1}, "apiKeys": ["three"], "n": 2})
    with caplog.at_level(logging.WARNING):
        assert getattr(VAULT, opener)(foreign) == {"deep": {"n": 1}, "apiKeys": [], "n": 2}
    assert {record.message for record in caplog.records} == {"secret not readable"}
    assert {record.config_key for record in caplog.records} == {"api_key", "token", "apiKeys"}
    assert "one" not in caplog.text


def test_a_sealed_text_is_hidden_under_any_name() -> None:
    sealed = VAULT.seal({"api_key": "one"})["api_key"]
    assert VAULT.hide({"note": sealed, "list": [sealed]}) == {"note": HIDDEN, "list": [HIDDEN]}


def test_text_that_only_looks_sealed_is_sealed_like_any_other() -> None:
    value = {"api_key": "longline-sealed:1:not base64", "token": "longline-sealed:1:" + "A" * 40}
    assert VAULT.open_in_clear(VAULT.seal(value)) == value


@pytest.mark.parametrize("empty", ["", None, False, True])
def test_what_holds_nothing_is_no_secret(empty: object) -> None:
    assert VAULT.seal({"token": empty}) == VAULT.hide({"token": empty}) == {"token": empty}


def test_without_a_key_secrets_last_as_long_as_the_process() -> None:
    one, other = Vault(None), Vault(None)
    assert not one.is_durable
    assert VAULT.is_durable
    sealed = one.seal({"token": "t"})
    assert one.open_in_clear(sealed) == {"token": "t"}
    assert other.open_in_clear(sealed) == {}


def test_a_new_key_is_one_that_is_taken() -> None:
    assert parse_key(new_key()) is not None
    assert new_key() != new_key()
    assert parse_key("") is None
    assert parse_key(base64.b64encode(KEY).decode()) == KEY


@pytest.mark.parametrize("text", ["x", "not base64!", base64.b64encode(bytes(16)).decode(), "é" * 44])
def test_a_key_of_the_wrong_size_stops_the_start_and_is_not_repeated(text: str) -> None:
    with pytest.raises(SettingsError, match=r"secrets\.key: 32 bytes in base64") as caught:
        parse_key(text)
    assert len(text) < 3 or text not in str(caught.value)
