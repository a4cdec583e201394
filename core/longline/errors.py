"""Every error Longline raises on purpose: one tree, each class with a stable `code` that protocols map to theirs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

_LONGEST_SHOWN = 100  # characters of a value that is repeated in a message


class LonglineError(Exception):
    """Root of all errors of this house. `code` is stable across releases; the message is for people."""

    code = "internal"


class NotFoundError(LonglineError):
    """The id names nothing, or nothing this caller may see. The two look alike on purpose."""

    code = "not_found"

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"no {kind} with id {key!r}")
        self.kind = kind
        self.key = key


class AlreadyExistsError(LonglineError):
    """A caller-given id is taken, by this caller or by another."""

    code = "already_exists"

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"a {kind} with id {key!r} already exists")
        self.kind = kind
        self.key = key


class VersionNotFoundError(LonglineError):
    """The assistant exists, this version of it does not."""

    code = "version_not_found"

    def __init__(self, assistant_id: str, version: int) -> None:
        super().__init__(f"assistant {assistant_id!r} has no version {version}")
        self.assistant_id = assistant_id
        self.version = version


class VersionConflictError(LonglineError):
    """A document has another version than its writer expected: somebody else was first."""

    code = "version_conflict"

    def __init__(self, collection: str, key: str, expected: int, found: int) -> None:
        there = f"has version {found}" if found else "is not there"
        super().__init__(f"document {key!r} of {collection} {there}; version {expected} was expected")
        self.collection = collection
        self.key = key
        self.expected = expected
        self.found = found


class UnknownCollectionError(LonglineError):
    """No plugin declared a collection of this name, or it was declared as another kind."""

    code = "unknown_collection"

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no {kind} {name!r} were declared; there are: {', '.join(sorted(known)) or 'none'}")
        self.kind = kind
        self.name = name


class UrlRefusedError(LonglineError):
    """A URL that a caller gave points where the operator does not want calls to go. `reason` names no secret."""

    code = "url_refused"

    def __init__(self, purpose: str, reason: str) -> None:
        super().__init__(f"{purpose} host blocked: {reason}")
        self.purpose = purpose
        self.reason = reason


class CallFailedError(LonglineError):
    """Nobody answered a call to another server: no connection, no answer in time, or an answer that is no HTTP. It
    holds no URL: those may have secrets in them."""

    code = "call_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"the call failed: {reason}")
        self.reason = reason


class UnauthenticatedError(LonglineError):
    """No authenticator accepted the credentials."""

    code = "unauthenticated"
    challenge = "Bearer"
    """What `WWW-Authenticate` says in the answer (RFC 6750 §3): the scheme, and what is wrong if that may be told."""

    def __init__(self, reason: str = "no valid credentials") -> None:
        super().__init__(reason)
        self.reason = reason


class IdentityAwayError(LonglineError):
    """Nobody can tell now whether the credentials are good: who could is away. It passes by itself."""

    code = "identity_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"credentials cannot be checked now: {reason}")
        self.reason = reason


class ForbiddenError(LonglineError):
    """An access rule refuses the action for this principal."""

    code = "forbidden"

    def __init__(self, reason: str = "forbidden") -> None:
        super().__init__(reason)
        self.reason = reason


class MirrorError(ForbiddenError):
    """The assistant mirrors an agent that is defined elsewhere, and changes only with it."""

    def __init__(self, assistant_id: str) -> None:
        super().__init__(f"assistant {assistant_id!r} mirrors an agent: change or remove the agent where it is defined")
        self.assistant_id = assistant_id


class ProtectedError(LonglineError):
    """The thing belongs to the server itself (a graph's own assistant) and cannot be removed."""

    code = "protected"

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"{kind} {key!r} belongs to the server and cannot be deleted")
        self.kind = kind
        self.key = key


class ThreadBusyError(LonglineError):
    """The thread has an unfinished run and the caller asked not to wait for it."""

    code = "thread_busy"

    def __init__(self, thread_id: str) -> None:
        super().__init__(f"thread {thread_id!r} is already running a task")
        self.thread_id = thread_id


class ChainMovedOnError(LonglineError):
    """Somebody else has gone on from the run, or given it up."""

    code = "chain_moved_on"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id!r} does not wait any more")
        self.run_id = run_id


class CronBehindError(LonglineError):
    """A tick comes while the run of an earlier one still waits to start: there would be ever more of them."""

    code = "cron_behind"

    def __init__(self, cron_id: str) -> None:
        super().__init__(f"the run of an earlier tick of cron {cron_id!r} still waits to start")
        self.cron_id = cron_id


class ThreadWithoutGraphError(LonglineError):
    """The thread has no run yet, so nobody knows which graph its state belongs to."""

    code = "thread_without_graph"

    def __init__(self, thread_id: str) -> None:
        super().__init__(
            f"thread {thread_id!r} has no graph yet: run an assistant on it, or create it with metadata.graph_id"
        )
        self.thread_id = thread_id


