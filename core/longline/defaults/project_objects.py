"""Objects of a project that its settings name."""

from pathlib import Path

from longline.defaults.langgraph_json import LangGraphJsonSettings, read_langgraph_json
from longline.errors import GraphLoadError, SettingsError
from longline.graphs.loading import extend_path, load_reference
from longline.settings import Settings


def load_project_object(setting: str, path: str, settings: Settings) -> object:
    """The object that a setting names, relative paths taken from the folder of the langgraph.json. Raises
    SettingsError."""
    target, _, attribute = path.rpartition(":")
    if not target or not attribute:
        raise SettingsError([f"{setting} {path!r}: ./file.py:name or package.module:name is expected"])
    file = settings.section(LangGraphJsonSettings).file
    base, folders = Path.cwd(), [Path.cwd()]
    if file:
        project = read_langgraph_json(Path(file))
        base, folders = project.path.parent, list(project.folders)
    extend_path(folders)
    try:
        return load_reference(path, path, base)
    except GraphLoadError as error:
        raise SettingsError([f"{setting} {path!r} cannot be loaded: {error.cause} ({error.place})"]) from error
