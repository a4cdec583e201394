"""Commands: what a client asks of a thread, and the answers, over whatever carries them."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from longline.auth.principal import Principal
from longline.errors import ForbiddenError, LonglineError, NotFoundError, UnauthenticatedError
from longline.models.json import JsonObject, JsonValue, as_object
from longline.models.runs import CancelRequest, RunQuery, RunStatus
from longline.services.run_requests import RunRequest
from longline.services.server import Server
from longline.services.threads import HistoryQuery
from longline_protocol_langgraph.bodies.runs import RUN
from longline_protocol_langgraph.parsing import validate
from longline_protocol_langgraph.protocol_v2.envelope import (
    Command,
    CommandError,
    ErrorCode,
    error_reply,
    success_reply,
)
from longline_protocol_langgraph.protocol_v2.recent import RecentStarts
from longline_protocol_langgraph.protocol_v2.sequence import end_of_turn
from longline_protocol_langgraph.protocol_v2.tree import agent_tree
from longline_protocol_langgraph.run_policy import Origin, RunPolicy
from longline_protocol_langgraph.states import encode_state, encode_states
from longline_protocol_langgraph.statuses import detail_of, status_of

logger = logging.getLogger(__name__)

_RUN_FIELDS: Final = (
    "assistant_id", "input", "config", "metadata", "context", "command", "checkpoint", "checkpoint_id",
    "interrupt_before", "interrupt_after", "multitask_strategy", "durability", "webhook", "after_seconds",
)  # fmt: skip
_OPTIONAL_MODES: Final = ("updates", "tools", "tasks", "custom")
_MOST_CHECKPOINTS: Final = 1000
_CONCLUDE_SECONDS: Final = 5.0
_OF_RUNS: Final = frozenset({"run.start", "run.cancel", "input.respond", "state.fork"})
_UNSUPPORTED: Final = {
    "input.inject": "a graph that runs takes no messages from outside; start a run with the message as its input",
    "subscription.subscribe": "subscriptions are for WebSockets; POST what you want to hear to /stream/events",
    "subscription.unsubscribe": "subscriptions are for WebSockets; close the stream instead",
    "subscription.reconnect": "subscriptions are for WebSockets; open the stream again with `since`",
}


Handler = Callable[[Principal, str, JsonObject, Origin], Awaitable[JsonObject]]


class Commands:
    """Does what commands ask for, as their caller may."""

    def __init__(self, server: Server, recent: RecentStarts, policy: RunPolicy, modes: Sequence[str] = ()) -> None:
        """`modes` is what runs that are started here say beside values and messages."""
        self._server = server
        self._policy = policy
        self._recent = recent
        self._modes = frozenset(modes)
        self._handlers: Mapping[str, Handler] = {
            "run.start": self._start,
            "run.cancel": self._cancel,
            "input.respond": self._respond,
            "state.get": self._state,
            "state.listCheckpoints": self._checkpoints,
            "state.fork": self._fork,
            "agent.getTree": self._tree,
        }

    async def run(self, principal: Principal, thread_id: str, command: Command, *, origin: Origin) -> JsonObject:
        """The answer to a command; an error is an answer too."""
        try:
            result, newest = await self._result(principal, thread_id, command, origin)
        except CommandError as error:
            return error_reply(command.command_id, error.code, str(error))
        except LonglineError as error:
            return error_reply(command.command_id, code_of(error), str(detail_of(error)))
        except Exception:
            logger.exception("command failed", extra={"method": command.method, "thread_id": thread_id})
            return error_reply(command.command_id, "unknown_error", "Internal Server Error")
        return success_reply(command.command_id, result, end_of_turn(newest))

    async def _result(
        self, principal: Principal, thread_id: str, command: Command, origin: Origin
    ) -> tuple[JsonObject, int]:
        if command.method in _OF_RUNS and not self._policy.is_open:
            raise CommandError("not_supported", "runs are switched off on this server")
        handler = self._handlers.get(command.method)
        if handler is None:
            if command.method in _UNSUPPORTED:
                raise CommandError("not_supported", _UNSUPPORTED[command.method])
            raise CommandError("unknown_command", f"Unknown protocol command: {command.method[:100]}")
        newest = await self._server.thread_streams.newest_turn(thread_id)
        return await handler(principal, thread_id, command.params, origin), newest

    # -- runs -------------------------------------------------------------------------------------------------------

    async def _start(self, principal: Principal, thread_id: str, params: JsonObject, origin: Origin) -> JsonObject:
        """The thread is made if it is not there yet: clients choose its id before the first run."""
        body: JsonObject = {key: params[key] for key in _RUN_FIELDS if key in params}
        body["if_not_exists"] = "create"
        run_id = await self._create(principal, thread_id, body, origin, modes=_modes(params))
        return {"run_id": run_id}

    async def _create(
        self,
        principal: Principal,
        thread_id: str,
        body: JsonObject,
        origin: Origin,
        *,
        modes: frozenset[str] = frozenset(),
    ) -> str:
        configurable = as_object(as_object(body.get("config")).get("configurable"))
        if "checkpoint_id" in configurable and "checkpoint_id" not in body:
            body = {**body, "checkpoint_id": configurable["checkpoint_id"]}
        asked = validate(body, RUN).to_request(thread_id=thread_id, request_id=origin.request_id)
        asked = self._policy.applied(_as_streamed(asked, self._modes | modes), origin)
        newest = await self._server.thread_streams.newest_turn(thread_id)
        async with self._recent.starting(thread_id, newest + 1):
            run = await self._server.runs.create(principal, asked)
        return run.run_id

    async def _cancel(self, principal: Principal, thread_id: str, params: JsonObject, origin: Origin) -> JsonObject:  # noqa: ARG002  # a Handler
        run_id = _text(params, "run_id")
        action = params.get("action", "interrupt")
        if action not in ("interrupt", "rollback"):
            raise CommandError("invalid_argument", "action must be 'interrupt' or 'rollback'")
        request = CancelRequest(
            action="rollback" if action == "rollback" else "interrupt", reason=f"{action} requested by run.cancel"
        )
        try:
            await self._server.runs.cancel(principal, thread_id, [run_id], request)
        except NotFoundError as error:
            raise CommandError("no_such_run", f"no run with id {run_id!r} on this thread") from error
        return {}

    async def _respond(self, principal: Principal, thread_id: str, params: JsonObject, origin: Origin) -> JsonObject:
        responses = _responses(params)
        thread = await self._server.threads.get(principal, thread_id)
        if not responses.keys() <= _interrupts(thread.interrupts):
            await self._concluded(principal, thread_id)
            thread = await self._server.threads.get(principal, thread_id)
        unknown = responses.keys() - _interrupts(thread.interrupts)
        if unknown:
            raise CommandError("no_such_interrupt", f"no interrupt with id {min(unknown)!r} waits on this thread")
        command: JsonObject = {"resume": responses}
        command |= {key: params[key] for key in ("update", "goto") if params.get(key) is not None}
        body: JsonObject = {"assistant_id": thread.metadata.get("assistant_id"), "command": command}
        body |= {key: params[key] for key in ("config", "metadata") if key in params}
        await self._create(principal, thread_id, body, origin)
        return {}

    async def _concluded(self, principal: Principal, thread_id: str) -> None:
        """Wait for the run that is under way: a client hears of an interrupt before the end of its run is stored."""
        query = RunQuery(thread_id=thread_id, statuses=(RunStatus.RUNNING,), limit=1)
        for run in await self._server.runs.search(principal, query):
            _, reader = await self._server.runs.join(principal, thread_id, run.run_id, only_end=True)
            with reader:
                await reader.wait_for_end(_CONCLUDE_SECONDS)

    # -- state ------------------------------------------------------------------------------------------------------

    async def _state(self, principal: Principal, thread_id: str, params: JsonObject, origin: Origin) -> JsonObject:  # noqa: ARG002  # a Handler
        namespace = _namespace(params)
        place: JsonObject | None = {"checkpoint_ns": "|".join(namespace)} if namespace else None
        try:
            snapshot = await self._server.threads.state(principal, thread_id, checkpoint=place)
        except ValueError as error:  # what LangGraph says of a subgraph that is not there
            raise CommandError("no_such_namespace", f"no subgraph at {namespace!r}") from error
        state = as_object(orjson.loads(encode_state(snapshot)))
        values, keys = as_object(state.get("values")), params.get("keys")
        if isinstance(keys, list):
            values = {key: values[key] for key in keys if isinstance(key, str) and key in values}
        place = as_object(state.get("checkpoint"))
        if place.get("checkpoint_id") is None:
            return {"values": values}
        return {"values": values, "checkpoint": {"id": place["checkpoint_id"], "ns": place.get("checkpoint_ns", "")}}

    async def _checkpoints(
        self,
        principal: Principal,
        thread_id: str,
        params: JsonObject,
        origin: Origin,  # noqa: ARG002  # a Handler
    ) -> JsonObject:
        limit, before, namespace = params.get("limit", 10), params.get("before"), _namespace(params)
        if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= _MOST_CHECKPOINTS:
            raise CommandError("invalid_argument", f"limit must be an integer from 1 to {_MOST_CHECKPOINTS}")
        if before is not None and not isinstance(before, str):
            raise CommandError("invalid_argument", "before must be the id of a checkpoint")
        query = HistoryQuery(
            limit=limit,
            before={"checkpoint_id": before} if before else None,
            checkpoint={"checkpoint_ns": "|".join(namespace)} if namespace else None,
        )
        states: JsonValue = orjson.loads(encode_states(await self._server.threads.history(principal, thread_id, query)))
        found = states if isinstance(states, list) else []
        return {"checkpoints": [_summary(as_object(state)) for state in found]}

    async def _fork(self, principal: Principal, thread_id: str, params: JsonObject, origin: Origin) -> JsonObject:
        checkpoint_id = _text(params, "checkpoint_id")
        thread = await self._server.threads.get(principal, thread_id)
        place: JsonObject = {"checkpoint_id": checkpoint_id}
        snapshot = await self._server.threads.state(principal, thread_id, checkpoint=place)
        if snapshot is None or snapshot.created_at is None:
            raise CommandError("no_such_checkpoint", f"no checkpoint with id {checkpoint_id!r} on this thread")
        body: JsonObject = {"assistant_id": thread.metadata.get("assistant_id"), "checkpoint_id": checkpoint_id}
        body |= {key: params[key] for key in ("input", "config") if key in params}
        return {"run_id": await self._create(principal, thread_id, body, origin), "thread_id": thread_id}

    async def _tree(self, principal: Principal, thread_id: str, params: JsonObject, origin: Origin) -> JsonObject:  # noqa: ARG002  # a Handler
        run_id = params.get("run_id")
        if run_id is not None and not isinstance(run_id, str):
            raise CommandError("invalid_argument", "run_id must be a string")
        tree = await agent_tree(self._server.thread_streams, principal, thread_id, run_id)
        if tree is None:
            raise CommandError("no_such_run", "no such run on this thread, or nothing of it is kept")
        return {"tree": tree}


def _as_streamed(request: RunRequest, modes: frozenset[str]) -> RunRequest:
    """Every run that is started here says what the usual channels carry, and is kept: a page may be reloaded."""
    asked = tuple(mode for mode in _OPTIONAL_MODES if mode in modes)
    return replace(request, stream_modes=("values", "messages-tuple", *asked), subgraphs=True, resumable=True)


def _modes(params: JsonObject) -> frozenset[str]:
    """What a command asks its run to say, by the names that the other ways to start a run have."""
    value = params.get("stream_mode")
    asked = [] if value is None else value if isinstance(value, list) else [value]
    known = {"values", "messages", "messages-tuple", *_OPTIONAL_MODES}
    unknown = [mode for mode in asked if not isinstance(mode, str) or mode not in known]
    if unknown:
        raise CommandError("invalid_argument", f"stream_mode must be one or some of {', '.join(sorted(known))}")
    return frozenset(mode for mode in asked if isinstance(mode, str))


def _responses(params: JsonObject) -> JsonObject:
    many = params.get("responses")
    entries = many if isinstance(many, list) else [params]
    responses: JsonObject = {}
    for entry in entries:
        told = as_object(entry)
        if "response" not in told:
            raise CommandError("invalid_argument", "response is required")
        responses[_text(told, "interrupt_id")] = told["response"]
    if not responses:
        raise CommandError("invalid_argument", "responses must not be empty")
    return responses


def _interrupts(stored: bytes | None) -> frozenset[str]:
    tasks = as_object(orjson.loads(stored)) if stored else {}
    found = [entry for entries in tasks.values() if isinstance(entries, list) for entry in entries]
    return frozenset(str(as_object(entry).get("id")) for entry in found)


def _summary(state: JsonObject) -> JsonObject:
    metadata = as_object(state.get("metadata"))
    return {
        "id": state.get("checkpoint_id"),
        "timestamp": state.get("created_at"),
        "step": metadata.get("step"),
        "metadata": metadata,
    }


def _namespace(params: JsonObject) -> list[str]:
    value = params.get("namespace")
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(segment, str) for segment in value):
        return [str(segment) for segment in value]
    raise CommandError("invalid_argument", "namespace must be an array of strings")


def _text(params: JsonObject, name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise CommandError("invalid_argument", f"{name} is required and must be a string")
    return value


def code_of(error: LonglineError) -> ErrorCode:
    """What the protocol calls it."""
    if isinstance(error, ForbiddenError | UnauthenticatedError):
        return "permission_denied"
    return "invalid_argument" if status_of(error) < 500 else "unknown_error"  # noqa: PLR2004  # HTTP
