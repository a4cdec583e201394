"""What plugins get once the server is assembled: its services, by name."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from longline.graphs.registry import GraphRegistry
from longline.models.json import JsonObject
from longline.runs.scheduler import Scheduler
from longline.services.assistants import AssistantService
from longline.services.runs import RunService
from longline.services.threads import ThreadService
from longline.settings import Settings
from longline.storage.protocols import StorageFacts
from longline.tools.tool import ToolRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The open server, as protocols and background tasks see it."""

    version: str
    settings: Settings
    assistants: AssistantService
    threads: ThreadService
    runs: RunService
    scheduler: Scheduler
    graphs: GraphRegistry
    tools: ToolRegistry
    storage_facts: StorageFacts
    check_storage: Callable[[], Awaitable[None]]
    """One small read; raises StorageError."""
    describe: Callable[[], Mapping[str, JsonObject]]
    """What the plugins say about the server (`describe_server`), by section."""
