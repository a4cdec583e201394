"""Whole answers of this edge: of JSON-RPC, and of HTTP in the form of google.rpc.Status (AIP-193)."""

from typing import Final

from longline.asgi.respond import json_response
from longline.asgi.types import ASGIApp, Receive, Scope, Send
from longline.errors import LonglineError, UnauthenticatedError
from longline.models.json import JsonObject, JsonValue
from longline_protocol_a2a.errors import Face, WrongVerbError, face_of, message_of
from longline_protocol_a2a.places import place_of

Headers = list[tuple[bytes, bytes]]

_AWAY: Final = 503


def rpc_error(error: LonglineError, request_id: JsonValue = None) -> ASGIApp:
    """An error as JSON-RPC tells it."""
    face = face_of(error)
    told: JsonObject = {"code": face.rpc_code, "message": message_of(error), "data": [_info(face)]}
    return json_response(
        face.http_under_rpc, {"jsonrpc": "2.0", "id": request_id, "error": told}, _headers(error, face.http_under_rpc)
    )


def http_error(error: LonglineError) -> ASGIApp:
    """An error as HTTP tells it."""
    face = face_of(error)
    told: JsonObject = {
        "code": face.status, "status": face.grpc, "message": message_of(error), "details": [_info(face)],
    }  # fmt: skip
    return json_response(face.status, {"error": told}, _headers(error, face.status))


def refusal(error: LonglineError) -> ASGIApp:
    """An error in the form that fits where the request went, for who refuses it before the app sees it."""

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        form = rpc_error if place_of(scope).is_rpc(scope.get("method", "")) else http_error
        await form(error)(scope, receive, send)

    return refuse


def _info(face: Face) -> JsonObject:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": face.reason,
        "domain": "a2a-protocol.org",
        "metadata": {},
    }


def _headers(error: LonglineError, status: int) -> Headers:
    headers: Headers = []
    if isinstance(error, UnauthenticatedError):
        headers.append((b"www-authenticate", error.challenge.encode("latin-1")))
    if isinstance(error, WrongVerbError):
        headers.append((b"allow", error.allowed.encode()))
    if status == _AWAY:
        headers.append((b"retry-after", b"1"))
    return headers
