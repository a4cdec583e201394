"""The configuration of a run: defaults, assistant, caller, server. One pure function, and its reverse at the start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from longline.auth.principal import LOCAL, Principal
from longline.graphs.definition import GraphDefinition
from longline.models.assistants import Assistant
from longline.models.json import JsonObject, JsonValue, as_object

_SERVER_KEYS = frozenset({
    "run_id", "thread_id", "graph_id", "assistant_id", "user_id", "cron_id", "langgraph_request_id",
})  # fmt: skip
_OPTIONS = ("recursion_limit", "max_concurrency")
_SERVER_PREFIXES = ("__", "langgraph_auth_")
_CHECKPOINT_KEYS = frozenset({"checkpoint_id", "checkpoint_ns", "checkpoint_map"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """What the server says about a run, over everybody's head."""

    run_id: str
    thread_id: str
    principal: Principal
    request_id: str
    after_seconds: float = 0
    headers: Mapping[str, JsonValue] = field(default_factory=dict)
    """Request headers that the operator lets through, by lower-case name."""
    checkpoint: Mapping[str, JsonValue] = field(default_factory=dict)
    """checkpoint_id, checkpoint_ns, checkpoint_map of the point to start from."""
    cron_id: str | None = None
    """The cron that the run is a tick of."""
    fixed: frozenset[str] = frozenset()
    """Configurable keys of which no caller speaks: what the assistant says of them stands, and if it says nothing,
    nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedConfig:
    """A run's config in LangGraph's shape, and its context (None: none was given)."""

    config: JsonObject
    context: JsonObject | None


def merge_config(
    *,
    definition: GraphDefinition,
    assistant: Assistant,
    config: JsonObject,
    context: JsonObject | None,
    metadata: JsonObject,
    injected: Injected,
    strip: Callable[[JsonObject], JsonObject],
) -> MergedConfig:
    """Lowest to highest: graph defaults, the assistant's config and context, the run's, what the server injects.

    A caller may override what the assistant set, never what the server injects. `context` of a run is part of its
    configurable values too, so that graphs of either style see it, and its configurable values override the assistant's
    context; a name of the server's in it (`user_id`) means the server's value. What is `fixed` no run and no header
    sets, and where a run's context names it, it means the assistant's value. Who sets one of the graph's
    `destinations` gets no secret of a lower layer: `strip` takes them out. Under the name at which graphs expect the
    caller's token nothing is left: only the token itself may stand there, and it is no part of a configuration.
    """
    fixed = injected.fixed
    own = _callers(as_object(config.get("configurable")), fixed)
    said = _callers(context or {}, fixed)
    headers = _callers(dict(injected.headers), fixed)
    theirs, theirs_context = _callers(as_object(assistant.config.get("configurable"))), assistant.context
    defaults, is_redirected = definition.defaults, definition.destinations & {*own, *said, *headers}
    if is_redirected or definition.destinations & {*theirs, *theirs_context}:
        defaults = strip(defaults)
    if is_redirected:
        theirs, theirs_context = strip(theirs), strip(theirs_context)
    everything = defaults | theirs | own | said | headers | _injected(assistant, injected)
    configurable = {key: value for key, value in everything.items() if key != injected.principal.token_name}
    merged: JsonObject = {
        key: source[key] for source in (assistant.config, config) for key in _OPTIONS if source.get(key) is not None
    }
    merged["configurable"] = configurable
    merged["metadata"] = (
        assistant.metadata
        | as_object(config.get("metadata"))
        | metadata
        | {"graph_id": assistant.graph_id, "assistant_id": assistant.assistant_id, "run_id": injected.run_id}
        | ({"forked_from": injected.checkpoint["checkpoint_id"]} if injected.checkpoint.get("checkpoint_id") else {})
    )
    tags = [*_list(assistant.config.get("tags")), *_list(config.get("tags"))]
    if tags:
        merged["tags"] = list(dict.fromkeys(str(tag) for tag in tags))
    overridden = {key: own[key] for key in assistant.context if key in own}
    given = {key: value for key, value in (context or {}).items() if key not in fixed}
    meant = {key: configurable[key] for key in fixed & (context or {}).keys() & configurable.keys()}
    joined = _context({**meant, **theirs_context, **overridden, **given}, configurable, injected.principal)
    return MergedConfig(config=merged, context=joined or None)


class GraphUser(dict[str, object]):
    """`langgraph_auth_user` as nodes get it: a mapping with the attributes of `langgraph_sdk.auth.types.BaseUser`. It
    holds a secret as a handle, so that none is shown with it; who asks for it by its key gets the text."""

    def __getitem__(self, key: str) -> object:
        return _in_clear(super().__getitem__(key))

    def get(self, key: str, default: object = None) -> object:
        """See dict."""
        return _in_clear(super().get(key, default))

    @property
    def identity(self) -> str:
        """Who it is."""
        return str(self["identity"])

    @property
    def display_name(self) -> str:
        """What people call them."""
        return str(self.get("display_name", self["identity"]))

    @property
    def is_authenticated(self) -> bool:
        """Always: the user of a server without authentication is None."""
        return True

    @property
    def permissions(self) -> list[str]:
        """What they may do."""
        found = self.get("permissions")
        return [str(permission) for permission in found] if isinstance(found, list) else []


def _in_clear(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def user_of(principal: Principal) -> JsonObject | None:
    """The caller as graphs know them (`langgraph_auth_user`); None where authentication is off."""
    if not principal.is_authenticated:
        return None
    return {
        **principal.claims,
        "identity": principal.identity,
        "is_authenticated": True,
        "display_name": principal.display_name or principal.identity,
        "permissions": list(principal.permissions),
        "organizations": list(principal.organizations),
    }


def principal_of(configurable: Mapping[str, JsonValue]) -> Principal:
    """The caller of a run, from what `merge_config` injected. The token is not among it."""
    user = configurable.get("langgraph_auth_user")
    if not isinstance(user, dict):
        return LOCAL
    known = ("identity", "is_authenticated", "display_name", "permissions", "organizations")
    return Principal(
        identity=str(user["identity"]),
        display_name=str(user.get("display_name", "")),
        permissions=tuple(str(p) for p in _list(user.get("permissions"))),
        organizations=tuple(str(o) for o in _list(user.get("organizations"))),
        claims={key: value for key, value in user.items() if key not in known},
    )


def _injected(assistant: Assistant, injected: Injected) -> JsonObject:
    return {
        **{key: value for key, value in injected.checkpoint.items() if key in _CHECKPOINT_KEYS},
        **({} if injected.cron_id is None else {"cron_id": injected.cron_id}),
        **_identity(injected.principal),
        "langgraph_request_id": injected.request_id,
        "__after_seconds__": injected.after_seconds,
        "run_id": injected.run_id,
        "thread_id": injected.thread_id,
        "graph_id": assistant.graph_id,
        "assistant_id": assistant.assistant_id,
    }


def identity_keys(principal: Principal) -> JsonObject:
    """What configurable values say about the caller, as `merge_config` injects it; nothing without authentication."""
    return _identity(principal) if principal.is_authenticated else {}


def look_config(assistant: Assistant, principal: Principal) -> JsonObject:
    """The configuration with which an assistant's graph is looked at: what of it would reach a run, and the caller."""
    config: JsonObject = {
        key: assistant.config[key] for key in (*_OPTIONS, "tags") if assistant.config.get(key) is not None
    }
    config["configurable"] = {
        **_callers(as_object(assistant.config.get("configurable"))),
        **identity_keys(principal),
        "assistant_id": assistant.assistant_id,
    }
    return config


def _identity(principal: Principal) -> JsonObject:
    return {
        "langgraph_auth_user": user_of(principal),
        "langgraph_auth_user_id": principal.identity,
        "langgraph_auth_permissions": list(principal.permissions),
        "user_id": principal.identity,
    }


def _callers(values: JsonObject, fixed: frozenset[str] = frozenset()) -> JsonObject:
    """What a caller may say: not the server's keys, nothing that LangGraph keeps for itself, and nothing `fixed`."""
    taken = _SERVER_KEYS | fixed
    return {key: value for key, value in values.items() if key not in taken and not key.startswith(_SERVER_PREFIXES)}


def _context(values: JsonObject, configurable: JsonObject, principal: Principal) -> JsonObject:
    """The context with the server's names as the server says. Without authentication nobody knows better who the user
    is than the caller."""
    names = _SERVER_KEYS if principal.is_authenticated else _SERVER_KEYS - {"user_id"}
    said = {key: value for key, value in values.items() if key not in names and not key.startswith(_SERVER_PREFIXES)}
    meant = {key: configurable[key] for key in names & values.keys() & configurable.keys()}
    return {key: value for key, value in (said | meant).items() if key != principal.token_name}


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
