"""First-party parts of core, offered through the same hooks as anybody's."""

from collections.abc import Sequence
from functools import partial

from longline.asgi.mount import AppWrapper
from longline.asgi.request_id import with_request_id
from longline.auth.access import AccessRule
from longline.auth.authenticator import Authenticator
from longline.defaults.encryption import EncryptionSettings, ciphers
from longline.defaults.expiry import delete_expired
from longline.defaults.langgraph_json import LangGraphJsonSettings, graph_definitions
from longline.defaults.own_checkpointer import savers
from longline.defaults.owner_rule import OwnerRule
from longline.defaults.run_log import RunLog
from longline.defaults.static_tokens import StaticTokens, StaticTokensSettings
from longline.events.broker import BrokerBackend, connect_memory
from longline.graphs.definition import GraphDefinition
from longline.hookspecs import hookimpl
from longline.runs.listeners import RunListener
from longline.services.server import Server
from longline.settings import Settings, SettingsSection
from longline.storage.cipher import Cipher
from longline.storage.own_checkpoints import SaverSource
from longline.tasks import BackgroundTask


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [
        SettingsSection("encryption", EncryptionSettings),
        SettingsSection("langgraph", LangGraphJsonSettings),
        SettingsSection("static_tokens", StaticTokensSettings),
    ]


@hookimpl
def register_ciphers(settings: Settings) -> Sequence[Cipher]:
    return ciphers(settings)


@hookimpl
def register_savers(settings: Settings) -> Sequence[SaverSource]:
    return savers(settings)


@hookimpl
def register_event_brokers() -> Sequence[BrokerBackend]:
    return [BrokerBackend(schemes=("memory",), connect=connect_memory)]


@hookimpl
def register_authenticators(settings: Settings) -> Sequence[Authenticator]:
    tokens = settings.section(StaticTokensSettings).tokens
    return [StaticTokens(tokens)] if tokens else []


@hookimpl
def register_access_rules() -> Sequence[AccessRule]:
    return [OwnerRule()]


@hookimpl
def register_graph_sources(settings: Settings) -> Sequence[GraphDefinition]:
    return graph_definitions(settings.section(LangGraphJsonSettings))


@hookimpl
def observe_runs() -> Sequence[RunListener]:
    return [RunLog()]


@hookimpl
def register_background_tasks(server: Server) -> Sequence[BackgroundTask]:
    return [
        BackgroundTask(name="load graphs", run=server.graphs.load_all),
        BackgroundTask(name="crons", run=server.cron_ticker.run),
        BackgroundTask(name="sweep", run=server.retention.run),
        BackgroundTask(name="collections", run=partial(delete_expired, server.collections)),
    ]


@hookimpl
def wrap_app() -> Sequence[AppWrapper]:
    return [AppWrapper(order=0, wrap=with_request_id)]
