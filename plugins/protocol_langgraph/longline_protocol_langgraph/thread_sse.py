"""What happens on a thread as server-sent events: bytes only."""

from collections.abc import Callable, Sequence
from typing import Final, Literal, get_args

import orjson

from longline.events.hub import StateUpdated, ThreadEntry
from longline.models.events import RunEnding, RunEvent
from longline_protocol_langgraph.sse import event_name
from longline_protocol_langgraph.states import encode_state
from longline_protocol_langgraph.thread_ids import spell_place

ThreadStreamMode = Literal["run_modes", "lifecycle", "state_update"]
THREAD_STREAM_MODES: Final = get_args(ThreadStreamMode)

ThreadEncoder = Callable[[Sequence[ThreadEntry]], bytes]


def thread_encoder(thread_id: str, modes: Sequence[str]) -> ThreadEncoder:
    """What writes the stream of a thread: what its runs say (`run_modes`, the default), only where runs begin and end
    (`lifecycle`), updates of its state (`state_update`), or several of these."""
    chosen = frozenset(modes) or frozenset({"run_modes"})

    def encode(entries: Sequence[ThreadEntry]) -> bytes:
        return b"".join([_frame(entry, thread_id) for entry in entries if _is_wanted(entry, chosen)])

    return encode


def _is_wanted(entry: ThreadEntry, modes: frozenset[str]) -> bool:
    if isinstance(entry, StateUpdated):
        return "state_update" in modes
    if "run_modes" in modes:
        return True
    return "lifecycle" in modes and (isinstance(entry, RunEnding) or entry.mode == "metadata")


def _frame(entry: ThreadEntry, thread_id: str) -> bytes:
    if isinstance(entry, RunEvent):
        name, data = event_name(entry), entry.data
    elif isinstance(entry, RunEnding):
        name, data = b"metadata", orjson.dumps({"status": "run_done", "run_id": entry.run_id})
    else:
        state = orjson.Fragment(encode_state(entry.state))
        name, data = b"state_update", orjson.dumps({"state": state, "thread_id": thread_id})
    return b"event: %b\r\ndata: %b\r\nid: %b\r\n\r\n" % (name, data, spell_place(entry.place))
