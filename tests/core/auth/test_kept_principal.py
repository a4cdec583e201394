"""A principal that is kept for later comes back whole, and lies there without secrets in clear."""

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
)


def test_who_was_kept_comes_back_as_they_were() -> None:
    vault = Vault(b"k" * 32)
    for principal in (ANN, LOCAL, Principal(identity="bob")):
        assert recall_principal(keep_principal(principal, vault), vault) == principal


def test_the_token_and_secret_claims_are_not_kept_in_clear() -> None:
    kept = repr(keep_principal(ANN, Vault(b"k" * 32)))
    assert "tok-7fA3" not in kept
    assert "claim-Zq8" not in kept
    assert "'identity': 'ann'" in kept


def test_with_another_key_they_come_back_without_secrets() -> None:
    kept = keep_principal(ANN, Vault(b"k" * 32))
    found = recall_principal(kept, Vault(b"l" * 32))
    assert (found.identity, found.permissions, found.token) == ("ann", ("read", "write"), None)
    assert found.claims == {"team": ["x", None]}
