"""What happens on a thread → the protocol's events. Pure: the same entries of a turn always make the same events."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import orjson

from longline.models.events import RunEnding, RunEvent, ThreadPlace
from longline.models.json import JsonObject, JsonValue, as_object
from longline.models.runs import RunStatus
from longline_protocol_langgraph.protocol_v2.blocks import MessageBlocks
from longline_protocol_langgraph.protocol_v2.event import Namespace, ProtocolEvent, Said
from longline_protocol_langgraph.protocol_v2.lifecycle import Lifecycles
from longline_protocol_langgraph.protocol_v2.sequence import seq_of
from longline_protocol_langgraph.protocol_v2.values import shown_values
from longline_protocol_langgraph.thread_ids import spell_place

_INTERRUPT = "__interrupt__"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFacts:
    """What the events of a turn do not say themselves. Only events of a run that is kept are numbered: a number is a
    promise that the event is found again."""

    run_id: str
    turn: int
    graph_name: str
    is_kept: bool


_Teller = Callable[[Namespace, JsonValue], Iterator[Said]]


class TurnProjection:
    """The events of one turn, in order. Fed with every entry of it that there is."""

    def __init__(self, facts: TurnFacts) -> None:
        self._facts = facts
        self._count = 0
        self._has_begun = False
        self._is_over = False
        self._blocks: dict[Namespace, MessageBlocks] = {}
        self._graphs = Lifecycles(facts.run_id, facts.graph_name)
        self._asked: set[str] = set()
        self._interrupted: set[Namespace] = set()
        self._tellers: dict[str, _Teller] = {
            "values": self._values,
            "updates": self._updates,
            "messages": self._chunk,
            "messages/partial": self._accumulated,
            "messages/complete": self._complete,
            "tasks": self._task,
            "checkpoints": self._checkpoint,
            "tools": self._passed_on("tools"),
            "custom": self._custom,
            "error": self._failed,
        }

    def feed(self, entry: RunEvent | RunEnding) -> list[ProtocolEvent]:
        """What an entry says. Decodes what is encoded in it; raises nothing that the log could cause."""
        said = self._ended(entry) if isinstance(entry, RunEnding) else self._told(entry)
        return self._numbered([*self._begin(), *said], entry.place, entry.at_ms)

    def _numbered(self, said: Iterable[Said], place: ThreadPlace, at_ms: int) -> list[ProtocolEvent]:
        events = []
        for part, one in enumerate(said):
            self._count += 1
            own_id = spell_place(place).decode() + (f".{part}" if part else "")
            events.append(
                ProtocolEvent(
                    method=one.method,
                    channel=one.channel or one.method,
                    namespace=one.namespace,
                    data=one.data,
                    event_id=one.synthetic_id or own_id,
                    at_ms=at_ms,
                    seq=seq_of(self._facts.turn, self._count) if self._facts.is_kept else None,
                    node=one.node,
                    custom_name=one.custom_name,
                )
            )
        return events

    # -- the run itself ---------------------------------------------------------------------------------------------

    def _begin(self) -> Iterator[Said]:
        if not self._has_begun:
            self._has_begun = True
            yield self._graphs.of_run("running")

    def _ended(self, ending: RunEnding) -> Iterator[Said]:
        if self._is_over:
            return
        fault = _fault_of(ending)
        yield from self._end_messages(fault)
        is_interrupted = () in self._interrupted
        phase = "failed" if fault is not None else "interrupted" if is_interrupted else "completed"
        yield from self._graphs.end_all(phase, fault)
        if fault is not None or not is_interrupted:
            yield self._graphs.of_run(phase, fault)

    # -- what the graph says ----------------------------------------------------------------------------------------

    def _told(self, event: RunEvent) -> Iterator[Said]:
        namespace, mode = event.namespace, event.mode
        if mode == "metadata":
            return
        tell = self._tellers.get(mode)
        begun = list(self._graphs.shown(namespace))
        if mode != "values":
            yield from begun
        if tell is not None:
            yield from tell(namespace, orjson.loads(event.data))
        if mode == "values":
            yield from begun

    def _passed_on(self, method: str) -> _Teller:
        def tell(namespace: Namespace, data: JsonValue) -> Iterator[Said]:
            yield Said(method=method, namespace=namespace, data=data)

        return tell

    def _custom(self, namespace: Namespace, data: JsonValue) -> Iterator[Said]:
        name = as_object(data).get("name")
        custom_name = name if isinstance(name, str) else None
        yield Said(method="custom", namespace=namespace, data=data, custom_name=custom_name)

    def _checkpoint(self, namespace: Namespace, data: JsonValue) -> Iterator[Said]:
        yield Said(method="checkpoints", namespace=namespace, data=_checkpoint(as_object(data)))

    def _values(self, namespace: Namespace, data: JsonValue) -> Iterator[Said]:
        yield from self._finish_messages(namespace)
        if isinstance(data, dict) and _INTERRUPT in data:
            yield from self._interrupt(namespace, data[_INTERRUPT])
            data = {key: value for key, value in data.items() if key != _INTERRUPT}
        else:
            yield from self._step_ended(namespace)
        yield Said(method="values", namespace=namespace, data=shown_values(data))

    def _step_ended(self, namespace: Namespace) -> Iterator[Said]:
        """A graph says its values between its steps: what ran inside it is done then."""
        for graph in self._graphs.open_below(namespace):
            yield from self._finish_messages(graph)
            yield self._graphs.end(graph, "completed")

    def _updates(self, namespace: Namespace, data: JsonValue) -> Iterator[Said]:
        told = as_object(data)
        node = next(iter(told)) if len(told) == 1 else None
        yield Said(method="updates", namespace=namespace, data=data, node=node)
        if _INTERRUPT in told:
            yield from self._interrupt(namespace, told[_INTERRUPT])

    def _interrupt(self, namespace: Namespace, interrupts: JsonValue) -> Iterator[Said]:
        """Asked once, wherever it shows first: the graphs above show it again."""
        for interrupt in interrupts if isinstance(interrupts, list) else ():
            asked = as_object(interrupt)
            interrupt_id = str(asked.get("id"))
            if interrupt_id in self._asked:
                continue
            self._asked.add(interrupt_id)
            yield Said(
                method="input.requested",
                channel="input",
                namespace=namespace,
                data={"interrupt_id": interrupt_id, "payload": asked.get("value"), "value": asked.get("value")},
                synthetic_id=f"synth:{self._facts.run_id}:input|{'|'.join(namespace)}|{interrupt_id}",
            )
        if namespace not in self._interrupted:
            self._interrupted.add(namespace)
            if not namespace:
                yield self._graphs.of_run("interrupted")
            elif self._graphs.is_open(namespace):
                yield self._graphs.end(namespace, "interrupted")

    def _failed(self, namespace: Namespace, data: JsonValue) -> Iterator[Said]:  # noqa: ARG002  # a _Teller
        fault = str(as_object(data).get("message"))
        self._is_over = True
        yield from self._end_messages(fault)
        yield from self._graphs.end_all("failed", fault)
        yield self._graphs.of_run("failed", fault)

    # -- subgraphs --------------------------------------------------------------------------------------------------

    def _task(self, namespace: Namespace, data: JsonValue) -> Iterator[Said]:
        told = as_object(data)
        if "result" in told or "error" in told:
            child = (*namespace, f"{told.get('name')}:{told.get('id')}")
            if self._graphs.is_open(child):
                yield from self._finish_messages(child)
                error = told.get("error")
                fault = None if error is None else str(as_object(error).get("message", error))
                phase = "interrupted" if told.get("interrupts") else "completed" if fault is None else "failed"
                yield self._graphs.end(child, phase, fault)
        yield Said(method="tasks", namespace=namespace, data=data)

    # -- messages ---------------------------------------------------------------------------------------------------

    def _chunk(self, namespace: Namespace, data: JsonValue) -> Iterator[Said]:
        pair = data if isinstance(data, list) else []
        message, metadata = (as_object(part) for part in (*pair, None, None)[:2])
        blocks = self._blocks.setdefault(namespace, MessageBlocks())
        yield from _messages(namespace, blocks.chunk(message, metadata))

    def _complete(self, namespace: Namespace, data: JsonValue) -> Iterator[Said]:
        for message in data if isinstance(data, list) else ():
            yield from self._chunk(namespace, [message])

    def _accumulated(self, namespace: Namespace, data: JsonValue) -> Iterator[Said]:
        blocks = self._blocks.setdefault(namespace, MessageBlocks())
        for message in data if isinstance(data, list) else ():
            yield from _messages(namespace, blocks.accumulated(as_object(message), {}))

    def _finish_messages(self, namespace: Namespace) -> Iterator[Said]:
        if namespace in self._blocks:
            yield from _messages(namespace, self._blocks[namespace].finish_all())

    def _end_messages(self, fault: str | None) -> Iterator[Said]:
        for namespace, blocks in self._blocks.items():
            yield from _messages(namespace, blocks.finish_all() if fault is None else blocks.fail_all(fault))


def _messages(namespace: Namespace, events: Iterable[JsonObject]) -> Iterator[Said]:
    for data in events:
        yield Said(method="messages", namespace=namespace, data=data)


def _fault_of(ending: RunEnding) -> str | None:
    """Why a run that did not succeed ended; a client that waits for it must hear of it."""
    if ending.failure is not None:
        return ending.failure.message
    if ending.status is RunStatus.SUCCESS:
        return None
    return "the run was removed" if ending.status is None else "the run was cancelled"


def _checkpoint(data: JsonObject) -> JsonObject:
    """Where a run can be forked."""
    own, parent = (
        as_object(as_object(data.get(key)).get("configurable")).get("checkpoint_id")
        for key in ("config", "parent_config")
    )
    metadata = as_object(data.get("metadata"))
    told: JsonObject = {"id": own, "step": metadata.get("step"), "source": metadata.get("source")}
    return told if parent is None else {**told, "parent_id": parent}
