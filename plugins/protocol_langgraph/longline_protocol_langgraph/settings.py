"""What an operator may change about the LangGraph Server API."""

from pydantic import Field

from longline.settings import SettingsModel


class LangGraphApiSettings(SettingsModel):
    """The LangGraph Server API."""

    heartbeat_seconds: float = Field(
        5.0, gt=0, description="Seconds of silence after which a stream or a waiting call gets a sign of life."
    )
    webhook_allow_loopback: bool = Field(
        False, description="Whether a run's webhook may point at this machine: loopback addresses and localhost."
    )
    cors_allow_origins: list[str] = Field(["*"], description="Origins whose pages may call this API. `*`: all.")
    cors_allow_methods: list[str] = Field(["*"], description="Methods that pages of other origins may use. `*`: all.")
    cors_allow_headers: list[str] = Field(
        ["*"], description="Request headers that pages of other origins may send. `*`: all."
    )
    cors_allow_credentials: bool = Field(
        False, description="Whether pages of other origins may send cookies. Name the origins then."
    )
    cors_expose_headers: list[str] = Field(
        ["x-pagination-total", "x-pagination-next", "content-location"],
        description="Response headers that pages of other origins may read.",
    )
    cors_max_age_seconds: int = Field(600, ge=0, description="Seconds for which a browser may keep a preflight answer.")
