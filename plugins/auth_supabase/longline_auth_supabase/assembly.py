"""Settings → the authenticator: one for each server, for every hook that asks for it. Imports what it is made of."""

import re
from importlib import resources
from typing import Final
from weakref import WeakKeyDictionary

from longline.settings import ServerSettings, Settings
from longline_auth_supabase.auth_server import AuthServer
from longline_auth_supabase.authenticator import SupabaseAuthenticator
from longline_auth_supabase.errors import BadAnswerError
from longline_auth_supabase.key_set import KeySet, KeyTimes
from longline_auth_supabase.known_tokens import KnownTokens
from longline_auth_supabase.members_query import MembersQuery
from longline_auth_supabase.membership import Membership
from longline_auth_supabase.remote import RemoteUsers
from longline_auth_supabase.service_keys import ServiceKeys
from longline_auth_supabase.settings import SupabaseAuthSettings
from longline_auth_supabase.verify import Expectations, Verifier

_JWKS: Final = "/.well-known/jwks.json"
_OK: Final = 200
_CLAIM: Final = "app_metadata.organization_ids"
_SCHEME: Final = re.compile(r"^postgres(ql)?(\+\w+)?://")

_AUTHENTICATORS: WeakKeyDictionary[Settings, SupabaseAuthenticator] = WeakKeyDictionary()


def authenticator_of(settings: Settings) -> SupabaseAuthenticator:
    """The authenticator of the server with these settings."""
    found = _AUTHENTICATORS.get(settings)
    if found is None:
        found = _AUTHENTICATORS[settings] = _build(settings)
    return found


def _build(settings: Settings) -> SupabaseAuthenticator:
    chosen = settings.section(SupabaseAuthSettings)
    key = chosen.key.get_secret_value()
    server = AuthServer(chosen.auth_url, key, timeout_seconds=chosen.timeout_seconds)
    remote = RemoteUsers(server, cache_seconds=chosen.remote_cache_seconds) if key else None
    times = KeyTimes(kept=chosen.jwks_seconds, grace=chosen.jwks_grace_seconds, cooldown=chosen.jwks_cooldown_seconds)
    keys = KeySet(lambda: fetch_keys(server), times)
    verifier = Verifier(
        Expectations(
            issuer=chosen.expected_issuer, audience=chosen.audience, roles=frozenset(chosen.roles),
            allows_anonymous=chosen.allow_anonymous, leeway_seconds=chosen.leeway_seconds,
        ),
        keys=keys, known=KnownTokens(chosen.verified_seconds), secret=chosen.jwt_secret.get_secret_value(),
        users=remote, asks_always=chosen.verify == "remote",
    )  # fmt: skip
    return SupabaseAuthenticator(
        chosen, server=server, keys=keys, remote=remote, verifier=verifier, membership=_membership(settings, chosen),
        service_keys=ServiceKeys(key, is_allowed=bool(chosen.service_role)),
    )  # fmt: skip


async def fetch_keys(server: AuthServer) -> bytes:
    """The document that lists the public keys. Raises IdentityAwayError."""
    answer = await server.get(_JWKS)
    if answer.status != _OK:
        raise BadAnswerError(_JWKS, str(answer.status))
    return answer.body


def _membership(settings: Settings, chosen: SupabaseAuthSettings) -> Membership:
    claim = chosen.organizations_claim
    if claim is None:
        claim = "" if chosen.organizations_query else _CLAIM
    url = _database(settings, chosen)
    query = chosen.organizations_query or _query()
    source = MembersQuery(url, query, timeout_seconds=chosen.timeout_seconds) if url else None
    return Membership(
        claim.split(".") if claim else (), source, is_claim_certain=bool(chosen.organizations_claim),
        seconds=chosen.organizations_seconds, grace=chosen.organizations_grace_seconds,
    )  # fmt: skip


def _database(settings: Settings, chosen: SupabaseAuthSettings) -> str:
    url = chosen.database.get_secret_value() or settings.section(ServerSettings).database
    return _SCHEME.sub("postgresql://", url) if _SCHEME.match(url) else ""


def _query() -> str:
    return (resources.files("longline_auth_supabase") / "sql" / "queries" / "organizations.sql").read_text("utf-8")
