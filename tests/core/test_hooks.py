"""Every hook is documented with its exact signature and an example, and each example does what the hook promises."""

import argparse
import ast
import asyncio
import inspect
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.core.conftest import InstallPlugin, LoadExample
from tests.core.hook_offers import (  # noqa: F401  # run here, with this module's fixtures
    test_hook_register_prompts,
    test_hook_register_resources,
    test_hook_register_tools,
)
from tests.core.hook_page import HOOKS, PAGE, SECTIONS, example_of
from tests.core.sample_graphs import steps

from longline import hookspecs
from longline.auth.access import Access, Action
from longline.auth.principal import LOCAL, Principal
from longline.errors import ForbiddenError, StorageError, UrlRefusedError
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.models.filters import EVERYTHING
from longline.models.runs import RunStatus
from longline.plugin_host import PluginHost
from longline.runtime import Runtime
from longline.services.run_requests import RunRequest
from longline.services.threads import HistoryQuery, StateUpdate
from longline.settings import CORE_SECTIONS, Settings, parse_settings
from longline.testing.protocol_client import ask
from longline.tools.tool import ToolContext

NO_SETTINGS = Settings({})
CONTEXT = ToolContext(principal=Principal(identity="ann"))


def test_every_hook_has_a_section_whose_heading_is_its_signature_in_the_order_of_the_calls() -> None:
    assert list(SECTIONS) == list(HOOKS.values())


@pytest.mark.parametrize("hook", HOOKS)
def test_every_section_promises_something_and_shows_the_hook_at_work(hook: str) -> None:
    assert len(SECTIONS[HOOKS[hook]].partition("```")[0].split()) >= 20
    assert f"@hookimpl\ndef {hook}(" in example_of(hook)


def test_every_hook_has_a_test_here() -> None:
    tests = {name.removeprefix("test_hook_") for name in globals() if name.startswith("test_hook_")}
    assert tests == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_offers_nothing_by_itself(hook: str) -> None:
    specification = getattr(hookspecs, hook)
    assert not specification(*[None] * len(inspect.signature(specification).parameters))


@pytest.mark.parametrize("hook", HOOKS)
def test_an_example_takes_the_arguments_that_its_hook_has(hook: str) -> None:
    (made,) = [node for node in ast.walk(ast.parse(example_of(hook))) if getattr(node, "name", "") == hook]
    assert isinstance(made, ast.FunctionDef)
    assert f"{hook}({ast.unparse(made.args)})" == HOOKS[hook].partition(" -> ")[0]


@pytest.fixture
def make_runtime(load_example: LoadExample, tmp_path: Path) -> Callable[..., Runtime]:
    """A runtime over SQLite with the examples of hooks."""

    def make(*hooks: str, **server: object) -> Runtime:
        for hook in hooks:
            load_example(hook)
        database = f"sqlite:///{tmp_path}/server.db"
        return Runtime([*hooks, "storage_sqlite"], {"server": {"database": database, **server}})

    return make


def test_hook_register_settings(load_example: LoadExample) -> None:
    host, module = load_example("register_settings")
    sections = [*CORE_SECTIONS, *host.settings_sections()]
    found = parse_settings({"weather": {"timeout_seconds": 2, "key": "k"}}, sections).section(module.WeatherSettings)
    assert (found.url, found.timeout_seconds, found.key.get_secret_value()) == ("https://weather.example", 2, "k")


def test_hook_register_commands(load_example: LoadExample, capsys: pytest.CaptureFixture[str]) -> None:
    (command,) = load_example("register_commands")[0].commands()
    parser = argparse.ArgumentParser()
    command.configure(parser)
    assert command.run(parser.parse_args(["--loud"]), parse_settings({}, CORE_SECTIONS)) == 0
    assert capsys.readouterr().out == "EVERYTHING IS KEPT IN SQLITE:///.LONGLINE/LONGLINE.DB\n"


@pytest.mark.anyio
async def test_hook_register_storage_backends(load_example: LoadExample) -> None:
    backend = load_example("register_storage_backends")[0].storage_backends(NO_SETTINGS)["paper"]
    assert await backend.migrate("paper://desk") == []
    async with backend.connect("paper://desk") as storage:
        assert storage.facts.place == "desk"
        await storage.check()
        storage.is_burning = True
        with pytest.raises(StorageError, match="the paper on desk is on fire"):
            await storage.check()


