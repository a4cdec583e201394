"""Objects of the project that settings name: `./auth.py:auth`, `package.module:app`."""

from longline.defaults.project_objects import find_project_object, is_reference
from longline.errors import GraphLoadError, LonglineError
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
    if not is_reference(reference):
        raise ReferenceNotLoadedError(setting, reference, "path/to/file.py:name or package.module:name is expected")
    try:
        return find_project_object(reference, settings)
    except GraphLoadError as error:
        raise ReferenceNotLoadedError(setting, reference, error.cause, error.place) from error
