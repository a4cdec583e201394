"""What a graph says of a state update that it does not take."""

from collections.abc import Iterator
from contextlib import contextmanager

from longline.errors import InvalidInputError, LonglineError


@contextmanager
def as_input_error() -> Iterator[None]:
    """What a graph raises at an update is the caller's mistake; our own errors are what they are."""
    from langgraph.errors import InvalidUpdateError  # noqa: PLC0415  # LangGraph is slow to import

    try:
        yield
    except (InvalidUpdateError, ValueError, TypeError) as error:
        raise InvalidInputError(str(error)) from error
    except LonglineError:
        raise
    except Exception as error:  # a reducer may raise anything at a value that is not for it
        described = f"{type(error).__name__}: {error}"
        raise InvalidInputError(described) from error
