"""`mcp_config`: the MCP servers whose tools an agent has, as assistants and runs write it."""

import hashlib
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from longline_agent_tools.model_names import describe_endpoint

MOST_SERVERS: Final = 64
_LONGEST_NAME: Final = 200


def _nothing_is_empty(value: object) -> object:
    return () if value is None else value


def _named(value: object) -> object:
    """Names of tools: rows of databases bring blanks and nulls along."""
    if isinstance(value, list | tuple):
        return tuple(item.strip() if isinstance(item, str) else item for item in value if item not in (None, ""))
    return _nothing_is_empty(value)


class McpServer(BaseModel):
    """One server of an agent. Whether its URL can be called shows when it is: that costs its tools only."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    name: str = Field("", max_length=_LONGEST_NAME, description="What people and clashing tools call the server.")
    # As a secret, because a URL may hold one: then it comes as a handle, and stays out of whatever shows the config.
    url: SecretStr = Field(description="Where it answers (streamable HTTP), e.g. https://tools.example.com/mcp.")
    tools: Annotated[tuple[str, ...], BeforeValidator(_named)] = Field(
        (), description="Names of the tools that the agent may call. Empty: all."
    )
    auth_required: Annotated[bool, BeforeValidator(lambda value: False if value is None else value)] = Field(
        False, description="Whether the server is called as the caller of the run, with their token."
    )
    headers: Annotated[dict[str, SecretStr], BeforeValidator(lambda value: {} if value is None else value)] = Field(
        {}, description="Headers of each request to it, e.g. an API key."
    )

    @property
    def shown_name(self) -> str:
        """The server as people may read of it: its name, else its host."""
        return self.name.strip() or _host(self.url.get_secret_value())

    @property
    def shown_url(self) -> str:
        """Where it is, without credentials, path or query."""
        try:
            return describe_endpoint(self.url.get_secret_value())
        except ValueError:
            return "no URL"

    @property
    def key(self) -> str:
        """A digest of whatever decides what is at the other end: equal for equal servers, and tells nothing of them."""
        parts = [self.url.get_secret_value(), str(self.auth_required)]
        parts += [f"{name.lower()}: {self.headers[name].get_secret_value()}" for name in sorted(self.headers)]
        return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class McpConfig(BaseModel):
    """The servers, in the order in which their tools get their names."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    servers: Annotated[tuple[McpServer, ...], BeforeValidator(_nothing_is_empty)] = Field(
        (), max_length=MOST_SERVERS, description="The servers."
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url.strip()).hostname or "mcp"
    except ValueError:
        return "mcp"
