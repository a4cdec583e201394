"""A principal that is kept for later comes back whole, and lies there without secrets in clear."""

from dataclasses import replace
from datetime import UTC, datetime

from longline.auth.kept_principal import keep_principal, recall_principal
from longline.auth.principal import LOCAL, Principal
from longline.auth.secrets import Vault

ANN = Principal(
    identity="ann",
    display_name="Ann",
    permissions=("read", "write"),
    organizations=("o1",),
    claims={"team": ["x", None], "refresh_token": "claim-Zq8"},
    token="tok-7fA3",
    token_name="x-team-token",
    token_expires_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
)


def test_who_was_kept_comes_back_as_they_were() -> None:
    vault = Vault(b"k" * 32)
    for principal in (ANN, LOCAL, Principal(identity="bob")):
        assert recall_principal(keep_principal(principal, vault), vault) == principal


def test_who_was_kept_by_the_version_before_comes_back_too() -> None:
    vault = Vault(b"k" * 32)
    kept = keep_principal(ANN, vault)
    old = {name: value for name, value in kept.items() if name not in ("token_name", "token_expires_at")}
    assert recall_principal(old, vault) == replace(ANN, token_name=None, token_expires_at=None)


def test_the_token_and_secret_claims_are_not_kept_in_clear() -> None:
    kept = repr(keep_principal(ANN, Vault(b"k" * 32)))
    assert "tok-7fA3" not in kept
    assert "claim-Zq8" not in kept
    assert "'identity': 'ann'" in kept


def test_with_another_key_they_come_back_without_secrets() -> None:
    kept = keep_principal(ANN, Vault(b"k" * 32))
    found = recall_principal(kept, Vault(b"l" * 32))
    assert (found.identity, found.permissions, found.token) == ("ann", ("read", "write"), None)
    assert (found.token_name, found.token_expires_at) == (ANN.token_name, ANN.token_expires_at)
    assert found.claims == {"team": ["x", None]}
