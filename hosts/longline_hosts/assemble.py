"""Configuration + a host's choices → a Runtime."""

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from longline.errors import NoBackendError, PluginMissingExtraError, SettingsError
from longline.plugin_host import InstalledPlugin, installed_plugins, requirement_of
from longline.runtime import Runtime
from longline.settings import CORE_SECTIONS, PluginSettings, SettingsSection, parse_settings
from longline_hosts.environment import Configuration, Values, merge
from longline_hosts.header_templates import expand_headers
from longline_hosts.variables import VARIABLES

DISTRIBUTION: Final = "longline"
"""First-party plugins come with it; every other distribution's are third-party."""
SDK_MODULES: Final[Mapping[str, tuple[str, ...]]] = {
    "protocol_a2a": ("a2a",),
    "protocol_mcp": ("mcp", "jsonschema"),
}
"""First-party plugins that are left out by default where a package of theirs is not installed → modules of it."""
_SWITCHES: Final[Mapping[str, str]] = {"protocol_a2a": "disable_a2a", "protocol_mcp": "disable_mcp"}
"""Plugins that a langgraph.json can switch off → the key of its `http` that does."""
_CORE: Final = frozenset(section.name for section in CORE_SECTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a host chooses where nobody says otherwise: first-party plugins by name, and settings below all others.
    Third-party plugins are chosen by installing them."""

    name: str
    plugins: tuple[str, ...]
    graph_plugins: Mapping[str, str]
    """Plugins that are there for one graph → the id of that graph: they step aside for a project's graph of this id."""
    defaults: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The plugins to use, and why the others are not."""

    names: tuple[str, ...]
    left_out: Mapping[str, str]


def choose_plugins(configuration: Configuration, profile: Profile) -> Choice:
    """Which plugins take part. Raises SettingsError for a bad [plugins] section, DuplicateNameError."""
    section = SettingsSection("plugins", PluginSettings)
    given = {"plugins": configuration.values.get("plugins", {})}
    try:
        settings = parse_settings(given, [section]).section(PluginSettings)
    except SettingsError as error:
        raise configuration.explain(error) from error
    installed = installed_plugins()
    left_out: dict[str, str] = {}
    wanted = _by_default(configuration, profile, installed) if settings.enable is None else set(settings.enable)
    unwanted = dict.fromkeys(settings.disable, "disabled under [plugins]") | _switched_off(configuration)
    for name in sorted({*installed, *settings.disable} - wanted):
        left_out[name] = unwanted.get(name) or _reason(name, settings, configuration, profile, installed)
    for name in sorted(wanted & set(unwanted)):
        left_out[name] = unwanted[name]
    return Choice(names=tuple(sorted(wanted - set(unwanted))), left_out=left_out)


def assemble(configuration: Configuration, profile: Profile) -> Runtime:
    """The Runtime of this configuration. Raises SettingsError (each fault with where it came from), PluginError."""
    return assemble_chosen(configuration, profile, choose_plugins(configuration, profile).names)


def assemble_chosen(configuration: Configuration, profile: Profile, names: Iterable[str]) -> Runtime:
    """As `assemble`, with these plugins."""
    chosen = set(names)
    for name in sorted(chosen):
        if (missing := _missing(name)) is not None and name in (installed := installed_plugins()):
            raise PluginMissingExtraError(name, missing, requirement_of(installed[name]))
    try:
        return Runtime(sorted(chosen), chosen_values(configuration, profile, chosen))
    except SettingsError as error:
        raise configuration.explain(error) from error
    except NoBackendError as error:
        origin = configuration.origins.get(("server", "database"))
        raise SettingsError([f"{error} (server.database is set by {origin})" if origin else str(error)]) from error


def chosen_values(configuration: Configuration, profile: Profile, chosen: Iterable[str]) -> Values:
    """The profile's defaults under what was configured, without the sections of plugins that are installed but not
    chosen: switching a plugin off leaves its settings where they are."""
    names = set(chosen)
    optional = {*installed_plugins(), *(variable.section for variable in VARIABLES)} - _CORE
    values = expand_headers(merge(profile.defaults, configuration.values), configuration.variables)
    return {name: keys for name, keys in values.items() if name in names or name not in optional}


def _by_default(configuration: Configuration, profile: Profile, installed: Mapping[str, InstalledPlugin]) -> set[str]:
    third_party = {name for name, plugin in installed.items() if plugin.distribution != DISTRIBUTION}
    possible = {name for name in profile.plugins if _missing(name) is None}
    return (possible - _stepping_aside(configuration, profile)) | third_party


def _missing(name: str) -> str | None:
    """The first module that a plugin needs and this environment has not."""
    return next((module for module in SDK_MODULES.get(name, ()) if importlib.util.find_spec(module) is None), None)


def _switched_off(configuration: Configuration) -> dict[str, str]:
    """Plugins that `http` of a langgraph.json switches off, and how."""
    http = configuration.values.get("protocol_langgraph", {}).get("http")
    if not isinstance(http, Mapping):
        return {}
    return {plugin: f"http.{key} is set" for plugin, key in _SWITCHES.items() if http.get(key) is True}


def _stepping_aside(configuration: Configuration, profile: Profile) -> set[str]:
    graphs = configuration.langgraph.graphs if configuration.langgraph is not None else {}
    return {plugin for plugin, graph_id in profile.graph_plugins.items() if graph_id in graphs}


def _reason(
    name: str,
    settings: PluginSettings,
    configuration: Configuration,
    profile: Profile,
    installed: Mapping[str, InstalledPlugin],
) -> str:
    if settings.enable is not None:
        return "not enabled under [plugins]"
    if name in _stepping_aside(configuration, profile):
        return f"langgraph.json has a graph {profile.graph_plugins[name]!r} of its own"
    missing = _missing(name)
    if name in profile.plugins and missing is not None and name in installed:
        return f"the module {missing!r} is missing; run: pip install '{requirement_of(installed[name])}'"
    return f"not part of `longline {profile.name}` by default"
