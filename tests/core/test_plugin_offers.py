"""What plugins offer is joined by name: two offers of one name are an error that names both plugins."""

from collections.abc import Callable

import pytest
from tests.core.conftest import InstallPlugin

from longline.errors import DuplicateNameError
from longline.plugin_host import PluginHost
from longline.runtime import Runtime
from longline.settings import CORE_SECTIONS, Settings, parse_settings
from longline.tools.tool import ToolRegistry

HEAD = """
from types import SimpleNamespace

from longline import hookimpl
from longline.asgi.mount import AppWrapper, ProtocolMount
from longline.auth.urls import UrlPolicy
from longline.commands import Command
from longline.events.broker import BrokerBackend
from longline.graphs.definition import GraphDefinition
from longline.models.collections import CollectionSpec
from longline.settings import SettingsModel, SettingsSection
from longline.storage.protocols import StorageBackend
from longline.tasks import BackgroundTask
from longline.tools.prompts import Prompt
from longline.tools.resources import Resource
from longline.tools.tool import Tool


async def nothing(*arguments):
    return None


@hookimpl
"""

OFFERS: dict[str, tuple[str, str, str]] = {
    "register_settings": ("settings section", "same", "[SettingsSection('same', SettingsModel)]"),
    "register_commands": ("command", "same", "[Command(name='same', help='', run=len)]"),
    "register_storage_backends": (
        "storage scheme",
        "same",
        "[StorageBackend(schemes=(__name__, 'same'), connect=nothing, migrate=nothing)]",
    ),
    "register_event_brokers": ("broker scheme", "same", "[BrokerBackend(schemes=('same',), connect=nothing)]"),
    "register_collections": ("collection", "a.same", "[CollectionSpec(name='a.same', kind='documents')]"),
    "register_url_policies": ("URL policy", "same", "[UrlPolicy(purpose='same')]"),
    "register_authenticators": ("authenticator", "same", "[SimpleNamespace(name='same')]"),
    "register_access_rules": ("access rule", "same", "[SimpleNamespace(name='same')]"),
    "register_tools": ("tool", "same", "[Tool(name='same', description='', schema={}, run=nothing)]"),
    "register_prompts": ("prompt", "same", "[Prompt(name='same', description='', render=nothing)]"),
    "register_resources": ("resource", "a://b", "[Resource(uri='a://b', name='same', read=nothing)]"),
    "register_graph_sources": ("graph", "same", "[GraphDefinition(graph_id='same', origin='', load=object)]"),
    "register_background_tasks": ("background task", "same", "[BackgroundTask(name='same', run=nothing)]"),
    "register_protocols": ("path", "/same", "[ProtocolMount(path='/same', app=nothing)]"),
    "describe_server": ("info section", "same", "{'same': {}}"),
}


def offer(hook: str, value: str) -> str:
    return f"{HEAD}def {hook}():\n    return {value}\n"


def call(host: PluginHost, hook: str) -> object:
    settings = Settings({})
    calls: dict[str, Callable[[], object]] = {
        "register_settings": host.settings_sections,
        "register_commands": host.commands,
        "register_storage_backends": lambda: host.storage_backends(settings),
        "register_event_brokers": lambda: host.event_brokers(settings),
        "register_collections": lambda: host.collections(settings),
        "register_url_policies": lambda: host.url_policies(settings),
        "register_authenticators": lambda: host.authenticators(with_defaults(host), []),
        "register_access_rules": lambda: host.access_rules(settings),
        "register_tools": lambda: host.tools(settings),
        "register_prompts": lambda: host.prompts(settings),
        "register_resources": lambda: host.resources(settings, NO_SERVER),
        "register_graph_sources": lambda: host.graph_definitions(with_defaults(host), ToolRegistry({})),
        "register_background_tasks": lambda: host.background_tasks(NO_SERVER),
        "register_protocols": lambda: host.protocols(NO_SERVER),
        "describe_server": lambda: host.describe(NO_SERVER),
        "observe_runs": lambda: host.run_listeners(settings),
        "wrap_app": lambda: host.app_wrappers(NO_SERVER),
    }
    return calls[hook]()


def with_defaults(host: PluginHost) -> Settings:
    return parse_settings({}, [*CORE_SECTIONS, *host.settings_sections()])


class _Part:
    async def load_all(self) -> None: ...

    async def run(self) -> None: ...


class _Server:
    graphs = cron_ticker = retention = collections = _Part()


NO_SERVER = _Server()


@pytest.mark.parametrize("hook", OFFERS)
def test_two_offers_of_one_name_are_an_error_that_names_both_plugins(install_plugin: InstallPlugin, hook: str) -> None:
    kind, name, value = OFFERS[hook]
    for plugin in ("pike", "carp"):
        install_plugin(plugin, offer(hook, value))
    call(PluginHost(["pike"]), hook)
    with pytest.raises(DuplicateNameError) as caught:
        call(PluginHost(["pike", "carp"]), hook)
    assert (caught.value.kind, caught.value.name, caught.value.plugins) == (kind, name, ("carp", "pike"))
    assert str(caught.value).startswith(f"plugins 'carp' and 'pike' both offer the {kind} '{name}'; disable one")


