"""An open storage and a broker, with everything that plugins offer → a server and what must run beside it."""

import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from longline.asgi.mount import ProtocolMount
from longline.auth.access import Access
from longline.auth.authenticator import (
    Authenticator,
    IssuedAuthenticator,
    OrganizationAuthenticator,
    authenticate,
    renew,
)
from longline.auth.secrets import Vault
from longline.auth.urls import UrlPolicies
from longline.clock import now
from longline.events.broker import Broker
from longline.events.herald import Herald, Outbox, Relayed
from longline.events.hub import EventHub
from longline.events.relay import Relay
from longline.events.writer import EventWriter
from longline.graphs.owned_items import ItemFaces
from longline.graphs.registry import GraphRegistry
from longline.models.collections import CollectionSpec
from longline.models.served import ServedProtocol
from longline.plugin_host import PluginHost
from longline.runs.engine import Engine
from longline.runs.listeners import Listeners
from longline.runs.recorders import EndRecorders
from longline.runs.scheduler import Scheduler
from longline.runs.shown import shown_run
from longline.runs.voice import Voice
from longline.services.assistants import AssistantService
from longline.services.collections import Collections
from longline.services.cron_ticks import CronTicker
from longline.services.crons import CronService
from longline.services.items import ItemService, places_items
from longline.services.mirror_keeping import MirrorKeeper
from longline.services.mirror_store import MirrorStore
from longline.services.mirroring import Mirrors
from longline.services.retention import RetentionService, default_ttl
from longline.services.runs import RunService
from longline.services.server import Server
from longline.services.thread_streams import ThreadStreamService
from longline.services.threads import ThreadService
from longline.settings import ItemsSettings, SecretSettings, ServerSettings, Settings, ThreadsSettings
from longline.storage.due import DueSignals
from longline.storage.protocols import Storage
from longline.tasks import BackgroundTask
from longline.tools.prompts import PromptRegistry
from longline.tools.resources import ResourceRegistry
from longline.tools.tool import ToolRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A server that is put together and not started. `tasks` run as long as it is open; `drain` stores and sends what
    they had not yet when its last run had ended."""

    server: Server
    tasks: Sequence[BackgroundTask]
    keepers: Sequence[MirrorKeeper]
    drain: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """What is known before anything is open."""

    host: PluginHost
    settings: Settings
    key: bytes | None
    authenticators: Sequence[Authenticator]
    collections: Mapping[str, CollectionSpec]
    urls: UrlPolicies
    graphs: GraphRegistry
    tools: ToolRegistry
    prompts: PromptRegistry
    post_within: Callable[[str, Mapping[str, str], bytes], Awaitable[int]]

    def build(
        self, storage: Storage, broker: Broker, mounts: Sequence[ProtocolMount], *, only_own_runs: bool = False
    ) -> Built:
        """The services over an open storage, and what must run beside them. `mounts` may be filled later; for
        `only_own_runs` see Scheduler."""
        settings = self.settings.section(ServerSettings)
        owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        hub = EventHub()
        outbox = Outbox(broker, owner) if broker.spans_processes and storage.relay is not None else None
        herald = Herald(hub, outbox)
        relay = Relay(
            store=storage.relay, hub=hub, herald=herald, broker=broker, owner=owner,
            load_state=lambda thread_id: threads.latest_state(thread_id),  # noqa: PLW0108  # made below
        )  # fmt: skip
        writer = EventWriter(storage.events, herald)
        relay_writer = EventWriter(storage.relay, Relayed(herald)) if storage.relay is not None else None
        listeners = Listeners(self.host.run_listeners(self.settings))
        access = Access(self.host.access_rules(self.settings))
        vault = Vault(self.key, self.settings.section(SecretSettings).extra_names)
        signals = DueSignals()
        recorders = EndRecorders(
            self.host.end_recorders(self.settings), collections=self.collections, hide=partial(shown_run, vault),
            signals=signals, clock=now,
        )  # fmt: skip
        kept = self.settings.section(ThreadsSettings)
        faces = ItemFaces(storage, are_placed=places_items(access))
        voice = Voice(hub=hub, herald=herald, writer=writer, relay_writer=relay_writer, listeners=listeners, clock=now)
        engine = Engine(
            storage=storage, graphs=self.graphs, vault=vault, voice=voice, recorders=recorders, clock=now,
            max_attempts=settings.max_attempts, items=faces,
        )  # fmt: skip
        scheduler = Scheduler(
            queue=storage.runs, engine=engine, broker=broker, herald=herald, relay=relay, settings=settings,
            owner=owner, clock=now, only_own_runs=only_own_runs,
        )  # fmt: skip
        mirrors = Mirrors(
            sources=self.host.assistant_sources(self.settings), access=access, clock=now,
            store=MirrorStore(store=storage.assistants, graphs=self.graphs, vault=vault, clock=now),
        )  # fmt: skip
        assistants = AssistantService(
            store=storage.assistants, graphs=self.graphs, runner=engine.runner, access=access, mirrors=mirrors,
            vault=vault, clock=now,
        )  # fmt: skip
        threads = ThreadService(
            store=storage.threads, runner=engine.runner, scheduler=scheduler, herald=herald, relay=relay,
            access=access, retention=storage.retention, default_ttl=default_ttl(kept), clock=now,
        )  # fmt: skip
        runs = RunService(
            storage=storage, assistants=assistants, graphs=self.graphs, scheduler=scheduler, hub=hub,
            herald=herald, relay=relay, listeners=listeners, recorders=recorders, urls=self.urls, access=access,
            vault=vault, default_ttl=default_ttl(kept), clock=now,
        )  # fmt: skip
        retention = RetentionService(
            store=storage.retention, herald=herald, threads=kept, items=self.settings.section(ItemsSettings), clock=now
        )
        crons = CronService(
            store=storage.crons, threads=storage.threads, assistants=assistants, broker=broker, urls=self.urls,
            access=access, vault=vault, clock=now,
        )  # fmt: skip
        ticker = CronTicker(
            store=storage.crons, runs=runs, broker=broker, renew=partial(renew, self.authenticators), vault=vault,
            claim=scheduler.claim, clock=now,
        )  # fmt: skip
        server = Server(
            version=_version(),
            settings=self.settings,
            assistants=assistants,
            mirrors=mirrors,
            threads=threads,
            thread_streams=ThreadStreamService(storage=storage, hub=hub, relay=relay, access=access),
            runs=runs,
            crons=crons,
            cron_ticker=ticker,
            items=ItemService(faces=faces, access=access),
            retention=retention,
            scheduler=scheduler,
            graphs=self.graphs,
            tools=self.tools,
            prompts=self.prompts,
            resources=ResourceRegistry({}),
            collections=Collections(storage.collections, self.collections, signals=signals, holder=owner, clock=now),
            urls=self.urls,
            vault=vault,
            post_within=self.post_within,
            storage_facts=storage.facts,
            check_storage=storage.check,
            count_storage=storage.counts,
            authenticate=partial(authenticate, self.authenticators),
            is_authenticated=bool(self.authenticators),
            token_issuers=_issuers(self.authenticators),
            find_organizations=partial(_know_organizations, self.authenticators),
            protocols=partial(_served, mounts),
            describe=lambda: self.host.describe(server),
        )
        server.resources.fill(self.host.resources(self.settings, server))
        tasks = [
            BackgroundTask(name="event writer", run=writer.run),
            BackgroundTask(name="scheduler", run=scheduler.run),
        ]
        if relay_writer is not None:
            tasks.append(BackgroundTask(name="relay writer", run=relay_writer.run))
            tasks.append(BackgroundTask(name="relay", run=relay.run))
        if outbox is not None:
            tasks.append(BackgroundTask(name="outbox", run=outbox.run))
        keepers = [MirrorKeeper(mirrors.listings, source) for source in mirrors.sources.values()]
        return Built(server=server, tasks=tasks, keepers=keepers, drain=partial(_drain, writer, relay_writer, outbox))


async def _drain(writer: EventWriter, relay_writer: EventWriter | None, outbox: Outbox | None) -> None:
    await writer.drain()
    if relay_writer is not None:
        await relay_writer.drain()
    if outbox is not None:
        await outbox.send()


def _served(mounts: Sequence[ProtocolMount]) -> Sequence[ServedProtocol]:
    return sorted((mount.facts for mount in mounts if mount.title), key=lambda served: served.path)


def _issuers(authenticators: Sequence[Authenticator]) -> tuple[str, ...]:
    found = (one.issuer for one in authenticators if isinstance(one, IssuedAuthenticator))
    return tuple(dict.fromkeys(issuer for issuer in found if issuer))


def _know_organizations(authenticators: Sequence[Authenticator]) -> bool:
    return any(isinstance(one, OrganizationAuthenticator) and one.knows_organizations for one in authenticators)


def _version() -> str:
    try:
        return version("longline")
    except PackageNotFoundError:
        return "0"
