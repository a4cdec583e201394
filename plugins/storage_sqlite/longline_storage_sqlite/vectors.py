"""How vectors are compared: by the sqlite-vec extension, or by Python where that cannot be loaded."""

import math
import sqlite3
from array import array
from functools import lru_cache
from operator import mul

import sqlite_vec  # type: ignore[import-untyped]  # it comes without types


def packed(vector: list[float]) -> bytes:
    """A vector for its column: floats of 32 bits."""
    return array("f", vector).tobytes()


def load_vectors(connection: sqlite3.Connection) -> None:
    """Give a connection the function that LangGraph's statements compare vectors with, once."""
    try:
        connection.execute("SELECT vec_distance_cosine(?, ?)", (_UNIT, _UNIT))
    except sqlite3.OperationalError:
        if not _load_extension(connection):
            connection.create_function("vec_distance_cosine", 2, cosine_distance, deterministic=True)


def cosine_distance(one: bytes, other: bytes) -> float | None:
    """1 less the cosine of the angle between two vectors; None where one of them has no direction."""
    first, length = _read(one)
    second, other_length = _read_often(other)
    if not length or not other_length:
        return None
    product: float = sum(map(mul, first, second))
    return 1.0 - product / (length * other_length)


def _load_extension(connection: sqlite3.Connection) -> bool:
    """Whether sqlite-vec could be loaded. Some builds of Python leave loading out."""
    if not hasattr(connection, "enable_load_extension"):
        return False
    try:
        connection.enable_load_extension(True)
        try:
            sqlite_vec.load(connection)
        finally:
            connection.enable_load_extension(False)
    except sqlite3.Error:
        return False
    return True


def _read(data: bytes) -> tuple["array[float]", float]:
    """A vector and its length."""
    vector = array("f", data)
    return vector, math.sqrt(sum(map(mul, vector, vector)))


_read_often = lru_cache(maxsize=8)(_read)  # what is searched for is compared with every row
_UNIT = packed([1.0])
