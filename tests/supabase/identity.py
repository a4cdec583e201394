"""What a Supabase project has for authentication: a JWKS that rotates, `/user`, and tokens, over real HTTP.

with serve_identity() as identity:
    token = identity.issue(user, organizations=[organization_id])
    identity.rotate("RS256")
"""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.supabase.project import User
from tests.supabase.serving import ServedApp

Algorithm = Literal["ES256", "RS256", "EdDSA"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("ES256", "RS256", "EdDSA")
KEY: Final = "sb_publishable_3fA9-test-key-of-the-project"
JWT_SECRET: Final = "legacy-secret-of-the-project-0123456789abcdef-0123456789"
_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair with the id under which the JWKS shows its public half."""

    kid: str
    algorithm: Algorithm
    private: Any = field(repr=False)

    def public_jwk(self) -> dict[str, Any]:
        """As the JWKS shows it."""
        shown: Any = get_default_algorithms()[self.algorithm].to_jwk(self.private.public_key())
        document = json.loads(shown) if isinstance(shown, str) else shown
        return {**document, "kid": self.kid, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"], "ext": True}


def new_key(algorithm: Algorithm = "ES256") -> SigningKey:
    """A fresh key, in no JWKS yet."""
    private: Any = {
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[algorithm]()
    return SigningKey(str(uuid.uuid4()), algorithm, private)


class Identity:
    """The server. `keys` is what its JWKS shows, the newest first: it signs with that one."""

    def __init__(self) -> None:
        self.keys: list[SigningKey] = [new_key()]
        self.counts: Counter[str] = Counter()
        """Requests so far: `jwks`, `user`."""
        self.issued: list[str] = []
        """Every token that it gave."""
        self.fails_with: int | None = None
        """The status that it answers everything with, where it is to fail."""
        self._revoked: set[str] = set()
        self._answering: asyncio.Event | None = None
        self._is_hanging = False
        self._served = ServedApp(self._make_app)

    @property
    def url(self) -> str:
        """What SUPABASE_URL is set to."""
        return self._served.url

    @property
    def issuer(self) -> str:
        return f"{self.url}/auth/v1"

    def start(self) -> None:
        self._served.start()

    def stop(self) -> None:
        """Nobody listens any more."""
        self.resume()
        self._served.stop()

    # -- tokens ---------------------------------------------------------------------------------------------------

    def claims(self, user: User, *, organizations: Sequence[str] | None = None, **claims: object) -> dict[str, Any]:
        """What an access token of this user says. `organizations` stands in `app_metadata.organization_ids` if given; a
        claim that is given as None is left out."""
        now = int(time.time())
        said = {} if organizations is None else {"organization_ids": list(organizations)}
        whole = {
            "iss": self.issuer, "sub": user.id, "aud": "authenticated", "exp": now + _HOUR, "iat": now,
            "email": user.email, "phone": "", "role": "authenticated", "aal": "aal1", "is_anonymous": False,
            "app_metadata": {"provider": "email", "providers": ["email"], **said},
            "user_metadata": {"name": user.email.partition("@")[0]},
            "amr": [{"method": "password", "timestamp": now}], "session_id": str(uuid.uuid4()), **claims,
        }  # fmt: skip
        return {name: value for name, value in whole.items() if value is not None}

    def issue(
        self,
        user: User,
        *,
        organizations: Sequence[str] | None = None,
        key: SigningKey | None = None,
        headers: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """An access token, signed with the newest key or another one."""
        signing = key or self.keys[0]
        token = jwt.encode(
            self.claims(user, organizations=organizations, **claims),
            signing.private,
            signing.algorithm,
            {"kid": signing.kid, **(headers or {})},
        )
        self.issued.append(token)
        return token

    def issue_legacy(
        self, user: User, *, organizations: Sequence[str] | None = None, secret: str = JWT_SECRET, **claims: object
    ) -> str:
        """An access token of a project that still signs with its secret."""
        token = jwt.encode(self.claims(user, organizations=organizations, **claims), secret, "HS256")
        self.issued.append(token)
        return token

    def issue_unsigned(self, user: User, **claims: object) -> str:
        """What looks like an access token, and says `alg: none`."""
        token = jwt.encode(self.claims(user, **claims), None, "none")  # type: ignore[arg-type]  # that is what `none` is
        self.issued.append(token)
        return token

    def verify(self, token: str) -> dict[str, Any]:
        """What the token says. Raises jwt.PyJWTError if it is not one of this server's, has expired or was revoked."""
        header = jwt.get_unverified_header(token)
        if token in self._revoked:
            raise jwt.InvalidTokenError("session_not_found")
        if header.get("alg") == "HS256":
            return jwt.decode(token, JWT_SECRET, ["HS256"], audience="authenticated", issuer=self.issuer)
        for key in self.keys:
            if key.kid == header.get("kid"):
                public = key.private.public_key()
                return jwt.decode(token, public, [key.algorithm], audience="authenticated", issuer=self.issuer)
        raise jwt.InvalidKeyError("unrecognized JWT kid")

    def revoke(self, token: str) -> None:
        """Its user logs out: `/user` knows the token no more, though its signature is good."""
        self._revoked.add(token)

    # -- what may happen to it --------------------------------------------------------------------------------------

    def rotate(self, algorithm: Algorithm = "ES256", *, kept: int = 1) -> SigningKey:
        """Sign with a new key from now on. The JWKS keeps this many of those before."""
        self.keys = [new_key(algorithm), *self.keys[:kept]]
        return self.keys[0]

    def hang(self) -> None:
        """Take connections and requests, and answer nothing until `resume`."""
        self._is_hanging = True

    def resume(self) -> None:
        """Answer again, also what has waited."""
        self._is_hanging = False

        def release() -> None:
            if self._answering is not None:
                self._answering.set()
                self._answering = None

        self._served.call_soon(release)

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def _make_app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/auth/v1/.well-known/jwks.json", self._jwks),
                Route("/auth/v1/user", self._user),
            ]
        )

    async def _trouble(self, name: str) -> Response | None:
        self.counts[name] += 1
        if self._is_hanging:
            self._answering = self._answering or asyncio.Event()
            await self._answering.wait()
        return Response("upstream is away", self.fails_with) if self.fails_with is not None else None

    async def _jwks(self, request: Request) -> Response:
        if trouble := await self._trouble("jwks"):
            return trouble
        keys = [key.public_jwk() for key in self.keys]
        return JSONResponse({"keys": keys}, headers={"cache-control": "public, max-age=600"})

    async def _user(self, request: Request) -> Response:
        if trouble := await self._trouble("user"):
            return trouble
        if request.headers.get("apikey") != KEY:
            return JSONResponse({"message": "No API key found in request"}, 401)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return _refused(401, "no_authorization", "This endpoint requires a valid Bearer token")
        try:
            claims = self.verify(token)
        except jwt.PyJWTError as error:
            code = "session_not_found" if token in self._revoked else "bad_jwt"
            return _refused(403, code, f"invalid JWT: {error}")
        return JSONResponse(
            {
                "id": claims["sub"],
                "aud": claims["aud"],
                "role": claims["role"],
                "email": claims.get("email", ""),
                "phone": "",
                "app_metadata": claims.get("app_metadata", {}),
                "user_metadata": claims.get("user_metadata", {}),
                "identities": [],
                "is_anonymous": claims.get("is_anonymous", False),
                "created_at": "2025-01-01T00:00:00Z",
            }
        )


def _refused(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": status, "error_code": code, "msg": message}, status)


@contextmanager
def serve_identity() -> Iterator[Identity]:
    """A running server on a free port."""
    identity = Identity()
    identity.start()
    try:
        yield identity
    finally:
        identity.stop()
