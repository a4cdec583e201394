"""A cron goes on for who made it as they are now, not as they were."""

import asyncio
from dataclasses import replace

import pytest
from tests.core import sample_graphs as graphs
from tests.core.conftest import OpenServer
from tests.core.cron_tools import EVERY_SECOND, YEARLY, Told, config_of

from longline.auth.access import Action
from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.errors import IdentityAwayError
from longline.models.crons import CronChange, CronSpec, NewCron
from longline.models.filters import EVERYTHING, Filter
from longline.models.json import JsonObject
from longline.plugin_host import PluginHost

pytestmark = pytest.mark.anyio

ANN = Principal(identity="ann", organizations=("old",))
BOB = Principal(identity="bob")
SECRET = "sk-ann-0123456789"


class Register:
    """Who is in which organisation today."""

    name = "register"

    def __init__(self) -> None:
        self.organizations: tuple[str, ...] = ("new",)
        self.is_away = False
        self.asked = asyncio.Event()

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        return None

    async def renew(self, principal: Principal) -> Principal | None:
        self.asked.set()
        if self.is_away:
            raise IdentityAwayError("the register is closed")
        return replace(principal, organizations=self.organizations)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    register = Register()
    monkeypatch.setattr(PluginHost, "authenticators", lambda self, settings, order: [register])
    return register


async def test_a_tick_is_of_the_creator_as_they_are_now(open_server: OpenServer, register: Register) -> None:
    told = Told()
    async with open_server({"g": graphs.looking()}, listeners=[told]) as server:
        await server.crons.create(ANN, NewCron(assistant="g", schedule=EVERY_SECOND, spec=CronSpec()))
        (run, *_) = await told.wait(1, ended=True)
        assert config_of(run)["langgraph_auth_user"]["organizations"] == ["new"]


async def test_while_nobody_can_tell_the_tick_waits(open_server: OpenServer, register: Register) -> None:
    told = Told()
    register.is_away = True
    async with open_server({"g": graphs.looking()}, listeners=[told]) as server:
        await server.crons.create(ANN, NewCron(assistant="g", schedule=EVERY_SECOND, spec=CronSpec()))
        async with asyncio.timeout(30):
            for _ in range(2):  # it is tried again
                await register.asked.wait()
                register.asked.clear()
        assert not told.created
        register.is_away = False
        await told.wait(1, ended=True)


class Shared:
    """Everything is everybody's: a project's own handlers may say so."""

    name = "shared"

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        return EVERYTHING


async def test_who_says_what_a_cron_runs_is_whose_runs_they_are(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = replace(ANN, token="ann's token", token_name="token")
    async with open_server({"g": graphs.looking()}) as server:
        monkeypatch.setattr(server.crons._access, "_rules", (Shared(),))
        spec = CronSpec(config={"configurable": {"api_key": SECRET, "base_url": "https://ann.example"}})
        made = await server.crons.create(ann, NewCron(assistant="g", schedule=YEARLY, spec=spec))
        later = await server.crons.update(BOB, made.cron_id, CronChange(timezone="Europe/Berlin"))
        assert later.user_id == "ann"
        shown: JsonObject = {"configurable": {"api_key": "***", "base_url": "https://bob.example"}}
        taken = await server.crons.update(BOB, made.cron_id, CronChange(spec=CronSpec(config=shown)))
        assert taken.user_id == "bob"
        row = await server.crons._store.get(made.cron_id)
        assert "token" not in row.creator
        assert row.spec.config is not None
        assert SECRET not in str(server.crons._vault.open_in_clear(row.spec.config))


async def test_secrets_that_its_creator_gave_leave_a_cron_with_them(
    open_server: OpenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_server({"g": graphs.looking()}) as server:
        monkeypatch.setattr(server.crons._access, "_rules", (Shared(),))
        spec = CronSpec(config={"configurable": {"api_key": SECRET}}, context={})
        made = await server.crons.create(ANN, NewCron(assistant="g", schedule=YEARLY, spec=spec))
        await server.crons.update(BOB, made.cron_id, CronChange(spec=CronSpec(webhook="https://bob.example/")))
        row = await server.crons._store.get(made.cron_id)
        assert row.spec.config == {"configurable": {}}