class NotCancellableError(LonglineError):
    """The runs exist and have ended, so there is nothing to cancel."""

    code = "not_cancellable"

    def __init__(self) -> None:
        super().__init__("no matching runs to cancel: they have already ended")


class InvalidInputError(LonglineError):
    """A value from outside does not fit; the message names it and what would fit."""

    code = "invalid_input"

    def __init__(self, message: str) -> None:
        super().__init__(message)


class InvalidScheduleError(LonglineError):
    """A cron expression that cannot be read."""

    code = "invalid_schedule"

    def __init__(self, schedule: str) -> None:
        self.schedule = schedule if len(schedule) <= _LONGEST_SHOWN else f"{schedule[:_LONGEST_SHOWN]}…"
        super().__init__(
            f"invalid schedule {self.schedule!r}: five fields are needed (minute, hour, day of month, month, day of "
            "week), a sixth is the second"
        )


class InvalidTimezoneError(LonglineError):
    """A time zone that this machine does not know."""

    code = "invalid_timezone"

    def __init__(self, timezone: str) -> None:
        self.timezone = timezone if len(timezone) <= _LONGEST_SHOWN else f"{timezone[:_LONGEST_SHOWN]}…"
        super().__init__(f"unknown time zone {self.timezone!r}: use an IANA name such as 'America/New_York'")


class CallerCannotError(LonglineError):
    """A tool asked something of its caller that this caller cannot do."""

    code = "caller_cannot"

    def __init__(self, verb: str) -> None:
        super().__init__(f"whoever called the tool cannot {verb}")
        self.verb = verb


class FilterTooWideError(InvalidInputError):
    """Applying the filter would take longer than anybody should wait."""

    def __init__(self) -> None:
        super().__init__("the filter has too many values, or compares too many objects in lists; ask for less at once")


class InvalidLabelError(LonglineError):
    """A label of a namespace is empty, or has a character that would make it two."""

    code = "invalid_label"

    def __init__(self, label: object) -> None:
        super().__init__(f"Namespace label {label!r} must be a non-empty string without periods")
        self.label = label


class EmbeddingError(LonglineError):
    """The configured embedding could not be loaded, failed, or made vectors of another size."""

    code = "embedding_failed"

    def __init__(self, reference: str, cause: str) -> None:
        super().__init__(f"embedding {reference!r} failed: {cause}")
        self.reference = reference


class BodyTooLargeError(LonglineError):
    """The request body is larger than this server takes."""

    code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request body is larger than {limit} bytes")
        self.limit = limit


class ContextAndConfigurableError(LonglineError):
    """Configurable values and context are two names for one thing; a caller gave both, and not alike."""

    code = "context_and_configurable"

    def __init__(self) -> None:
        super().__init__(
            "Cannot specify both configurable and context. Prefer setting context alone: it replaces configurable."
        )


class UnknownGraphError(LonglineError):
    """No plugin offers a graph of this id."""

    code = "unknown_graph"

    def __init__(self, graph_id: str, known: Iterable[str]) -> None:
        self.known = tuple(sorted(known))
        super().__init__(f"no graph {graph_id!r}; this server has: {', '.join(self.known) or 'none'}")
        self.graph_id = graph_id


class UnknownAssistantNameError(LonglineError):
    """The assistant was named neither by a UUID nor by the id of a registered graph."""

    code = "unknown_assistant_name"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.known = tuple(sorted(known))
        super().__init__(
            f"invalid assistant {name!r}: must be the UUID of an assistant or one of the graphs {', '.join(self.known)}"
        )
        self.name = name


class GraphLoadError(LonglineError):
    """A graph could not be imported or built. `place` is file and line of the cause where one is known."""

    code = "graph_unavailable"

    def __init__(self, graph_id: str, place: str, cause: str) -> None:
        super().__init__(f"graph {graph_id!r} cannot be loaded: {cause} ({place})")
        self.graph_id = graph_id
        self.place = place
        self.cause = cause


class LeaseLostError(LonglineError):
    """Another worker holds the run now; whatever this one still wanted to write is refused."""

    code = "lease_lost"

    def __init__(self, run_id: str, attempt: int) -> None:
        super().__init__(f"attempt {attempt} of run {run_id!r} no longer holds its lease")
        self.run_id = run_id
        self.attempt = attempt


class GraphExitError(LonglineError):
    """A node called `sys.exit()`."""

    code = "graph_exit"

    def __init__(self, exit_code: object) -> None:
        super().__init__(f"a node of the graph called sys.exit({exit_code!r})")
        self.exit_code = exit_code


class TooManyAttemptsError(LonglineError):
    """Every attempt of the run ended without a word: it probably kills its worker."""

    code = "too_many_attempts"

    def __init__(self, run_id: str, attempts: int) -> None:
        super().__init__(f"{attempts} attempts of run {run_id!r} ended without a result: the worker stopped each time")
        self.run_id = run_id
        self.attempts = attempts


