"""The graphs of a langgraph.json: the project file of LangGraph's own tools, read as it is."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from pydantic import Field

from longline.errors import SettingsError
from longline.graphs.definition import GraphDefinition
from longline.graphs.loading import extend_path, load_reference
from longline.settings import SettingsModel

logger = logging.getLogger(__name__)

SECTIONS: Final = ("auth", "checkpointer", "encryption", "http", "store", "webhooks")
"""Keys whose objects are settings of the server or of a plugin; whoever has the settings checks what is in them."""
_ACTED_ON = frozenset({"$schema", "graphs", "dependencies", "env", *SECTIONS})
_ABOUT_IMAGES = frozenset({
    "_INTERNAL_docker_tag", "api_version", "base_image", "dockerfile_lines", "image_distro", "keep_pkg_tools",
    "node_version", "pip_config_file", "pip_installer", "python_version", "source",
})  # fmt: skip
"""Keys that say how an image is built: a server that runs already has nothing to do with them."""
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXAMPLE = '{"graphs": {"agent": "./graph.py:graph"}}'


class LangGraphJsonSettings(SettingsModel):
    """Where the project's langgraph.json is."""

    file: str = Field("", description="The langgraph.json whose graphs are served. Empty: none.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphEntry:
    """One graph of the file: where it is, and what its author says of it."""

    reference: str
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LangGraphJson:
    """What a langgraph.json says. `env` is a file (relative to this one) or the variables themselves: whoever owns the
    environment sets them before a graph is loaded."""

    path: Path
    graphs: Mapping[str, GraphEntry]
    folders: tuple[Path, ...]
    """What its graphs may import from, first come first: its dependencies that are folders, and its own folder."""
    env: str | Mapping[str, str] = field(repr=False)
    sections: Mapping[str, Mapping[str, object]] = field(default_factory=dict, repr=False)
    """What it says below the keys of SECTIONS, as it is written."""
    missing: tuple[str, ...] = ()
    """Dependencies that are neither a folder nor an installed package."""
    unused: tuple[str, ...] = ()
    """Keys that this version does not act on."""


def read_langgraph_json(path: Path) -> LangGraphJson:
    """Read and check the file. Raises SettingsError that says where the fault is and what is expected."""
    path = path.absolute()
    document = _parse(path)
    faults: list[str] = []
    graphs = _graphs(document.get("graphs"), faults)
    dependencies = _dependencies(document.get("dependencies", []), faults)
    env = _env(document.get("env", {}), faults)
    sections = _sections(document, faults)
    if faults:
        raise SettingsError([f"{path}: {fault}" for fault in faults])
    found = {name: _folder(path.parent, name) for name in dependencies}
    folders = [folder for name in found.values() if name is not None for folder in _import_roots(name)]
    return LangGraphJson(
        path=path,
        graphs=graphs,
        folders=tuple(dict.fromkeys([*folders, path.parent])),
        env=env,
        sections=sections,
        missing=tuple(name for name, folder in found.items() if folder is None and not _is_installed(name)),
        unused=tuple(sorted(document.keys() - _ACTED_ON - _ABOUT_IMAGES)),
    )


def graph_definitions(settings: LangGraphJsonSettings) -> Sequence[GraphDefinition]:
    """The graphs of the configured file, none if there is no file. What the file asks for in vain goes to the log.
    Raises SettingsError."""
    if not settings.file:
        return ()
    file = read_langgraph_json(Path(settings.file))
    _warn(file)
    return [
        GraphDefinition(
            graph_id=graph_id,
            origin=entry.reference,
            description=entry.description,
            load=partial(_load, graph_id, entry.reference, file),
        )
        for graph_id, entry in file.graphs.items()
    ]


def _load(graph_id: str, reference: str, file: LangGraphJson) -> object:
    extend_path(file.folders)
    return load_reference(graph_id, reference, file.path.parent)


def _warn(file: LangGraphJson) -> None:
    if file.unused:
        facts = {"file": str(file.path), "not_acted_on": ", ".join(file.unused)}
        logger.warning("langgraph.json used in part", extra=facts)
    for name in file.missing:
        logger.warning("dependency not found", extra={"file": str(file.path), "dependency": name})


# -- reading --------------------------------------------------------------------------------------------------------


def _parse(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        place = f"{path}, line {error.lineno}, column {error.colno}"
        raise SettingsError([f"{place}: {error.msg}; JSON is expected here, e.g. {_EXAMPLE}"]) from None
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path}, byte {error.start}: it is not UTF-8 text"]) from None
    except RecursionError:
        raise SettingsError([f"{path}: it is nested too deeply; expected is e.g. {_EXAMPLE}"]) from None
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror or error}"]) from None
    if not isinstance(document, dict):
        raise SettingsError([f"{path}: an object is expected, e.g. {_EXAMPLE}; got {_kind(document)}"])
    return document


