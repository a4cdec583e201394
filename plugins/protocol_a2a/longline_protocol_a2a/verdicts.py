"""What a task's run says of itself at its end, beyond its status: it is stored with the run. Knows no SDK."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from longline.models.collections import NewDocument
from longline.models.json import JsonBytes, JsonObject, JsonValue
from longline.models.runs import Run
from longline.runs.recorders import RunEnding
from longline_protocol_a2a.names import task_id_of

WAITS: Final = "input-required"
REJECTED: Final = "rejected"
WORD_KEY: Final = "a2a"
"""The key of a message's `response_metadata` under which a graph has words for this protocol."""


class TaskJudge:
    """Gives the runs of tasks their verdicts."""

    def wants(self, run: Run) -> bool:
        """See EndRecorder."""
        return task_id_of(run) is not None

    def record(self, ending: RunEnding) -> Sequence[NewDocument]:  # noqa: ARG002  # an EndRecorder
        """See EndRecorder."""
        return ()

    def verdict(self, ending: RunEnding) -> str | None:
        """See EndJudge."""
        if ending.is_waiting:
            return WAITS
        return REJECTED if word_of(last_answer(read_values(ending.values)), "state") == REJECTED else None


def read_values(values: JsonBytes | None) -> JsonValue:
    """The values that a graph left."""
    found: JsonValue = None if values is None else orjson.loads(values)
    return found


def messages_in(values: JsonValue) -> list[JsonObject]:
    """The messages of a state that has some."""
    found = values.get("messages") if isinstance(values, dict) else None
    return [message for message in found if isinstance(message, dict)] if isinstance(found, list) else []


def is_answer(message: Mapping[str, JsonValue]) -> bool:
    """Whether a message is the agent's."""
    return message.get("type") in ("ai", "AIMessageChunk")


def last_answer(values: JsonValue) -> JsonObject | None:
    """The message of the agent that a state ends with, if it does."""
    messages = messages_in(values)
    return messages[-1] if messages and is_answer(messages[-1]) else None


def word_of(message: Mapping[str, JsonValue] | None, key: str) -> str | None:
    """What the graph says to this protocol in a message: `response_metadata={"a2a": {key: …}}`."""
    said = None if message is None else message.get("response_metadata")
    words = said.get(WORD_KEY) if isinstance(said, dict) else None
    word = words.get(key) if isinstance(words, dict) else None
    return word if isinstance(word, str) else None
