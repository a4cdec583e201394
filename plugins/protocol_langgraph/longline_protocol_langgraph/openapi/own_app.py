"""What the project's own app says of its paths, beside ours."""

import logging
import re
from typing import Final

from longline.models.json import JsonObject, JsonValue, as_object

logger = logging.getLogger(__name__)

_KINDS: Final = ("schemas", "responses", "parameters", "requestBodies", "headers", "examples", "securitySchemes")


def document_of(app: object) -> JsonObject | None:
    """The OpenAPI document that an app makes of itself, as FastAPI's do; None if it makes none, or breaks at it."""
    make = getattr(app, "openapi", None)
    try:
        made = make() if callable(make) else None
    except Exception:  # whatever code of the project raises: the API is described all the same
        logger.exception("http.app not described")
        return None
    return made if isinstance(made, dict) else None


def with_own(ours: JsonObject, own: JsonObject) -> JsonObject:
    """Our document with the paths of the app, which are served before ours. Its components get other names where we
    have the same."""
    components = as_object(ours.get("components"))
    renamed = _renamed(as_object(own.get("components")), components)
    moved = as_object(_moved(own, renamed))
    theirs = as_object(moved.get("components"))
    joined: JsonObject = {
        **components,
        **{
            kind: {
                **as_object(components.get(kind)),
                **{renamed.get(f"{kind}/{name}", name): value for name, value in as_object(theirs.get(kind)).items()},
            }
            for kind in _KINDS
            if kind in theirs
        },
    }
    return {**ours, "paths": _paths(as_object(ours["paths"]), as_object(moved.get("paths"))), "components": joined}


def _paths(ours: JsonObject, own: JsonObject) -> JsonObject:
    paths = dict(ours)
    for path, methods in own.items():
        paths[path] = {**as_object(paths.get(path)), **as_object(methods)}
    return paths


def _renamed(theirs: JsonObject, ours: JsonObject) -> dict[str, str]:
    """`schemas/Thread` → the name it gets, for those whose names are taken."""
    return {
        f"{kind}/{name}": f"Own{name}"
        for kind in _KINDS
        for name in as_object(theirs.get(kind))
        if name in as_object(ours.get(kind))
    }


def _moved(value: JsonValue, renamed: dict[str, str]) -> JsonValue:
    """The value with references to components under their new names."""
    if isinstance(value, list):
        return [_moved(entry, renamed) for entry in value]
    if not isinstance(value, dict):
        return value
    moved = {key: _moved(entry, renamed) for key, entry in value.items()}
    reference = value.get("$ref")
    found = re.fullmatch(r"#/components/((\w+)/(.+))", reference) if isinstance(reference, str) else None
    if found and found[1] in renamed:
        moved["$ref"] = f"#/components/{found[2]}/{renamed[found[1]]}"
    return moved
