"""Loads the chosen plugins and calls their hooks: one typed method per hook; two offers of one name are an error."""

import importlib
import importlib.util
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, metadata
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from longline import hookspecs
from longline.asgi.mount import AppWrapper, ProtocolMount
from longline.auth.access import AccessRule
from longline.auth.authenticator import Authenticator
from longline.auth.urls import UrlPolicies
from longline.commands import Command
from longline.errors import (
    DuplicateNameError,
    LonglineError,
    PluginBrokenError,
    PluginHookError,
    PluginMissingExtraError,
    SettingsError,
    UnknownPluginError,
)
from longline.events.broker import BrokerBackend
from longline.graphs.definition import GraphDefinition
from longline.graphs.loading import describe_cause, place_of
from longline.models.collections import CollectionSpec
from longline.models.json import JsonObject
from longline.runs.listeners import RunListener
from longline.runs.recorders import EndRecorder
from longline.services.server import Server
from longline.services.sources import AssistantSource
from longline.settings import CORE_SECTIONS, Settings, SettingsSection
from longline.storage.cipher import Cipher
from longline.storage.own_checkpoints import SaverSource
from longline.storage.protocols import StorageBackend
from longline.tasks import BackgroundTask
from longline.tools.prompts import Prompt
from longline.tools.resources import Resource
from longline.tools.tool import Tool, ToolRegistry

logger = logging.getLogger(__name__)

