"""Objects of the project that settings name: `./auth.py:auth`, `package.module:app`."""

from pathlib import Path

from longline.defaults.langgraph_json import LangGraphJsonSettings, read_langgraph_json
from longline.errors import GraphLoadError, LonglineError
from longline.graphs.loading import extend_path, load_reference
from longline.settings import Settings


class ReferenceNotLoadedError(LonglineError):
    """An object that the configuration names cannot be had: the server does not start without it."""

    code = "reference_not_loaded"

    def __init__(self, setting: str, reference: str, cause: str, place: str = "") -> None:
        where = f" ({place})" if place else ""
        super().__init__(f"{setting} {reference!r} cannot be loaded: {cause}{where}")
        self.setting = setting
        self.reference = reference


def load_named(setting: str, reference: str, settings: Settings) -> object:
    """The object, looked for from the folder of the project's langgraph.json. Raises ReferenceNotLoadedError."""
    target, _, attribute = reference.rpartition(":")
    if not target or not attribute:
        raise ReferenceNotLoadedError(setting, reference, "path/to/file.py:name or package.module:name is expected")
    file = settings.section(LangGraphJsonSettings).file
    base, folders = Path.cwd(), [Path.cwd()]
    if file:
        project = read_langgraph_json(Path(file))
        base, folders = project.path.parent, list(project.folders)
    extend_path(folders)
    try:
        return load_reference(setting, reference, base)
    except GraphLoadError as error:
        raise ReferenceNotLoadedError(setting, reference, error.cause, error.place) from error
