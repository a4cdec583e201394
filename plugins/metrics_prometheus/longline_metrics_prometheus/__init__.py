"""Metrics of the server: in Prometheus' text format, and as JSON."""

from collections.abc import Sequence

from longline.asgi.mount import AppWrapper, ProtocolMount
from longline.hookspecs import hookimpl
from longline.runs.listeners import RunListener
from longline.services.server import Server
from longline.settings import Settings, SettingsSection
from longline_metrics_prometheus.app import build_mount
from longline_metrics_prometheus.instruments import instruments_of
from longline_metrics_prometheus.requests import RequestMetrics
from longline_metrics_prometheus.runs import RunMetrics
from longline_metrics_prometheus.settings import MetricsSettings


@hookimpl
def register_settings() -> Sequence[SettingsSection]:
    return [SettingsSection("metrics_prometheus", MetricsSettings)]


@hookimpl
def observe_runs(settings: Settings) -> Sequence[RunListener]:
    return [RunMetrics(instruments_of(settings))]


@hookimpl
def register_protocols(server: Server) -> Sequence[ProtocolMount]:
    return [build_mount(server, server.settings.section(MetricsSettings), instruments_of(server.settings))]


@hookimpl
def wrap_app(server: Server) -> Sequence[AppWrapper]:
    return [AppWrapper(order=-10, wrap=RequestMetrics(instruments_of(server.settings)).wrap)]
