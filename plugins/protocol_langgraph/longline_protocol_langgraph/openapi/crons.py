"""The operations on crons."""

from typing import Final, Literal

from pydantic import AwareDatetime
from typing_extensions import TypedDict

from longline_protocol_langgraph.bodies import crons as bodies
from longline_protocol_langgraph.bodies.types import Uuid
from longline_protocol_langgraph.openapi.answers import Object
from longline_protocol_langgraph.openapi.operation import Operation, Section, json_answer, no_answer
from longline_protocol_langgraph.openapi.pages import as_shape, count_operation, find_operation


class Cron(TypedDict):
    """Runs of an assistant at certain times."""

    cron_id: Uuid
    assistant_id: Uuid
    thread_id: Uuid | None
    user_id: str | None
    end_time: AwareDatetime | None
    schedule: str
    timezone: str | None
    payload: Object
    next_run_date: AwareDatetime | None
    metadata: Object
    on_run_completed: Literal["delete", "keep"] | None
    enabled: bool
    created_at: AwareDatetime
    updated_at: AwareDatetime


_CRON = json_answer("The cron.", Cron)

CRONS: Final = Section(
    tag="Crons",
    description="Runs that the server makes by itself, at times that a schedule says.",
    paths={
        "/runs/crons": {
            "POST": Operation(
                summary="Create a cron",
                description="Each of its runs has a thread of its own.",
                body=bodies.CREATE,
                answers=[_CRON],
                refusals=[400, 404, 424],
            )
        },
        "/threads/{thread_id}/runs/crons": {
            "POST": Operation(
                summary="Create a cron on a thread",
                body=bodies.CREATE_ON_THREAD,
                answers=[_CRON],
                refusals=[400, 404, 424],
            )
        },
        "/runs/crons/search": {"POST": find_operation("crons", as_shape(list[Cron]), bodies.SEARCH, [404])},
        "/runs/crons/count": {"POST": count_operation("crons", bodies.COUNT, [404])},
        "/runs/crons/{cron_id}": {
            "GET": Operation(summary="Read a cron", answers=[_CRON], refusals=[404]),
            "PATCH": Operation(summary="Change a cron", body=bodies.PATCH, answers=[_CRON], refusals=[400, 404, 424]),
            "DELETE": Operation(summary="Delete a cron", answers=[no_answer("It is gone.")], refusals=[404]),
        },
    },
)
