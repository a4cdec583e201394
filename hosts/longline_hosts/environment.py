"""longline.toml, langgraph.json, env files and the environment → one mapping. Nothing else reads the environment."""

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from longline.defaults.langgraph_json import LangGraphJson, read_langgraph_json
from longline.errors import SettingsError
from longline_hosts.errors import BadVariableError, NoSuchFileError, UnknownVariableError
from longline_hosts.variables import VARIABLES

_PREFIX: Final = "LONGLINE_"
_BETWEEN: Final = "__"
TOML: Final = "longline.toml"
"""The name under which a configuration is found by itself."""
LANGGRAPH_JSON: Final = "langgraph.json"
"""The name under which a project file of LangGraph's tools is found by itself."""


LANGGRAPH_SECTIONS: Final = {
    "auth": ("protocol_langgraph", "auth"),
    "http": ("protocol_langgraph", "http"),
    "checkpointer": ("threads", None),
    "store": ("items", None),
    "encryption": ("encryption", None),
    "webhooks": ("webhooks", None),
}
"""Where a key of langgraph.json is a setting: the section, and the key in it (None: its keys are the section's). What
longline.toml and the environment say is stronger."""
HOST_VARIABLES: Final = ("LONGLINE_HOST", "LONGLINE_PORT", "LONGLINE_LOG_LEVEL", "LONGLINE_TOKEN")
"""Read by the `longline` command itself."""

HOST: Final = "127.0.0.1"
PORT: Final = 2024
LEVELS: Final = ("debug", "info", "warning", "error")
"""What LONGLINE_LOG_LEVEL and --log-level take."""
_MOST_PORT: Final = 65535

Values = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What the command line says about settings."""

    config: Path | None = None
    database: str | None = None
    runs: int | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that was configured: longline.toml, then the environment, then flags."""

    folder: Path
    """The project: where its configuration is, else the current folder."""
    files: tuple[Path, ...]
    """What was read, for people and for the reloader."""
    langgraph: LangGraphJson | None
    variables: Mapping[str, str] = field(repr=False)
    """The environment, completed from env files."""
    values: Values = field(repr=False)
    origins: Mapping[tuple[str, str], str]
    """What gave a setting, where it was not longline.toml: a variable, a flag, a key of langgraph.json."""

    def export(self) -> None:
        """Set what env files say in the environment of this process: graphs and model clients read it there."""
        for name, value in self.variables.items():
            os.environ.setdefault(name, value)

    def variable(self, name: str) -> str:
        """One of HOST_VARIABLES, empty if it is not set."""
        return self.variables.get(name, "")

    def level(self, default: str) -> str:
        """What is to be logged. Raises BadVariableError."""
        level = self.variable("LONGLINE_LOG_LEVEL").lower() or default
        if level not in LEVELS:
            raise BadVariableError("LONGLINE_LOG_LEVEL", level, f"one of {', '.join(LEVELS)}")
        return level

    def address(self, host: str | None, port: int | None) -> tuple[str, int]:
        """Where to listen: what flags say, then the environment, then this machine only. Raises BadVariableError."""
        text = self.variable("LONGLINE_PORT")
        try:
            number = port if port is not None else parse_port(text) if text else PORT
        except ValueError:
            raise BadVariableError("LONGLINE_PORT", text, f"a number from 0 to {_MOST_PORT}") from None
        return host or self.variable("LONGLINE_HOST") or HOST, number

    def explain(self, error: SettingsError) -> SettingsError:
        """The same faults, each with the variable or flag that brought it in."""
        return SettingsError([self._with_origin(fault) for fault in error.faults])

    def _with_origin(self, fault: str) -> str:
        words = fault.replace(":", " ").replace(";", " ").split()
        for (section, key), origin in self.origins.items():
            place = f"{section}.{key}"
            is_there = any(word == place or word.startswith(f"{place}.") for word in words)
            if is_there or f"unknown section [{section}]" in fault:
                form = "; write it as JSON" if "valid list" in fault or "valid dictionary" in fault else ""
                return f"{fault} (set by {origin}{form})"
        return fault


def load_configuration(flags: Flags, folder: Path | None = None) -> Configuration:
    """Read all there is for a project in `folder` (the current one). Raises SettingsError and HostError."""
    here = (folder or Path.cwd()).absolute()
    toml, found = _find(flags.config, here)
    values = _read_toml(toml) if toml is not None else {}
    project = (toml or found or here / TOML).parent
    named = os.environ.get("LONGLINE_LANGGRAPH__FILE")
    path = here / named if named else _named_by(values, project) or found
    langgraph = read_langgraph_json(path) if path is not None else None
    env_files, variables = _read_env_files(langgraph, project)
    sections, origins = _from_variables(variables)
    given = _from_flags(flags)
    return Configuration(
        folder=project,
        files=tuple(file for file in (toml, path, *env_files) if file is not None),
        langgraph=langgraph,
        variables=variables,
        values=merge(
            _from_langgraph(langgraph),
            values,
            sections,
            {"langgraph": {"file": str(langgraph.path)}} if langgraph is not None else {},
            {"server": given} if given else {},
        ),
        origins=_origins_in(langgraph, values) | origins | {("server", key): f"--{key}" for key in given},
    )