@pytest.mark.parametrize("hook", sorted(set(OFFERS) - {"describe_server"}))
def test_one_plugin_that_offers_a_name_twice_is_an_error_too(install_plugin: InstallPlugin, hook: str) -> None:
    install_plugin("pike", offer(hook, f"{OFFERS[hook][2]} * 2"))
    with pytest.raises(DuplicateNameError, match="plugin 'pike' offers"):
        call(PluginHost(["pike"]), hook)


@pytest.mark.parametrize(
    ("hook", "value", "name"),
    [
        ("register_event_brokers", "[BrokerBackend(schemes=('memory',), connect=nothing)]", "memory"),
        ("register_access_rules", "[SimpleNamespace(name='owner')]", "owner"),
        ("register_settings", "[SettingsSection('static_tokens', SettingsModel)]", "static_tokens"),
    ],
)
def test_what_core_offers_by_default_is_taken_as_well(
    install_plugin: InstallPlugin, hook: str, value: str, name: str
) -> None:
    install_plugin("pike", offer(hook, value))
    with pytest.raises(DuplicateNameError, match=f"'defaults' and 'pike' both offer the .* '{name}'"):
        call(PluginHost(["pike"]), hook)


def test_no_plugin_takes_a_section_of_core(install_plugin: InstallPlugin) -> None:
    install_plugin("pike", offer("register_settings", "[SettingsSection('server', SettingsModel)]"))
    with pytest.raises(DuplicateNameError, match="'longline' and 'pike' both offer the settings section 'server'"):
        Runtime(["pike", "storage_sqlite"], {})


@pytest.mark.parametrize("other", ["/same/", "/same"])
def test_a_slash_at_the_end_makes_no_other_path(install_plugin: InstallPlugin, other: str) -> None:
    install_plugin("pike", offer("register_protocols", "[ProtocolMount(path='/same', app=nothing)]"))
    install_plugin("carp", offer("register_protocols", f"[ProtocolMount(path='{other}', app=nothing)]"))
    with pytest.raises(DuplicateNameError):
        PluginHost(["pike", "carp"]).protocols(NO_SERVER)


def test_the_longest_path_comes_first(install_plugin: InstallPlugin) -> None:
    paths = "['', '/a/b', '/a']"
    install_plugin("pike", offer("register_protocols", f"[ProtocolMount(path=p, app=nothing) for p in {paths}]"))
    assert [mount.path for mount in PluginHost(["pike"]).protocols(NO_SERVER)] == ["/a/b", "/a", ""]


def test_the_lowest_order_is_outermost_and_equal_ones_go_by_plugin(install_plugin: InstallPlugin) -> None:
    for plugin, orders in (("pike", [5, -1]), ("carp", [5])):
        wrappers = [f"AppWrapper(order={order}, wrap='{plugin}{order}')" for order in orders]
        install_plugin(plugin, offer("wrap_app", f"[{', '.join(wrappers)}]"))
    wrappers = PluginHost(["pike", "carp"]).app_wrappers(NO_SERVER)
    assert [wrapper.wrap for wrapper in wrappers if isinstance(wrapper.wrap, str)] == ["pike-1", "carp5", "pike5"]


def test_rules_are_asked_in_the_order_of_their_names(install_plugin: InstallPlugin) -> None:
    install_plugin("pike", offer("register_access_rules", "[SimpleNamespace(name=n) for n in ('zander', 'ant')]"))
    assert [rule.name for rule in PluginHost(["pike"]).access_rules(Settings({}))] == ["ant", "owner", "zander"]


def test_authenticators_are_tried_in_the_configured_order_alone(install_plugin: InstallPlugin) -> None:
    install_plugin("pike", offer("register_authenticators", "[SimpleNamespace(name=n) for n in 'cab']"))
    host = PluginHost(["pike"])
    settings = with_defaults(host)
    assert [found.name for found in host.authenticators(settings, [])] == ["a", "b", "c"]
    assert [found.name for found in host.authenticators(settings, ["c", "a"])] == ["c", "a"]


def test_listeners_have_no_names_and_are_told_in_the_order_of_their_plugins(install_plugin: InstallPlugin) -> None:
    for plugin in ("pike", "carp"):
        install_plugin(plugin, offer("observe_runs", f"['{plugin}', '{plugin}']"))
    found = PluginHost(["pike", "carp"]).run_listeners(Settings({}))
    assert [item for item in found if isinstance(item, str)] == ["carp", "carp", "pike", "pike"]


def test_a_hook_gets_the_arguments_that_it_asks_for(install_plugin: InstallPlugin) -> None:
    for name, arguments in (("none", ""), ("one", "tools"), ("two", "tools, settings"), ("both", "settings, tools")):
        words = "[GraphDefinition(graph_id=__name__, origin=f'{sorted(locals())}', load=object)]"
        source = f"{HEAD}def register_graph_sources({arguments}):\n    return {words}\n"
        install_plugin(name, source)
    host = PluginHost(["none", "one", "two", "both"])
    found = host.graph_definitions(with_defaults(host), ToolRegistry({}))
    assert {graph_id.removeprefix("longline_example_"): graph.origin for graph_id, graph in found.items()} == {
        "none": "[]",
        "one": "['tools']",
        "two": "['settings', 'tools']",
        "both": "['settings', 'tools']",
    }
