"""Settings and plugins → an open server. The only place that knows all parts."""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final, TypeVar

from longline.asgi.front import FrontDoor
from longline.asgi.mount import ProtocolMount
from longline.asgi.router import assemble
from longline.asgi.types import ASGIApp
from longline.auth.access import Access
from longline.auth.authenticator import authenticate
from longline.auth.secrets import Vault, parse_key
from longline.clock import now
from longline.errors import NoBackendError
from longline.events.broker import Broker
from longline.events.hub import EventHub
from longline.events.writer import EventWriter
from longline.graphs.owned_items import ItemFaces
from longline.graphs.registry import GraphRegistry
from longline.models.json import JsonObject
from longline.models.served import ServedProtocol
from longline.plugin_host import PluginHost
from longline.runs.containment import contained
from longline.runs.engine import Engine
from longline.runs.listeners import Listeners
from longline.runs.recorders import EndRecorders
from longline.runs.scheduler import Scheduler
from longline.runs.shown import shown_run
from longline.services.assistants import AssistantService
from longline.services.collections import Collections
from longline.services.cron_ticks import CronTicker
from longline.services.crons import CronService
from longline.services.items import ItemService, places_items
from longline.services.retention import RetentionService, default_ttl
from longline.services.runs import RunService
from longline.services.server import Server
from longline.services.thread_streams import ThreadStreamService
from longline.services.threads import ThreadService
from longline.settings import (
    CORE_SECTIONS,
    AuthSettings,
    ItemsSettings,
    SecretSettings,
    ServerSettings,
    Settings,
    ThreadsSettings,
    parse_settings,
)
from longline.storage.due import DueSignals
from longline.storage.encrypted import behind
from longline.storage.own_checkpoints import beside, unsealed
from longline.storage.protocols import Storage, StorageBackend
from longline.tasks import BackgroundTask, supervise
from longline.tools.tool import ToolRegistry

logger = logging.getLogger(__name__)

B = TypeVar("B")

