"""Crons: who may make, see and change them, and what is kept of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.core import sample_graphs as graphs
from tests.core.conftest import OpenServer
from tests.core.cron_tools import YEARLY, stored

from longline.auth.principal import LOCAL, Principal
from longline.errors import (
    ContextAndConfigurableError,
    InvalidScheduleError,
    InvalidTimezoneError,
    NotFoundError,
    UnknownAssistantNameError,
    UrlRefusedError,
)
from longline.ids import graph_assistant_id
from longline.models.crons import CronChange, CronQuery, CronSpec, NewCron
from longline.services.assistants import NewAssistant
from longline.services.server import Server

pytestmark = pytest.mark.anyio

ANN, BOB = Principal(identity="ann", token="tok-ann-Zq8-7fA3"), Principal(identity="bob")
SECRET = "sk-never-to-be-seen-91bC"


def new(**fields: object) -> NewCron:
    values = {"assistant": "g", "schedule": YEARLY, "spec": CronSpec(), **fields}
    return NewCron(**values)  # type: ignore[arg-type]  # the names are checked when it is called


@pytest.fixture
def open_graph(open_server: OpenServer):
    return lambda: open_server({"g": graphs.steps("a")})


async def test_a_cron_says_when_it_is_due_and_whose_it_is(open_graph) -> None:
    async with open_graph() as server:
        spec = CronSpec(input={"n": 1}, metadata={"k": 1})
        made = await server.crons.create(ANN, new(spec=spec, timezone="Asia/Tokyo"))
        assert made.assistant_id == graph_assistant_id("g")
        assert made.next_tick == datetime(datetime.now(UTC).year, 12, 31, 15, tzinfo=UTC)
        assert (made.user_id, made.metadata) == ("ann", {"k": 1, "owner": "ann"})
        assert (made.enabled, made.keeps_threads, made.thread_id) == (True, False, None)
        assert await server.crons.get(ANN, made.cron_id) == made


async def test_without_authentication_a_cron_is_nobodys(open_graph) -> None:
    async with open_graph() as server:
        made = await server.crons.create(LOCAL, new())
        assert (made.user_id, made.metadata) == (None, {})
        assert await server.crons.get(LOCAL, made.cron_id) == made


async def test_anothers_cron_looks_like_a_missing_one(open_graph) -> None:
    async with open_graph() as server:
        made = await server.crons.create(ANN, new())
        for attempt in (
            server.crons.get(BOB, made.cron_id),
            server.crons.update(BOB, made.cron_id, CronChange(enabled=False)),
            server.crons.delete(BOB, made.cron_id),
            server.crons.get(ANN, "nope"),
        ):
            with pytest.raises(NotFoundError, match="no cron with id"):
                await attempt
        assert (await server.crons.search(BOB, CronQuery())).total == 0
        assert (await server.crons.search(ANN, CronQuery())).items == [made]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"schedule": "bad"}, InvalidScheduleError),
        ({"timezone": "X/Y"}, InvalidTimezoneError),
        ({"assistant": "nope"}, UnknownAssistantNameError),
        ({"assistant": "01a1f9f5-4441-77e5-a7ec-31c27bf929ea"}, NotFoundError),
        ({"thread_id": "nope"}, NotFoundError),
        ({"spec": CronSpec(config={"configurable": {"a": 1}}, context={"a": 2})}, ContextAndConfigurableError),
        ({"spec": CronSpec(webhook="http://127.0.0.1/hook")}, UrlRefusedError),
    ],
)
async def test_a_cron_that_could_never_run_is_refused(open_graph, fields: dict, error: type[Exception]) -> None:
    async with open_graph() as server:
        with pytest.raises(error):
            await server.crons.create(ANN, new(**fields))
        assert (await server.crons.search(ANN, CronQuery())).total == 0
        made = await server.crons.create(ANN, new())
        if "assistant" in fields or "thread_id" in fields:
            return
        with pytest.raises(error):
            await server.crons.update(ANN, made.cron_id, CronChange(**fields))
        assert await server.crons.get(ANN, made.cron_id) == made


@pytest.mark.parametrize("schedule", ["", "   ", "bad"])
async def test_a_change_to_what_is_no_schedule_changes_nothing(open_graph, schedule: str) -> None:
    async with open_graph() as server:
        made = await server.crons.create(ANN, new())
        with pytest.raises(InvalidScheduleError):
            await server.crons.update(ANN, made.cron_id, CronChange(schedule=schedule))
        assert await server.crons.get(ANN, made.cron_id) == made


async def test_anothers_thread_or_assistant_cannot_be_scheduled(open_graph) -> None:
    async with open_graph() as server:
        thread = await server.threads.create(ANN)
        assistant = await server.assistants.create(ANN, NewAssistant(graph_id="g"))
        for fields in ({"thread_id": thread.thread_id}, {"assistant": assistant.assistant_id}):
            with pytest.raises(NotFoundError):
                await server.crons.create(BOB, new(**fields))
            assert (await server.crons.create(ANN, new(**fields))).user_id == "ann"


async def test_a_change_keeps_what_it_does_not_say(open_graph) -> None:
    async with open_graph() as server:
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=900)
        spec = CronSpec(input={"n": 1}, metadata={"a": 1}, durability="exit", stream_modes=("updates",))
        made = await server.crons.create(ANN, new(spec=spec, end_at=end))
        change = CronChange(spec=CronSpec(input={"n": 2}, metadata={"b": 2}), keeps_threads=True)
        changed = await server.crons.update(ANN, made.cron_id, change)
        assert changed == replace(
            made,
            spec=replace(spec, input={"n": 2}, metadata={"a": 1, "b": 2}),
            metadata={"a": 1, "b": 2, "owner": "ann"},
            keeps_threads=True,
            updated_at=changed.updated_at,
        )
        assert changed.updated_at > made.updated_at
        endless = await server.crons.update(ANN, made.cron_id, CronChange(has_no_end=True))
        assert endless.end_at is None


async def test_what_is_due_follows_the_schedule_the_zone_and_the_end(open_graph) -> None:
    async with open_graph() as server:
        year = datetime.now(UTC).year
        made = await server.crons.create(ANN, new())
        assert made.next_tick == datetime(year + 1, 1, 1, tzinfo=UTC)

        async def changed(**fields: object) -> datetime | None:
            change = CronChange(**fields)  # type: ignore[arg-type]  # the names are checked when it is called
            return (await server.crons.update(ANN, made.cron_id, change)).next_tick

        assert await changed(timezone="Asia/Tokyo") == datetime(year, 12, 31, 15, tzinfo=UTC)
        assert await changed(schedule="0 12 1 1 *") == datetime(year + 1, 1, 1, 3, tzinfo=UTC)
        assert await changed(end_at=datetime(year + 1, 1, 1, tzinfo=UTC)) is None
        assert await changed(has_no_end=True) == datetime(year + 1, 1, 1, 3, tzinfo=UTC)
        assert await changed(enabled=False) == datetime(year + 1, 1, 1, 3, tzinfo=UTC)
        assert await changed(schedule="0 0 30 2 *") is None


async def test_crons_are_found_by_assistant_graph_thread_and_metadata(open_graph) -> None:
    async with open_graph() as server:
        thread = await server.threads.create(ANN)
        assistant = await server.assistants.create(ANN, NewAssistant(graph_id="g"))
        one = await server.crons.create(ANN, new(thread_id=thread.thread_id, spec=CronSpec(metadata={"k": 1})))
        two = await server.crons.create(ANN, new(assistant=assistant.assistant_id))

        async def found(**fields: object) -> list[str]:
            query = CronQuery(**fields, sort_by="created_at", sort_order="asc")  # type: ignore[arg-type]
            return [cron.cron_id for cron in (await server.crons.search(ANN, query)).items]

        assert await found() == [one.cron_id, two.cron_id]
        assert await found(assistant_id="g") == [one.cron_id]
        assert await found(assistant_id=assistant.assistant_id) == [two.cron_id]
        assert await found(thread_id=thread.thread_id) == [one.cron_id]
        with pytest.raises(UnknownAssistantNameError):
            await found(assistant_id="nope")


async def test_a_cron_goes_with_its_thread_and_with_its_assistant(open_graph) -> None:
    async with open_graph() as server:
        thread = await server.threads.create(ANN)
        assistant = await server.assistants.create(ANN, NewAssistant(graph_id="g"))
        await server.crons.create(ANN, new(thread_id=thread.thread_id))
        await server.crons.create(ANN, new(assistant=assistant.assistant_id))
        await server.threads.delete(ANN, thread.thread_id)
        await server.assistants.delete(ANN, assistant.assistant_id)
        assert (await server.crons.search(ANN, CronQuery())).total == 0


async def test_secrets_and_the_callers_token_are_sealed_and_never_shown(open_graph, tmp_path: Path) -> None:
    def shown(cron: object) -> bool:
        return SECRET in repr(cron) or ANN.token in repr(cron) or "longline-sealed" in repr(cron)

    async def everything(server: Server) -> list[object]:
        return [await server.crons.get(ANN, made.cron_id), *(await server.crons.search(ANN, CronQuery())).items]

    async with open_graph() as server:
        spec = CronSpec(config={"configurable": {"api_key": SECRET, "plain": "x"}})
        made = await server.crons.create(ANN, new(spec=spec))
        assert made.spec.config == {"configurable": {"api_key": "***", "plain": "x"}}
        assert made.creator == {"identity": "ann"}
        kept = await server.crons.update(ANN, made.cron_id, CronChange(spec=replace(made.spec, input=1)))
        assert not any(shown(cron) for cron in [made, kept, *await everything(server)])
    file = b"".join(path.read_bytes() for path in tmp_path.glob("server.db*"))
    assert SECRET.encode() not in file
    assert ANN.token.encode() not in file
    async with stored(tmp_path) as storage:
        row = await storage.crons.get(made.cron_id)
        assert str(row.spec.config).count("longline-sealed") == 1
        assert str(row.creator["token"]).startswith("longline-sealed")
