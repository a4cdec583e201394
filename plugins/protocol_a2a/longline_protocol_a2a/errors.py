"""What this edge refuses by itself, and the faces that errors have: a code of JSON-RPC, a status of HTTP, the name that
the protocol gives them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from longline.errors import (
    BodyTooLargeError,
    ForbiddenError,
    GraphLoadError,
    IdentityAwayError,
    LonglineError,
    NotFoundError,
    SourceAwayError,
    StorageError,
    UnauthenticatedError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """How an error looks. `rpc_status` is the status of HTTP under an answer of JSON-RPC."""

    status: int
    grpc: str
    reason: str
    rpc_code: int = -32000
    rpc_status: int | None = None

    @property
    def http_under_rpc(self) -> int:
        """The status of HTTP where the answer is one of JSON-RPC."""
        return self.status if self.rpc_status is None else self.rpc_status


class CallError(LonglineError):
    """A request that is refused before the protocol's operations see it."""

    code = "bad_call"
    face = Face(status=400, grpc="INVALID_ARGUMENT", reason="INVALID_REQUEST", rpc_code=-32600, rpc_status=200)


class UnreadableBodyError(CallError):
    """The body is not JSON in UTF-8."""

    face = Face(status=400, grpc="INVALID_ARGUMENT", reason="INVALID_REQUEST", rpc_code=-32700, rpc_status=200)

    def __init__(self) -> None:
        super().__init__("Invalid JSON payload")


class TooDeepError(CallError):
    """The body is nested deeper than anything honest: it is not parsed."""

    face = Face(status=400, grpc="INVALID_ARGUMENT", reason="INVALID_REQUEST", rpc_code=-32700)

    def __init__(self, limit: int) -> None:
        super().__init__(f"Invalid JSON payload: nested deeper than {limit}")


class TooManyValuesError(CallError):
    """The body holds more values than anything honest: it is not parsed."""

    face = Face(status=400, grpc="INVALID_ARGUMENT", reason="INVALID_REQUEST", rpc_code=-32700)

    def __init__(self, limit: int) -> None:
        super().__init__(f"Invalid JSON payload: more than {limit} values")


