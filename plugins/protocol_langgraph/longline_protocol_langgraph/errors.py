"""What this protocol refuses by itself: bodies, ids and parameters that do not fit, and not-found texts of its own."""

from collections.abc import Sequence

import orjson

from longline.errors import LonglineError
from longline.models.json import JsonValue

_LONGEST_SHOWN = 100


class InvalidJsonError(LonglineError):
    """The body is not JSON, or nested deeper than anything honest."""

    code = "invalid_json"

    def __init__(self) -> None:
        super().__init__("Invalid JSON in request body")


class TooManyValuesError(LonglineError):
    """The body is not long, but it would take the server long to make so many values of it."""

    code = "too_many_values"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request body holds more than {limit} values")
        self.limit = limit


class InvalidBodyError(LonglineError):
    """A value in the body does not fit. The text is laid out as JSON Schema validators do."""

    code = "invalid_body"

    def __init__(self, fault: str, path: Sequence[str | int], value: JsonValue) -> None:
        place = "".join(f"[{orjson.dumps(part).decode()}]" for part in path)
        super().__init__(f"{fault}\n\nOn instance{place}:\n    {shown(value)}")
        self.path = tuple(path)


class InvalidIdError(LonglineError):
    """An id in the path or body is not a UUID."""

    code = "invalid_id"

    def __init__(self, kind: str) -> None:
        super().__init__(f"Invalid {kind} ID: must be a UUID")
        self.kind = kind


class InvalidParameterError(LonglineError):
    """A query parameter does not fit."""

    code = "invalid_parameter"

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"Invalid query parameter {name}={shown(value)}: must be {expected}")
        self.name = name


class InvalidPathError(InvalidBodyError):
    """A path of `extract` leads nowhere."""

    def __init__(self, alias: str, path: str, roots: Sequence[str]) -> None:
        super().__init__(f"{shown(path)} is no path that starts with {', '.join(roots)}", ["extract", alias], path)


class ThreadOrAssistantNotFoundError(LonglineError):
    """A run was asked for on a thread, or of an assistant, that is not there."""

    code = "thread_or_assistant_not_found"

    def __init__(self) -> None:
        super().__init__("Thread or assistant not found.")


class InvalidSubscriptionError(LonglineError):
    """What a client wants to hear of a thread does not fit."""

    code = "invalid_subscription"


class AssistantUnknownError(LonglineError):
    """The assistant whose versions were asked for is not there."""

    code = "assistant_unknown"

    def __init__(self, assistant_id: str) -> None:
        super().__init__(f"Assistant {assistant_id} not found")
        self.assistant_id = assistant_id


class CronAssistantUnknownError(LonglineError):
    """The assistant that a cron is to run is not there."""

    code = "cron_assistant_unknown"

    def __init__(self, assistant_id: str) -> None:
        super().__init__(f"Assistant {assistant_id!r} not found")
        self.assistant_id = assistant_id


class ThreadUnknownError(LonglineError):
    """The thread to change is not there."""

    code = "thread_unknown"

    def __init__(self) -> None:
        super().__init__("Not Found")


class RunUnknownError(LonglineError):
    """The run to delete is not there."""

    code = "run_unknown"

    def __init__(self) -> None:
        super().__init__("Run not found")


class FeedbackLinkUnknownError(LonglineError):
    """There is no such link for feedback, or its time is over. The text does not repeat it: it is a secret."""

    code = "feedback_link_unknown"

    def __init__(self) -> None:
        super().__init__("Feedback token not found or expired")


class NoRunsToCancelError(LonglineError):
    """None of the runs to cancel is there."""

    code = "no_runs_to_cancel"

    def __init__(self) -> None:
        super().__init__("No runs found to cancel.")


def shown(value: JsonValue) -> str:
    """A value as a message may repeat it: short scalars as they are, anything else by its kind."""
    if isinstance(value, dict):
        return "{}" if not value else "an object"
    if isinstance(value, list):
        return "[]" if not value else "an array"
    text = orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
