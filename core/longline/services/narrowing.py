"""What access rules write into a search: it finds less then, never more."""

from collections.abc import Sequence

from longline.models.filters import EVERYTHING, Filter, metadata_filter
from longline.models.json import JsonObject


def narrowing(value: JsonObject, asked: JsonObject) -> Filter:
    """What rules wrote into `value["metadata"]`, beside the pairs that the caller `asked` for: it must hold too."""
    written = value.get("metadata")
    return metadata_filter(written) if isinstance(written, dict) and written != asked else EVERYTHING


def chosen_ids(value: JsonObject, asked: Sequence[str] | None) -> Sequence[str] | None:
    """The ids to choose from: those that the caller `asked` for (None: any), as far as rules left them in
    `value["ids"]`."""
    left = value.get("ids")
    if not isinstance(left, list):
        return asked
    named = None if asked is None else frozenset(asked)
    return [str(entry) for entry in left if named is None or entry in named]
