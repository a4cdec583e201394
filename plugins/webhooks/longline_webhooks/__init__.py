"""Tells other servers how runs ended: each delivery is stored with the run's end, signed, and retried."""

from collections.abc import Sequence
from functools import partial

from longline.auth.urls import UrlPolicy
from longline.hookspecs import hookimpl
from longline.models.collections import CollectionSpec
from longline.runs.recorders import EndRecorder
from longline.services.server import Server
from longline.settings import Settings, SettingsSection
from longline.tasks import BackgroundTask
from longline_webhooks.outbox import DELIVERIES, WebhookOutbox
from longline_webhooks.service import deliver_webhooks
from longline_webhooks.settings import WebhookSettings


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("webhooks", WebhookSettings)]


@hookimpl
def register_collections() -> Sequence[CollectionSpec]:
    return [DELIVERIES]


@hookimpl
def register_url_policies(settings: Settings) -> Sequence[UrlPolicy]:
    return [settings.section(WebhookSettings).policy]


@hookimpl
def register_end_recorders(settings: Settings) -> Sequence[EndRecorder]:
    return [WebhookOutbox(settings.section(WebhookSettings).max_payload_mib)]


@hookimpl
def register_background_tasks(server: Server) -> Sequence[BackgroundTask]:
    return [BackgroundTask(name="webhooks", run=partial(deliver_webhooks, server))]
