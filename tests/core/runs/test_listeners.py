"""Listeners are told in order, and none can hurt a run or another listener."""

import logging

import pytest

from longline.defaults.run_log import RunLog
from longline.models.events import RunEvent
from longline.models.runs import Lease, Run, RunOutcome, RunStatus
from longline.runs.listeners import Listeners
from longline.testing.storage_samples import ended, moment, sample_spec

RUN = Run(
    run_id="r1", thread_id="t", assistant_id="a", metadata={}, status=RunStatus.RUNNING, spec=sample_spec(),
    multitask_strategy="enqueue", created_at=moment(), updated_at=moment(), not_before=moment(), attempt=2,
    lease_owner="w",
)  # fmt: skip
EVENT = RunEvent("r1", 1, 1, "values", (), b"{}")
OUTCOME = ended()


class Recorder:
    def __init__(self, *, wants_events: bool, failure: Exception | None = None) -> None:
        self.wants_events = wants_events
        self.failure = failure
        self.told: list[object] = []

    def _note(self, *words: object) -> None:
        self.told.append(words)
        if self.failure is not None:
            raise self.failure

    def on_created(self, run: Run) -> None:
        self._note("created", run)

    def on_started(self, run: Run) -> None:
        self._note("started", run)

    def on_event(self, event: RunEvent) -> None:
        self._note("event", event)

    def on_ended(self, lease: Lease, outcome: RunOutcome) -> None:
        self._note("ended", lease, outcome)


def tell_all(listeners: Listeners) -> None:
    listeners.on_created(RUN)
    listeners.on_started(RUN)
    listeners.on_event(EVENT)
    listeners.on_ended(RUN.lease, OUTCOME)


STORY = [("created", RUN), ("started", RUN), ("event", EVENT), ("ended", RUN.lease, OUTCOME)]


def test_everything_is_told_in_order() -> None:
    one, two = Recorder(wants_events=True), Recorder(wants_events=True)
    tell_all(Listeners([one, two]))
    assert one.told == two.told == STORY


def test_events_are_told_only_to_those_who_want_them() -> None:
    quiet, curious = Recorder(wants_events=False), Recorder(wants_events=True)
    tell_all(Listeners([quiet, curious]))
    assert quiet.told == [step for step in STORY if step[0] != "event"]
    assert curious.told == STORY


@pytest.mark.parametrize(("wanted", "expected"), [([], False), ([False], False), ([False, True], True)])
def test_events_are_wanted_if_one_wants_them(wanted: list[bool], expected: bool) -> None:
    assert Listeners([Recorder(wants_events=wants) for wants in wanted]).want_events is expected


def test_a_listener_that_fails_hurts_nobody_and_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    broken, good = Recorder(wants_events=True, failure=ValueError("boom")), Recorder(wants_events=True)
    tell_all(Listeners([broken, good]))
    assert good.told == broken.told == STORY
    assert [record.message for record in caplog.records] == ["run listener failed"] * 4
    assert all("Recorder" in record.listener and record.run_id == "r1" for record in caplog.records)
    assert "boom" in caplog.text


def test_the_run_log_says_one_line_for_each_change(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        tell_all(Listeners([RunLog()]))
        RunLog().on_event(EVENT)
    assert [record.message for record in caplog.records] == ["run created", "run resumed", "run ended"]
    assert [record.run_id for record in caplog.records] == ["r1"] * 3
    assert caplog.records[-1].status == "success"


class FirstWord(Recorder):
    def on_first_event(self, run: Run) -> None:
        self._note("first event", run)


def test_who_asks_for_the_first_event_gets_it_without_asking_for_all() -> None:
    asks, does_not = FirstWord(wants_events=False), Recorder(wants_events=False)
    listeners = Listeners([does_not, asks])
    assert listeners.want_events is False
    listeners.on_first_event(RUN)
    assert asks.told == [("first event", RUN)]
    assert does_not.told == []


def test_a_listener_of_first_events_that_fails_hurts_no_other(caplog: pytest.LogCaptureFixture) -> None:
    broken, other = FirstWord(wants_events=False, failure=ValueError("boom")), FirstWord(wants_events=False)
    Listeners([broken, other]).on_first_event(RUN)
    assert other.told == [("first event", RUN)]
    assert "run listener failed" in caplog.text
