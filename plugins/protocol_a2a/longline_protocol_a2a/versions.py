"""The versions of the protocol: which one a request is in, and what its operations are called there."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl

from longline.asgi.types import Scope
from longline_protocol_a2a.errors import UnknownMethodError, UnsaidVersionError, UnsupportedVersionError

VERSION_HEADER: Final = "A2A-Version"
CURRENT: Final = "1.0"
OLD: Final = "0.3"
_NUMBERS: Final = re.compile(r"(\d{1,4})\.(\d{1,4})(\.\d{1,9})?")

METHODS: Final[Mapping[str, frozenset[str]]] = {
    CURRENT: frozenset({
        "SendMessage", "SendStreamingMessage", "GetTask", "ListTasks", "CancelTask", "SubscribeToTask",
        "CreateTaskPushNotificationConfig", "GetTaskPushNotificationConfig", "ListTaskPushNotificationConfigs",
        "DeleteTaskPushNotificationConfig", "GetExtendedAgentCard",
    }),
    OLD: frozenset({
        "message/send", "message/stream", "tasks/get", "tasks/cancel", "tasks/resubscribe",
        "tasks/pushNotificationConfig/set", "tasks/pushNotificationConfig/get", "tasks/pushNotificationConfig/list",
        "tasks/pushNotificationConfig/delete", "agent/getAuthenticatedExtendedCard",
    }),
}  # fmt: skip
"""What JSON-RPC calls the operations, by version."""


def version_of(scope: Scope, spoken: Sequence[str]) -> str:
    """The version that a request is in, as major and minor: its header says it, or the parameter of that name. None is
    said by clients of 0.3. Raises UnsupportedVersionError."""
    said = asked_version(scope)
    version = _major_minor(said) if said else OLD
    if version not in spoken:
        raise UnsupportedVersionError(version, spoken)
    return version


def asked_version(scope: Scope) -> str:
    """What a request says about its version; empty if nothing."""
    name = VERSION_HEADER.lower().encode()
    for line, value in scope["headers"]:
        if line.lower() == name and value.strip():
            return str(value.strip(), "latin-1")
    asked = parse_qsl(str(scope.get("query_string", b""), "latin-1"))
    return next((text.strip() for key, text in asked if key.lower() == VERSION_HEADER.lower()), "")


def check_method(method: str, version: str) -> None:
    """Whether an operation is called so in this version. Raises UnknownMethodError, and UnsaidVersionError for one
    of 1.0 in a request that does not say its version."""
    if method in METHODS[version]:
        return
    if version == OLD and method in METHODS[CURRENT]:
        raise UnsaidVersionError(method, CURRENT)
    raise UnknownMethodError(method)


def _major_minor(said: str) -> str:
    """`1.0` of `1.0.3`: patches of the specification do not count."""
    found = _NUMBERS.fullmatch(said)
    return f"{int(found[1])}.{int(found[2])}" if found else said