def parse_port(text: str) -> int:
    """The port. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST_PORT):
        raise ValueError(f"{text!r} is not a port: 0 to {_MOST_PORT}")  # noqa: TRY003  # for who asked
    return int(text)


def merge(*layers: Values) -> dict[str, dict[str, object]]:
    """Sections laid over each other; the later layer wins, key by key."""
    merged: dict[str, dict[str, object]] = {}
    for layer in layers:
        for section, keys in layer.items():
            merged[section] = {**merged.get(section, {}), **keys}
    return merged


# -- files ----------------------------------------------------------------------------------------------------------


def _find(config: Path | None, here: Path) -> tuple[Path | None, Path | None]:
    """longline.toml and langgraph.json: the one that is named, else those that lie here."""
    if config is None:
        toml, langgraph = here / TOML, here / LANGGRAPH_JSON
        return toml if toml.is_file() else None, langgraph if langgraph.is_file() else None
    path = here / config
    if not path.is_file():
        raise NoSuchFileError(str(path), "there is no such file; --config takes a longline.toml or a langgraph.json")
    return (None, path) if path.suffix == ".json" else (path, None)


def _read_toml(path: Path) -> dict[str, dict[str, object]]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: {error}"]) from None
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror or error}"]) from None
    if isinstance(document.get("langgraph"), str):
        document["langgraph"] = {"file": document["langgraph"]}
    loose = [name for name, value in document.items() if not isinstance(value, dict)]
    if loose:
        raise SettingsError(
            [f"{path}: {name} stands outside of a section; write it below one, e.g. [server]" for name in loose]
        )
    return document


def _named_by(values: Values, project: Path) -> Path | None:
    """The langgraph.json that longline.toml names."""
    file = values.get("langgraph", {}).get("file")
    return project / file if isinstance(file, str) and file else None


def _read_env_files(langgraph: LangGraphJson | None, project: Path) -> tuple[list[Path], dict[str, str]]:
    """The env files that were read, and all variables. The environment itself wins, then what langgraph.json says,
    then a .env beside the configuration."""
    variables = dict(os.environ)
    files: list[Path] = []
    env = langgraph.env if langgraph is not None else ""
    if langgraph is not None and isinstance(env, str):
        files += [langgraph.path.parent / env] if env else []
        for path in files:
            if not path.is_file():
                raise NoSuchFileError(str(path), f'there is no such file, and "env" in {langgraph.path} names it')
    elif not isinstance(env, str):
        variables = {**env, **variables}
    if (project / ".env").is_file() and not any(path.samefile(project / ".env") for path in files):
        files.append(project / ".env")
    for path in files:
        variables = {**_read_env(path), **variables}
    return files, variables


def _read_env(path: Path) -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: {error}"]) from None


# -- variables and flags --------------------------------------------------------------------------------------------


def _from_variables(
    variables: Mapping[str, str],
) -> tuple[dict[str, dict[str, object]], dict[tuple[str, str], str]]:
    """Sections from variables, and which variable set what. LONGLINE_<SECTION>__<KEY> is the stronger spelling."""
    found = [(v.section, v.key, v.name) for v in VARIABLES if variables.get(v.name)]
    found += [(section, key, name) for name in variables if (place := _place(name)) for section, key in [place]]
    sections: dict[str, dict[str, object]] = {}
    for section, key, name in found:
        sections.setdefault(section, {})[key] = _value(variables[name])
    return sections, {(section, key): name for section, key, name in found}


def _place(name: str) -> tuple[str, str] | None:
    """Section and key of LONGLINE_<SECTION>__<KEY>; None for a name that is not of this form. Raises
    UnknownVariableError."""
    if not name.startswith(_PREFIX) or name in _known():
        return None
    section, between, key = name.removeprefix(_PREFIX).partition(_BETWEEN)
    if not between or not section or not key:
        raise UnknownVariableError(name, ", ".join(_known()))
    return section.lower(), key.lower()


def _known() -> Iterable[str]:
    return (*(v.name for v in VARIABLES if v.name.startswith(_PREFIX)), *HOST_VARIABLES)


def _value(text: str) -> object:
    """JSON where it looks like a list, a table or a quoted text; else the text, which settings turn into what they
    need."""
    if text[:1] in ("[", "{", '"') or text == "null":
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return text


def _from_langgraph(file: LangGraphJson | None) -> dict[str, dict[str, object]]:
    """What the project file says about the server, as settings."""
    found: dict[str, dict[str, object]] = {}
    for name, value in (file.sections if file is not None else {}).items():
        section, key = LANGGRAPH_SECTIONS[name]
        found.setdefault(section, {}).update(value if key is None else {key: dict(value)})
    return found


def _origins_in(file: LangGraphJson | None, stronger: Values) -> dict[tuple[str, str], str]:
    """Which key of the project file gave a setting, where longline.toml does not say it too."""
    return {
        (section, key): f'"{name}" in {file.path}'
        for name, value in (file.sections if file is not None else {}).items()
        for section, whole in [LANGGRAPH_SECTIONS[name]]
        for key in ([whole] if whole is not None else value)
        if file is not None and key not in stronger.get(section, {})
    }


def _from_flags(flags: Flags) -> dict[str, object]:
    return {key: value for key in ("database", "runs", "workers") if (value := getattr(flags, key)) is not None}
