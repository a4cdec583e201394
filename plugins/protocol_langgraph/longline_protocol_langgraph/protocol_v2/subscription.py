"""What a client wants to hear of a thread: channels, a part of the tree of graphs, and from where on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from longline.models.json import JsonObject, JsonValue
from longline_protocol_langgraph.errors import InvalidSubscriptionError
from longline_protocol_langgraph.protocol_v2.event import Namespace, ProtocolEvent

CHANNELS: Final = (
    "values", "updates", "messages", "tools", "lifecycle", "input", "checkpoints", "tasks", "custom",
)  # fmt: skip
_CUSTOM: Final = re.compile(r"custom:.+", re.DOTALL)
_LARGEST_SEQ: Final = 2**53
_NO_CHANNELS: Final = "channels is required and must be a non-empty array"
_UNKNOWN_CHANNEL: Final = f"unknown channel: there are {', '.join(CHANNELS)} and custom:<name>"
_BAD_NAMESPACES: Final = "namespaces must be an array of arrays of strings"
_BAD_NUMBER: Final = "{} must be a non-negative integer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What is to be sent. No `namespaces`: of the whole tree. `since` None: from the run that is under way, or from now
    on."""

    channels: frozenset[str]
    namespaces: Sequence[Namespace] | None = None
    depth: int | None = None
    since: int | None = None

    def wants(self, event: ProtocolEvent) -> bool:
        """Whether an event is to be sent, its number aside."""
        return self._has_channel(event) and self._has_namespace(event.namespace)

    def _has_channel(self, event: ProtocolEvent) -> bool:
        if event.channel in self.channels:
            return True
        return event.custom_name is not None and f"custom:{event.custom_name}" in self.channels

    def _has_namespace(self, namespace: Namespace) -> bool:
        if not self.namespaces:
            return self.depth is None or len(namespace) <= self.depth
        return any(
            _is_below(namespace, prefix) and (self.depth is None or len(namespace) - len(prefix) <= self.depth)
            for prefix in self.namespaces
        )


def parse_subscription(body: JsonValue) -> Subscription:
    """The subscription that a client asks for. Raises InvalidSubscriptionError."""
    asked: JsonObject = body if isinstance(body, dict) else {}
    channels = asked.get("channels")
    if not isinstance(channels, list) or not channels:
        raise InvalidSubscriptionError(_NO_CHANNELS)
    unknown = [channel for channel in channels if not _is_channel(channel)]
    if unknown:
        raise InvalidSubscriptionError(_UNKNOWN_CHANNEL)
    return Subscription(
        channels=frozenset(str(channel) for channel in channels),
        namespaces=_namespaces(asked.get("namespaces")),
        depth=_number(asked, "depth"),
        since=_number(asked, "since"),
    )


def _is_channel(value: JsonValue) -> bool:
    return isinstance(value, str) and (value in CHANNELS or _CUSTOM.fullmatch(value) is not None)


def _namespaces(value: JsonValue) -> Sequence[Namespace] | None:
    if value is None:
        return None
    if isinstance(value, list) and all(
        isinstance(prefix, list) and all(isinstance(segment, str) for segment in prefix) for prefix in value
    ):
        return [tuple(str(segment) for segment in prefix) for prefix in value if isinstance(prefix, list)]
    raise InvalidSubscriptionError(_BAD_NAMESPACES)


def _number(asked: JsonObject, name: str) -> int | None:
    value = asked.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_SEQ):
        return value if isinstance(value, int) else None
    raise InvalidSubscriptionError(_BAD_NUMBER.format(name))


def _is_below(namespace: Namespace, prefix: Namespace) -> bool:
    """A segment of the prefix without an id stands for each graph of its name."""
    return len(namespace) >= len(prefix) and all(
        segment in (own, own.partition(":")[0]) for segment, own in zip(prefix, namespace, strict=False)
    )