@pytest.mark.anyio
async def test_hook_register_ciphers(make_runtime: Callable[..., Runtime], tmp_path: Path) -> None:
    async with make_runtime("register_ciphers").open() as opened:
        threads = opened.server.threads
        made = await threads.create(LOCAL, metadata={"note": "not for everybody", "graph_id": "x"})
        assert (await threads.get(LOCAL, made.thread_id)).metadata["note"] == "not for everybody"
        stored = b"".join(file.read_bytes() for file in tmp_path.glob("server.db*"))
        assert made.thread_id.encode() in stored
        assert b"not for everybody" not in stored


@pytest.mark.anyio
async def test_hook_register_savers(make_runtime: Callable[..., Runtime], tmp_path: Path) -> None:
    runtime = make_runtime("register_savers")
    runtime.graphs = GraphRegistry({"s": GraphDefinition(graph_id="s", origin="here", load=lambda: steps("one"))})
    update = StateUpdate(values={"notes": ["not in the storage"]}, as_node="one")
    async with runtime.open() as opened:
        threads = opened.server.threads
        made = await threads.create(LOCAL, metadata={"graph_id": "s"}, supersteps=[[update]])
        assert len(await threads.history(LOCAL, made.thread_id, HistoryQuery(limit=9))) == 1
    with closing(sqlite3.connect(tmp_path / "server.db")) as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone() == (0,)


@pytest.mark.anyio
async def test_hook_register_event_brokers(make_runtime: Callable[..., Runtime]) -> None:
    runtime = make_runtime("register_event_brokers", broker="counting://")
    backend = runtime.host.event_brokers(runtime.settings)["counting"]
    async with backend.connect("counting://") as broker, broker.subscribe("t") as subscription:
        await broker.publish("t", "hello")
        assert await subscription.receive() == "hello"
        assert broker.published == 1
    async with runtime.open():
        pass