def _graphs(value: object, faults: list[str]) -> dict[str, GraphEntry]:
    if not isinstance(value, dict):
        got = "there is none" if value is None else f"got {_kind(value)}"
        faults.append(f'"graphs" must be an object of graph id and reference, e.g. {_EXAMPLE}; {got}')
        return {}
    graphs: dict[str, GraphEntry] = {}
    for graph_id, entry in value.items():
        found = _entry(entry)
        if not graph_id:
            faults.append("graphs has an empty graph id")
        elif found is None:
            faults.append(
                f'graphs.{graph_id} must be "path/to/file.py:name", "package.module:name" or an object with such a '
                f'"path" and a "description"; got {_kind(entry)}'
            )
        else:
            graphs[graph_id] = found
    return graphs


def _entry(value: object) -> GraphEntry | None:
    if isinstance(value, str):
        return GraphEntry(reference=value) if _is_reference(value) else None
    if not isinstance(value, dict):
        return None
    path, description = value.get("path"), value.get("description")
    if not isinstance(path, str) or not _is_reference(path) or not isinstance(description, str | None):
        return None
    return GraphEntry(reference=path, description=description)


def _is_reference(text: str) -> bool:
    target, _, attribute = text.rpartition(":")
    return bool(target.strip() and attribute.strip())


def _dependencies(value: object, faults: list[str]) -> list[str]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [item.strip() for item in value if item.strip()]
    faults.append(f'"dependencies" must be a list of folders and packages, e.g. ["."]; got {_kind(value)}')
    return []


def _env(value: object, faults: list[str]) -> str | dict[str, str]:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and all(isinstance(item, str | int | float) for item in value.values()):
        return {name: item if isinstance(item, str) else json.dumps(item) for name, item in value.items()}
    faults.append(f'"env" must be a file, e.g. ".env", or an object of names and values; got {_kind(value)}')
    return {}


def _sections(document: Mapping[str, object], faults: list[str]) -> dict[str, Mapping[str, object]]:
    sections: dict[str, Mapping[str, object]] = {}
    for key in SECTIONS:
        value = document.get(key)
        if isinstance(value, dict):
            sections[key] = value
        elif value is not None:
            faults.append(f'"{key}" must be an object; got {_kind(value)}')
    return sections


def _kind(value: object) -> str:
    """A JSON value as a short text: what it is, and which if that fits in a line."""
    names = {dict: "an object", list: "a list", str: "the text", bool: "", int: "the number", float: "the number"}
    text = json.dumps(value)
    return f"{names.get(type(value), '')} {text if len(text) <= 60 else text[:60] + '…'}".strip()  # noqa: PLR2004  # a line


def _folder(base: Path, name: str) -> Path | None:
    folder = (base / name).resolve()
    return folder if folder.is_dir() else None


def _import_roots(folder: Path) -> list[Path]:
    """A folder, and its `src` where the project keeps its packages there: an editable install would put that first."""
    source = folder / "src"
    return [source, folder] if source.is_dir() and not (source / "__init__.py").is_file() else [folder]


def _is_installed(name: str) -> bool:
    package = _PACKAGE.match(name)
    if package is None:
        return False
    try:
        version(package.group())
    except PackageNotFoundError:
        return False
    return True
