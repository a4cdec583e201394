"""Settings and plugins → an open server. The only place that knows all parts."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from longline.asgi.front import FrontDoor
from longline.asgi.mount import ProtocolMount
from longline.asgi.router import assemble
from longline.asgi.types import ASGIApp
from longline.assembly import Assembly, Built
from longline.auth.secrets import parse_key
from longline.errors import NoBackendError, StorageAwayError
from longline.graphs.registry import GraphRegistry
from longline.plugin_host import PluginHost
from longline.runs.containment import contained
from longline.services.server import Server
from longline.settings import (
    CORE_SECTIONS,
    AuthSettings,
    SecretSettings,
    ServerSettings,
    Settings,
    parse_settings,
)
from longline.storage.encrypted import behind
from longline.storage.own_checkpoints import beside, unsealed
from longline.storage.protocols import Storage, StorageBackend
from longline.tasks import supervise
from longline.tools.prompts import PromptRegistry
from longline.tools.tool import ToolRegistry

logger = logging.getLogger(__name__)

B = TypeVar("B")

_MEMORY: Final = "memory://"
_START_TRIES: Final = 40
_START_PAUSE_SECONDS: Final = 0.25
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
        self.authenticators = self.host.authenticators(self.settings, self.settings.section(AuthSettings).order)
        self._front = FrontDoor()
        self.tools = ToolRegistry(self.host.tools(self.settings))
        self.prompts = PromptRegistry(self.host.prompts(self.settings))
        self._cipher = self.host.cipher(self.settings)
        self._saver = unsealed(self.host.saver(self.settings), self._cipher)
        self.graphs = GraphRegistry(self.host.graph_definitions(self.settings, self.tools))
        self.storage_backend: StorageBackend = _backend(
            "storage", server.database, self.host.storage_backends(self.settings)
        )
        brokers = self.host.event_brokers(self.settings)
        self._broker_url = server.broker or (server.database if _scheme(server.database) in brokers else _MEMORY)
        self._broker_backend = _backend("broker", self._broker_url, brokers)
        self._key = parse_key(self.settings.section(SecretSettings).key.get_secret_value())
        self._collections = self.host.collections(self.settings)
        self._urls = self.host.url_policies(self.settings)

    @asynccontextmanager
    async def open(self, *, only_own_runs: bool = False) -> AsyncIterator[OpenServer]:
        """Open storage, start the workers and the plugins' parts; close all in reverse order. Raises StorageError,
        StorageInUseError, SchemaTooNewError, PluginError.

        With `only_own_runs` it is a guest on a storage that servers share: it executes what is created in this process,
        takes nothing off the queue, and starts no background task of a plugin, so that nobody else's run, cron or
        delivery meets this process's code. A run that it has no room for waits for the servers."""
        settings = self.settings.section(ServerSettings)
        async with AsyncExitStack() as stack:
            stack.enter_context(_node_executor(settings.runs))
            stack.enter_context(contained(asyncio.get_running_loop()))
            connected = await stack.enter_async_context(self.storage_backend.connect(settings.database))
            storage = await stack.enter_async_context(beside(self._saver, await self._sealed(connected)))
            broker = await stack.enter_async_context(self._broker_backend.connect(self._broker_url))
            mounts: list[ProtocolMount] = []
            built = self._assembly().build(storage, broker, mounts, only_own_runs=only_own_runs)
            server = built.server
            await _until_there(server.assistants.ensure_graph_assistants)
            mounts += self.host.protocols(server)
            wrappers = self.host.app_wrappers(server)
            app = assemble(
                mounts,
                wrappers,
                self.authenticators,
                max_body_bytes=int(settings.max_body_mib * 1024 * 1024),
            )
            self._front.open(app)
            for source in server.mirrors.sources.values():
                await stack.enter_async_context(source.open())
            stack.push_async_callback(server.mirrors.close)
            await stack.enter_async_context(self._workers(built, settings))
            for lifespan in (*(mount.lifespan for mount in mounts), *(wrapper.lifespan for wrapper in wrappers)):
                if lifespan is not None:
                    await stack.enter_async_context(lifespan())
            if not only_own_runs:
                await stack.enter_async_context(self._background(built))
            yield OpenServer(app=app, server=server, plugins=self.host.names)

    async def try_assembly(self, database: str) -> None:
        """Put everything together as `open` does, over another database, and start nothing: what would keep a server
        from starting shows. Raises as `open`."""
        async with (
            self.storage_backend.connect(database) as storage,
            self._broker_backend.connect(self._broker_url) as broker,
        ):
            server = self._assembly().build(await self._sealed(storage), broker, []).server
            self.host.protocols(server)
            self.host.app_wrappers(server)
            self.host.background_tasks(server)
            self.host.describe(server)

    def _assembly(self) -> Assembly:
        return Assembly(
            host=self.host,
            settings=self.settings,
            key=self._key,
            authenticators=self.authenticators,
            collections=self._collections,
            urls=self._urls,
            graphs=self.graphs,
            tools=self.tools,
            prompts=self.prompts,
            post_within=self._front.post,
        )

    async def _sealed(self, storage: Storage) -> Storage:
        return await behind(self._cipher, storage, is_owner_searched=bool(self.authenticators))

    @asynccontextmanager
    async def _workers(self, built: Built, settings: ServerSettings) -> AsyncIterator[None]:
        """What runs beside the services. On leaving, runs end or go back to the queue, and events are stored."""
        running = [asyncio.create_task(supervise(task), name=task.name) for task in built.tasks]
        try:
            yield
        finally:
            await built.server.scheduler.drain(settings.drain_seconds)
            await _store_last(built)
            for task in running:
                await _end(task)

    @asynccontextmanager
    async def _background(self, built: Built) -> AsyncIterator[None]:
        tasks: list[asyncio.Task[None]] = []
        try:
            for keeper in built.keepers:
                await keeper.start()
            kept = (task for keeper in built.keepers for task in keeper.tasks())
            wanted = [*self.host.background_tasks(built.server), *kept]
            tasks += [asyncio.create_task(supervise(task), name=task.name) for task in wanted]
            yield
        finally:
            for task in tasks:
                await _end(task)
            for keeper in built.keepers:
                await keeper.stop()


async def _until_there(work: Callable[[], Awaitable[None]]) -> None:
    """Do work that may be done twice, again while the storage is away for a moment: a server that starts just then
    comes up all the same, and says each reason once. Raises what the last try raised."""
    told = set()
    for _ in range(_START_TRIES):
        try:
            return await work()
        except StorageAwayError as error:
            if error.reason not in told:
                logger.warning("storage away at the start", extra={"reason": error.reason})
            told.add(error.reason)
            await asyncio.sleep(_START_PAUSE_SECONDS)
    return await work()


async def _store_last(built: Built) -> None:
    """Events that wait are stored, unless the storage is away: then the server must be able to end all the same."""
    try:
        async with asyncio.timeout(_LAST_SECONDS):
            await built.drain()
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


def _scheme(url: str) -> str:
    scheme, mark, _ = url.partition("://")
    return scheme.partition("+")[0] if mark else ""  # without the mark it may be anything, a password among it


def _backend(kind: str, url: str, known: Mapping[str, B]) -> B:
    scheme = _scheme(url)
    if scheme not in known:
        raise NoBackendError(kind, scheme, known)
    return known[scheme]
