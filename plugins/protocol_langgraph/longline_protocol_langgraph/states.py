"""States of a thread as clients see them."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from longline.encoding import encode

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import CheckpointMetadata
    from langgraph.types import Interrupt, PregelTask, StateSnapshot

_PLACE_KEYS: Final = ("checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map")

STATE_FIELDS: Final = (
    "values", "next", "tasks", "metadata", "created_at", "checkpoint", "parent_checkpoint", "interrupts",
    "checkpoint_id", "parent_checkpoint_id",
)  # fmt: skip
_VALUES: Final = "values."
STATE_FIELD_PATTERN: Final = rf"{'|'.join(STATE_FIELDS)}|values\..+"
"""What a client may choose of a state, as a regular expression."""

_EMPTY: Final[dict[str, object]] = {
    "values": {}, "next": [], "tasks": [], "metadata": None, "created_at": None, "checkpoint": None,
    "parent_checkpoint": None, "interrupts": [], "checkpoint_id": None, "parent_checkpoint_id": None,
}  # fmt: skip
EMPTY_STATE: Final = encode(_EMPTY)
"""The state of a thread on which nothing has run."""


def encode_state(snapshot: "StateSnapshot | None", fields: Collection[str] | None = None) -> bytes:
    """One state as JSON: the fields that the client wants, all if it names none. `values.x` is one of the values."""
    if snapshot is None:
        return EMPTY_STATE if not fields else encode(_chosen(_EMPTY, fields))
    return encode(_chosen(_state(snapshot), fields))


def encode_states(snapshots: "list[StateSnapshot]", fields: Collection[str] | None = None) -> bytes:
    """Several states as JSON, each like one."""
    return encode([_chosen(_state(snapshot), fields) for snapshot in snapshots])


def _chosen(state: dict[str, object], fields: Collection[str] | None) -> dict[str, object]:
    if not fields:
        return state
    found = {name: value for name, value in state.items() if name in fields}
    names = {field.removeprefix(_VALUES) for field in fields if field.startswith(_VALUES)}
    values = state["values"]
    if names and "values" not in found:
        found["values"] = {key: values[key] for key in values if key in names} if isinstance(values, Mapping) else {}
    return found


def _state(snapshot: "StateSnapshot") -> dict[str, object]:
    checkpoint, parent = _place(snapshot.config), _place(snapshot.parent_config)
    return {
        "values": snapshot.values,
        "next": snapshot.next,
        "tasks": [_task(task) for task in snapshot.tasks],
        "metadata": _metadata(snapshot.metadata, checkpoint, parent),
        "created_at": snapshot.created_at,
        "checkpoint": checkpoint,
        "parent_checkpoint": parent,
        "interrupts": [_interrupt(interrupt) for interrupt in snapshot.interrupts],
        "checkpoint_id": checkpoint.get("checkpoint_id") if checkpoint else None,
        "parent_checkpoint_id": parent.get("checkpoint_id") if parent else None,
    }


def _metadata(
    metadata: "CheckpointMetadata | None", checkpoint: dict[str, object] | None, parent: dict[str, object] | None
) -> dict[str, object] | None:
    """What is known of a checkpoint, with its thread, and with the checkpoint that its run or update started from."""
    if metadata is None:
        return None
    told: dict[str, object] = {**metadata}
    if checkpoint is not None and "thread_id" in checkpoint:
        told["thread_id"] = checkpoint["thread_id"]
    origin = parent.get("checkpoint_id") if parent and told.get("source") == "update" else told.get("forked_from")
    return told if origin is None else {**told, "checkpoint_id": origin}


def _task(task: "PregelTask") -> dict[str, object]:
    """A task. The state of its subgraph is either there, or named by its checkpoint."""
    state: Any = task.state
    is_config = isinstance(state, Mapping)
    return {
        "id": task.id,
        "name": task.name,
        "path": task.path,
        "error": _error(task.error),
        "interrupts": [_interrupt(interrupt) for interrupt in task.interrupts],
        "checkpoint": _place(state) if is_config else None,
        "state": None if state is None or is_config else _state(state),
        "result": task.result,
    }


def _interrupt(interrupt: "Interrupt") -> dict[str, object]:
    return {"id": interrupt.id, "value": interrupt.value}


def _error(error: object) -> str | None:
    if error is None or isinstance(error, str):
        return error
    return repr(error)


def _place(config: "RunnableConfig | Mapping[str, Any] | None") -> dict[str, object] | None:
    """The checkpoint that a config names."""
    if not config:
        return None
    configurable = config.get("configurable") or {}
    return {key: configurable[key] for key in _PLACE_KEYS if key in configurable}
