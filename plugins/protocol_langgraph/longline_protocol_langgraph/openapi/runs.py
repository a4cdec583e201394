"""The operations on runs: those on a thread, and those with a thread of their own."""

from typing import Final

from longline_protocol_langgraph.bodies import runs as bodies
from longline_protocol_langgraph.openapi.answers import Json, Run
from longline_protocol_langgraph.openapi.operation import (
    Operation,
    Section,
    json_answer,
    no_answer,
    stream_answer,
)
from longline_protocol_langgraph.openapi.pages import as_shape
from longline_protocol_langgraph.parameters import LAST_EVENT_ID
from longline_protocol_langgraph.routes.runs import ACTION, LIMIT, OFFSET, SELECT, STATUS, WAIT
from longline_protocol_langgraph.run_calls import CANCEL_ON_DISCONNECT, STREAM_MODE

_WHERE = {"Content-Location": "The path of the run."}
_WHERE_TO_FOLLOW = {**_WHERE, "Location": "The path at which it can be followed again."}
_CREATED = json_answer("The run, which waits to be started.", Run, headers=_WHERE)
_RESULT = json_answer(
    "The state when the run has ended, or `__error__` with `error` and `message`. Empty lines before it are signs of "
    "life.",
    as_shape(Json),
    headers=_WHERE_TO_FOLLOW,
)
_EVENTS = stream_answer(
    "The run's events. Each has `event`, one line of JSON as `data`, and an `id` if the run is resumable. The first is "
    "`metadata`; one called `error` says why the run failed. Comments are signs of life.",
    headers=_WHERE_TO_FOLLOW,
)
_RUN = json_answer("The run.", Run)
_CREATING = [400, 404, 409, 424]
_CREATING_ALONE = [400, 404, 424]

THREAD_RUNS: Final = Section(
    tag="Thread Runs",
    description="Runs on a thread. They are the server's business, not the request's: clients may leave and return.",
    paths={
        "/threads/{thread_id}/runs": {
            "GET": Operation(
                summary="List the runs of a thread",
                parameters=[LIMIT, OFFSET, STATUS, SELECT],
                answers=[json_answer("Runs, newest first.", as_shape(list[Run]), is_partial=True)],
                refusals=[404],
            ),
            "POST": Operation(summary="Create a run", body=bodies.RUN, answers=[_CREATED], refusals=_CREATING),
        },
        "/threads/{thread_id}/runs/stream": {
            "POST": Operation(
                summary="Create a run and follow it", body=bodies.RUN, answers=[_EVENTS], refusals=_CREATING
            )
        },
        "/threads/{thread_id}/runs/wait": {
            "POST": Operation(
                summary="Create a run and wait for its result",
                body=bodies.RUN,
                answers=[_RESULT],
                refusals=_CREATING,
            )
        },
        "/threads/{thread_id}/runs/{run_id}": {
            "GET": Operation(summary="Read a run", answers=[_RUN], refusals=[404]),
            "DELETE": Operation(summary="Delete a run", answers=[no_answer("It is gone.")], refusals=[404]),
        },
        "/threads/{thread_id}/runs/{run_id}/join": {
            "GET": Operation(
                summary="Wait for the result of a run",
                description="For a run that does not exist the body says so under `__error__`.",
                parameters=[CANCEL_ON_DISCONNECT],
                answers=[_RESULT],
                refusals=[404],
            )
        },
        "/threads/{thread_id}/runs/{run_id}/stream": {
            "GET": Operation(
                summary="Follow a run",
                description="For a run that does not exist the stream holds one event `error`.",
                parameters=[LAST_EVENT_ID, STREAM_MODE, CANCEL_ON_DISCONNECT],
                answers=[_EVENTS],
                refusals=[404],
            )
        },
        "/threads/{thread_id}/runs/{run_id}/cancel": {
            "POST": Operation(
                summary="Cancel a run",
                parameters=[WAIT, ACTION],
                answers=[
                    no_answer("It will end.", 202),
                    json_answer("It has ended.", {"type": "object"}, headers=_WHERE_TO_FOLLOW),
                ],
                refusals=[404],
            )
        },
        "/runs/cancel": {
            "POST": Operation(
                summary="Cancel several runs",
                body=bodies.CANCEL,
                parameters=[ACTION],
                answers=[no_answer("They will end.")],
                refusals=[404],
            )
        },
    },
)

STATELESS_RUNS: Final = Section(
    tag="Stateless Runs",
    description="Runs with threads of their own, which go when the runs have ended unless they are to be kept.",
    paths={
        "/runs": {
            "POST": Operation(
                summary="Create a run without a thread",
                body=bodies.STATELESS_RUN,
                answers=[_CREATED],
                refusals=_CREATING_ALONE,
            )
        },
        "/runs/stream": {
            "POST": Operation(
                summary="Create a run without a thread and follow it",
                body=bodies.STATELESS_RUN,
                answers=[_EVENTS],
                refusals=_CREATING_ALONE,
            )
        },
        "/runs/wait": {
            "POST": Operation(
                summary="Create a run without a thread and wait for its result",
                body=bodies.STATELESS_RUN,
                answers=[_RESULT],
                refusals=_CREATING_ALONE,
            )
        },
        "/runs/batch": {
            "POST": Operation(
                summary="Create several runs without threads",
                description="All of them, or none if one is refused.",
                body=bodies.BATCH,
                answers=[json_answer("The runs, which wait to be started.", as_shape(list[Run]))],
                refusals=_CREATING_ALONE,
            )
        },
        "/runs/{run_id}": {
            "GET": Operation(summary="Read a run by its id alone", answers=[_RUN], refusals=[404]),
        },
        "/runs/{run_id}/join": {
            "GET": Operation(
                summary="Wait for the result of a run by its id alone",
                parameters=[CANCEL_ON_DISCONNECT],
                answers=[_RESULT],
                refusals=[404],
            )
        },
        "/runs/{run_id}/stream": {
            "GET": Operation(
                summary="Follow a run by its id alone",
                parameters=[LAST_EVENT_ID, STREAM_MODE, CANCEL_ON_DISCONNECT],
                answers=[_EVENTS],
                refusals=[404],
            )
        },
    },
)
