"""Crons, as a principal may see and change them. Secrets of their runs are sealed in and hidden out."""

from dataclasses import fields, replace
from datetime import datetime
from typing import TypeVar

from longline.auth.access import Access, Action
from longline.auth.kept_principal import keep_principal
from longline.auth.principal import Principal
from longline.auth.secrets import Vault
from longline.auth.urls import UrlPolicies
from longline.clock import Clock
from longline.errors import ContextAndConfigurableError
from longline.events.broker import Broker
from longline.ids import new_id
from longline.models.crons import Cron, CronChange, CronQuery, CronSpec, NewCron
from longline.models.filters import Filter, all_of, pairs_in
from longline.models.json import JsonObject, as_object
from longline.models.pages import Page
from longline.runs.schedules import check_schedule, next_tick
from longline.services.assistants import AssistantService
from longline.services.cron_ticks import CRON_TOPIC
from longline.services.narrowing import narrowing
from longline.storage.crons import CronStore
from longline.storage.protocols import ThreadStore

V = TypeVar("V")


class CronService:
    """Create, read, find, change and delete crons. What their ticks do is CronTicker's."""

    def __init__(
        self,
        *,
        store: CronStore,
        threads: ThreadStore,
        assistants: AssistantService,
        broker: Broker,
        urls: UrlPolicies,
        access: Access,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._store = store
        self._threads = threads
        self._assistants = assistants
        self._broker = broker
        self._urls = urls
        self._access = access
        self._vault = vault
        self._clock = clock

    async def create(self, principal: Principal, new: NewCron) -> Cron:
        """Store a new cron, whose runs are the caller's. Raises InvalidScheduleError, InvalidTimezoneError,
        ContextAndConfigurableError, UrlRefusedError, NotFoundError (thread or assistant), UnknownAssistantNameError,
        ForbiddenError."""
        check_schedule(new.schedule, new.timezone)
        self._check(new.spec)
        cron_id = new_id()
        value: JsonObject = {
            "cron_id": cron_id, "assistant_id": new.assistant, "thread_id": new.thread_id, "schedule": new.schedule,
            "timezone": new.timezone, "end_time": _text(new.end_at), "user_id": principal.identity or None,
            "payload": _payload(new.spec), "metadata": dict(new.spec.metadata or {}),
        }  # fmt: skip
        await self._access.decide(principal, Action("crons", "create"), value)
        assistant = await self._assistants.resolve(principal, new.assistant)
        await self._require_thread(principal, new.thread_id)
        now = self._clock()
        cron = Cron(
            cron_id=cron_id,
            assistant_id=assistant.assistant_id,
            thread_id=new.thread_id,
            schedule=new.schedule,
            timezone=new.timezone,
            end_at=new.end_at,
            enabled=new.enabled,
            keeps_threads=new.keeps_threads,
            spec=self._sealed(new.spec, CronSpec()),
            metadata=as_object(value.get("metadata")),
            creator=keep_principal(principal, self._vault),
            next_tick=next_tick(new.schedule, new.timezone, after=now, end_at=new.end_at),
            created_at=now,
            updated_at=now,
        )
        return await self._announced(await self._store.create(cron))

    async def get(self, principal: Principal, cron_id: str) -> Cron:
        """The cron. Raises NotFoundError, ForbiddenError."""
        return self._shown(await self._store.get(cron_id, visible=await self._may(principal, "read", cron_id)))

    async def search(self, principal: Principal, query: CronQuery) -> Page[Cron]:
        """The matching crons that the caller may see; `assistant_id` may be the id of a graph. Raises
        UnknownAssistantNameError, ForbiddenError."""
        value: JsonObject = {
            "assistant_id": query.assistant_id, "thread_id": query.thread_id, "metadata": pairs_in(query.metadata),
            "limit": query.limit, "offset": query.offset,
        }  # fmt: skip
        visible = await self._access.decide(principal, Action("crons", "search"), value)
        assistant_id = None if query.assistant_id is None else self._assistants.id_of(query.assistant_id)
        visible = all_of(query.visible, visible, narrowing(value, pairs_in(query.metadata)))
        found = replace(query, assistant_id=assistant_id, visible=visible)
        page = await self._store.search(found)
        return Page([self._shown(cron) for cron in page.items], page.total)

    async def update(self, principal: Principal, cron_id: str, change: CronChange) -> Cron:
        """Change the cron; its runs stay its creator's, until somebody else says what they do: then they are theirs,
        and nothing secret of its creator is in them. A new schedule, time zone or end, and being enabled again, count
        from now. Raises NotFoundError and as `create`."""
        value: JsonObject = {
            "cron_id": cron_id, "schedule": change.schedule, "timezone": change.timezone,
            "end_time": _text(change.end_at), "payload": _payload(change.spec),
        }  # fmt: skip
        if change.spec.metadata is not None:
            value["metadata"] = dict(change.spec.metadata)
        visible = await self._access.decide(principal, Action("crons", "update"), value)
        stamped, now = as_object(value.get("metadata")), self._clock()

        def revise(old: Cron) -> Cron:
            if replace(change.spec, metadata=None) != CronSpec() and old.user_id != (principal.identity or None):
                old = replace(old, creator=keep_principal(principal, self._vault), spec=self._without_secrets(old.spec))
            revised = replace(
                old,
                schedule=_said(change.schedule, old.schedule),
                timezone=_said(change.timezone, old.timezone),
                end_at=None if change.has_no_end else _said(change.end_at, old.end_at),
                enabled=_said(change.enabled, old.enabled),
                keeps_threads=_said(change.keeps_threads, old.keeps_threads),
                spec=self._revised(old.spec, change.spec),
                metadata={**old.metadata, **stamped},
            )
            return revised if _timing(revised) == _timing(old) else _timed(revised, now)

        return await self._announced(await self._store.update(cron_id, revise, at=now, visible=visible))

    async def delete(self, principal: Principal, cron_id: str) -> None:
        """Remove it; runs that it made go on. Raises NotFoundError, ForbiddenError."""
        await self._store.delete(cron_id, visible=await self._may(principal, "delete", cron_id))

    async def _announced(self, cron: Cron) -> Cron:
        """The cron as it is shown, once every process knows that the next tick may be another."""
        await self._broker.publish(CRON_TOPIC, "")
        return self._shown(cron)

    async def _require_thread(self, principal: Principal, thread_id: str | None) -> None:
        if thread_id is not None:
            visible = await self._access.decide(principal, Action("threads", "read"), {"thread_id": thread_id})
            await self._threads.get(thread_id, visible=visible)

    async def _may(self, principal: Principal, verb: str, cron_id: str) -> Filter:
        return await self._access.decide(principal, Action("crons", verb), {"cron_id": cron_id})

    # -- what each run is asked with --------------------------------------------------------------------------------

    def _revised(self, old: CronSpec, change: CronSpec) -> CronSpec:
        """The old spec with what the change says."""
        sealed = self._sealed(change, old)
        said = {field.name: value for field in fields(sealed) if (value := getattr(sealed, field.name)) is not None}
        revised = replace(old, **said)
        if change.metadata is not None:
            revised = replace(revised, metadata={**(old.metadata or {}), **change.metadata})
        self._check(revised)
        return revised

    def _check(self, spec: CronSpec) -> None:
        if spec.webhook is not None:
            self._urls.check("webhook", spec.webhook)
        if spec.context and spec.config is not None and spec.config.get("configurable"):
            raise ContextAndConfigurableError

    def _sealed(self, spec: CronSpec, old: CronSpec) -> CronSpec:
        config, context = spec.config, spec.context
        return replace(
            spec,
            config=None if config is None else self._vault.seal(config, old.config),
            context=None if context is None else self._vault.seal(context, old.context),
        )

    def _without_secrets(self, spec: CronSpec) -> CronSpec:
        config, context = spec.config, spec.context
        return replace(
            spec,
            config=None if config is None else self._vault.strip(config),
            context=None if context is None else self._vault.strip(context),
        )

    def _shown(self, cron: Cron) -> Cron:
        config, context = cron.spec.config, cron.spec.context
        spec = replace(
            cron.spec,
            config=None if config is None else self._vault.hide(config),
            context=None if context is None else self._vault.hide(context),
        )
        return replace(cron, spec=spec, creator={"identity": cron.user_id})


def _timing(cron: Cron) -> tuple[object, ...]:
    return cron.schedule, cron.timezone, cron.end_at, cron.enabled


def _timed(cron: Cron, now: datetime) -> Cron:
    return replace(cron, next_tick=next_tick(cron.schedule, cron.timezone, after=now, end_at=cron.end_at))


def _payload(spec: CronSpec) -> JsonObject:
    """What access rules see of the runs."""
    return {"input": spec.input, "metadata": spec.metadata, "config": spec.config, "context": spec.context}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _said(new: V | None, old: V) -> V:
    return old if new is None else new
