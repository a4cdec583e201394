"""Every hook, in the order the server calls them. Hooks are called once, at assembly, and hand over objects."""

from collections.abc import Mapping, Sequence

import pluggy

from longline.asgi.mount import AppWrapper, ProtocolMount
from longline.auth.access import AccessRule
from longline.auth.authenticator import Authenticator
from longline.auth.urls import UrlPolicy
from longline.commands import Command
from longline.events.broker import BrokerBackend
from longline.graphs.definition import GraphDefinition
from longline.models.collections import CollectionSpec
from longline.models.json import JsonObject
from longline.runs.listeners import RunListener
from longline.runs.recorders import EndRecorder
from longline.services.server import Server
from longline.services.sources import AssistantSource
from longline.settings import Settings, SettingsSection
from longline.storage.cipher import Cipher
from longline.storage.own_checkpoints import SaverSource
from longline.storage.protocols import StorageBackend
from longline.tasks import BackgroundTask
from longline.tools.prompts import Prompt
from longline.tools.resources import Resource
from longline.tools.tool import Tool, ToolRegistry

hookspec = pluggy.HookspecMarker("longline")
hookimpl = pluggy.HookimplMarker("longline")


@hookspec
def register_settings() -> Sequence[SettingsSection]:
    """Declare sections of the configuration. The section's name is the plugin's."""
    return ()


@hookspec
def register_commands() -> Sequence[Command]:
    """Add subcommands to the `longline` command."""
    return ()


@hookspec
def register_storage_backends(settings: Settings) -> Sequence[StorageBackend]:
    """Offer storages by URL scheme. Two plugins may not offer the same scheme."""
    return ()


@hookspec
def register_ciphers(settings: Settings) -> Sequence[Cipher]:
    """Encrypt what is stored, in whatever storage. There may be one in all; with none nothing is encrypted."""
    return ()


@hookspec
def register_savers(settings: Settings) -> Sequence[SaverSource]:
    """Keep checkpoints in a saver of LangGraph's instead of in the storage. There may be one in all."""
    return ()


@hookspec
def register_event_brokers(settings: Settings) -> Sequence[BrokerBackend]:
    """Offer ways for processes to signal each other, by URL scheme."""
    return ()


@hookspec
def register_collections(settings: Settings) -> Sequence[CollectionSpec]:
    """Declare what a plugin keeps: documents, logs, counters. Two plugins may not declare the same name."""
    return ()


@hookspec
def register_authenticators(settings: Settings) -> Sequence[Authenticator]:
    """Recognise credentials. With none registered everyone is one local user."""
    return ()


@hookspec
def register_access_rules(settings: Settings) -> Sequence[AccessRule]:
    """Decide what a principal may do. All rules must agree."""
    return ()


@hookspec
def register_url_policies(settings: Settings) -> Sequence[UrlPolicy]:
    """Say where URLs that callers give may point, by purpose. Two plugins may not decide about the same purpose."""
    return ()


@hookspec
def register_tools(settings: Settings) -> Sequence[Tool]:
    """Offer named tools to every agent and protocol of this server."""
    return ()


@hookspec
def register_prompts(settings: Settings) -> Sequence[Prompt]:
    """Offer named prompts to whoever starts a conversation."""
    return ()


@hookspec
def register_graph_sources(settings: Settings, tools: ToolRegistry) -> Sequence[GraphDefinition]:
    """Offer graphs by id."""
    return ()


@hookspec
def register_assistant_sources(settings: Settings) -> Sequence[AssistantSource]:
    """Bring agents that are defined elsewhere: each is mirrored as an assistant. Two plugins may not offer a name."""
    return ()


@hookspec
def observe_runs(settings: Settings) -> Sequence[RunListener]:
    """Be told when runs are created, start, say something and end."""
    return ()


@hookspec
def register_end_recorders(settings: Settings) -> Sequence[EndRecorder]:
    """Store documents in the transaction in which a run ends."""
    return ()


@hookspec
def register_resources(settings: Settings, server: Server) -> Sequence[Resource]:
    """Offer documents by URI, or by a template of URIs. Two plugins may not offer the same."""
    return ()


@hookspec
def register_background_tasks(server: Server) -> Sequence[BackgroundTask]:
    """Keep coroutines running as long as the server does."""
    return ()


@hookspec
def register_protocols(server: Server) -> Sequence[ProtocolMount]:
    """Serve ASGI apps below paths of their own. Two plugins may not take the same path."""
    return ()


@hookspec
def describe_server(server: Server) -> Mapping[str, JsonObject]:
    """Add named sections to what the server tells about itself."""
    return {}


@hookspec
def wrap_app(server: Server) -> Sequence[AppWrapper]:
    """Put middleware round the whole server. The lowest order is outermost; equal orders go by plugin name."""
    return ()
