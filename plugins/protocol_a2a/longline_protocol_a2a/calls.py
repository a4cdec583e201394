"""Who calls, on which assistant, in which version: what the context of a request holds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from longline.auth.principal import Principal
from longline_protocol_a2a.versions import CURRENT, OLD

if TYPE_CHECKING:
    from a2a.server.context import ServerCallContext

PRINCIPAL_KEY: Final = "longline.principal"
ASSISTANT_KEY: Final = "longline.assistant"
VERSION_KEY: Final = "longline.version"
URL_KEY: Final = "longline.url"
REQUEST_KEY: Final = "longline.request_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. `assistant_id` is the UUID of an assistant that the caller may see; `url` is that of the server, as the
    caller sees it."""

    principal: Principal
    assistant_id: str
    version: str = CURRENT
    url: str = ""
    request_id: str = ""

    @property
    def is_old(self) -> bool:
        """Whether the caller speaks protocol 0.3."""
        return self.version == OLD


def call_of(context: "ServerCallContext") -> Call:
    """The call that a context describes. Its state holds the principal and the assistant's UUID; the others may be
    missing."""
    state = context.state
    return Call(
        principal=state[PRINCIPAL_KEY],
        assistant_id=state[ASSISTANT_KEY],
        version=state.get(VERSION_KEY, CURRENT),
        url=state.get(URL_KEY, ""),
        request_id=state.get(REQUEST_KEY, ""),
    )
