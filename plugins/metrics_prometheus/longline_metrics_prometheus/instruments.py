"""What is measured: one registry for each server, so that two servers in one process do not mix."""

import time
from collections.abc import Iterator
from typing import Final
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import Metric

from longline.settings import Settings
from longline_metrics_prometheus.settings import MetricsSettings

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_OF_STORAGE: Final = frozenset(
    {"longline_storage_up", "longline_storage_rows", "longline_queue_runs", "longline_queue_wait_seconds"}
)
_SLOW: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class Instruments:
    """Every metric of one server. Counters begin at nothing when the server is put together. `worker` is a label of all
    figures of this process, so that those of its siblings at the same address are told apart."""

    def __init__(self, worker: str = "") -> None:
        self._worker = worker
        self.started_at = time.monotonic()
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "longline_requests", "Answered requests by route.", ("method", "path", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "longline_request_duration_seconds",
            "From the request to the last byte of its answer: a stream takes as long as it is open.",
            ("method", "path"),
            buckets=_FAST,
            registry=registry,
        )
        self.streams = Gauge(
            "longline_active_streams", "Open event streams of this process.", ("transport",), registry=registry
        )
        for transport in ("sse", "websocket"):
            self.streams.labels(transport)
        self._measure_runs(registry)
        self._mirror_storage(registry)

    def _measure_runs(self, registry: CollectorRegistry) -> None:
        self.runs_accepted = Counter("longline_runs_accepted", "Runs that this process took on.", registry=registry)
        self.runs_ended = Counter(
            "longline_runs", "Runs that ended here, by their status.", ("status",), registry=registry
        )
        self.retries = Counter(
            "longline_run_retries", "Attempts that took over a run from one that stopped.", registry=registry
        )
        self.errors = Counter(
            "longline_run_errors", "Failed runs by the class of the error.", ("error",), registry=registry
        )
        self.wait_seconds = Histogram(
            "longline_run_wait_seconds", "From when a run was due to its start.", buckets=_FAST, registry=registry
        )
        self.first_event_seconds = Histogram(
            "longline_run_first_event_seconds",
            "From when a run was due to the first event of its graph.",
            buckets=_FAST,
            registry=registry,
        )
        self.run_seconds = Histogram(
            "longline_run_duration_seconds", "From the start of an attempt to its stored end.", buckets=_SLOW,
            registry=registry,
        )  # fmt: skip

    def _mirror_storage(self, registry: CollectorRegistry) -> None:
        self.workers = Gauge("longline_workers", "Places for runs in this process.", ("state",), registry=registry)
        self.storage_up = Gauge("longline_storage_up", "Whether the storage answered just now.", registry=registry)
        self.rows = Gauge("longline_storage_rows", "What the storage holds.", ("kind",), registry=registry)
        self.queue = Gauge("longline_queue_runs", "Unfinished runs in the storage.", ("status",), registry=registry)
        self.queue_wait = Gauge(
            "longline_queue_wait_seconds",
            "For how long the runs that are due have waited; unblocked: those that miss only a worker.",
            ("runs", "stat"),
            registry=registry,
        )

    @property
    def uptime_seconds(self) -> float:
        """How long this server has been there."""
        return time.monotonic() - self.started_at

    def exposition(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(_AsRead(self.registry, self._worker))


class _AsRead(CollectorRegistry):
    """A registry as it is read, without the times at which each series began: half of all lines, of no use here. What
    this process counts has the label of its worker; what the storage says is everybody's."""

    def __init__(self, registry: CollectorRegistry, worker: str) -> None:
        super().__init__()
        self._read = registry
        self._labels = {"worker": worker} if worker else {}

    def collect(self) -> Iterator[Metric]:
        """See CollectorRegistry."""
        for family in self._read.collect():
            labels = {} if family.name in _OF_STORAGE else self._labels
            family.samples = [
                sample._replace(labels={**sample.labels, **labels})
                for sample in family.samples
                if not sample.name.endswith("_created")
            ]
            yield family


_OF_SERVERS: WeakKeyDictionary[Settings, Instruments] = WeakKeyDictionary()


def instruments_of(settings: Settings) -> Instruments:
    """The instruments of the server with these settings: its hooks are called one by one, and share them."""
    known = _OF_SERVERS.get(settings)
    if known is None:
        known = _OF_SERVERS[settings] = Instruments(settings.section(MetricsSettings).worker)
    return known
