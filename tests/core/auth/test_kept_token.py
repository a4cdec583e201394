"""A caller's token lies there sealed, comes back as a handle while it lasts, and says why where it does not."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from pydantic import SecretStr

from longline.auth.kept_token import CALLER_TOKEN, KeptToken, keep_token, open_token
from longline.auth.principal import LOCAL, Principal
from longline.auth.secrets import Vault

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VAULT = Vault(b"k" * 32)
TOKEN = "tok-7fA3-ünï"
ANN = Principal(
    identity="ann", token=TOKEN, token_name="x-team-token", token_expires_at=NOW + timedelta(microseconds=1)
)


def kept(principal: Principal) -> str:
    text = keep_token(principal, VAULT)
    assert text is not None
    return text


def test_a_token_that_was_kept_is_a_handle_under_both_names() -> None:
    found = open_token(kept(ANN), VAULT, NOW)
    assert found == KeptToken(name="x-team-token", secret=SecretStr(TOKEN))
    assert found.configurable == {CALLER_TOKEN: SecretStr(TOKEN), "x-team-token": SecretStr(TOKEN)}
    assert TOKEN not in repr(found)


def test_a_token_that_graphs_have_no_name_for_is_under_the_servers_own_alone() -> None:
    found = open_token(kept(Principal(identity="ann", token=TOKEN)), VAULT, NOW + timedelta(days=9999))
    assert found.configurable == {CALLER_TOKEN: SecretStr(TOKEN)}


@pytest.mark.parametrize("text", ["***", "", "longline-sealed:1:AAAA", "Ω" * 5000])
def test_whatever_a_token_says_it_comes_back_as_it_was(text: str) -> None:
    assert open_token(kept(Principal(identity="ann", token=text)), VAULT, NOW).secret == SecretStr(text)


def test_what_is_kept_holds_no_token_in_clear() -> None:
    assert TOKEN not in kept(ANN)
    assert orjson.loads(kept(ANN))["token"].startswith("longline-sealed:")


@pytest.mark.parametrize("nobody", [LOCAL, Principal(identity="bob"), Principal(identity="bob", token_expires_at=NOW)])
def test_who_has_no_token_keeps_none(nobody: Principal) -> None:
    assert keep_token(nobody, VAULT) is None


@pytest.mark.parametrize(
    ("principal", "vault", "now", "fault"),
    [
        (ANN, VAULT, NOW + timedelta(microseconds=1), "expired"),
        (ANN, Vault(b"l" * 32), NOW, "sealed with another key"),
        (ANN, Vault(None), NOW, "sealed with another key"),
        (Principal(identity="ann", token_name="x-team-token"), VAULT, NOW, "lost"),
    ],
)
def test_a_token_that_cannot_be_used_says_why_and_stands_nowhere(
    principal: Principal, vault: Vault, now: datetime, fault: str
) -> None:
    found = open_token(kept(principal), vault, now)
    assert found == KeptToken(name="x-team-token", secret=None, fault=fault)
    assert found.configurable == {}


def test_without_a_key_of_its_own_a_process_can_use_what_it_kept_itself() -> None:
    vault = Vault(None)
    text = keep_token(ANN, vault)
    assert text is not None
    assert open_token(text, vault, NOW).secret == SecretStr(TOKEN)
