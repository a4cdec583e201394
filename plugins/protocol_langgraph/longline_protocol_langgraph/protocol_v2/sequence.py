"""The numbers of events: one order for a thread, found again in every replay.

An event is numbered within its turn; turns begin at multiples of a constant, so that nothing needs to be counted or
remembered, and what is deleted leaves the numbers of everything else as they are.
"""

from typing import Final

from longline.models.events import END_OF_TURN, ThreadPlace

_TURN: Final = 2**24
"""The most events of one attempt; 2**29 turns still fit the integers of JavaScript."""


def seq_of(turn: int, number: int) -> int:
    """The number of the n-th event of a turn, from 1."""
    return (turn - 1) * _TURN + number


def end_of_turn(turn: int) -> int:
    """A number that no event of this turn or an earlier one exceeds, and every later one does."""
    return turn * _TURN


def turn_of(seq: int) -> int:
    """The turn to read from in order to find what comes after a number."""
    return seq // _TURN + 1


def before_turn(turn: int) -> ThreadPlace:
    """The place before everything of a turn."""
    return ThreadPlace(turn - 1, END_OF_TURN)
