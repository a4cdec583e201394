"""Models as they are stored under a cipher, and back."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import orjson

from longline.models.assistants import Assistant, AssistantChange
from longline.models.collections import Document, LogEntry, NewDocument
from longline.models.crons import Cron, CronSpec
from longline.models.events import KeptEntry, RunEvent
from longline.models.json import JsonObject, JsonValue
from longline.models.pages import Page
from longline.models.runs import NewRun, Run, RunOutcome, RunSpec
from longline.models.threads import NewThread, RunFailure, Thread, ThreadState
from longline.storage.cipher import Place, Seal
from longline.storage.relay import RelayedEnd

T = TypeVar("T")

_SEALED: Final = "__sealed__"
_METADATA: Final = "metadata"
_EVENT: Final = Place("run", "event")
_KWARGS: Final = Place("run", "kwargs")
_PAYLOAD: Final = Place("cron", "payload")


class SealedModels:
    """One method for each model and direction. Ids, times, names and states stay readable: storages work with them."""

    def __init__(self, seal: Seal) -> None:
        self.seal = seal

    # -- assistants -------------------------------------------------------------------------------------------------

    async def close_assistant(self, one: Assistant) -> Assistant:
        """To store."""
        return replace(
            one,
            metadata=await self.seal.close(Place("assistant", _METADATA), one.metadata),
            config=await self.seal.close(Place("assistant", "config"), one.config),
            context=await self.seal.close(Place("assistant", "context"), one.context),
        )

    async def open_assistant(self, one: Assistant) -> Assistant:
        """As it was."""
        return replace(
            one,
            metadata=await self.seal.open(Place("assistant", _METADATA), one.metadata),
            config=await self.seal.open(Place("assistant", "config"), one.config),
            context=await self.seal.open(Place("assistant", "context"), one.context),
        )

    async def close_change(self, change: AssistantChange) -> AssistantChange:
        """To store."""
        return replace(
            change,
            metadata=await self._maybe_close(Place("assistant", _METADATA), change.metadata),
            config=await self._maybe_close(Place("assistant", "config"), change.config),
            context=await self._maybe_close(Place("assistant", "context"), change.context),
        )

    # -- threads ----------------------------------------------------------------------------------------------------

    async def close_new_thread(self, new: NewThread) -> NewThread:
        """To store."""
        return replace(new, metadata=await self.close_metadata("thread", new.metadata))

    async def open_thread(self, one: Thread) -> Thread:
        """As it was."""
        seal = self.seal
        return replace(
            one,
            metadata=await seal.open(Place("thread", _METADATA), one.metadata),
            values=None if one.values is None else await seal.open_text(Place("thread", "values"), one.values),
            interrupts=(
                None if one.interrupts is None else await seal.open_text(Place("thread", "interrupts"), one.interrupts)
            ),
            error=await self.open_failure(one.error),
        )

    async def close_state(self, state: ThreadState) -> ThreadState:
        """To store."""
        seal = self.seal
        return replace(
            state,
            values=None if state.values is None else await seal.close_text(Place("thread", "values"), state.values),
            interrupts=(
                None
                if state.interrupts is None
                else await seal.close_text(Place("thread", "interrupts"), state.interrupts)
            ),
            error=await self.close_failure(state.error),
        )

    async def close_metadata(self, model: str, metadata: JsonObject) -> JsonObject:
        """To store; each key for itself, so that storages may merge."""
        return await self.seal.close(Place(model, _METADATA), metadata)

    async def close_failure(self, failure: RunFailure | None) -> RunFailure | None:
        """To store."""
        if failure is None:
            return None
        closed = await self.seal.close(Place("run", "error"), {"error": failure.error, "message": failure.message})
        return RunFailure(error=_SEALED, message=orjson.dumps(closed).decode())

    async def open_failure(self, failure: RunFailure | None) -> RunFailure | None:
        """As it was."""
        if failure is None or failure.error != _SEALED:
            return failure
        opened = await self.seal.open(Place("run", "error"), orjson.loads(failure.message))
        return RunFailure(error=str(opened["error"]), message=str(opened["message"]))

    # -- runs -------------------------------------------------------------------------------------------------------

    async def close_new_run(self, new: NewRun) -> NewRun:
        """To store."""
        return replace(
            new,
            metadata=await self.close_metadata("run", new.metadata),
            spec=await self._close_spec(new.spec),
            thread=None if new.thread is None else await self.close_new_thread(new.thread),
            thread_metadata=await self.close_metadata("thread", new.thread_metadata),
        )

    async def open_run(self, run: Run) -> Run:
        """As it was."""
        return replace(
            run,
            metadata=await self.seal.open(Place("run", _METADATA), run.metadata),
            spec=await self._open_spec(run.spec),
            failure=await self.open_failure(run.failure),
        )

    async def close_outcome(self, outcome: RunOutcome) -> RunOutcome:
        """To store."""
        return replace(
            outcome,
            state=await self.close_state(outcome.state),
            failure=await self.close_failure(outcome.failure),
            records=tuple([await self.close_document(record) for record in outcome.records]),
            result=None if outcome.result is None else await self.seal.close_blob(_EVENT, outcome.result),
        )

    async def _close_spec(self, spec: RunSpec) -> RunSpec:
        said: JsonObject = {
            "input": spec.input,
            "command": spec.command,
            "config": spec.config,
            "context": spec.context,
            "webhook": spec.webhook,
        }
        closed = await self.seal.close(_KWARGS, said)
        return replace(spec, input={_SEALED: closed}, command=None, config={}, context=None, webhook=None)

    async def _open_spec(self, spec: RunSpec) -> RunSpec:
        closed = _sealed(spec.input)
        if closed is None:
            return spec
        said = await self.seal.open(_KWARGS, closed)
        return replace(spec, **said)  # type: ignore[arg-type]  # the values that were closed, under the same names

    # -- events -----------------------------------------------------------------------------------------------------

    async def close_event(self, event: RunEvent) -> RunEvent:
        """To store."""
        return replace(event, data=await self.seal.close_blob(_EVENT, event.data))

    async def open_entry(self, entry: KeptEntry) -> KeptEntry:
        """As it was."""
        if isinstance(entry, RunEvent):
            return await self.open_event(entry)
        return replace(entry, failure=await self.open_failure(entry.failure))

    async def open_event(self, event: RunEvent) -> RunEvent:
        """As it was."""
        return replace(event, data=await self.seal.open_blob(_EVENT, event.data))

    async def open_end(self, end: RelayedEnd) -> RelayedEnd:
        """As it was. A result that a thread's values stand for is written as those are."""
        ending = replace(end.ending, failure=await self.open_failure(end.ending.failure))
        if end.result is None:
            return replace(end, ending=ending)
        if end.is_of_thread:
            result = await self.seal.open_text(Place("thread", "values"), end.result)
        else:
            result = await self.seal.open_blob(_EVENT, end.result)
        return replace(end, ending=ending, result=result)

    # -- crons ------------------------------------------------------------------------------------------------------

    async def close_cron(self, cron: Cron) -> Cron:
        """To store."""
        return replace(
            cron,
            metadata=await self.close_metadata("cron", cron.metadata),
            creator=await self.seal.close(Place("cron", "creator"), cron.creator),
            spec=await self._close_cron_spec(cron.spec),
        )

    async def open_cron(self, cron: Cron) -> Cron:
        """As it was."""
        closed = _sealed(cron.spec.input)
        said = {} if closed is None else await self.seal.open(_PAYLOAD, closed)
        return replace(
            cron,
            metadata=await self.seal.open(Place("cron", _METADATA), cron.metadata),
            creator=await self.seal.open(Place("cron", "creator"), cron.creator),
            spec=replace(cron.spec, **said),  # type: ignore[arg-type]  # the values that were closed
        )

    async def _close_cron_spec(self, spec: CronSpec) -> CronSpec:
        said: JsonObject = {
            "input": spec.input,
            "metadata": spec.metadata,
            "config": spec.config,
            "context": spec.context,
            "webhook": spec.webhook,
        }
        closed = await self.seal.close(_PAYLOAD, said)
        return replace(spec, input={_SEALED: closed}, metadata=None, config=None, context=None, webhook=None)

    # -- what plugins keep ------------------------------------------------------------------------------------------

    async def close_document(self, new: NewDocument) -> NewDocument:
        """To store."""
        return replace(new, value=await self.seal.close(Place("collection", new.collection), new.value))

    async def open_document(self, one: Document) -> Document:
        """As it was."""
        return replace(one, value=await self.seal.open(Place("collection", one.collection), one.value))

    async def open_log_entry(self, collection: str, entry: LogEntry) -> LogEntry:
        """As it was."""
        return replace(entry, value=await self.seal.open(Place("collection", collection), entry.value))

    async def _maybe_close(self, place: Place, value: JsonObject | None) -> JsonObject | None:
        return None if value is None else await self.seal.close(place, value)


async def each(things: Sequence[T], change: Callable[[T], Awaitable[T]]) -> list[T]:
    """Each thing as `change` makes it, in order."""
    return [await change(thing) for thing in things]


async def page(found: Page[T], change: Callable[[T], Awaitable[T]]) -> Page[T]:
    """A page of things as `change` makes them."""
    return replace(found, items=await each(found.items, change))


def _sealed(value: JsonValue) -> JsonObject | None:
    """What was closed, if it was."""
    if not isinstance(value, dict) or value.keys() != {_SEALED}:
        return None
    closed = value[_SEALED]
    return closed if isinstance(closed, dict) else None
