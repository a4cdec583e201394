"""LangGraph's stream parts → run events: the names and shapes of the LangGraph Server API, encoded once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from longline.encoding import encode, message_fields

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

MODES: Final = (
    "values", "updates", "messages", "messages-tuple", "events", "debug", "tasks", "checkpoints", "custom", "tools",
)  # fmt: skip
"""The modes a run may ask for."""

_PLAIN: Final = frozenset({"values", "updates", "custom", "events", "tools"})


@dataclass(frozen=True, slots=True)
class StreamPart:
    """An event before it has a number."""

    mode: str
    namespace: tuple[str, ...]
    data: bytes


def graph_modes(modes: Sequence[str]) -> list[str]:
    """The modes to ask LangGraph for. `values` is always among them: the last one is the run's result."""
    wanted = {"messages" if mode == "messages-tuple" else mode for mode in modes if mode != "events"}
    return sorted(wanted | {"values"})


class PartEncoder:
    """Turns what one run's graph streams into parts, in order. Keeps the messages that are still growing."""

    def __init__(self, modes: Iterable[str]) -> None:
        self._modes = frozenset(modes)
        self._growing: dict[str, BaseMessage] = {}

    def encode(
        self, namespace: tuple[str, ...], mode: str, payload: Any
    ) -> Iterator[StreamPart]:  # LangGraph's payloads
        """The parts that one item of LangGraph's stream makes: none if nobody asked for its mode."""
        if mode == "messages":
            yield from self._messages(namespace, payload)
        elif mode not in self._modes:
            return
        elif mode in _PLAIN:
            yield StreamPart(mode, namespace, encode(payload))
        elif mode == "debug":
            yield StreamPart(mode, namespace, encode(_debug(payload)))
        elif mode == "tasks":
            yield StreamPart(mode, namespace, encode(_task(payload)))
        elif mode == "checkpoints":
            yield StreamPart(mode, namespace, encode(_checkpoint(payload)))

    def _messages(self, namespace: tuple[str, ...], payload: Any) -> Iterator[StreamPart]:
        message, metadata = payload
        if "messages-tuple" in self._modes:
            data = orjson.dumps([message_fields(message), metadata], default=_encode_rest, option=_ORJSON)
            yield StreamPart("messages", namespace, data)
        elif "messages" in self._modes:
            yield from self._accumulated(namespace, message, metadata)

    def _accumulated(
        self, namespace: tuple[str, ...], message: "BaseMessage", metadata: Mapping[str, object]
    ) -> Iterator[StreamPart]:
        from langchain_core.messages import BaseMessageChunk, message_chunk_to_message  # noqa: PLC0415  # slow import

        key = message.id or ""
        if key not in self._growing:
            yield StreamPart("messages/metadata", namespace, encode({key: {"metadata": metadata}}))
        if not isinstance(message, BaseMessageChunk):
            self._growing[key] = message
            yield StreamPart("messages/complete", namespace, encode([message]))
            return
        known = self._growing.get(key)
        grown = known + message if isinstance(known, BaseMessageChunk) else message
        self._growing[key] = grown
        yield StreamPart("messages/partial", namespace, encode([message_chunk_to_message(grown)]))


def _encode_rest(value: object) -> object:
    return orjson.Fragment(encode(value))


_ORJSON: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def _debug(payload: Mapping[str, Any]) -> object:
    inner = payload["payload"]
    if payload["type"] == "checkpoint":
        inner = {
            **_checkpoint(inner),
            "tasks": [_with_checkpoint(task) for task in inner["tasks"]],
            "checkpoint": _checkpoint_of(inner.get("config")),
            "parent_checkpoint": _checkpoint_of(inner.get("parent_config")),
        }
    elif payload["type"] in ("task", "task_result"):
        inner = _task(inner)
    return {**payload, "payload": inner}


def _checkpoint(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **payload,
        "config": _public_config(payload.get("config")),
        "parent_config": _public_config(payload.get("parent_config")),
    }


def _task(payload: Mapping[str, Any]) -> object:
    if "result" not in payload:
        return payload
    error, result = payload.get("error"), payload.get("result")
    return {
        **payload,
        "error": {"error": type(error).__name__, "message": str(error)} if isinstance(error, BaseException) else error,
        "result": dict(result) if isinstance(result, list) else result,
    }


def _with_checkpoint(task: Mapping[str, Any]) -> dict[str, Any]:
    """A debug task shows where its subgraph keeps its state as `checkpoint`, not as a whole config."""
    state = task.get("state")
    if isinstance(state, Mapping) and "configurable" in state:
        rest = {key: value for key, value in task.items() if key != "state"}
        return {**rest, "checkpoint": state["configurable"]}
    return dict(task)


def _public_config(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if config is None:
        return None
    configurable = {k: v for k, v in config["configurable"].items() if not k.startswith(("__pregel", "__longline"))}
    return {"configurable": configurable}


_CHECKPOINT_KEYS = ("checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map")


def _checkpoint_of(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if config is None:
        return None
    return {key: config["configurable"][key] for key in _CHECKPOINT_KEYS if key in config["configurable"]}
