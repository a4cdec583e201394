"""The Agent2Agent protocol: every assistant of the server is an agent that other agents can talk to."""

from collections.abc import Mapping, Sequence
from functools import partial

from longline.asgi.mount import ProtocolMount
from longline.auth.urls import UrlPolicy
from longline.hookspecs import hookimpl
from longline.models.collections import CollectionSpec
from longline.models.json import JsonObject
from longline.runs.recorders import EndRecorder
from longline.services.server import Server
from longline.settings import Settings, SettingsSection
from longline.tasks import BackgroundTask
from longline_protocol_a2a.app import build_mounts, facts_of
from longline_protocol_a2a.push_outbox import CALLS, CONFIGS, ENDINGS, PushOutbox
from longline_protocol_a2a.push_service import deliver_pushes, tell_endings
from longline_protocol_a2a.settings import A2aSettings
from longline_protocol_a2a.verdicts import TaskJudge


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("protocol_a2a", A2aSettings)]


@hookimpl
def register_collections() -> Sequence[CollectionSpec]:
    return [CONFIGS, ENDINGS, CALLS]


@hookimpl
def register_url_policies(settings: Settings) -> Sequence[UrlPolicy]:
    section = settings.section(A2aSettings)
    return [section.push.policy(allow_loopback=section.push_loopback)]


@hookimpl
def register_end_recorders(settings: Settings) -> Sequence[EndRecorder]:
    return [TaskJudge(), PushOutbox()] if settings.section(A2aSettings).push.enabled else [TaskJudge()]


@hookimpl
def register_background_tasks(server: Server) -> Sequence[BackgroundTask]:
    if not server.settings.section(A2aSettings).push.enabled:
        return []
    return [
        BackgroundTask(name="push endings", run=partial(tell_endings, server)),
        BackgroundTask(name="push notifications", run=partial(deliver_pushes, server)),
    ]


@hookimpl
def register_protocols(server: Server) -> Sequence[ProtocolMount]:
    return build_mounts(server, server.settings.section(A2aSettings))


@hookimpl
def describe_server(server: Server) -> Mapping[str, JsonObject]:
    return {"a2a": facts_of(server.settings.section(A2aSettings))}