@pytest.mark.anyio
async def test_hook_register_collections(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime("register_collections").open() as opened:
        collections = opened.server.collections
        assert (await collections.documents("notes.notes").put("ann", "k", {})).expires_at is None
        await collections.log("notes.audit").append("ann", "changes", [{"key": "k"}])
        assert (await collections.counters("notes.limits").add("ann", "writes", window_seconds=60)).value == 1


@pytest.mark.anyio
async def test_hook_register_authenticators(make_runtime: Callable[..., Runtime]) -> None:
    runtime = make_runtime("register_authenticators", "register_protocols")
    async with runtime.open() as opened:

        async def who(**headers: str) -> tuple[int, object]:
            answer = await ask(opened.app, "GET", "/hello/who", headers=headers)
            return answer.status, answer.json

        assert await who(**{"x-badge": "badge-of-ann"}) == (200, {"you": "ann", "graphs": []})
        status, body = await who(**{"x-badge": "stolen"})
        assert (status, body["error"]["message"]) == (401, "nobody has this badge")
        assert (await who())[0] == 401


@pytest.mark.anyio
async def test_hook_register_access_rules(make_runtime: Callable[..., Runtime]) -> None:
    guest = Principal(identity="gus", permissions=("guest",))
    async with make_runtime("register_access_rules").open() as opened:
        threads = opened.server.threads
        with pytest.raises(ForbiddenError, match="guests may look, not touch"):
            await threads.create(guest)
        thread = await threads.create(Principal(identity="ann"))
        assert thread.metadata == {"owner": "ann"}
    (rule,) = [rule for rule in PluginHost(["register_access_rules"]).access_rules(NO_SETTINGS) if rule.name != "owner"]
    assert await Access([rule]).decide(guest, Action("threads", "read"), {}) == EVERYTHING


async def _echo(runtime: Runtime) -> RunStatus | None:
    async with runtime.open() as opened:
        request = RunRequest(assistant="echo", input={"messages": [{"role": "user", "content": "hi"}]})
        _, reader = await opened.server.runs.watch(LOCAL, request)
        with reader:
            end = await reader.wait_for_end(20)
        assert end is not None
        assert b'"content":"hi"' in end.result
        return end.status


@pytest.mark.anyio
async def test_hook_register_graph_sources(make_runtime: Callable[..., Runtime]) -> None:
    runtime = make_runtime("register_graph_sources")
    assert runtime.graphs.definition("echo").description == "Says it again."
    assert await _echo(runtime) is RunStatus.SUCCESS


@pytest.mark.anyio
async def test_hook_observe_runs(make_runtime: Callable[..., Runtime]) -> None:
    await _echo(make_runtime("observe_runs", "register_graph_sources"))
    import longline_example_observe_runs as module

    counts = dict(module.counts)
    assert counts.pop("values") >= 1
    assert counts == {"created": 1, "started": 1, "metadata": 1, "ended success": 1}


def test_hook_register_url_policies(load_example: LoadExample) -> None:
    policies = load_example("register_url_policies")[0].url_policies(NO_SETTINGS)
    policies.check("weather", "https://oslo.weather.example/")
    for refused in ("http://oslo.weather.example/", "https://weather.example/", "https://127.0.0.1/"):
        with pytest.raises(UrlRefusedError, match="weather host blocked"):
            policies.check("weather", refused)


@pytest.mark.anyio
async def test_hook_register_end_recorders(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime("register_end_recorders", "register_graph_sources").open() as opened:
        for metadata in ({}, {"bill_to": "ann"}):
            said = {"messages": [{"role": "user", "content": "hi"}]}
            asked = RunRequest(assistant="echo", input=said, metadata=metadata)
            run, reader = await opened.server.runs.watch(LOCAL, asked)
            with reader:
                await reader.wait_for_end(20)
        bills = opened.server.collections.documents("ledger.bills")
        (bill,) = await bills.take_due(lease_seconds=60, limit=9)
        assert (bill.key, bill.value) == (run.run_id, {"bill_to": "ann", "status": "success"})


@pytest.mark.anyio
async def test_hook_register_assistant_sources(
    load_example: LoadExample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, module = load_example("register_assistant_sources")
    plugins = ["agent_tools", "register_assistant_sources", "storage_sqlite"]
    runtime = Runtime(plugins, {"server": {"database": f"sqlite:///{tmp_path}/server.db"}})
    Path("agents").mkdir()
    Path("agents/clerk.json").write_text('{"graph": "agent", "prompt": "Be brief."}', "utf-8")
    async with runtime.open() as opened:
        source = module.FolderSource(Path("agents"))
        mirror = await opened.server.assistants.get(LOCAL, source.id_of("clerk"))
        assert mirror.config["configurable"] == {"system_prompt": "Be brief."}
        assert opened.server.mirrors.listings.report("folder").counts.created == 1


@pytest.mark.anyio
async def test_hook_register_background_tasks(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime("register_background_tasks").open(), asyncio.timeout(10):
        import longline_example_register_background_tasks as module

        while not module.beats:
            await asyncio.sleep(0)
    assert module.beats == [0]


@pytest.mark.anyio
async def test_hook_register_protocols(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime("register_protocols").open() as opened:
        assert (await ask(opened.app, "GET", "/hello/who")).json == {"you": "", "graphs": []}
        assert (await ask(opened.app, "GET", "/hello/ok")).json == {"ok": True}


@pytest.mark.anyio
async def test_hook_describe_server(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime("describe_server").open() as opened:
        assert opened.server.describe()["weather"] == {"sky": "blue", "running": 0}


@pytest.mark.anyio
async def test_hook_wrap_app(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime("wrap_app").open() as opened:
        answer = await ask(opened.app, "GET", "/nowhere")
        assert (answer.status, answer.headers["x-carried-by"]) == (404, "longline")


@pytest.mark.anyio
async def test_the_plugin_at_the_top_of_the_page_works(install_plugin: InstallPlugin) -> None:
    found = re.search(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    install_plugin("weather", found[1])
    tool = PluginHost(["weather"]).tools(NO_SETTINGS)["forecast"]
    assert await tool.run({"city": "Oslo"}, CONTEXT) == {"city": "Oslo", "sky": "blue"}
    assert len(found[1].splitlines()) <= 30