class InvalidCallError(CallError):
    """The body is JSON, and no request of JSON-RPC 2.0."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"Invalid request: {fault}")


class NoObjectError(InvalidCallError):
    """The body is JSON, and no object."""

    def __init__(self) -> None:
        super().__init__("an object is expected")


class UnknownMethodError(CallError):
    """No operation has this name in the version of the protocol that the request is in."""

    face = Face(status=404, grpc="NOT_FOUND", reason="METHOD_NOT_FOUND", rpc_code=-32601, rpc_status=200)

    def __init__(self, method: str) -> None:
        super().__init__(f"Method not found: {method[:100]}")


class InvalidParamsError(CallError):
    """The parameters of a call do not fit. The message names the first that does not."""

    face = Face(status=400, grpc="INVALID_ARGUMENT", reason="INVALID_PARAMS", rpc_code=-32602, rpc_status=200)

    def __init__(self, fault: str) -> None:
        super().__init__(f"Invalid params: {fault}")


class UnknownAgentError(CallError):
    """There is no such assistant, or none that this caller may see."""

    face = Face(status=404, grpc="NOT_FOUND", reason="ASSISTANT_NOT_FOUND", rpc_code=-32602, rpc_status=200)

    def __init__(self, name: str) -> None:
        super().__init__(f"Assistant {name[:100]!r} not found")


class UnsupportedVersionError(CallError):
    """The request is in a version of the protocol that is not spoken here."""

    face = Face(status=400, grpc="UNIMPLEMENTED", reason="VERSION_NOT_SUPPORTED", rpc_code=-32009, rpc_status=200)

    def __init__(self, version: str, spoken: Sequence[str]) -> None:
        super().__init__(
            f"A2A version {version[:20]!r} is not supported: this agent speaks {', '.join(spoken)} "
            "(a request without the header A2A-Version is in 0.3)"
        )


class UnsaidVersionError(CallError):
    """A method of a newer version, in a request that does not say that it is in that version."""

    face = UnsupportedVersionError.face

    def __init__(self, method: str, version: str) -> None:
        super().__init__(f"{method[:100]} is of A2A version {version}: send the header A2A-Version: {version}")


class UnsupportedContentError(CallError):
    """The body says that it is something other than JSON."""

    face = Face(status=415, grpc="INVALID_ARGUMENT", reason="CONTENT_TYPE_NOT_SUPPORTED", rpc_code=-32005)

    def __init__(self, given: str, taken: str) -> None:
        super().__init__(f"Content-Type {given[:100]!r} is not supported; use {taken}")


class NothingHereError(CallError):
    """Nothing is served at the path."""

    face = Face(status=404, grpc="NOT_FOUND", reason="METHOD_NOT_FOUND")

    def __init__(self) -> None:
        super().__init__("nothing is served at this path")


class WrongVerbError(CallError):
    """The path is served, with other methods of HTTP."""

    face = Face(status=405, grpc="UNIMPLEMENTED", reason="METHOD_NOT_ALLOWED")

    def __init__(self, allowed: str) -> None:
        super().__init__(f"use {allowed}")
        self.allowed = allowed


class SlowBodyError(CallError):
    """The body did not arrive in time."""

    face = Face(status=408, grpc="DEADLINE_EXCEEDED", reason="REQUEST_TIMEOUT", rpc_code=-32600)

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the request did not arrive within {seconds:g} seconds")


class MisdirectedError(CallError):
    """The request was sent to a name that this server does not answer to."""

    face = Face(status=421, grpc="FAILED_PRECONDITION", reason="MISDIRECTED_REQUEST")

    def __init__(self) -> None:
        super().__init__("the Host header names another server; [protocol_a2a] allowed_hosts says which are answered")


class ForeignOriginError(CallError):
    """A page of another site sent the request."""

    face = Face(status=403, grpc="PERMISSION_DENIED", reason="ORIGIN_NOT_ALLOWED")

    def __init__(self) -> None:
        super().__init__("pages of this origin may not call; [protocol_a2a] allowed_origins says which may")


class BrokenError(CallError):
    """Something failed that should not have. The log says what."""

    face = Face(status=500, grpc="INTERNAL", reason="INTERNAL_ERROR", rpc_code=-32603, rpc_status=200)

    def __init__(self) -> None:
        super().__init__("Internal error")


_CORE: Final[tuple[tuple[type[LonglineError], Face], ...]] = (
    (UnauthenticatedError, Face(status=401, grpc="UNAUTHENTICATED", reason="UNAUTHENTICATED")),
    (ForbiddenError, Face(status=403, grpc="PERMISSION_DENIED", reason="FORBIDDEN")),
    (NotFoundError, Face(status=404, grpc="NOT_FOUND", reason="NOT_FOUND")),
    (BodyTooLargeError, Face(status=413, grpc="INVALID_ARGUMENT", reason="BODY_TOO_LARGE", rpc_code=-32600)),
    (IdentityAwayError, Face(status=503, grpc="UNAVAILABLE", reason="UNAVAILABLE", rpc_code=-32603)),
    (StorageError, Face(status=503, grpc="UNAVAILABLE", reason="UNAVAILABLE", rpc_code=-32603)),
    (SourceAwayError, Face(status=503, grpc="UNAVAILABLE", reason="UNAVAILABLE", rpc_code=-32603)),
)
_FAULT: Final = BrokenError.face
_AWAY: Final = 503

STATUSES: Final[Mapping[str, tuple[int, str]]] = {
    "TASK_NOT_FOUND": (404, "NOT_FOUND"),
    "TASK_NOT_CANCELABLE": (409, "FAILED_PRECONDITION"),
    "PUSH_NOTIFICATION_NOT_SUPPORTED": (400, "UNIMPLEMENTED"),
    "UNSUPPORTED_OPERATION": (400, "UNIMPLEMENTED"),
    "CONTENT_TYPE_NOT_SUPPORTED": (415, "INVALID_ARGUMENT"),
    "INVALID_AGENT_RESPONSE": (502, "INTERNAL"),
    "EXTENDED_AGENT_CARD_NOT_CONFIGURED": (400, "FAILED_PRECONDITION"),
    "EXTENSION_SUPPORT_REQUIRED": (400, "FAILED_PRECONDITION"),
    "VERSION_NOT_SUPPORTED": (400, "UNIMPLEMENTED"),
}
"""The statuses that the specification gives to its errors (§5.4), by reason: some are not the SDK's."""


def face_of(error: LonglineError) -> Face:
    """The face of an error."""
    if isinstance(error, CallError):
        return error.face
    return next((face for kind, face in _CORE if isinstance(error, kind)), _FAULT)


def message_of(error: LonglineError) -> str:
    """What callers are told. What went wrong inside the server stays inside."""
    if isinstance(error, GraphLoadError):  # it names files
        return "the agent's graph cannot be loaded; the server's log says why"
    face = face_of(error)
    if face is _FAULT:
        return "Internal error"
    return "the server cannot answer just now" if face.status == _AWAY else str(error)
