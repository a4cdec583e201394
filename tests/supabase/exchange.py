"""Token exchange (RFC 8693) of an MCP server: a user's token for a short one that is good there only."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Final

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.supabase.identity import Identity

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"


@dataclass(slots=True)
class TokenExchange:
    """`POST /oauth/token`, and who the tokens are that it gave."""

    identity: Identity
    resource: str = ""
    """The only resource that tokens are given for."""
    expires_in: int = 300
    """How long tokens are good from now on, in seconds."""
    fails_with: int | None = None
    """The status that it answers with, where it is to fail."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """The forms that came in."""
    given: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Every token that it gave: whose it is, and when it ends."""

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request to `/oauth/token`."""
        await (await self._exchanged(Request(scope, receive)))(scope, receive, send)

    async def refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer to a request without a good token."""
        response = JSONResponse(
            {"error": "invalid_token", "error_description": "Authentication required"},
            401,
            {"www-authenticate": 'Bearer error="invalid_token", error_description="Authentication required"'},
        )
        await response(scope, receive, send)

    def subject_of(self, authorization: str | None) -> str | None:
        """Whose token this header carries; None if it is none that is good now."""
        scheme, _, token = (authorization or "").partition(" ")
        subject, ends_at = self.given.get(token, ("", 0.0)) if scheme.lower() == "bearer" else ("", 0.0)
        return subject if ends_at > time.time() else None

    def forget(self) -> None:
        """No token that it gave is good any more."""
        self.given = dict.fromkeys(self.given, ("", 0.0))

    async def _exchanged(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(status_code=405, headers={"allow": "POST"})
        if self.fails_with is not None:
            return Response("the exchange is away", self.fails_with)
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return _fault("invalid_request", "the body is no form")
        form = {name: str(value) for name, value in (await request.form()).multi_items()}
        self.asked.append(form)
        for name, wanted, code in (
            ("grant_type", GRANT, "unsupported_grant_type"),
            ("subject_token_type", ACCESS_TOKEN, "invalid_request"),
            ("resource", self.resource, "invalid_target"),
        ):
            if form.get(name) != wanted:
                return _fault(code, name)
        try:
            subject = self.identity.verify(form.get("subject_token", ""))["sub"]
        except jwt.PyJWTError:
            return _fault("invalid_request", "subject_token")
        token = f"fristen-{secrets.token_urlsafe(24)}"
        self.given[token] = (subject, time.time() + self.expires_in)
        answer = {
            "access_token": token, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
            "expires_in": self.expires_in,
        }  # fmt: skip
        return JSONResponse(answer, headers={"cache-control": "no-store"})


def _fault(code: str, description: str) -> Response:
    return JSONResponse({"error": code, "error_description": description}, 400, {"cache-control": "no-store"})
