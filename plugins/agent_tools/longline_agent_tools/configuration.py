"""What an assistant or a run may choose: the configurable keys of the graph `agent`."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from longline_agent_tools.errors import BadAgentConfigError
from longline_agent_tools.mcp_config import McpConfig
from longline_agent_tools.rag_config import RagConfig


class AgentConfig(BaseModel):
    """The configurable keys of the graph `agent`. Keys that are not listed here are somebody else's and are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    model_name: str | None = Field(
        None,
        description="provider:model, e.g. openai:gpt-4o-mini; `custom:` for base_url; `demo:` for none.",
    )
    temperature: float | None = Field(None, ge=0, le=2, description="How freely the model chooses its words.")
    max_tokens: int | None = Field(None, ge=1, le=100_000_000, description="The longest answer, in tokens.")
    system_prompt: str | None = Field(None, description="The instructions. Unset: the server's; empty: none.")
    base_url: str | None = Field(None, description="An OpenAI-compatible endpoint (with other providers: theirs).")
    custom_model_name: str | None = Field(None, description="What the endpoint of `custom:` calls its model.")
    custom_api_key: SecretStr | None = Field(None, description="The key for base_url.")
    api_keys: dict[str, SecretStr | None] | None = Field(
        None, alias="apiKeys", description="Keys by their usual names, e.g. OPENAI_API_KEY."
    )
    agent_tools: list[str] | None = Field(None, description="Names of tools. Unset: all of the server's; []: none.")
    mcp_config: McpConfig | None = Field(None, description="MCP servers whose tools the agent has.")
    rag: RagConfig | None = Field(None, description="Collections of documents that the agent may search.")

    @field_validator("base_url", mode="before")
    @classmethod
    def _handle_is_opened(cls, value: object) -> object:
        """A URL with a password or a token in it comes as a handle."""
        return value.get_secret_value() if isinstance(value, SecretStr) else value

    @field_validator("model_name", "base_url", "custom_model_name", mode="after")
    @classmethod
    def _blank_is_unset(cls, value: str | None) -> str | None:
        return (value.strip() or None) if value is not None else None

    def key_named(self, name: str) -> SecretStr | None:
        """The key of this name in `apiKeys`, None where there is none or it is empty."""
        return _filled((self.api_keys or {}).get(name))

    @property
    def own_key(self) -> SecretStr | None:
        """`custom_api_key`, None where it is not there or empty."""
        return _filled(self.custom_api_key)


def read_config(configurable: Mapping[str, object]) -> AgentConfig:
    """The agent's part of a run's configurable values. Raises BadAgentConfigError naming each fault, never a value."""
    try:
        return AgentConfig.model_validate(dict(configurable))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
    # Not chained: the cause holds the values, and some of them are secrets.
    raise BadAgentConfigError([f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults])


def _filled(secret: SecretStr | None) -> SecretStr | None:
    return secret if secret is not None and secret.get_secret_value().strip() else None
