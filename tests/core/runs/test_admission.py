"""What a new run does to the unfinished ones on its thread."""

from dataclasses import replace

import pytest

from longline.errors import ThreadBusyError
from longline.models.runs import CancelRequest, Displacement, Run, RunStatus
from longline.runs.admission import admission_rule
from longline.testing.storage_samples import moment, sample_spec

RUN = Run(
    run_id="r1", thread_id="t", assistant_id="a", metadata={}, status=RunStatus.RUNNING, spec=sample_spec(),
    multitask_strategy="enqueue", created_at=moment(), updated_at=moment(), not_before=moment(), attempt=1,
    lease_owner="w",
)  # fmt: skip
BUSY = [RUN, replace(RUN, run_id="r2", status=RunStatus.PENDING, attempt=0)]


@pytest.mark.parametrize("strategy", ["reject", "enqueue", "interrupt", "rollback"])
def test_on_an_idle_thread_every_strategy_lets_the_run_in(strategy) -> None:
    assert admission_rule(strategy, "t")([]) == Displacement()


def test_enqueue_waits_its_turn_and_displaces_nobody() -> None:
    assert admission_rule("enqueue", "t")(BUSY) == Displacement()


def test_reject_names_the_thread_that_is_busy() -> None:
    with pytest.raises(ThreadBusyError, match="'t' is already running"):
        admission_rule("reject", "t")(BUSY)


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
def test_the_others_displace_every_unfinished_run_and_say_why(strategy) -> None:
    reason = f"{strategy} by a newer run on the thread"
    assert admission_rule(strategy, "t")(BUSY) == Displacement(
        run_ids=("r1", "r2"), request=CancelRequest(action=strategy, reason=reason)
    )
