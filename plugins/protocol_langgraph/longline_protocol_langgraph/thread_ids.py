"""How places on a thread are spelled as the ids of its stream.

`ms-seq`, as clients of this API know ids; the number before the dash is no time here, only large and strictly
increasing: the turn, after a fixed number.
"""

from typing import Final

from longline.models.events import END_OF_TURN, THREAD_BEGINNING, ThreadPlace, parse_event_id

_BASE: Final = 1_700_000_000_000
_MOST_TURNS: Final = 2**40
_FROM_THE_BEGINNING: Final = frozenset({"-", "-1", "0", "0-0"})


def spell_place(place: ThreadPlace) -> bytes:
    """A place as the client gets it."""
    return b"%d-%d" % (_BASE + place.turn, place.seq)


def parse_place(text: str | None) -> ThreadPlace | None:
    """The place that a client says it has read up to; None if it says nothing that a thread could have said."""
    if text is None:
        return None
    if text in _FROM_THE_BEGINNING:
        return THREAD_BEGINNING
    said = parse_event_id(text)
    if said is None or not 0 <= said.attempt - _BASE <= _MOST_TURNS:
        return None
    return ThreadPlace(said.attempt - _BASE, min(said.seq, END_OF_TURN))
