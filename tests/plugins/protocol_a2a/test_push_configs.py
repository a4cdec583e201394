"""Configs are kept sealed, read back without secrets, and are each caller's own."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from a2a.types import ListTaskPushNotificationConfigsRequest
from a2a.utils.errors import InvalidParamsError, PushNotificationNotSupportedError, TaskNotFoundError
from tests.plugins.protocol_a2a.push_site import KEY, call, config, configs, open_server, stored

from longline.auth.principal import Principal
from longline.services.server import Server
from longline_protocol_a2a.push_outbox import CONFIGS
from longline_protocol_a2a.push_store import KeptConfigs, open_target

pytestmark = pytest.mark.anyio

ANN, BOB = (call(Principal(identity=name, token=f"token-of-{name}")) for name in ("ann", "bob"))
TASK = "context:run"


@pytest.fixture
async def server(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Server]:
    async with open_server(tmp_path, {}, loopback=False) as opened:
        yield opened


async def test_a_config_is_read_back_without_its_secrets(server: Server) -> None:
    push = configs(server)
    given = config("https://hook.example.com/x?key=in-the-url&a=1", name="c1", token="the-token", bearer="the-bearer")
    made = await push.create(ANN, TASK, given)
    assert (made.id, made.task_id, made.token) == ("c1", TASK, "***")
    assert made.url == "https://hook.example.com/x?key=***&a=1"
    assert (made.authentication.scheme, made.authentication.credentials) == ("Bearer", "***")
    assert await push.get(ANN, TASK, "c1") == made
    assert await push.find_all(ANN, TASK) == [made]


async def test_what_has_no_secrets_is_read_back_as_it_was_given(server: Server) -> None:
    made = await configs(server).create(ANN, TASK, config(name="c1"))
    expected = config(name="c1")
    expected.task_id = TASK
    assert made == expected


async def test_no_secret_stands_in_the_database(tmp_path: Path) -> None:
    given = config("https://hook.example.com/x?key=in-the-url", token="the-secret-token", bearer="the-secret-bearer")
    async with open_server(tmp_path, {}, loopback=False) as server:
        await configs(server).create(ANN, TASK, given)
        told = json.dumps(await stored(server, "configs"))
        kept = await KeptConfigs(server.collections.documents(CONFIGS.name), clock=lambda: None).find("run")  # type: ignore[arg-type,return-value]  # it only reads
        target = open_target(kept[0], server.vault)
    files = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    for secret in ("the-secret-token", "the-secret-bearer", "in-the-url", "token-of-ann"):
        assert secret not in told
        assert secret.encode() not in files
    assert target is not None
    assert (target.url, target.token, target.credentials) == (given.url, "the-secret-token", "the-secret-bearer")
    assert "secret" not in repr((target, kept[0]))


async def test_secrets_that_are_given_as_they_were_shown_are_kept_but_not_sent_elsewhere(server: Server) -> None:
    push = configs(server)
    first = config("https://hook.example.com/x?key=k1", token="the-token", bearer="the-bearer")
    shown = await push.create(ANN, TASK, first)
    await push.create(ANN, TASK, shown)
    (kept,) = await KeptConfigs(server.collections.documents(CONFIGS.name), clock=lambda: None).find("run")  # type: ignore[arg-type,return-value]  # it only reads
    target = open_target(kept, server.vault)
    assert target is not None
    assert (target.url, target.token, target.credentials) == (first.url, "the-token", "the-bearer")
    shown.url = "https://other.example.com/"
    with pytest.raises(InvalidParamsError, match="give it again"):
        await push.create(ANN, TASK, shown)
    for fresh in (config(name="new", token="***"), config(name="new", bearer="***")):
        with pytest.raises(InvalidParamsError, match="give it again"):
            await push.create(ANN, TASK, fresh)
        with pytest.raises(InvalidParamsError, match="give it again"):
            await push.check(ANN, fresh)


async def test_another_users_config_is_missing(server: Server) -> None:
    push = configs(server)
    await push.create(ANN, TASK, config(name="c1"))
    with pytest.raises(TaskNotFoundError):
        await push.get(BOB, TASK, "c1")
    assert await push.find_all(BOB, TASK) == []
    await push.delete(BOB, TASK, "c1")
    await push.create(BOB, TASK, config("https://bob.example.com/", name="c1"))
    assert (await push.get(ANN, TASK, "c1")).url == "https://hook.example.com/x"


async def test_configs_are_found_by_id_and_without_one_the_unnamed_or_the_oldest(server: Server) -> None:
    push = configs(server)
    for name in ("c1", "c2"):
        await push.create(ANN, TASK, config(f"https://{name}.example.com/", name=name))
    assert [found.id for found in await push.find_all(ANN, TASK)] == ["c1", "c2"]
    assert (await push.get(ANN, TASK, "c2")).url == "https://c2.example.com/"
    assert (await push.get(ANN, TASK, "")).id == "c1"
    assert (await push.create(ANN, TASK, config("https://none.example.com/"))).id == TASK
    assert (await push.create(ANN, TASK, config("https://none2.example.com/"))).id == TASK
    assert (await push.get(ANN, TASK, "")).url == "https://none2.example.com/"
    for task, name in ((TASK, "c3"), ("context:other", "c1"), ("context:other", "")):
        with pytest.raises(TaskNotFoundError):
            await push.get(ANN, task, name)


async def test_configs_are_paged_only_for_who_wants_it(server: Server) -> None:
    push = configs(server)
    for number in range(5):
        await push.create(ANN, TASK, config(name=f"c{number}"))
    whole = await push.page(ANN, ListTaskPushNotificationConfigsRequest(task_id=TASK))
    assert ([one.id for one in whole.configs], whole.next_page_token) == ([f"c{n}" for n in range(5)], "")
    seen, token = [], ""
    for size in (2, 2, 1):
        asked = ListTaskPushNotificationConfigsRequest(task_id=TASK, page_size=2, page_token=token)
        page = await push.page(ANN, asked)
        assert len(page.configs) == size
        seen += [one.id for one in page.configs]
        token = page.next_page_token
    assert (seen, token) == ([f"c{n}" for n in range(5)], "")
    for bad in ({"page_size": -1}, {"page_token": "x"}, {"page_token": "9" * 40}, {"page_token": "²"}):
        with pytest.raises(InvalidParamsError):
            await push.page(ANN, ListTaskPushNotificationConfigsRequest(task_id=TASK, **bad))  # type: ignore[arg-type]  # either


async def test_what_is_removed_is_gone_and_removing_it_again_is_no_error(server: Server) -> None:
    push = configs(server)
    await push.create(ANN, TASK, config(name="c1"))
    for _ in range(2):
        await push.delete(ANN, TASK, "c1")
    assert await push.find_all(ANN, TASK) == []
    assert await stored(server, "configs") == []


async def test_a_task_has_so_many_configs_of_a_caller_also_where_they_come_at_once(tmp_path: Path) -> None:
    async with open_server(tmp_path, {}, configs_per_task=3, loopback=False) as server:
        push = configs(server)
        made = await asyncio.gather(
            *(push.create(ANN, TASK, config(name=f"c{number}")) for number in range(6)), return_exceptions=True
        )
        assert sum(isinstance(one, InvalidParamsError) for one in made) == 3
        assert len(await push.find_all(ANN, TASK)) == 3
        await push.create(BOB, TASK, config())
        kept = (await push.find_all(ANN, TASK))[0].id
        assert (await push.create(ANN, TASK, config("https://new.example.com/", name=kept))).id == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://hook.example.com/", "https://127.0.0.1/", "https://10.0.0.1/x", "https://[::ffff:10.0.0.1]/",
        "https://2130706433/", "https://169.254.169.254/latest", "https://100.64.0.1/", "https://localhost/",
        "/threads", "", "ftp://hook.example.com/", "https://a:b@hook.example.com/", "https://hook.example.com/\r\nx: y",
    ],
)  # fmt: skip
async def test_a_url_that_may_not_be_called_is_refused_before_anything_is_kept(server: Server, url: str) -> None:
    push = configs(server)
    for ask in (push.check(ANN, config(url)), push.create(ANN, TASK, config(url))):
        with pytest.raises(InvalidParamsError, match="URL refused"):
            await ask
    assert await stored(server, "configs") == []


@pytest.mark.parametrize(
    "bad",
    [
        config(name="x" * 256), config(name="a\nb"), config(token="a\r\nx: y"), config(token="é"), config(token=" a"),
        config(token="x" * 5000), config(bearer="a\nb"), config(bearer="x" * 20_000),
    ],
)  # fmt: skip
async def test_what_cannot_be_sent_as_a_header_is_refused(server: Server, bad: object) -> None:
    with pytest.raises(InvalidParamsError):
        await configs(server).create(ANN, TASK, bad)  # type: ignore[arg-type]  # one of the above
    assert await stored(server, "configs") == []


@pytest.mark.parametrize(("scheme", "credentials"), [("Bea rer", "x"), ("Bearer\r\nx:", "y"), ("", "x")])
async def test_an_authentication_that_is_none_is_refused(server: Server, scheme: str, credentials: str) -> None:
    bad = config()
    bad.authentication.scheme, bad.authentication.credentials = scheme, credentials
    with pytest.raises(InvalidParamsError):
        await configs(server).check(ANN, bad)


async def test_configs_survive_a_restart_and_without_a_key_only_their_secrets_are_lost(tmp_path: Path) -> None:
    for key in (KEY, ""):
        async with open_server(tmp_path, {}, key=key, loopback=False) as server:
            await configs(server).create(ANN, TASK, config(name=f"c{len(key)}", token="the-token"))
    async with open_server(tmp_path, {}, loopback=False) as server:
        first, second = await configs(server).find_all(ANN, TASK)
        assert (first.url, second.url, second.token) == ("https://hook.example.com/x", "", "")
        await configs(server).delete(ANN, TASK, second.id)
        assert len(await configs(server).find_all(ANN, TASK)) == 1


async def test_an_operator_who_wants_none_has_none(tmp_path: Path) -> None:
    async with open_server(tmp_path, {}, enabled=False) as server:
        push = configs(server)
        asks = (
            push.check(ANN, config()), push.create(ANN, TASK, config()),
            push.get(ANN, TASK, "c"), push.find_all(ANN, TASK), push.delete(ANN, TASK, "c"),
        )  # fmt: skip
        for ask in asks:
            with pytest.raises(PushNotificationNotSupportedError):
                await ask
