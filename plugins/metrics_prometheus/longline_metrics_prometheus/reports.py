"""The figures of one moment, as text and as JSON."""

import logging
import platform
from collections.abc import Mapping
from typing import Final

from longline.errors import StorageError
from longline.models.counts import QueueFigures, StorageCounts
from longline.models.json import JsonObject, JsonValue
from longline.services.server import Server
from longline.settings import ServerSettings
from longline_metrics_prometheus.instruments import Instruments

logger = logging.getLogger(__name__)

_DIGITS: Final = 3

Figures = Mapping[str, int]


class Reports:
    """Asks the storage once for each report; without it a report tells what this process knows."""

    def __init__(self, server: Server, instruments: Instruments) -> None:
        self._server = server
        self._instruments = instruments
        self._most_runs = server.settings.section(ServerSettings).runs

    async def text(self) -> bytes:
        """Prometheus' text format."""
        self._mirror(await self._counts())
        return self._instruments.exposition()

    async def api_figures(self) -> JsonObject:
        """The form of the LangGraph Server: queue, requests by route, workers."""
        counts = await self._counts()
        queue = counts.queue if counts is not None else QueueFigures()
        return {
            "queue": {
                "n_pending": queue.pending,
                "n_running": queue.running,
                "pending_runs_wait_time_max_secs": _rounded(queue.longest_wait_seconds),
                "pending_runs_wait_time_med_secs": _rounded(queue.median_wait_seconds),
                "pending_unblocked_runs_wait_time_max_secs": _rounded(queue.longest_unblocked_wait_seconds),
                "pending_unblocked_runs_wait_time_med_secs": _rounded(queue.median_unblocked_wait_seconds),
            },
            "api": {"http_requests_total": self._requests()},
            "workers": dict(self._workers()),
        }

    async def figures(self) -> JsonObject:
        """What this process does and what the storage holds; `storage` is null where that cannot be told."""
        counts = await self._counts()
        return {
            "runtime": {
                "uptime_seconds": _rounded(self._instruments.uptime_seconds),
                "python_version": platform.python_version(),
                "version": self._server.version,
            },
            "storage": None if counts is None else dict(_held(counts)),
            "queue": None if counts is None else _queue(counts.queue),
            "agent": {
                "total_runs": _total(self._instruments, "longline_runs_accepted_total"),
                "active_streams": _total(self._instruments, "longline_active_streams"),
                "active_runs": self._server.scheduler.running_count,
                "runs_by_status": _by_label(self._instruments, "longline_runs_total", "status"),
                "errors_by_type": _by_label(self._instruments, "longline_run_errors_total", "error"),
            },
            "workers": dict(self._workers()),
        }

    async def _counts(self) -> StorageCounts | None:
        try:
            return await self._server.count_storage()
        except StorageError as error:
            logger.warning("storage not counted", extra={"reason": error.reason})
            return None

    def _mirror(self, counts: StorageCounts | None) -> None:
        told = self._instruments
        for state, number in self._workers().items():
            told.workers.labels(state).set(number)
        told.storage_up.set(0 if counts is None else 1)
        if counts is None:  # yesterday's figures would look like today's
            for gauge in (told.rows, told.queue, told.queue_wait):
                gauge.clear()
            return
        for kind, number in _held(counts).items():
            told.rows.labels(kind).set(number)
        queue = counts.queue
        told.queue.labels("pending").set(queue.pending)
        told.queue.labels("running").set(queue.running)
        told.queue_wait.labels("due", "max").set(queue.longest_wait_seconds)
        told.queue_wait.labels("due", "median").set(queue.median_wait_seconds)
        told.queue_wait.labels("unblocked", "max").set(queue.longest_unblocked_wait_seconds)
        told.queue_wait.labels("unblocked", "median").set(queue.median_unblocked_wait_seconds)

    def _workers(self) -> Figures:
        active = self._server.scheduler.running_count
        return {"max": self._most_runs, "active": active, "available": max(0, self._most_runs - active)}

    def _requests(self) -> list[JsonValue]:
        return [
            {**sample.labels, "status": _number(sample.labels["status"]), "count": int(sample.value)}
            for family in self._instruments.requests.collect()
            for sample in family.samples
            if sample.name == "longline_requests_total"
        ]


def _held(counts: StorageCounts) -> Figures:
    return {
        "assistants": counts.assistants,
        "threads": counts.threads,
        "runs": counts.runs,
        "store_items": counts.items,
    }


def _queue(queue: QueueFigures) -> JsonObject:
    return {
        "pending": queue.pending,
        "running": queue.running,
        "longest_wait_seconds": _rounded(queue.longest_wait_seconds),
        "median_wait_seconds": _rounded(queue.median_wait_seconds),
    }


def _total(instruments: Instruments, name: str) -> int:
    return sum(_by_sample(instruments, name).values())


def _by_label(instruments: Instruments, name: str, label: str) -> JsonObject:
    return {dict(labels)[label]: value for labels, value in _by_sample(instruments, name).items()}


def _by_sample(instruments: Instruments, name: str) -> dict[tuple[tuple[str, str], ...], int]:
    return {
        tuple(sample.labels.items()): int(sample.value)
        for family in instruments.registry.restricted_registry([name]).collect()
        for sample in family.samples
        if sample.name == name
    }


def _rounded(seconds: float) -> float:
    return round(seconds, _DIGITS)


def _number(status: str) -> JsonValue:
    return int(status) if status.isdigit() else status
