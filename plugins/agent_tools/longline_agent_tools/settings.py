"""Every knob of the built-in agent that an operator turns; what a run may choose is in `configuration`."""

from pydantic import Field, SecretStr, field_validator

from longline.errors import InvalidInputError
from longline_agent_tools.mcp_settings import McpSettings
from longline_agent_tools.model_names import check_base_url, parse_model_name
from longline_agent_tools.rag_settings import RagSettings


class AgentToolsSettings(McpSettings, RagSettings):
    """Which model answers where an assistant names none, and how the agent behaves by default."""

    model_name: str = Field(
        "",
        description="Model of runs that name none, as provider:model. Empty: openai: with a key or URL, else demo:.",
    )
    default_openai_model: str = Field(
        "gpt-4o-mini",
        min_length=1,
        description="The model that `openai:` and `custom:` mean without a name.",
    )
    openai_api_key: SecretStr = Field(SecretStr(""), description="Key for OpenAI, or for openai_base_url.")
    openai_base_url: str = Field("", description="An OpenAI-compatible endpoint, e.g. http://localhost:11434/v1.")
    system_prompt: str = Field(
        "You are a helpful assistant.", description="Instructions of agents that have none of their own. Empty: none."
    )
    timeout_seconds: float = Field(120.0, gt=0, description="Seconds of silence after which a model call fails.")
    connect_seconds: float = Field(10.0, gt=0, description="Seconds that connecting to a model endpoint may take.")
    max_retries: int = Field(
        2, ge=0, le=20, description="How often a model call is repeated after a failure that may pass."
    )
    stream_usage: bool = Field(
        False,
        description="Ask endpoints other than OpenAI's for token counts in streams. Some refuse that.",
    )
    max_steps: int = Field(100, ge=2, description="Model calls and rounds of tools after which a run is stopped.")
    cached_agents: int = Field(64, ge=1, le=10_000, description="How many compiled agents are kept for the next run.")
    preload: bool = Field(
        False,
        description="Whether the libraries of models and tools are imported soon after the start, not by the first "
        "run. `longline serve` does that.",
    )
    demo_word_seconds: float = Field(0.004, ge=0, le=1, description="Seconds between words that `demo:` streams.")

    @field_validator("openai_base_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        try:
            return check_base_url(value) if value else ""
        except InvalidInputError as error:
            raise ValueError(str(error)) from None

    @field_validator("model_name")
    @classmethod
    def _is_model_name(cls, value: str) -> str:
        try:
            return str(parse_model_name(value)) if value else ""
        except InvalidInputError as error:
            raise ValueError(str(error)) from None
