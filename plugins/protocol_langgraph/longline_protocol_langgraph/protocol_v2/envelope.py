"""The envelopes of the protocol: commands as they come, answers as they go."""

from dataclasses import dataclass
from typing import Final, Literal

from longline.errors import LonglineError
from longline.models.json import JsonObject, as_object
from longline_protocol_langgraph.parsing import parse_json

ErrorCode = Literal[
    "invalid_argument", "unknown_command", "unknown_error", "no_such_run", "no_such_subscription", "no_such_namespace",
    "no_such_interrupt", "no_such_checkpoint", "permission_denied", "not_supported",
]  # fmt: skip
_ENVELOPE: Final = "Protocol commands must include an integer id and string method."
_LARGEST_ID: Final = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a client sent."""

    command_id: int
    method: str
    params: JsonObject


class CommandError(Exception):
    """A command that cannot be done; the client is told why."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code


class BadCommandError(Exception):
    """What came is no command."""

    def __init__(self, command_id: int | None = None, message: str = _ENVELOPE) -> None:
        super().__init__(message)
        self.command_id = command_id


def parse_command(data: bytes) -> Command:
    """The command in a body or a frame. Raises BadCommandError."""
    try:
        value = parse_json(data)
    except LonglineError:
        raise BadCommandError from None
    told = as_object(value)
    command_id, method, params = told.get("id"), told.get("method"), told.get("params")
    if not isinstance(command_id, int) or isinstance(command_id, bool) or not 0 <= command_id <= _LARGEST_ID:
        raise BadCommandError
    if not isinstance(method, str):
        raise BadCommandError
    if params is not None and not isinstance(params, dict):
        raise BadCommandError(command_id, "params must be an object")
    return Command(command_id=command_id, method=method, params=params or {})


def error_reply(command_id: int | None, code: ErrorCode, message: str) -> JsonObject:
    """The answer to a command that was not done."""
    return {"type": "error", "id": command_id, "error": code, "message": message}


def success_reply(command_id: int, result: JsonObject, applied_through_seq: int) -> JsonObject:
    """The answer to a command that was done. What it causes has higher numbers than `applied_through_seq`."""
    meta: JsonObject = {"applied_through_seq": applied_through_seq}
    return {"type": "success", "id": command_id, "result": result, "meta": meta}
