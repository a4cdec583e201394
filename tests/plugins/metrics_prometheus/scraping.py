"""What Prometheus would have read."""

import asyncio
from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self._samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """The sample with exactly these labels."""
        return self._samples.get((name, tuple(sorted(labels.items()))))

    def labels(self, name: str, label: str) -> set[str]:
        """All values of a label."""
        return {dict(labels)[label] for found, labels in self._samples if found == name}

    def count(self, name: str) -> int:
        """How many series a name has."""
        return sum(1 for found, _ in self._samples if found == name)


async def scrape(http: httpx.AsyncClient, path: str = "/metrics") -> Scrape:
    """One scrape."""
    answer = await http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return Scrape(answer.text)


async def scrape_until(http: httpx.AsyncClient, holds: Callable[[Scrape], bool]) -> Scrape:
    """Scrape until something holds: a counter moves when an answer is over, which its client may know first."""
    async with asyncio.timeout(10):
        while not holds(found := await scrape(http)):
            await asyncio.sleep(0.01)
    return found
