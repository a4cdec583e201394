"""One table: the code of an error → the status of the answer, and its text where clients know one."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from longline.errors import IdentityAwayError, LonglineError, StorageError, UnauthenticatedError
from longline_protocol_langgraph.custom_auth.errors import HandlerForbiddenError, HandlerUnauthenticatedError

STATUSES: Final[Mapping[str, int]] = {
    "invalid_input": 400,
    "invalid_subscription": 400,
    "context_and_configurable": 400,
    "thread_without_graph": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "protected": 403,
    "not_found": 404,
    "version_not_found": 404,
    "unknown_graph": 404,
    "not_cancellable": 404,
    "thread_or_assistant_not_found": 404,
    "assistant_unknown": 404,
    "cron_assistant_unknown": 404,
    "thread_unknown": 404,
    "run_unknown": 404,
    "feedback_link_unknown": 404,
    "no_runs_to_cancel": 404,
    "already_exists": 409,
    "thread_busy": 409,
    "chain_moved_on": 409,
    "body_too_large": 413,
    "too_many_values": 413,
    "invalid_schedule": 422,
    "invalid_timezone": 422,
    "invalid_json": 422,
    "invalid_body": 422,
    "invalid_id": 422,
    "invalid_parameter": 422,
    "unknown_assistant_name": 422,
    "url_refused": 422,
    "invalid_label": 422,
    "graph_unavailable": 424,
    "embedding_failed": 424,
    "broken_agent": 502,
    "source_away": 502,
    "encryption_failed": 503,
    "identity_unavailable": 503,
    "storage_unavailable": 503,
}
"""What is not here is a fault of the server: 500, and a line in the log."""
RETRY: Final[Mapping[str, str]] = {"retry-after": "1"}
"""What passes by itself is asked for again soon: a storage that is away, a server that is being replaced."""

_NOT_CANCELLABLE = (
    "No matching runs to cancel. Please verify the thread ID and run IDs are correct, and the runs haven't been "
    "deleted or completed."
)
_BUSY = "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."


def _not_found(error: Any) -> str:  # the error that has this code
    return f"Thread with ID {error.key} not found" if error.kind == "thread" else "Not Found"


def _already_exists(error: Any) -> str:
    if error.kind == "thread":
        return f"Thread with ID {error.key} already exists"
    return f"{str(error.kind).capitalize()} {error.key} already exists"


def _thread_without_graph(error: Any) -> str:
    return (
        f"Thread '{error.thread_id}' has no assigned graph ID: no run has been made on it yet. Run an assistant on the "
        f"thread, or set 'graph_id' in its metadata, before this operation."
    )


def _unknown_assistant(error: Any) -> str:
    known = ", ".join(error.known)
    return (
        f"Invalid assistant: {error.name!r}. Must be either:\n- A valid assistant UUID, or\n"
        f"- One of the registered graphs: {known}"
    )


def _invalid_schedule(error: Any) -> str:
    return (
        f"Invalid cron schedule: {error.schedule!r}. Reason: Invalid cron schedule. Ensure the schedule uses the "
        "standard cron format (minute hour day_of_month month day_of_week). Example: '*/5 * * * *' for every 5 minutes."
    )


_TEXTS: Final[Mapping[str, Callable[[Any], str]]] = {
    "not_found": _not_found,
    "already_exists": _already_exists,
    "thread_without_graph": _thread_without_graph,
    "unknown_assistant_name": _unknown_assistant,
    "invalid_schedule": _invalid_schedule,
    "invalid_timezone": lambda error: (
        f"Invalid timezone: {error.timezone!r}. Use IANA timezone format (e.g. 'America/New_York')."
    ),
    "forbidden": lambda error: "Forbidden" if error.reason == "forbidden" else error.reason,
    "not_cancellable": lambda _: _NOT_CANCELLABLE,
    "thread_busy": lambda _: _BUSY,
    "unknown_graph": lambda error: f"Graph {error.graph_id!r} not found. Expected one of: {list(error.known)}",
    "version_not_found": lambda error: f"Version {error.version} not found for assistant {error.assistant_id}",
    "url_refused": lambda error: f"{error.purpose.capitalize()} host blocked: {error.reason}",
    "encryption_failed": lambda _: "What is stored cannot be decrypted or encrypted: the keys do not fit",
    "identity_unavailable": lambda _: "Credentials cannot be checked now",
    "storage_unavailable": lambda _: "Storage unavailable",
}


def status_of(error: LonglineError) -> int:
    """The status of an answer to this error."""
    if isinstance(error, HandlerForbiddenError | HandlerUnauthenticatedError):
        return error.status
    return STATUSES.get(error.code, 500)


def is_said_on_purpose(error: LonglineError) -> bool:
    """Whether the project's own code chose status and text."""
    return isinstance(error, HandlerForbiddenError | HandlerUnauthenticatedError)


def detail_of(error: LonglineError) -> object:
    """The text of the answer; what an Auth handler says may be any JSON."""
    if isinstance(error, HandlerForbiddenError | HandlerUnauthenticatedError):
        return error.detail
    text = _TEXTS.get(error.code)
    return text(error) if text is not None else str(error)


def headers_of(error: LonglineError) -> Mapping[str, str]:
    """The headers that go with the status."""
    if isinstance(error, HandlerForbiddenError | HandlerUnauthenticatedError):
        return error.headers
    if isinstance(error, StorageError | IdentityAwayError):
        return RETRY
    return {"www-authenticate": error.challenge} if isinstance(error, UnauthenticatedError) else {}
