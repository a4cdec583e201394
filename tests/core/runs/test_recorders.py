"""Recorders write with the end of a run: once, without its secrets, and without a way to hurt it."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.core.runs.test_listeners import RUN

from longline.auth.secrets import Vault
from longline.models.collections import CollectionSpec, NewDocument
from longline.models.runs import CancelRequest, Run, RunStatus
from longline.models.threads import RunFailure, ThreadStatus
from longline.runs.recorders import EndRecorder, EndRecorders, RunEnding
from longline.runs.shown import shown_run
from longline.storage.collections import record_nothing
from longline.storage.due import DueSignals
from longline.testing.storage_samples import ended, moment

VAULT = Vault(None)
ENDS = CollectionSpec(name="test.ends", kind="documents", ttl_seconds=60)


class Recorder:
    def __init__(
        self,
        collection: str = ENDS.name,
        *,
        wanted: bool = True,
        failure: Exception | None = None,
        value: Any = None,
    ) -> None:
        self.collection = collection
        self.value = value or {}
        self.wanted = wanted
        self.failure = failure
        self.seen: list[RunEnding] = []

    def wants(self, run: Run) -> bool:
        return self.wanted

    def record(self, ending: RunEnding) -> Sequence[NewDocument]:
        self.seen.append(ending)
        if self.failure is not None:
            raise self.failure
        return [NewDocument(collection=self.collection, owner="", key=ending.run.run_id, value=self.value)]


def joined(*recorders: EndRecorder) -> EndRecorders:
    return EndRecorders(
        recorders,
        collections={ENDS.name: ENDS},
        hide=lambda run: shown_run(VAULT, run),
        signals=DueSignals(),
        clock=lambda: moment(9),
    )


def test_a_recorder_sees_how_the_run_ends_without_its_secrets() -> None:
    recorder = Recorder()
    config = VAULT.seal({"configurable": {"api_key": "sk-1", "a": 1}})
    run = replace(RUN, spec=replace(RUN.spec, config=config))
    failure = RunFailure(error="ValueError", message="boom")
    outcome = ended(RunStatus.ERROR, thread_status=ThreadStatus.ERROR, failure=failure)
    (record,) = joined(recorder).of_outcome(run, outcome, values=b'{"n":1}', started_at=moment(1)).records
    assert record.expires_at == moment(69)
    (seen,) = recorder.seen
    assert (seen.values, seen.failure, seen.started_at, seen.ended_at) == (b'{"n":1}', failure, moment(1), moment(9))
    assert (seen.run.status, seen.run.failure, seen.run.updated_at) == (RunStatus.ERROR, failure, moment(9))
    assert seen.run.spec.config == {"configurable": {"api_key": "***", "a": 1}}


def test_a_run_that_ends_before_it_started_is_recorded_by_a_rule() -> None:
    recorder = Recorder()
    records = joined(recorder).rule(CancelRequest(action="interrupt", reason="asked"))(RUN)
    assert [record.key for record in records] == [RUN.run_id]
    (seen,) = recorder.seen
    assert (seen.run.status, seen.started_at, seen.values) == (RunStatus.INTERRUPTED, None, None)
    assert seen.failure == RunFailure(error="UserInterrupt", message="asked")


def test_nothing_is_made_of_runs_that_nobody_wants_recorded() -> None:
    recorder = Recorder(wanted=False)
    assert joined(recorder).of_outcome(RUN, ended(), values=None, started_at=moment()).records == ()
    assert joined(recorder).rule(CancelRequest(action="rollback", reason="x"))(RUN) == ()
    assert recorder.seen == []
    assert joined(recorder).rule(None) is record_nothing
    assert joined().rule(CancelRequest(action="rollback", reason="x")) is record_nothing


@pytest.mark.parametrize(
    "broken",
    [
        Recorder(failure=ValueError("boom")),
        Recorder("test.undeclared"),
        Recorder(value={"no": object()}),
        Recorder(value={"half a character": "\ud800"}),
    ],
)
def test_a_recorder_that_fails_is_named_in_the_log_and_hurts_nobody(
    broken: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    good = Recorder()
    with caplog.at_level(logging.ERROR):
        records = joined(broken, good).of_outcome(RUN, ended(), values=None, started_at=moment()).records
    assert [record.collection for record in records] == [ENDS.name]
    (line,) = caplog.records
    assert (line.message, line.run_id) == ("end recorder failed", "r1")
    assert "Recorder" in line.recorder


class Judge(Recorder):
    def __init__(self, word: str | None, **fields: Any) -> None:
        super().__init__(**fields)
        self.word = word

    def verdict(self, ending: RunEnding) -> str | None:
        if self.word == "broken":
            raise ValueError(self.word)
        return "waits" if ending.is_waiting else self.word


@pytest.mark.parametrize(
    ("words", "verdict"),
    [((), None), ((None,), None), ((None, "fine"), "fine"), (("fine", "bad"), "fine"), (("broken", "fine"), "fine"),
     (("half \ud800", "fine"), "fine"), (("a\0b", "fine"), "fine"), ((5, "fine"), "fine")],
)  # fmt: skip
def test_the_first_word_of_all_recorders_is_the_verdict(words: Sequence[str | None], verdict: str | None) -> None:
    judges, plain = [Judge(word) for word in words], Recorder()
    outcome = joined(plain, *judges).of_outcome(RUN, ended(), values=None, started_at=moment())
    assert outcome.verdict == verdict
    assert plain.seen[0].run.verdict == verdict


def test_a_judge_is_asked_only_about_runs_that_it_wants() -> None:
    judge = Judge("fine", wanted=False)
    assert joined(judge).of_outcome(RUN, ended(), values=None, started_at=moment()).verdict is None


@pytest.mark.parametrize(
    ("status", "thread_status", "is_waiting"),
    [
        (RunStatus.SUCCESS, ThreadStatus.INTERRUPTED, True),
        (RunStatus.SUCCESS, ThreadStatus.IDLE, False),
        (RunStatus.INTERRUPTED, ThreadStatus.INTERRUPTED, False),
        (RunStatus.ERROR, ThreadStatus.ERROR, False),
    ],
)
def test_a_run_waits_only_if_it_succeeded(status: RunStatus, thread_status: ThreadStatus, is_waiting: bool) -> None:
    judge = Judge(None)
    outcome = joined(judge).of_outcome(
        RUN, ended(status, thread_status=thread_status), values=None, started_at=moment()
    )
    assert (outcome.verdict == "waits") is is_waiting
