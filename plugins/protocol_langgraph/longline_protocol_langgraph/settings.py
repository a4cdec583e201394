"""What an operator may change about the LangGraph Server API."""

from typing import Literal

from pydantic import Field

from longline.settings import SettingsModel
from longline_protocol_langgraph.custom_auth.settings import CustomAuthSettings
from longline_protocol_langgraph.custom_http.settings import HttpSettings
from longline_protocol_langgraph.feedback.settings import FeedbackSettings


class LangGraphApiSettings(SettingsModel):
    """The LangGraph Server API."""

    heartbeat_seconds: float = Field(
        5.0, gt=0, description="Seconds of silence after which a stream or a waiting call gets a sign of life."
    )
    thread_run_modes: list[Literal["updates", "tasks", "tools", "custom"]] = Field(
        default_factory=list,
        description="What runs of the thread protocol's `run.start` say beside values and messages, to streams that "
        "subscribe to it. A command asks for itself with `stream_mode`.",
    )
    auth: CustomAuthSettings | None = Field(
        None, description="Who callers are and what they may do, by the project's own code: `auth` of langgraph.json."
    )
    http: HttpSettings = Field(
        default_factory=lambda: HttpSettings.model_validate({}),
        description="How the server is reached, and what else it serves: `http` of langgraph.json.",
    )
    feedback: FeedbackSettings = Field(
        default_factory=lambda: FeedbackSettings.model_validate({}),
        description="Feedback on runs that were made with `feedback_keys`.",
    )
