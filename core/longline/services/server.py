"""What plugins get once the server is assembled: its services, by name."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.auth.secrets import Vault
from longline.auth.urls import UrlPolicies
from longline.graphs.registry import GraphRegistry
from longline.models.counts import StorageCounts
from longline.models.json import JsonObject
from longline.models.served import ServedProtocol
from longline.runs.scheduler import Scheduler
from longline.services.assistants import AssistantService
from longline.services.collections import Collections
from longline.services.cron_ticks import CronTicker
from longline.services.crons import CronService
from longline.services.items import ItemService
from longline.services.mirroring import Mirrors
from longline.services.retention import RetentionService
from longline.services.runs import RunService
from longline.services.thread_streams import ThreadStreamService
from longline.services.threads import ThreadService
from longline.settings import Settings
from longline.storage.protocols import StorageFacts
from longline.tools.prompts import PromptRegistry
from longline.tools.resources import ResourceRegistry
from longline.tools.tool import ToolRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The open server, as protocols and background tasks see it."""

    version: str
    settings: Settings
    assistants: AssistantService
    mirrors: Mirrors
    """Agents that are defined elsewhere (`register_assistant_sources`)."""
    threads: ThreadService
    thread_streams: ThreadStreamService
    runs: RunService
    items: ItemService
    retention: RetentionService
    crons: CronService
    cron_ticker: CronTicker
    scheduler: Scheduler
    graphs: GraphRegistry
    tools: ToolRegistry
    prompts: PromptRegistry
    resources: ResourceRegistry
    collections: Collections
    """What plugins keep, by the names that they declared (`register_collections`)."""
    urls: UrlPolicies
    """Where URLs that callers give may point."""
    vault: Vault
    """Seals what callers entrust to a plugin, under the key from the settings."""
    post_within: Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
    """POST a body with headers to a path of this server and get the status, without a socket. The call passes limits
    and authentication like one from outside, and shows no credentials but those among the headers."""
    storage_facts: StorageFacts
    check_storage: Callable[[], Awaitable[None]]
    """One small read; raises StorageError."""
    count_storage: Callable[[], Awaitable[StorageCounts]]
    """How much the storage holds, over all owners: for operators, not for callers. Raises StorageError."""
    authenticate: Callable[[Credentials], Awaitable[Principal]]
    """Who shows these credentials: what every protocol's requests go through, for who serves something beside them.
    LOCAL where authentication is off. Raises UnauthenticatedError."""
    is_authenticated: bool
    """Whether callers must show who they are. If not, everyone is LOCAL."""
    token_issuers: Sequence[str]
    """Where callers get the tokens that authenticators take (`IssuedAuthenticator`), as URLs."""
    find_organizations: Callable[[], bool]
    """What `knows_organizations` asks."""
    protocols: Callable[[], Sequence[ServedProtocol]]
    """What is served, by path; nothing while the server is put together."""
    describe: Callable[[], Mapping[str, JsonObject]]
    """What the plugins say about the server (`describe_server`), by section."""

    @property
    def knows_organizations(self) -> bool:
        """Whether anybody here can tell which organisations a caller belongs to (`Principal.organizations`). As it is
        configured, until authenticators have looked, which they do when the server opens."""
        return self.find_organizations()
