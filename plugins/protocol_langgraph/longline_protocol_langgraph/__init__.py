"""The LangGraph Server API over HTTP, as LangGraph's SDKs and front ends speak it."""

from collections.abc import Sequence

from longline.asgi.mount import AppWrapper, ProtocolMount
from longline.auth.access import AccessRule
from longline.auth.authenticator import Authenticator
from longline.hookspecs import hookimpl
from longline.models.collections import CollectionSpec
from longline.runs.recorders import EndRecorder
from longline.services.server import Server
from longline.settings import Settings, SettingsSection
from longline_protocol_langgraph.app import PUBLIC_PATHS, all_routes, build_mount
from longline_protocol_langgraph.custom_auth.loading import load_authenticator, load_rule
from longline_protocol_langgraph.custom_http.wrapper import build_wrapper
from longline_protocol_langgraph.feedback.links import FEEDBACK, TOKENS, FeedbackLinks
from longline_protocol_langgraph.protocol_v2.recent import STARTS
from longline_protocol_langgraph.settings import LangGraphApiSettings


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("protocol_langgraph", LangGraphApiSettings)]


@hookimpl
def register_collections() -> Sequence[CollectionSpec]:
    return [FEEDBACK, TOKENS, STARTS]


@hookimpl
def register_authenticators(settings: Settings) -> Sequence[Authenticator]:
    auth = settings.section(LangGraphApiSettings).auth
    return [load_authenticator(auth, settings)] if auth is not None else []


@hookimpl
def register_access_rules(settings: Settings) -> Sequence[AccessRule]:
    auth = settings.section(LangGraphApiSettings).auth
    return [load_rule(auth, settings)] if auth is not None else []


@hookimpl
def register_end_recorders(settings: Settings) -> Sequence[EndRecorder]:
    return [FeedbackLinks(settings.section(LangGraphApiSettings).feedback)]


@hookimpl
def register_protocols(server: Server) -> Sequence[ProtocolMount]:
    return [build_mount(server, server.settings.section(LangGraphApiSettings))]


@hookimpl
def wrap_app(server: Server) -> Sequence[AppWrapper]:
    settings = server.settings.section(LangGraphApiSettings)
    return [build_wrapper(server, settings.http, all_routes(server, settings), PUBLIC_PATHS)]
