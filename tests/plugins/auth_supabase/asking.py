"""Authenticators without a server round them, and what they say about a token."""

import asyncio

from tests.supabase.identity import KEY, Identity

from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.errors import LonglineError
from longline.settings import CORE_SECTIONS, Settings, parse_settings
from longline_auth_supabase import register_settings
from longline_auth_supabase.assembly import authenticator_of
from longline_auth_supabase.authenticator import SupabaseAuthenticator
from longline_auth_supabase.errors import TokenRefusedError


class Clock:
    """Time that moves when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def settings_for(**values: object) -> Settings:
    """Settings as a server reads them."""
    return parse_settings({"auth_supabase": values}, [*CORE_SECTIONS, *register_settings()])


def authenticator_for(identity: Identity, **values: object) -> SupabaseAuthenticator:
    """One that trusts this Auth server."""
    settings = settings_for(**{"url": identity.url, "key": KEY, **values})
    return authenticator_of(settings)


def credentials(token: str) -> Credentials:
    """A request with this token."""
    return Credentials(method="GET", path="/threads", headers={"authorization": f"Bearer {token}"})


async def ask(authenticator: SupabaseAuthenticator, token: str) -> Principal | None:
    """Who shows it; waits no longer than any test should."""
    async with asyncio.timeout(20):
        return await authenticator.authenticate(credentials(token))


async def refusal(authenticator: SupabaseAuthenticator, token: str) -> str:
    """Why the token is refused: its kind, `nobody` if it is left to others, `accepted`, or another error's code."""
    try:
        return "nobody" if await ask(authenticator, token) is None else "accepted"
    except TokenRefusedError as error:
        return error.kind
    except LonglineError as error:
        return error.code
