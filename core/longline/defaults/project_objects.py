"""Objects of a project that its settings name."""

from pathlib import Path

from longline.defaults.langgraph_json import LangGraphJsonSettings, read_langgraph_json
from longline.errors import GraphLoadError, SettingsError
from longline.graphs.loading import extend_path, load_reference
from longline.settings import Settings


def load_project_object(setting: str, path: str, settings: Settings) -> object:
    """The object that a setting names: see find_project_object. Raises SettingsError."""
    if not is_reference(path):
        raise SettingsError([f"{setting} {path!r}: ./file.py:name or package.module:name is expected"])
    try:
        return find_project_object(path, settings)
    except GraphLoadError as error:
        raise SettingsError([f"{setting} {path!r} cannot be loaded: {error.cause} ({error.place})"]) from error


def is_reference(path: str) -> bool:
    """Whether this has the form of an object's name: `./file.py:name`, `package.module:name`."""
    target, _, attribute = path.rpartition(":")
    return bool(target and attribute)


def find_project_object(path: str, settings: Settings) -> object:
    """The object that a reference names, relative paths taken from the folder of the langgraph.json. Raises
    GraphLoadError, which has the cause and its place; SettingsError if the langgraph.json cannot be read."""
    file = settings.section(LangGraphJsonSettings).file
    base, folders = Path.cwd(), [Path.cwd()]
    if file:
        project = read_langgraph_json(Path(file))
        base, folders = project.path.parent, list(project.folders)
    extend_path(folders)
    return load_reference(path, path, base)
