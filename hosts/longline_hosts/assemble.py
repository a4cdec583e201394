"""Configuration + a host's choices → a Runtime."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from longline.errors import NoBackendError, SettingsError
from longline.plugin_host import InstalledPlugin, installed_plugins
from longline.runtime import Runtime
from longline.settings import CORE_SECTIONS, PluginSettings, SettingsSection, parse_settings
from longline_hosts.environment import Configuration, Values, merge
from longline_hosts.header_templates import expand_headers
from longline_hosts.variables import VARIABLES

DISTRIBUTION: Final = "longline"
"""First-party plugins come with it; every other distribution's are third-party."""
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
    wanted = set(settings.enable) if settings.enable is not None else _by_default(configuration, profile, installed)
    for name in sorted({*installed, *settings.disable} - wanted):
        left_out[name] = _reason(name, settings, configuration, profile)
    for name in sorted(wanted & set(settings.disable)):
        left_out[name] = "disabled under [plugins]"
    return Choice(names=tuple(sorted(wanted - set(settings.disable))), left_out=left_out)


def assemble(configuration: Configuration, profile: Profile) -> Runtime:
    """The Runtime of this configuration. Raises SettingsError (each fault with where it came from), PluginError."""
    return assemble_chosen(configuration, profile, choose_plugins(configuration, profile).names)


def assemble_chosen(configuration: Configuration, profile: Profile, names: Iterable[str]) -> Runtime:
    """As `assemble`, with these plugins."""
    chosen = set(names)
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
    return (set(profile.plugins) - _stepping_aside(configuration, profile)) | third_party


def _stepping_aside(configuration: Configuration, profile: Profile) -> set[str]:
    graphs = configuration.langgraph.graphs if configuration.langgraph is not None else {}
    return {plugin for plugin, graph_id in profile.graph_plugins.items() if graph_id in graphs}


def _reason(name: str, settings: PluginSettings, configuration: Configuration, profile: Profile) -> str:
    if name in settings.disable:
        return "disabled under [plugins]"
    if settings.enable is not None:
        return "not enabled under [plugins]"
    if name in _stepping_aside(configuration, profile):
        return f"langgraph.json has a graph {profile.graph_plugins[name]!r} of its own"
    return f"not part of `longline {profile.name}` by default"
