"""One event of the protocol: as the projection of a turn says it, and as it goes out."""

from dataclasses import dataclass

import orjson

from longline.models.json import JsonValue

Namespace = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolEvent:
    """One event of the protocol. `custom_name` is the name that a custom event bears."""

    method: str
    channel: str
    namespace: Namespace
    data: JsonValue
    event_id: str
    at_ms: int
    seq: int | None
    node: str | None = None
    custom_name: str | None = None

    def encode(self) -> bytes:
        """The event as JSON."""
        params: dict[str, object] = {"namespace": self.namespace, "timestamp": self.at_ms, "data": self.data}
        if self.node is not None:
            params["node"] = self.node
        event: dict[str, object] = {"type": "event", "event_id": self.event_id}
        if self.seq is not None:
            event["seq"] = self.seq
        return orjson.dumps({**event, "method": self.method, "params": params})


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An event that has no number, time and id yet. `synthetic_id`: its own id; `channel`: if it is not the method."""

    method: str
    namespace: Namespace
    data: JsonValue
    synthetic_id: str | None = None
    channel: str | None = None
    node: str | None = None
    custom_name: str | None = None
