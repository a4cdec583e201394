"""`longline plugins`: what is installed, what is chosen, and what keeps the rest away. Nothing unchosen is imported."""

import re
from importlib.metadata import PackageNotFoundError, distribution, version

from longline.plugin_host import InstalledPlugin, installed_plugins, requirement_of
from longline_hosts.assemble import Choice, choose_plugins
from longline_hosts.dev import DEV
from longline_hosts.environment import Flags, load_configuration

_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)")


def list_plugins(flags: Flags) -> int:
    """Print the table; the exit code. Raises LonglineError."""
    choice = choose_plugins(load_configuration(flags), DEV)
    installed = installed_plugins()
    rows = [("plugin", "version", "distribution", "state")]
    rows += [(p.name, p.version, p.distribution, state_of(p, choice)) for p in installed.values()]
    rows += [(name, "", "", "enabled, but not installed") for name in choice.names if name not in installed]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]))  # noqa: T201  # a command talks to a person
    return 0


def state_of(plugin: InstalledPlugin, choice: Choice) -> str:
    """Chosen or not, and what it lacks."""
    lacking = missing_packages(plugin)
    state = "chosen" if plugin.name in choice.names else f"off: {choice.left_out.get(plugin.name, 'not chosen')}"
    if not lacking or "pip install" in state:
        return state
    return f"{state}; missing {', '.join(lacking)}, {missing_extra(plugin.name)}"


def missing_extra(name: str) -> str:
    """What installs the packages that a plugin lacks; empty if it lacks none."""
    plugin = installed_plugins().get(name)
    if plugin is None or not missing_packages(plugin):
        return ""
    return f"run: pip install '{requirement_of(plugin)}'"


def missing_packages(plugin: InstalledPlugin) -> list[str]:
    """Packages of the extra that has the plugin's name and are not installed."""
    wanted = re.compile(rf"extra\s*==\s*['\"]{re.escape(plugin.name).replace('_', '[-_.]')}['\"]")
    try:
        requirements = distribution(plugin.distribution).requires or []
    except PackageNotFoundError:
        return []
    names = [_REQUIREMENT.match(line) for line in requirements if wanted.search(line)]
    return sorted({name.group() for name in names if name is not None and not _is_installed(name.group())})


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
