"""Runs: created with access checked and configuration merged, read, awaited, cancelled."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from longline.auth.access import Access, Action
from longline.auth.kept_token import keep_token
from longline.auth.principal import Principal
from longline.auth.secrets import Vault
from longline.auth.urls import UrlPolicies
from longline.clock import Clock
from longline.errors import NotCancellableError, NotFoundError
from longline.events.herald import Herald
from longline.events.hub import EventHub, RunEnd
from longline.events.relay import Relay
from longline.events.replay import RunReader
from longline.graphs.binding import Injected
from longline.graphs.registry import GraphRegistry
from longline.ids import new_id, tick_run_id
from longline.models.chains import ChainHead
from longline.models.events import EventId, RunEnding, milliseconds_of
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject, as_object
from longline.models.runs import Admission, CancelledRun, CancelRequest, Claim, NewRun, Run, RunQuery, RunStatus
from longline.models.threads import ThreadTtl
from longline.runs.admission import admission_rule, displacing_request
from longline.runs.listeners import Listeners
from longline.runs.recorders import EndRecorders
from longline.runs.scheduler import Scheduler
from longline.runs.shown import shown_run
from longline.services.assistants import AssistantService
from longline.services.run_finder import RunFinder
from longline.services.run_requests import RunRequest, new_run, run_spec
from longline.storage.protocols import Storage


class RunService:
    """Create, read, await and cancel runs."""

    def __init__(  # noqa: PLR0913  # the parts of a run, each named
        self,
        *,
        storage: Storage,
        assistants: AssistantService,
        graphs: GraphRegistry,
        scheduler: Scheduler,
        hub: EventHub,
        herald: Herald,
        relay: Relay,
        listeners: Listeners,
        recorders: EndRecorders,
        urls: UrlPolicies,
        access: Access,
        vault: Vault,
        default_ttl: ThreadTtl | None,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._assistants = assistants
        self._graphs = graphs
        self._scheduler = scheduler
        self._hub = hub
        self._herald = herald
        self._relay = relay
        self._listeners = listeners
        self._recorders = recorders
        self._urls = urls
        self._access = access
        self._vault = vault
        self._default_ttl = default_ttl
        self._clock = clock
        self._finder = RunFinder(storage, access)

    # -- creating ---------------------------------------------------------------------------------------------------

    async def create(self, principal: Principal, request: RunRequest) -> Run:
        """Put a run on the queue; it starts at once where there is room. Raises NotFoundError (thread or assistant),
        UnknownAssistantNameError, GraphLoadError, ThreadBusyError, ContextAndConfigurableError, ForbiddenError,
        UrlRefusedError for its webhook, and AlreadyExistsError for a tick that its cron does not have any more."""
        new, visible = await self._prepare(principal, request)
        return await self._enqueue(new, visible)

    async def create_all(self, principal: Principal, requests: Sequence[RunRequest]) -> Sequence[Run]:
        """As `create`, for several: each is resolved and checked before the first is put on the queue, so that one
        that is refused starts none."""
        prepared = [await self._prepare(principal, request) for request in requests]
        return [await self._enqueue(new, visible) for new, visible in prepared]

    async def watch(
        self, principal: Principal, request: RunRequest, *, only_end: bool = False
    ) -> tuple[Run, RunReader]:
        """As `create`, with a reader that misses nothing; with `only_end` it gets no events. The caller closes it."""
        new, visible = await self._prepare(principal, request)
        reader = RunReader(self._hub, self._storage.events, new.run_id, after=None, only_end=only_end)
        if request.resumable:
            reader.expect_kept()
        self._relay.expect(new.run_id, new.thread_id, is_kept=request.resumable)
        try:
            return await self._enqueue(replace(new, watched_by=self._relay.reader), visible), reader
        except BaseException:
            reader.close()
            raise

    async def _prepare(self, principal: Principal, request: RunRequest) -> tuple[NewRun, Filter]:
        if request.webhook is not None:
            self._urls.check("webhook", request.webhook)
        assistant = await self._assistants.resolve(principal, request.assistant)
        definition = self._graphs.require(assistant.graph_id)
        tick, thread_id = request.tick, request.thread_id or new_id()
        run_id = tick_run_id(tick.cron_id, tick.tick) if tick is not None else request.run_id or new_id()
        value: JsonObject = {
            "assistant_id": assistant.assistant_id, "thread_id": thread_id, "run_id": run_id, "status": "pending",
            "metadata": dict(request.metadata), "multitask_strategy": request.multitask_strategy,
            "if_not_exists": request.if_not_exists, "after_seconds": request.after_seconds,
            "prevent_insert_if_inflight": request.multitask_strategy == "reject",
            "kwargs": {"input": request.input, "command": request.command, "config": request.config},
        }  # fmt: skip
        visible = await self._access.decide(principal, Action("threads", "create_run"), value)
        metadata = as_object(value.get("metadata"))
        injected = Injected(
            run_id=run_id,
            thread_id=thread_id,
            principal=principal,
            request_id=request.request_id,
            after_seconds=request.after_seconds,
            headers=request.headers,
            checkpoint=request.checkpoint,
            cron_id=None if tick is None else tick.cron_id,
            fixed=self._assistants.fixed_keys(assistant),
        )
        asked = replace(request, metadata=metadata)
        spec = run_spec(asked, assistant=assistant, definition=definition, injected=injected, vault=self._vault)
        made = new_run(
            request,
            spec=spec,
            assistant=assistant,
            injected=injected,
            stamped=metadata,
            visible=visible,
            now=self._clock(),
            ttl=self._default_ttl,
        )
        return replace(made, token=keep_token(principal, self._vault)), visible

    async def _enqueue(self, new: NewRun, visible: Filter) -> Run:
        """Shielded: a caller that goes away in the middle must not leave a claimed run that nobody executes."""
        is_due = new.not_before <= self._clock()
        claim = self._scheduler.reserve() if is_due else None
        return await asyncio.shield(asyncio.create_task(self._admit(new, visible, claim)))

    async def _admit(self, new: NewRun, visible: Filter, claim: Claim | None) -> Run:
        rule = admission_rule(new.multitask_strategy, new.thread_id)
        try:
            record = self._recorders.rule(displacing_request(new.multitask_strategy))
            admission = await self._storage.runs.enqueue(new, admit=rule, claim=claim, visible=visible, record=record)
        except BaseException:
            if claim is not None:
                self._scheduler.unreserve()
            raise
        run = admission.run
        self._listeners.on_created(run)
        if run.status is RunStatus.RUNNING:
            self._relay.forget(run.run_id)
            self._scheduler.start(run, is_reserved=True)
        else:
            self._relay.expect_no_more(run.run_id)
            if claim is not None:
                self._scheduler.unreserve()
            await self._scheduler.announce()
        await self._displace(admission)
        return self._shown(run)

    async def _displace(self, admission: Admission) -> None:
        if admission.displaced:
            self._recorders.announce_all()
        for displaced in admission.displaced:
            if displaced.ended:
                self._tell_cancelled(displaced)
            else:
                await self._scheduler.stop_run(displaced.run_id, displaced.request)

    # -- reading ----------------------------------------------------------------------------------------------------

    async def get(self, principal: Principal, thread_id: str, run_id: str) -> Run:
        """The run. Raises NotFoundError, ForbiddenError."""
        await self._require_thread(principal, thread_id, "read", {"run_id": run_id})
        return self._shown(await self._storage.runs.get(thread_id, run_id))

    async def search(self, principal: Principal, query: RunQuery) -> Sequence[Run]:
        """The matching runs on threads that the caller may see. Raises NotFoundError for the query's thread,
        ForbiddenError."""
        return [self._shown(run) for run in await self._finder.search(principal, query)]

    async def count(self, principal: Principal, query: RunQuery) -> int:
        """How many `search` would find in all."""
        return await self._finder.count(principal, query)

    async def join(
        self,
        principal: Principal,
        thread_id: str,
        run_id: str,
        *,
        after: EventId | None = None,
        only_end: bool = False,
    ) -> tuple[Run, RunReader]:
        """A reader of a run that exists: with `after` it replays what was kept; an id that the run has not reached yet
        counts as none; with `only_end` it gets no events. The caller closes it. Raises NotFoundError,
        ForbiddenError."""
        await self._require_thread(principal, thread_id, "read", {"run_id": run_id})
        if after is not None and after > await self._storage.events.last(run_id):
            after = None
        reader = RunReader(self._hub, self._storage.events, run_id, after=after, only_end=only_end)
        try:
            run = await self._storage.runs.get(thread_id, run_id)
            if not run.status.is_terminal and self._relay.reader is not None:
                await self._relay.follow_run(run)
                run = await self._storage.runs.get(thread_id, run_id)
            if run.spec.resumable:
                reader.expect_kept()
            if run.status.is_terminal:
                reader.finish(await self._end_of(run))
        except BaseException:
            reader.close()
            raise
        return self._shown(run), reader

    async def _end_of(self, run: Run) -> RunEnd:
        thread = await self._storage.threads.get(run.thread_id)
        return RunEnd(status=run.status, result=thread.values, failure=run.failure)

    # -- ending -----------------------------------------------------------------------------------------------------

    async def cancel(
        self, principal: Principal, thread_id: str, run_ids: Sequence[str], request: CancelRequest
    ) -> None:
        """Cancel runs of a thread. Raises NotFoundError if none exists, NotCancellableError if all have ended."""
        await self._require_thread(principal, thread_id, "update", {"action": request.action})
        found = await self._storage.runs.search(RunQuery(thread_id=thread_id, run_ids=run_ids, limit=len(run_ids)))
        if not found:
            raise NotFoundError("run", ", ".join(run_ids))
        await self._cancel([run.run_id for run in found], request)

    async def cancel_status(
        self, principal: Principal, statuses: tuple[RunStatus, ...], request: CancelRequest
    ) -> None:
        """Cancel every unfinished run of these statuses that the caller may touch. Raises NotFoundError if none is."""
        value: JsonObject = {"metadata": {}, "action": request.action}
        visible = await self._access.decide(principal, Action("threads", "update"), value)
        found = await self._storage.runs.search(RunQuery(statuses=statuses, visible=visible, limit=10_000))
        if not found:
            raise NotFoundError("run", "any")
        await self._cancel([run.run_id for run in found], request)

    async def give_up(self, principal: Principal, thread_id: str, head: ChainHead) -> bool:
        """Make the head of a chain interrupted: what it waited for will not come. Whether it did: not if the chain has
        gone on from it. Raises NotFoundError, ForbiddenError."""
        await self._require_thread(principal, thread_id, "update", {"run_id": head.run_id})
        return await self._storage.runs.give_up(thread_id, head, at=self._clock())

    async def delete(self, principal: Principal, thread_id: str, run_id: str) -> None:
        """Remove a run; one that is running is dropped. Raises NotFoundError, ForbiddenError."""
        await self._require_thread(principal, thread_id, "delete", {"run_id": run_id})
        run = await self._storage.runs.get(thread_id, run_id)
        if await self._storage.runs.delete(thread_id, run_id):
            await self._scheduler.drop(run_id)
        if not run.status.is_terminal:
            ending = RunEnding(run_id=run_id, turn=run.turn, status=None, at_ms=milliseconds_of(self._clock()))
            self._herald.tell_end(thread_id, RunEnd(status=None), ending, is_kept=False)

    async def _cancel(self, run_ids: Sequence[str], request: CancelRequest) -> None:
        record = self._recorders.rule(request)
        cancelled = await self._storage.runs.cancel(run_ids, request, at=self._clock(), record=record)
        if not cancelled:
            raise NotCancellableError
        self._recorders.announce_all()
        for run in cancelled:
            if run.ended:
                self._tell_cancelled(run)
            else:
                await self._scheduler.stop_run(run.run_id, request)

    def _tell_cancelled(self, run: CancelledRun) -> None:
        status = None if run.request.action == "rollback" else RunStatus.INTERRUPTED
        ending = RunEnding(run_id=run.run_id, turn=run.turn, status=status, at_ms=run.at_ms, is_behind=run.is_behind)
        self._herald.tell_end(run.thread_id, RunEnd(status=status), ending, is_kept=run.is_kept)

    # -- shared -----------------------------------------------------------------------------------------------------

    async def _require_thread(self, principal: Principal, thread_id: str, verb: str, more: JsonObject) -> None:
        """Runs are seen through their thread. `more` is what rules are told beside its id."""
        value: JsonObject = {"thread_id": thread_id, "metadata": {}, **more}
        visible = await self._access.decide(principal, Action("threads", verb), value)
        if visible != EVERYTHING:
            await self._storage.threads.get(thread_id, visible=visible)

    def _shown(self, run: Run) -> Run:
        return shown_run(self._vault, run)