_LAST_SECONDS: Final = 5.0
"""How long a server that ends waits for its last events to be stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenServer:
    """A server that is ready to be served: its app, and its services for the process that hosts it."""

    app: ASGIApp
    server: Server
    plugins: Sequence[str]


class Runtime:
    """A set of plugins with their settings. Making one checks both; `open` opens what they need."""

    def __init__(self, plugins: Sequence[str], values: Mapping[str, object]) -> None:
        """Load the plugins and validate the settings. Raises PluginError, SettingsError."""
        self.host = PluginHost(plugins)
        self.settings: Settings = parse_settings(values, [*CORE_SECTIONS, *self.host.settings_sections()])
        server = self.settings.section(ServerSettings)
        self._key = parse_key(self.settings.section(SecretSettings).key.get_secret_value())
        self.authenticators = self.host.authenticators(self.settings, self.settings.section(AuthSettings).order)
        self._collections = self.host.collections(self.settings)
        self._urls = self.host.url_policies(self.settings)
        self._front = FrontDoor()
        self.tools = ToolRegistry(self.host.tools(self.settings))
        self._mounts: Sequence[ProtocolMount] = ()
        self._cipher = self.host.cipher(self.settings)
        self._saver = unsealed(self.host.saver(self.settings), self._cipher)
        self.graphs = GraphRegistry(self.host.graph_definitions(self.settings, self.tools))
        self.storage_backend: StorageBackend = _backend(
            "storage", server.database, self.host.storage_backends(self.settings)
        )
        self._broker_url = server.broker or "memory://"
        self._broker_backend = _backend("broker", self._broker_url, self.host.event_brokers(self.settings))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[OpenServer]:
        """Open storage, start the workers and the plugins' parts; close all in reverse order. Raises StorageError,
        StorageInUseError, SchemaTooNewError, PluginError."""
        settings = self.settings.section(ServerSettings)
        async with AsyncExitStack() as stack:
            stack.enter_context(_node_executor(settings.runs))
            stack.enter_context(contained(asyncio.get_running_loop()))
            connected = await stack.enter_async_context(self.storage_backend.connect(settings.database))
            storage = await stack.enter_async_context(beside(self._saver, await self._sealed(connected)))
            broker = await stack.enter_async_context(self._broker_backend.connect(self._broker_url))
            server, writer = self._build(storage, broker, settings)
            await server.assistants.ensure_graph_assistants()
            self._mounts = mounts = self.host.protocols(server)
            wrappers = self.host.app_wrappers(server)
            app = assemble(
                mounts,
                wrappers,
                self.authenticators,
                max_body_bytes=int(settings.max_body_mib * 1024 * 1024),
            )
            self._front.open(app)
            await stack.enter_async_context(self._workers(server, writer, settings))
            for lifespan in (*(mount.lifespan for mount in mounts), *(wrapper.lifespan for wrapper in wrappers)):
                if lifespan is not None:
                    await stack.enter_async_context(lifespan())
            await stack.enter_async_context(self._background(server))
            yield OpenServer(app=app, server=server, plugins=self.host.names)

    async def try_assembly(self, database: str) -> None:
        """Put everything together as `open` does, over another database, and start nothing: what would keep a server
        from starting shows. Raises as `open`."""
        settings = self.settings.section(ServerSettings)
        async with (
            self.storage_backend.connect(database) as storage,
            self._broker_backend.connect(self._broker_url) as broker,
        ):
            server, _ = self._build(await self._sealed(storage), broker, settings)
            self.host.protocols(server)
            self.host.app_wrappers(server)
            self.host.background_tasks(server)
            self.host.describe(server)

    async def _sealed(self, storage: Storage) -> Storage:
        return await behind(self._cipher, storage, is_owner_searched=bool(self.authenticators))

    def _build(self, storage: Storage, broker: Broker, settings: ServerSettings) -> tuple[Server, EventWriter]:
        hub = EventHub()
        writer = EventWriter(storage.events, hub)
        listeners = Listeners(self.host.run_listeners(self.settings))
        access = Access(self.host.access_rules(self.settings))
        vault = Vault(self._key, self.settings.section(SecretSettings).extra_names)
        signals = DueSignals()
        recorders = EndRecorders(
            self.host.end_recorders(self.settings), collections=self._collections, hide=partial(shown_run, vault),
            signals=signals, clock=now,
        )  # fmt: skip
        kept = self.settings.section(ThreadsSettings)
        faces = ItemFaces(storage, are_placed=places_items(access))
        engine = Engine(
            storage=storage, graphs=self.graphs, vault=vault, hub=hub, writer=writer, listeners=listeners,
            recorders=recorders, clock=now, max_attempts=settings.max_attempts, items=faces,
        )  # fmt: skip
        owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        scheduler = Scheduler(
            queue=storage.runs, engine=engine, broker=broker, settings=settings, owner=owner, clock=now
        )
        assistants = AssistantService(
            store=storage.assistants, graphs=self.graphs, runner=engine.runner, access=access, vault=vault, clock=now
        )
        threads = ThreadService(
            store=storage.threads, runner=engine.runner, scheduler=scheduler, hub=hub, access=access,
            retention=storage.retention, default_ttl=default_ttl(kept), clock=now,
        )  # fmt: skip
        runs = RunService(
            storage=storage, assistants=assistants, graphs=self.graphs, scheduler=scheduler, hub=hub,
            listeners=listeners, recorders=recorders, urls=self._urls, access=access, vault=vault,
            default_ttl=default_ttl(kept), clock=now,
        )  # fmt: skip
        retention = RetentionService(
            store=storage.retention, hub=hub, threads=kept, items=self.settings.section(ItemsSettings), clock=now
        )
        crons = CronService(
            store=storage.crons, threads=storage.threads, assistants=assistants, broker=broker, urls=self._urls,
            access=access, vault=vault, clock=now,
        )  # fmt: skip
        ticker = CronTicker(
            store=storage.crons, runs=runs, broker=broker, vault=vault, claim=scheduler.claim, clock=now
        )
        server = Server(
            version=_version(),
            settings=self.settings,
            assistants=assistants,
            threads=threads,
            thread_streams=ThreadStreamService(storage=storage, hub=hub, access=access),
            runs=runs,
            crons=crons,
            cron_ticker=ticker,
            items=ItemService(faces=faces, access=access),
            retention=retention,
            scheduler=scheduler,
            graphs=self.graphs,
            tools=self.tools,
            collections=Collections(storage.collections, self._collections, signals=signals, holder=owner, clock=now),
            urls=self._urls,
            post_within=self._front.post,
            storage_facts=storage.facts,
            check_storage=storage.check,
            count_storage=storage.counts,
            authenticate=partial(authenticate, self.authenticators),
            is_authenticated=bool(self.authenticators),
            protocols=self._protocols,
            describe=lambda: self._describe(server),
        )
        return server, writer

    def _protocols(self) -> Sequence[ServedProtocol]:
        return sorted((mount.facts for mount in self._mounts if mount.title), key=lambda served: served.path)

    def _describe(self, server: Server) -> Mapping[str, JsonObject]:
        return self.host.describe(server)

    @asynccontextmanager
    async def _workers(self, server: Server, writer: EventWriter, settings: ServerSettings) -> AsyncIterator[None]:
        """The event writer and the scheduler. On leaving, runs end or go back to the queue, and events are stored."""
        event_writer = BackgroundTask(name="event writer", run=writer.run)
        scheduler = BackgroundTask(name="scheduler", run=server.scheduler.run)
        writing = asyncio.create_task(supervise(event_writer), name="event-writer")
        scheduling = asyncio.create_task(supervise(scheduler), name="scheduler")
        try:
            yield
        finally:
            await server.scheduler.drain(settings.drain_seconds)
            await _end(scheduling)
            await _store_last(writer)
            await _end(writing)

    @asynccontextmanager
    async def _background(self, server: Server) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(supervise(task), name=task.name) for task in self.host.background_tasks(server)]
        try:
            yield
        finally:
            for task in tasks:
                await _end(task)


async def _store_last(writer: EventWriter) -> None:
    """Events that wait are stored, unless the storage is away: then the server must be able to end all the same."""
    try:
        async with asyncio.timeout(_LAST_SECONDS):
            await writer.drain()
    except TimeoutError:
        logger.error("events not stored at shutdown", extra={"seconds": _LAST_SECONDS})  # noqa: TRY400  # the storage's fault


async def _end(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait until it is gone; what it died of is logged, for there is nobody else to tell."""
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
    except Exception:
        logger.exception("task ended with an error", extra={"task": task.get_name()})


@contextmanager
def _node_executor(runs: int) -> Iterator[None]:
    """Threads for nodes that are plain functions: as many as runs, so that none waits for another's (the default pool
    has six threads on two cores). A node that still runs at the end is not waited for: its run was handed back."""
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(max_workers=max(runs, 8), thread_name_prefix="longline-node")
    loop.set_default_executor(executor)
    try:
        yield
    finally:
        loop.set_default_executor(ThreadPoolExecutor())  # the loop may go on without this server
        executor.shutdown(wait=False, cancel_futures=True)


def _backend(kind: str, url: str, known: Mapping[str, B]) -> B:
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme not in known:
        raise NoBackendError(kind, scheme, known)
    return known[scheme]


def _version() -> str:
    try:
        return version("longline")
    except PackageNotFoundError:
        return "0"
