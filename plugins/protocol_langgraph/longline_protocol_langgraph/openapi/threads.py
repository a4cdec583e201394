"""The operations on threads and their states."""

from typing import Final

from longline_protocol_langgraph.bodies import threads as bodies
from longline_protocol_langgraph.openapi.answers import (
    Pruned,
    Thread,
    ThreadState,
    ThreadStorage,
    UpdatedState,
)
from longline_protocol_langgraph.openapi.operation import Operation, Section, json_answer, no_answer
from longline_protocol_langgraph.openapi.pages import as_shape, count_operation, find_operation
from longline_protocol_langgraph.routes.states import BEFORE, LIMIT, SELECT, SUBGRAPHS
from longline_protocol_langgraph.routes.threads import INCLUDE, PREFER

_STATE = json_answer("The state; an empty one where nothing is stored.", ThreadState, is_partial=True)
_STATES = json_answer("States, newest first.", as_shape(list[ThreadState]), is_partial=True)
_THREAD = json_answer("The thread.", Thread)

THREADS: Final = Section(
    tag="Threads",
    description="States that runs change one after another, with their history.",
    paths={
        "/threads": {
            "POST": Operation(
                summary="Create a thread", body=bodies.CREATE, answers=[_THREAD], refusals=[400, 404, 409, 424]
            )
        },
        "/threads/search": {"POST": find_operation("threads", as_shape(list[Thread]), bodies.SEARCH)},
        "/threads/count": {"POST": count_operation("threads", bodies.COUNT)},
        "/threads/prune": {
            "POST": Operation(
                summary="Remove threads, or their older states",
                body=bodies.PRUNE,
                answers=[json_answer("How many threads were pruned.", Pruned)],
            )
        },
        "/threads/{thread_id}": {
            "GET": Operation(summary="Read a thread", parameters=[INCLUDE], answers=[_THREAD], refusals=[404]),
            "PATCH": Operation(
                summary="Change a thread",
                body=bodies.PATCH,
                parameters=[PREFER],
                answers=[_THREAD, no_answer("It is changed, and the client preferred not to see it.")],
                refusals=[404],
            ),
            "DELETE": Operation(
                summary="Delete a thread",
                description="A run that is going on is dropped.",
                answers=[no_answer("It is gone, with its runs.")],
                refusals=[404],
            ),
        },
        "/threads/{thread_id}/copy": {
            "POST": Operation(
                summary="Copy a thread",
                description="With its metadata, state and history, under a new id.",
                answers=[json_answer("The copy.", Thread)],
                refusals=[404],
            )
        },
        "/threads/{thread_id}/storage": {
            "GET": Operation(
                summary="Measure a thread",
                answers=[json_answer("What its history takes.", ThreadStorage)],
                refusals=[404],
            )
        },
        "/threads/{thread_id}/state": {
            "GET": Operation(
                summary="Read the state", parameters=[SUBGRAPHS, SELECT], answers=[_STATE], refusals=[400, 404, 424]
            ),
            "POST": Operation(
                summary="Change the state",
                description="As if a node had returned the values.",
                body=bodies.STATE_UPDATE,
                answers=[json_answer("Where the new state is found.", UpdatedState)],
                refusals=[400, 404, 409, 424],
            ),
        },
        "/threads/{thread_id}/state/checkpoint": {
            "POST": Operation(
                summary="Read the state at a checkpoint",
                body=bodies.STATE_AT,
                answers=[_STATE],
                refusals=[400, 404, 424],
            )
        },
        "/threads/{thread_id}/state/{checkpoint_id}": {
            "GET": Operation(
                summary="Read the state at a checkpoint's id",
                parameters=[SUBGRAPHS, SELECT],
                answers=[_STATE],
                refusals=[400, 404, 424],
            )
        },
        "/threads/{thread_id}/history": {
            "GET": Operation(
                summary="Read the history",
                parameters=[LIMIT, BEFORE, SELECT],
                answers=[_STATES],
                refusals=[400, 404, 424],
            ),
            "POST": Operation(
                summary="Read a part of the history",
                body=bodies.HISTORY,
                answers=[_STATES],
                refusals=[400, 404, 424],
            ),
        },
    },
)