class SlowSubscriberError(LonglineError):
    """A reader fell so far behind a stream that is not kept that its backlog was dropped."""

    code = "slow_subscriber"

    def __init__(self, key: str, *, kind: Literal["run", "thread"] = "run") -> None:
        which = "the run" if kind == "run" else "its runs"
        super().__init__(f"the reader of {kind} {key!r} fell too far behind; make {which} resumable to read it later")
        self.kind = kind
        self.key = key


class StorageError(LonglineError):
    """The storage failed for a reason of its own: disk full, file locked, connection lost."""

    code = "storage_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"storage unavailable: {reason}")
        self.reason = reason


class StorageAwayError(StorageError):
    """The same, for a reason that passes by itself: the server is away, full, overloaded or in recovery. Who can wait
    may try again."""


class EncryptionError(StorageError):
    """The cipher could not encrypt or decrypt something that is stored: a key is wrong, or a key service is away."""

    code = "encryption_failed"

    def __init__(self, verb: str, place: str, cause: str) -> None:
        super().__init__(f"cannot {verb} {place}: {cause}; look at the encryption handlers and their keys")
        self.args = (self.reason,)  # the storage itself is well
        self.place = place


class StorageInUseError(LonglineError):
    """Another server owns this database, and this kind can have one owner only."""

    code = "storage_in_use"

    def __init__(self, place: str, owner: str) -> None:
        super().__init__(
            f"{place} is in use by another Longline server ({owner}); stop it, or give this server its own --database"
        )
        self.place = place
        self.owner = owner


class SchemaTooNewError(LonglineError):
    """The database was written by a newer Longline."""

    code = "schema_too_new"

    def __init__(self, place: str, found: int, known: int) -> None:
        super().__init__(f"{place} has schema version {found}, this Longline knows up to {known}; upgrade Longline")
        self.place = place
        self.found = found
        self.known = known


class SettingsError(LonglineError):
    """The configuration cannot be used as it is; one message names every fault."""

    code = "bad_settings"

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class PluginError(LonglineError):
    """A plugin cannot be used; the message says which and what mends it."""

    code = "bad_plugin"


class UnknownPluginError(PluginError):
    """The configuration names a plugin that is not installed."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no plugin {name!r} is installed; installed: {', '.join(sorted(known)) or 'none'}")
        self.name = name


class PluginMissingExtraError(PluginError):
    """A chosen plugin needs a package that is not installed."""

    def __init__(self, plugin: str, module: str, requirement: str) -> None:
        super().__init__(
            f"plugin {plugin!r} needs the module {module!r}, which is missing; run: pip install '{requirement}'"
        )
        self.plugin = plugin
        self.module = module


class PluginBrokenError(PluginError):
    """Importing a chosen plugin failed."""

    def __init__(self, plugin: str, place: str, cause: str) -> None:
        super().__init__(f"plugin {plugin!r} cannot be imported: {cause} ({place})")
        self.plugin = plugin
        self.place = place


class PluginHookError(PluginError):
    """A plugin implements a hook that does not exist, implements one in a way that cannot work, or fails in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class DuplicateNameError(PluginError):
    """Two plugins offer one name (or one does twice). Neither wins: the operator chooses."""

    def __init__(self, kind: str, name: str, plugins: Sequence[str]) -> None:
        who = " and ".join(repr(plugin) for plugin in dict.fromkeys(plugins))
        super().__init__(
            f"plugins {who} both offer the {kind} {name!r}; "
            "disable one of them under [plugins] disable in longline.toml"
            if len(set(plugins)) > 1
            else f"plugin {who} offers the {kind} {name!r} twice"
        )
        self.kind = kind
        self.name = name
        self.plugins = tuple(plugins)


class NoBackendError(PluginError):
    """No chosen plugin serves the URL scheme of a database or broker."""

    def __init__(self, kind: str, scheme: str, known: Iterable[str]) -> None:
        schemes = ", ".join(sorted(known)) or "none"
        super().__init__(
            f"no plugin offers a {kind} for {scheme}://; known schemes: {schemes}"
            if scheme
            else f"the URL of the {kind} has no scheme; write scheme://…; known schemes: {schemes}"
        )
        self.kind = kind
        self.scheme = scheme


class SourceAwayError(LonglineError):
    """The source cannot be asked now. `reason` holds no password."""

    code = "source_away"

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source} cannot be asked: {reason}")
        self.source = source
        self.reason = reason


class BrokenAgentError(LonglineError):
    """The source has the agent, and what it says of it cannot be used. `metadata` is what its mirror's would be: who
    may not see that is told that there is no such agent. Empty: nobody knows whose it is."""

    code = "broken_agent"

    def __init__(self, key: str, reason: str, metadata: Mapping[str, object] | None = None) -> None:
        super().__init__(f"agent {key!r} cannot be used: {reason}")
        self.key = key
        self.reason = reason
        self.metadata = dict(metadata or {})