GROUP = "longline"
"""The entry-point group in which plugins are found."""
BUILT_IN = ("longline.defaults",)
"""First-party parts of core, offered through the same hooks. They are always there."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPlugin:
    """A plugin that is installed, chosen or not. Nothing of it has been imported."""

    name: str
    module: str
    distribution: str
    version: str


def installed_plugins() -> dict[str, InstalledPlugin]:
    """Every plugin of this environment by name. Raises DuplicateNameError."""
    found: dict[str, InstalledPlugin] = {}
    for point in entry_points(group=GROUP):
        plugin = _installed(point)
        other = found.setdefault(point.name, plugin)
        if other.module != plugin.module:
            raise DuplicateNameError("plugin", point.name, [other.distribution, plugin.distribution])
    return dict(sorted(found.items()))


def _installed(point: EntryPoint) -> InstalledPlugin:
    distribution = point.dist
    name, version = (distribution.name, distribution.version) if distribution is not None else ("?", "?")
    return InstalledPlugin(name=point.name, module=point.value, distribution=name, version=version)


class PluginHost:
    """The chosen plugins. No plugin is imported before it is chosen, and there is no global state."""

    def __init__(self, names: Iterable[str]) -> None:
        """Import and register. Raises UnknownPluginError, PluginMissingExtraError, PluginBrokenError or
        PluginHookError."""
        self._manager = pluggy.PluginManager("longline")
        self._manager.add_hookspecs(hookspecs)
        installed = installed_plugins()
        for module in BUILT_IN:
            self._register(module.rpartition(".")[2], importlib.import_module(module))
        self.names = tuple(sorted(set(names)))
        for name in self.names:
            if name not in installed:
                raise UnknownPluginError(name, installed)
            self._register(name, _import(installed[name]))
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginHookError(str(error)) from error

    def _register(self, name: str, module: ModuleType) -> None:
        try:
            self._manager.register(module, name)
        except (pluggy.PluginValidationError, ValueError) as error:  # ValueError: the name or the module is taken
            raise PluginHookError(str(error)) from error
        for caller in self._manager.get_hookcallers(module) or ():
            if any(i.plugin is module and (i.wrapper or i.hookwrapper) for i in caller.get_hookimpls()):
                raise PluginHookError(f"plugin {name!r} wraps {caller.name}: hooks hand over objects, wrap those")  # noqa: TRY003

    # -- the hooks, in the order of hookspecs.py --------------------------------------------------------------------

    def settings_sections(self) -> list[SettingsSection]:
        """All sections that plugins declare."""
        reserved = [section.name for section in CORE_SECTIONS]
        return self._named("settings section", "register_settings", lambda s: [s.name], {}, reserved=reserved)

    def commands(self) -> list[Command]:
        """All subcommands that plugins add."""
        return self._named("command", "register_commands", lambda command: [command.name], {})

    def storage_backends(self, settings: Settings) -> dict[str, StorageBackend]:
        """Storages by scheme."""
        found = self._named("storage scheme", "register_storage_backends", lambda b: b.schemes, {"settings": settings})
        return {scheme: backend for backend in found for scheme in backend.schemes}

    def cipher(self, settings: Settings) -> Cipher | None:
        """The cipher, if there is one."""
        found: list[Cipher] = self._named(
            "cipher for", "register_ciphers", lambda _: ["what is stored"], {"settings": settings}
        )
        return found[0] if found else None

    def saver(self, settings: Settings) -> SaverSource | None:
        """Where checkpoints are kept, if not in the storage."""
        found: list[SaverSource] = self._named(
            "saver for", "register_savers", lambda _: ["checkpoints"], {"settings": settings}
        )
        return found[0] if found else None

    def event_brokers(self, settings: Settings) -> dict[str, BrokerBackend]:
        """Brokers by scheme."""
        found = self._named("broker scheme", "register_event_brokers", lambda b: b.schemes, {"settings": settings})
        return {scheme: backend for backend in found for scheme in backend.schemes}

    def collections(self, settings: Settings) -> dict[str, CollectionSpec]:
        """Declared collections by name."""
        found = self._named("collection", "register_collections", lambda spec: [spec.name], {"settings": settings})
        return {spec.name: spec for spec in found}

    def authenticators(self, settings: Settings, order: Sequence[str]) -> list[Authenticator]:
        """Authenticators in the configured order; those it does not name are left out, all by name if it is empty."""
        found = self._named("authenticator", "register_authenticators", lambda a: [a.name], {"settings": settings})
        by_name = {authenticator.name: authenticator for authenticator in found}
        unknown = [name for name in order if name not in by_name]
        if unknown:
            known = ", ".join(sorted(by_name)) or "none"
            raise SettingsError([f"bad value for auth.order: no authenticator {unknown[0]!r}; there are: {known}"])
        return [by_name[name] for name in (order or sorted(by_name))]

    def access_rules(self, settings: Settings) -> list[AccessRule]:
        """All access rules, by name."""
        found = self._named("access rule", "register_access_rules", lambda rule: [rule.name], {"settings": settings})
        return sorted(found, key=lambda rule: rule.name)

    def url_policies(self, settings: Settings) -> UrlPolicies:
        """Policies on URLs by purpose."""
        found = self._named("URL policy", "register_url_policies", lambda one: [one.purpose], {"settings": settings})
        return UrlPolicies(found)

    def tools(self, settings: Settings) -> dict[str, Tool]:
        """Tools by name."""
        found = self._named("tool", "register_tools", lambda tool: [tool.name], {"settings": settings})
        return {tool.name: tool for tool in found}

    def prompts(self, settings: Settings) -> dict[str, Prompt]:
        """Prompts by name."""
        found = self._named("prompt", "register_prompts", lambda prompt: [prompt.name], {"settings": settings})
        return {prompt.name: prompt for prompt in found}

    def graph_definitions(self, settings: Settings, tools: ToolRegistry) -> dict[str, GraphDefinition]:
        """Graphs by id."""
        given = {"settings": settings, "tools": tools}
        found = self._named("graph", "register_graph_sources", lambda g: [g.graph_id], given)
        return {definition.graph_id: definition for definition in found}

    def assistant_sources(self, settings: Settings) -> list[AssistantSource]:
        """All sources of assistants, by name."""
        found = self._named(
            "assistant source", "register_assistant_sources", lambda a: [a.name], {"settings": settings}
        )
        return sorted(found, key=lambda source: source.name)

    def run_listeners(self, settings: Settings) -> list[RunListener]:
        """All run listeners."""
        return [item for _, items in self._call("observe_runs", {"settings": settings}) for item in items]

    def end_recorders(self, settings: Settings) -> list[EndRecorder]:
        """All recorders of ends."""
        return [item for _, items in self._call("register_end_recorders", {"settings": settings}) for item in items]

    def resources(self, settings: Settings, server: Server) -> dict[str, Resource]:
        """Resources by URI or template."""
        given = {"settings": settings, "server": server}
        found = self._named("resource", "register_resources", lambda one: [one.uri], given)
        return {resource.uri: resource for resource in found}

    def background_tasks(self, server: Server) -> list[BackgroundTask]:
        """All background tasks."""
        return self._named("background task", "register_background_tasks", lambda t: [t.name], {"server": server})

    def protocols(self, server: Server) -> list[ProtocolMount]:
        """All protocol mounts, longest path first."""
        found: list[ProtocolMount] = self._named(
            "path", "register_protocols", lambda mount: [mount.path.rstrip("/")], {"server": server}
        )
        return sorted(found, key=lambda mount: -len(mount.path))

    def describe(self, server: Server) -> dict[str, JsonObject]:
        """What plugins tell about the server, by section."""
        found: list[tuple[str, JsonObject]] = self._named(
            "info section", "describe_server", lambda item: [item[0]], {"server": server}, Mapping.items, Mapping
        )
        return dict(found)

    def app_wrappers(self, server: Server) -> list[AppWrapper]:
        """Middleware, outermost first."""
        found = [(w.order, name, w) for name, items in self._call("wrap_app", {"server": server}) for w in items]
        return [wrapper for _, _, wrapper in sorted(found, key=lambda item: item[:2])]

    # -- the untyped relay ------------------------------------------------------------------------------------------

    def _named(
        self,
        kind: str,
        hook: str,
        names: Callable[[Any], Iterable[str]],
        arguments: Mapping[str, object],
        unpack: Callable[[Any], Iterable[Any]] = iter,
        kind_of_offer: type = Sequence,
        reserved: Sequence[str] = (),
    ) -> list[Any]:
        """Everything a hook offers. Raises DuplicateNameError if two plugins, or one twice, offer a name."""
        results = self._call(hook, arguments, kind_of_offer)
        offers = [(plugin, item) for plugin, items in results for item in unpack(items)]
        taken = Counter([*reserved, *(name for _, item in offers for name in names(item))])
        for name, count in taken.items():
            if count > 1:
                core = ["longline"] if name in reserved else []
                raise DuplicateNameError(kind, name, [*core, *(p for p, item in offers if name in names(item))])
        return [item for _, item in offers]

    def _call(self, hook: str, arguments: Mapping[str, object], expected: type = Sequence) -> list[tuple[str, Any]]:
        """(plugin, what it returned) in alphabetical order of plugins. Each plugin gets the arguments it asks for.
        Raises PluginHookError for one that fails or returns something else."""
        results = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            wanted = {name: arguments[name] for name in implementation.argnames}
            try:
                offered = implementation.function(**wanted)
            except LonglineError:
                raise  # says what is wrong in its own words
            except Exception as error:
                cause = f"{describe_cause(error)} ({place_of(error)})"
                raise PluginHookError(f"plugin {implementation.plugin_name!r} failed in {hook}: {cause}") from error  # noqa: TRY003
            if not isinstance(offered, expected):
                cause = f"expected a {expected.__name__.lower()}, got {type(offered).__name__}"
                raise PluginHookError(f"plugin {implementation.plugin_name!r} failed in {hook}: {cause}")  # noqa: TRY003
            results.append((implementation.plugin_name, offered))
        return sorted(results, key=lambda result: result[0])


def _import(plugin: InstalledPlugin) -> ModuleType:
    try:
        return importlib.import_module(plugin.module)
    except ModuleNotFoundError as error:
        missing = (error.name or "?").partition(".")[0]
        if importlib.util.find_spec(missing) is not None:
            raise PluginBrokenError(plugin.name, place_of(error), describe_cause(error)) from error
        if missing == plugin.module.partition(".")[0]:
            raise PluginBrokenError(plugin.name, plugin.module, describe_cause(error)) from error
        raise PluginMissingExtraError(plugin.name, missing, requirement_of(plugin)) from error
    except (Exception, SystemExit) as error:
        raise PluginBrokenError(plugin.name, place_of(error), describe_cause(error)) from error


def requirement_of(plugin: InstalledPlugin) -> str:
    """What to install for a plugin to have all it needs: the extra of its name, if its distribution has one."""
    try:
        extras = metadata(plugin.distribution).get_all("Provides-Extra") or []
    except PackageNotFoundError:
        extras = []
    extra = plugin.name.replace("_", "-")  # as metadata spell it: an older pip knows no other spelling
    is_extra = extra in {name.replace("_", "-") for name in extras}
    return f"{plugin.distribution}[{extra}]" if is_extra else plugin.distribution
