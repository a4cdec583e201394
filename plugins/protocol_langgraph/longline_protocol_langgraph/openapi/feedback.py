"""The operations on feedback."""

from typing import Annotated, Final

from pydantic import AwareDatetime, Field
from typing_extensions import TypedDict

from longline_protocol_langgraph.bodies import feedback as bodies
from longline_protocol_langgraph.bodies.types import Uuid
from longline_protocol_langgraph.openapi.answers import Object
from longline_protocol_langgraph.openapi.operation import Operation, Section, json_answer
from longline_protocol_langgraph.openapi.pages import as_shape
from longline_protocol_langgraph.routes.feedback import COMMENT, CORRECTION, SCORE, TOKEN_PATH, VALUE


class Feedback(TypedDict):
    """What was given under one feedback key of a run."""

    key: str
    run_id: Uuid
    thread_id: Uuid
    score: bool | float | None
    value: bool | float | str | Object | None
    comment: str | None
    correction: str | Object | None
    metadata: Object | None
    created_at: Annotated[AwareDatetime, Field(description="When it was given first.")]
    updated_at: Annotated[AwareDatetime, Field(description="When it was given last.")]


_WHOSE = "For whoever made the run."
_GIVEN = json_answer("One entry for each feedback key under which something was given.", as_shape(list[Feedback]))
_TAKEN = json_answer("It is kept, in place of what the same link brought before.", {"type": "object"})

FEEDBACK: Final = Section(
    tag="Feedback",
    description="What people think of runs. The stream of a run with `feedback_keys` ends with an event `feedback`: a "
    "link for each key, which needs no credentials.",
    paths={
        "/threads/{thread_id}/runs/{run_id}/feedback": {
            "GET": Operation(summary="Read the feedback on a run", description=_WHOSE, answers=[_GIVEN], refusals=[404])
        },
        "/runs/{run_id}/feedback": {
            "GET": Operation(
                summary="Read the feedback on a run by its id alone",
                description=_WHOSE + " Also where the run went with a thread of its own.",
                answers=[_GIVEN],
                refusals=[404],
            )
        },
        TOKEN_PATH: {
            "GET": Operation(
                summary="Give feedback by opening a link",
                parameters=[SCORE, VALUE, COMMENT, CORRECTION],
                answers=[_TAKEN],
                refusals=[404],
            ),
            "POST": Operation(
                summary="Give feedback",
                description="Up to 64 KiB.",
                body=bodies.FEEDBACK,
                is_body_required=False,
                answers=[_TAKEN],
                refusals=[404],
            ),
        },
    },
)
