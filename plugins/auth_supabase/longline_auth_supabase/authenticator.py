"""Users of one Supabase project as callers of this server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline_auth_supabase.auth_server import AuthServer
from longline_auth_supabase.errors import TokenRefusedError
from longline_auth_supabase.key_set import KeySet
from longline_auth_supabase.membership import Membership
from longline_auth_supabase.refusals import Refusals
from longline_auth_supabase.remote import RemoteUsers
from longline_auth_supabase.service_keys import ServiceKeys
from longline_auth_supabase.settings import SupabaseAuthSettings
from longline_auth_supabase.tokens import read_token
from longline_auth_supabase.users import TOKEN_NAME, principal_of
from longline_auth_supabase.verify import Verifier


class SupabaseAuthenticator:
    """See OrganizationAuthenticator, RenewingAuthenticator, IssuedAuthenticator. Tokens of other issuers, and what is
    no token, are left to others."""

    name = "auth_supabase"

    def __init__(
        self,
        settings: SupabaseAuthSettings,
        *,
        server: AuthServer,
        keys: KeySet,
        remote: RemoteUsers | None,
        verifier: Verifier,
        membership: Membership,
        service_keys: ServiceKeys,
    ) -> None:
        self.refusals = Refusals()
        self._settings = settings
        self._server = server
        self._keys = keys
        self._remote = remote
        self._verifier = verifier
        self._membership = membership
        self._service_keys = service_keys

    @property
    def issuer(self) -> str:
        """See IssuedAuthenticator."""
        return self._settings.expected_issuer

    @property
    def knows_organizations(self) -> bool:
        """See OrganizationAuthenticator. Once the server is open, a query that cannot work does not count."""
        return self._membership.is_known

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """See Authenticator. Raises IdentityAwayError if nobody can tell now."""
        shown = credentials.bearer
        if shown is None:
            return None
        try:
            return await self._recognise(shown)
        except TokenRefusedError as error:
            self.refusals.note(error.kind)
            raise

    async def renew(self, principal: Principal) -> Principal | None:
        """See RenewingAuthenticator. Only the table of members knows more than what the user has shown."""
        if principal.token_name != TOKEN_NAME:
            return None
        organizations = await self._membership.renewed(principal.identity)
        return None if organizations is None else replace(principal, organizations=organizations)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Before the first request: keys are fetched, the query is tried. Neither stops a start, and nobody waits for
        keys."""
        fetching = asyncio.create_task(self._keys.prepare(), name="signing keys at the start")
        try:
            await self._membership.check()
            yield
        finally:
            fetching.cancel()
            await asyncio.wait({fetching})
            await self.close()

    async def close(self) -> None:
        """End what it holds. It may be asked again after that."""
        await self._keys.close()
        if self._remote is not None:
            await self._remote.close()
        await self._membership.close()
        await self._server.close()
        self.refusals.tell()

    async def _recognise(self, shown: str) -> Principal | None:
        token = read_token(shown, self._settings.max_token_bytes)
        service = self._service_keys.recognise(shown, token)
        if service is not None or token is None:
            return service
        if token.issuer != self._settings.expected_issuer:
            self.refusals.note("issuer")
            return None
        claims = await self._verifier.verify(token)
        organizations = await self._membership.organizations_of(claims)
        return principal_of(claims, shown, organizations=organizations, shown=self._settings.claims)
