"""How many sessions there are and were, for operators."""

from dataclasses import asdict, dataclass
from weakref import WeakKeyDictionary

from longline.models.json import JsonObject
from longline.settings import Settings


@dataclass(slots=True)
class SessionCensus:
    """Sessions of one process since its start."""

    open: int = 0
    opened: int = 0
    idle_ended: int = 0
    """Ended because nobody used them."""
    displaced: int = 0
    """Ended to make room for others."""

    def told(self) -> JsonObject:
        """The counts, by name."""
        return dict(asdict(self))


_OF_SERVERS: WeakKeyDictionary[Settings, SessionCensus] = WeakKeyDictionary()


def census_of(settings: Settings) -> SessionCensus:
    """The census of the server with these settings: its hooks are called one by one, and share it."""
    return _OF_SERVERS.setdefault(settings, SessionCensus())
