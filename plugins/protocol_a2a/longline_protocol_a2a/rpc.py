"""Requests of JSON-RPC 2.0 (https://www.jsonrpc.org/specification)."""

from dataclasses import dataclass

from longline.models.json import JsonObject, JsonValue
from longline_protocol_a2a.errors import CallError, InvalidCallError, InvalidParamsError, NoObjectError


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcCall:
    """A request: its id as it came, what it calls, and the whole of it."""

    request_id: str | int | float | None
    method: str
    body: JsonObject


def request_id_of(body: JsonValue) -> str | int | float | None:
    """The id to answer to; None where there is none that may be repeated."""
    found = body.get("id") if isinstance(body, dict) else None
    return found if isinstance(found, str | int | float) and not isinstance(found, bool) else None


def read_call(body: JsonValue) -> RpcCall:
    """The request that a body is. Raises InvalidCallError, InvalidParamsError."""
    if not isinstance(body, dict):
        raise InvalidCallError("batches are not supported") if isinstance(body, list) else NoObjectError
    fault = _fault_in(body)
    if fault is not None:
        raise fault
    return RpcCall(request_id=request_id_of(body), method=str(body["method"]), body=body)


def _fault_in(body: JsonObject) -> CallError | None:
    if body.get("jsonrpc") != "2.0":
        return InvalidCallError("'jsonrpc' must be exactly '2.0'")
    if body.get("id") is not None and request_id_of(body) is None:
        return InvalidCallError("'id' must be a string, a number or null")
    if not isinstance(body.get("method"), str) or not body["method"]:
        return InvalidCallError("'method' must be a string that is not empty")
    if not isinstance(body.get("params", {}), dict):
        return InvalidParamsError("an object is expected")
    return None
