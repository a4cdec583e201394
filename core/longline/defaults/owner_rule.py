"""The default access rule: you see what you own, and the server's own assistants."""

from typing import Final

from longline.auth.access import Action
from longline.auth.principal import Principal
from longline.models.filters import EVERYTHING, AnyOf, Equals, Filter
from longline.models.json import JsonObject

_WRITES = frozenset({"create", "update", "create_run"})
_READS = frozenset({"read", "search"})
_SERVER = "system"


class OwnerRule:
    """Stamps `metadata.owner` on what a caller makes and filters by it. Where authentication is off it does nothing."""

    name = "owner"
    is_default: Final = True

    async def decide(self, principal: Principal, action: Action, value: JsonObject) -> Filter:
        """See AccessRule."""
        if not principal.is_authenticated:
            return EVERYTHING
        if action.verb in _WRITES and "metadata" in value:
            metadata = dict(value["metadata"]) if isinstance(value["metadata"], dict) else {}
            if action.resource == "assistants" and metadata.get("created_by") == _SERVER:
                del metadata["created_by"]  # or anybody could put an assistant of theirs into everybody's list
            value["metadata"] = {**metadata, "owner": principal.identity}
        mine = Equals("owner", principal.identity)
        if action.resource == "assistants" and action.verb in _READS:
            return AnyOf((mine, Equals("created_by", _SERVER)))
        return mine
