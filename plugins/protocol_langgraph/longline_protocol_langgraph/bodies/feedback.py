"""Bodies that tell what somebody thinks of a run."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from longline_protocol_langgraph.bodies.types import Body, Object


class FeedbackBody(Body):
    """What somebody thinks of a run."""

    score: bool | int | float | None = Field(None, description="How good it was, by a measure of the caller's own.")
    value: bool | int | float | str | Object | None = Field(None, description="What it was, where no number says it.")
    comment: str | None = Field(None, description="Why.")
    correction: str | Object | None = Field(None, description="What would have been right.")
    metadata: Object | None = Field(None, description="Facts about the feedback.")


FEEDBACK = TypeAdapter(FeedbackBody)
FeedbackKeys = Annotated[list[Annotated[str, Field(max_length=180)]], Field(max_length=100)]
"""The keys that a run takes feedback for."""
