"""The contract of Authenticator."""

from dataclasses import dataclass

import pytest

from longline.auth.authenticator import Authenticator, Credentials
from longline.auth.principal import LOCAL, SYSTEM, Principal
from longline.errors import UnauthenticatedError


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorExample:
    """What the contract is played through with. `secret` is the text in `good` and `bad` that must show nowhere."""

    authenticator: Authenticator
    good: Credentials
    """Of this kind, and valid."""
    foreign: Credentials
    """Not of this kind: for another authenticator to judge."""
    bad: Credentials
    """Of this kind, and not valid."""
    secret: str
    refuses: bool
    """Whether bad credentials are refused. If not they are left to the other authenticators."""


@pytest.mark.anyio
class AuthenticatorContract:
    """Good credentials name somebody, foreign ones are left to others, and no secret is repeated. Needs the fixture
    `example`: an AuthenticatorExample."""

    async def test_good_credentials_name_a_principal(self, example: AuthenticatorExample) -> None:
        principal = await example.authenticator.authenticate(example.good)
        assert isinstance(principal, Principal)
        assert principal.identity.strip()
        assert principal.is_authenticated

    async def test_nobody_becomes_the_server_itself(self, example: AuthenticatorExample) -> None:
        principal = await example.authenticator.authenticate(example.good)
        assert principal is not SYSTEM
        assert principal is not LOCAL

    async def test_the_same_credentials_name_the_same_principal(self, example: AuthenticatorExample) -> None:
        first = await example.authenticator.authenticate(example.good)
        assert await example.authenticator.authenticate(example.good) == first

    async def test_foreign_credentials_are_left_to_others(self, example: AuthenticatorExample) -> None:
        assert await example.authenticator.authenticate(example.foreign) is None

    async def test_a_request_without_credentials_is_left_to_others(self, example: AuthenticatorExample) -> None:
        bare = Credentials(method="GET", path="/", headers={})
        assert await example.authenticator.authenticate(bare) is None

    async def test_bad_credentials_name_nobody(self, example: AuthenticatorExample) -> None:
        if not example.refuses:
            assert await example.authenticator.authenticate(example.bad) is None
            return
        with pytest.raises(UnauthenticatedError) as caught:
            await example.authenticator.authenticate(example.bad)
        assert caught.value.reason.strip()
        assert example.secret not in str(caught.value)

    async def test_no_representation_holds_a_secret(self, example: AuthenticatorExample) -> None:
        principal = await example.authenticator.authenticate(example.good)
        assert example.secret not in repr(principal)
        assert example.secret not in str(principal)
        assert example.secret not in repr(example.authenticator)

    def test_it_has_a_name_for_the_configuration(self, example: AuthenticatorExample) -> None:
        name = example.authenticator.name
        assert name
        assert name == name.strip().lower()
