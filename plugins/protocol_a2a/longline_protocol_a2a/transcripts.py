"""What was said in a task: its messages and artifacts, read from the state that its runs left.

Imports the protocol's SDK: only what answers a request imports this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from a2a.types import Artifact, Message, Part, Role

from longline.models.json import JsonObject, JsonValue
from longline.models.runs import Run, RunStatus
from longline_protocol_a2a.messages import KWARGS_KEY, parts_of, to_message
from longline_protocol_a2a.names import MESSAGE_KEY, derived_id
from longline_protocol_a2a.parts import data_part
from longline_protocol_a2a.tasks import Chain
from longline_protocol_a2a.verdicts import is_answer, messages_in

EXCHANGE_KEY: Final = "a2a"
"""The key of a resuming command that holds the message it came with; LangGraph does not look at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a run of a task answers: the caller's message, behind which message of the state it came, and (as messages
    of a state are written) the question that it answers."""

    message: JsonObject
    after: str | None = None
    question: JsonObject | None = None

    def to_json(self) -> JsonObject:
        """For the command of a run."""
        return {"message": self.message, "after": self.after, "question": self.question}


def exchange_of(run: Run) -> Exchange:
    """What a run answers."""
    told = (run.spec.command or {}).get(EXCHANGE_KEY)
    if isinstance(told, dict):
        message, after, question = told.get("message"), told.get("after"), told.get("question")
        return Exchange(
            message=message if isinstance(message, dict) else {},
            after=after if isinstance(after, str) else None,
            question=question if isinstance(question, dict) else None,
        )
    humans = messages_in(run.spec.input)
    return Exchange(message=humans[0] if humans else _as_message(run))


def answers_in(chain: Chain, values: JsonValue) -> list[JsonObject]:
    """The agent's messages of this task that have something to show, in order. `values` is what its last run left, or
    what its thread holds by now."""
    return [
        message for message in _own_messages(chain, messages_in(values)) if is_answer(message) and parts_of(message)
    ]


def history_of(chain: Chain, values: JsonValue) -> list[Message]:
    """All messages of the task in order: the caller's, the agent's, its questions."""
    task, told = (chain.task_id, chain.context_id), answers_in(chain, values)
    order = [message.get("id") for message in _own_messages(chain, messages_in(values))]
    history: list[Message] = []
    for run in chain.runs:
        exchange = exchange_of(run)
        before = order.index(exchange.after) + 1 if exchange.after in order else 0
        while told and order.index(told[0].get("id")) < before:
            history.append(_said(told.pop(0), *task, Role.ROLE_AGENT))
        if exchange.question is not None:
            history.append(_said(exchange.question, *task, Role.ROLE_AGENT))
        history.append(_said(exchange.message, *task, Role.ROLE_USER))
    return history + [_said(message, *task, Role.ROLE_AGENT) for message in told]


def artifacts_of(chain: Chain, values: JsonValue) -> list[Artifact]:
    """What the task made: each of the agent's messages; for a graph without messages the values it left."""
    if has_messages(chain):
        return [
            artifact_of(chain, artifact_id_of(chain, str(message.get("id"))), parts_of(message))
            for message in answers_in(chain, values)
        ]
    if values is None:
        return []
    return [artifact_of(chain, artifact_id_of(chain, "values"), [data_part(values)])]


def artifact_id_of(chain: Chain, message_id: str) -> str:
    """The id of the artifact that a message of the agent is."""
    return derived_id("artifact", chain.task_id, message_id)


def artifact_of(chain: Chain, artifact_id: str, parts: Sequence[Part]) -> Artifact:
    """An artifact of the task."""
    return Artifact(
        artifact_id=artifact_id,
        name="Assistant Response",
        description=f"Response from assistant {chain.first.assistant_id}",
        parts=parts,
    )


def has_messages(chain: Chain) -> bool:
    """Whether the task's graph was given a message, not an object."""
    return bool(messages_in(chain.first.spec.input))


def _as_message(run: Run) -> JsonObject:
    """The message of a run whose graph was given an object."""
    facts: JsonObject = {"parts": [{"kind": "data"}]}
    return {
        "type": "human",
        "id": str(run.metadata.get(MESSAGE_KEY)),
        "content": orjson.dumps(run.spec.input).decode(),
        "additional_kwargs": {KWARGS_KEY: facts},
    }


def _own_messages(chain: Chain, messages: Sequence[JsonObject]) -> Sequence[JsonObject]:
    """Those after the task's first message, up to the first message of a caller that is not the task's. Where a graph
    does not keep the first one, those after the last message of a caller."""
    own = [exchange_of(run).message.get("id") for run in chain.runs]
    humans = [place for place, message in enumerate(messages) if message.get("type") == "human"]
    first = next((place for place in humans if messages[place].get("id") == own[0]), None)
    if first is None:
        is_last = len(chain.runs) == 1 and chain.head.status is RunStatus.SUCCESS
        return messages[humans[-1] + 1 :] if humans and is_last else ()
    if len(chain.runs) > 1:  # a graph that goes on may put its caller's answers in messages of its own
        return messages[first + 1 :]
    end = next((place for place in humans if place > first and messages[place].get("id") not in own), len(messages))
    return messages[first + 1 : end]


def _said(message: JsonObject, task_id: str, context_id: str, role: "Role") -> Message:
    return to_message(message, task_id=task_id, context_id=context_id, role=role)
