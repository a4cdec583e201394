"""A cron goes on for who made it as they are now, not as they were."""

import asyncio
from dataclasses import replace

import pytest
from tests.core import sample_graphs as graphs
from tests.core.conftest import OpenServer
from tests.core.cron_tools import EVERY_SECOND, Told, config_of

from longline.auth.authenticator import Credentials
from longline.auth.principal import Principal
from longline.errors import IdentityAwayError
from longline.models.crons import CronSpec, NewCron
from longline.plugin_host import PluginHost

pytestmark = pytest.mark.anyio

ANN = Principal(identity="ann", organizations=("old",))


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
