"""Ticks become runs of who made the cron: on time, once, and whatever goes wrong for the next one."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from tests.core import sample_graphs as graphs
from tests.core.conftest import OpenServer
from tests.core.cron_tools import EVERY_SECOND, YEARLY, Told, ago, config_of, make_due
from tests.races.graphs import Gate, gated

from longline.auth.principal import Principal
from longline.errors import NotFoundError
from longline.ids import tick_run_id
from longline.models.crons import CronChange, CronSpec, NewCron
from longline.services.run_requests import RunRequest

pytestmark = pytest.mark.anyio

ANN = Principal(identity="ann", permissions=("read",), claims={"team": "x"}, token="tok-ann")


def new(**fields: object) -> NewCron:
    values = {"assistant": "g", "schedule": EVERY_SECOND, "spec": CronSpec(), **fields}
    return NewCron(**values)  # type: ignore[arg-type]  # the names are checked when it is called


async def test_each_tick_is_a_run_of_the_creator_with_all_that_the_cron_says(open_server: OpenServer) -> None:
    told = Told()
    async with open_server({"g": graphs.looking()}, listeners=[told]) as server:
        spec = CronSpec(
            input={"n": 3}, metadata={"k": 1}, config={"recursion_limit": 7, "configurable": {"a": 1, "api_key": "s"}},
            webhook="https://example.com/hook", interrupt_before=["nowhere"], interrupt_after=["nowhere"],
            multitask_strategy="rollback", stream_modes=("updates", "values"), subgraphs=True, resumable=True,
            durability="sync",
        )  # fmt: skip
        cron = await server.crons.create(ANN, new(spec=spec, keeps_threads=True))
        runs = (await told.wait(2, ended=True))[:2]
        assert len({run.thread_id for run in runs}) == 2
        for run in runs:
            seen = config_of(run)
            assert (seen["cron_id"], seen["a"]) == (cron.cron_id, 1)
            assert str(seen["api_key"]).startswith("longline-sealed")
            assert (seen["user_id"], seen["langgraph_auth_user"]["team"]) == ("ann", "x")
            assert (run.metadata["k"], run.metadata["owner"]) == (1, "ann")
            found = run.spec
            assert (found.input, found.webhook) == (spec.input, spec.webhook)
            assert (found.interrupt_before, found.interrupt_after) == (["nowhere"], ["nowhere"])
            assert (found.stream_modes, found.subgraphs, found.resumable) == (("updates", "values"), True, True)
            assert (found.durability, run.multitask_strategy, found.config["recursion_limit"]) == (
                "sync",
                "rollback",
                7,
            )
            state = (await server.threads.get(ANN, run.thread_id)).values
            assert orjson.loads(state)["seen"]["api_key"] == "***"
            second = int(run.run_id.replace("-", "")[:12], 16)
            assert second % 1000 == 0
            assert run.run_id == tick_run_id(cron.cron_id, datetime.fromtimestamp(second / 1000, UTC))


async def test_the_thread_of_a_run_goes_with_it_unless_it_is_kept(open_server: OpenServer) -> None:
    told = Told()
    async with open_server({"g": graphs.steps("a")}, listeners=[told]) as server:
        await server.crons.create(ANN, new())
        run = (await told.wait(1, ended=True))[0]
        assert run.spec.temporary
        with pytest.raises(NotFoundError):
            await server.threads.get(ANN, run.thread_id)


async def test_a_cron_on_a_thread_runs_on_it(open_server: OpenServer) -> None:
    told = Told()
    async with open_server({"g": graphs.steps("a")}, listeners=[told]) as server:
        thread = await server.threads.create(ANN)
        await server.crons.create(ANN, new(thread_id=thread.thread_id, spec=CronSpec(input={"n": 0})))
        runs = await told.wait(2, ended=True)
        assert {run.thread_id for run in runs} == {thread.thread_id}
        values = orjson.loads((await server.threads.get(ANN, thread.thread_id)).values)
        assert values["notes"][:2] == ["a", "a"]


async def test_a_cron_that_is_made_or_changed_is_on_time_although_the_next_was_far_off(open_server: OpenServer) -> None:
    told = Told()
    async with open_server({"g": graphs.steps("a")}, listeners=[told]) as server:
        cron = await server.crons.create(ANN, new(schedule=YEARLY))
        await asyncio.sleep(0)
        await server.crons.update(ANN, cron.cron_id, CronChange(schedule=EVERY_SECOND))
        run = (await told.wait(1))[0]
        assert config_of(run)["cron_id"] == cron.cron_id


async def test_ticks_that_were_missed_make_one_run_and_then_it_counts_from_now(
    open_server: OpenServer, tmp_path: Path
) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        cron = await server.crons.create(ANN, new(schedule="0 * * * *"))
    tick = ago(days=3)
    await make_due(tmp_path, cron.cron_id, tick)
    told = Told()
    async with open_server({"g": graphs.steps("a")}, listeners=[told]) as server:
        (run,) = await told.wait(1, ended=True)
        assert run.run_id == tick_run_id(cron.cron_id, tick)
        next_tick = (await server.crons.get(ANN, cron.cron_id)).next_tick
        assert timedelta(0) < next_tick - datetime.now(UTC) <= timedelta(hours=1)
    assert len(told.created) == 1


async def test_ticks_behind_one_that_a_dead_process_held_come_one_by_one(
    open_server: OpenServer, tmp_path: Path
) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        cron = await server.crons.create(ANN, new(schedule=EVERY_SECOND, enabled=False))
    tick = ago(seconds=3)  # less than four leases
    await make_due(tmp_path, cron.cron_id, tick, enabled=True)
    told = Told()
    async with open_server({"g": graphs.steps("a")}, listeners=[told]):
        runs = await told.wait(4)
    made = [tick_run_id(cron.cron_id, tick + timedelta(seconds=number)) for number in range(4)]
    assert [run.run_id for run in runs[:4]] == made


async def _passed_over(open_server: OpenServer, tmp_path: Path, *, tick: datetime, **changed: object):
    """What a restarted server makes of a cron: once another, due after it, has made its run."""
    async with open_server({"g": graphs.steps("a")}) as server:
        cron = await server.crons.create(ANN, new(schedule=YEARLY))
        mark = await server.crons.create(ANN, new(schedule=YEARLY))
    await make_due(tmp_path, cron.cron_id, tick, **changed)
    await make_due(tmp_path, mark.cron_id, tick + timedelta(seconds=1))
    told = Told()
    async with open_server({"g": graphs.steps("a")}, listeners=[told]) as server:
        async with asyncio.timeout(20):
            while not any(config_of(run)["cron_id"] == mark.cron_id for run in told.created):
                await asyncio.sleep(0.005)
        return cron, [config_of(run)["cron_id"] for run in told.created], await server.crons.get(ANN, cron.cron_id)


async def test_what_is_not_enabled_makes_no_runs(open_server: OpenServer, tmp_path: Path) -> None:
    cron, ran, _ = await _passed_over(open_server, tmp_path, tick=ago(hours=1), enabled=False)
    assert cron.cron_id not in ran


async def test_a_missed_tick_makes_no_run_once_the_end_has_passed(open_server: OpenServer, tmp_path: Path) -> None:
    cron, ran, left = await _passed_over(open_server, tmp_path, tick=ago(hours=2), end_at=ago(hours=1))
    assert cron.cron_id not in ran
    assert left.next_tick is None


async def test_who_is_enabled_again_does_not_make_up_for_the_pause(open_server: OpenServer, tmp_path: Path) -> None:
    async with open_server({"g": graphs.steps("a")}) as server:
        cron = await server.crons.create(ANN, new(schedule=YEARLY, enabled=False))
    await make_due(tmp_path, cron.cron_id, ago(hours=1))
    told = Told()
    async with open_server({"g": graphs.steps("a")}, listeners=[told]) as server:
        enabled = await server.crons.update(ANN, cron.cron_id, CronChange(enabled=True))
        assert enabled.next_tick > datetime.now(UTC)
        await server.crons.create(ANN, new())
        await told.wait(1)
        assert cron.cron_id not in [config_of(run)["cron_id"] for run in told.created]


async def test_the_last_tick_ends_a_cron(open_server: OpenServer) -> None:
    told = Told()
    async with open_server({"g": graphs.steps("a")}, listeners=[told]) as server:
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        cron = await server.crons.create(ANN, new(end_at=end))
        async with asyncio.timeout(20):
            while (await server.crons.get(ANN, cron.cron_id)).next_tick is not None:
                await asyncio.sleep(0.01)
        ticks = {tick_run_id(cron.cron_id, end - timedelta(seconds=back)) for back in (0, 1, 2)}
        assert {run.run_id for run in told.created} <= ticks
        assert tick_run_id(cron.cron_id, end) in {run.run_id for run in told.created}


async def test_a_tick_that_cannot_make_its_run_is_told_in_one_line_and_holds_up_nobody(
    open_server: OpenServer, caplog: pytest.LogCaptureFixture
) -> None:
    told, gate = Told(), Gate()
    async with open_server({"g": gated(gate)}, listeners=[told]) as server:
        thread = await server.threads.create(ANN)
        busy = await server.runs.create(ANN, RunRequest(assistant="g", thread_id=thread.thread_id, input={"name": "a"}))
        spec = CronSpec(multitask_strategy="reject")
        refused = await server.crons.create(ANN, new(thread_id=thread.thread_id, spec=spec))
        other = await server.crons.create(ANN, new(spec=CronSpec(input={"name": "b"})))
        caplog.set_level(logging.WARNING, logger="longline.services.cron_ticks")
        await told.wait(4)
        gate.opened.set()
        made = [run for run in told.created if run.run_id != busy.run_id]
        assert {config_of(run)["cron_id"] for run in made if run.thread_id != thread.thread_id} == {other.cron_id}
        lines = [record for record in caplog.records if record.name == "longline.services.cron_ticks"]
        assert lines
        for line in lines:
            assert (line.levelname, line.getMessage()) == ("WARNING", "cron tick made no run")
            assert (line.cron_id, line.exc_info) == (refused.cron_id, None)  # type: ignore[attr-defined]  # extras
            assert "already running" in line.reason  # type: ignore[attr-defined]  # extras
        async with asyncio.timeout(20):
            while not any(run.thread_id == thread.thread_id and run.run_id != busy.run_id for run in told.created):
                await told.wait(len(told.created) + 1)
