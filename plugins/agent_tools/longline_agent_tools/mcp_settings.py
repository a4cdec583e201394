"""What an operator may say about MCP servers: the part of the section that begins with `mcp_`."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Literal

from pydantic import Field, field_validator

from longline.auth.urls import UrlPolicy
from longline.settings import SettingsModel

PURPOSE: Final = "mcp"
_EVERYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class McpSettings(SettingsModel):
    """MCP servers: where they may be, who they are told calls, and how long anything takes."""

    mcp_require_https: bool = Field(default=False, description="Whether MCP servers are called over https only.")
    mcp_domains: list[str] = Field(
        default=[],
        description="Hosts of MCP servers that may be called; `*.example.com` is any below example.com. Empty: all.",
    )
    mcp_ports: list[int] = Field(default=[], description="Ports of MCP servers that may be called. Empty: all.")
    mcp_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="Networks of MCP servers that may be called although they are not public."
    )
    mcp_loopback: bool = Field(
        default=False, description="Whether MCP servers on this machine may be called. `longline dev`: true."
    )
    mcp_auth: Literal["exchange", "pass-through"] = Field(
        default="exchange",
        description="How MCP servers with auth_required get the caller's token: exchanged for one of their own (RFC "
        "8693), or as it is.",
    )
    mcp_token_url: str = Field(
        default="{origin}/oauth/token",
        description="Where tokens are exchanged: {origin} is the scheme and host of the server's URL, {url} all of it "
        "but a query. Without either it is one place for all servers.",
    )
    mcp_token_domains: list[str] = Field(
        default=[],
        description="Hosts of MCP servers that may get callers' tokens; `*.example.com` is any below. Empty: all.",
    )
    mcp_connect_seconds: float = Field(
        default=5.0, gt=0, le=300, description="Seconds that connecting to an MCP server may take."
    )
    mcp_list_seconds: float = Field(
        default=10.0, gt=0, le=300, description="Seconds that it may take to open a session, and to list its tools."
    )
    mcp_call_seconds: float = Field(
        default=120.0, gt=0, le=86_400, description="Seconds that the call of an MCP server's tool may take."
    )
    mcp_sessions: int = Field(
        default=100, ge=1, le=100_000, description="Sessions with MCP servers that each process keeps open."
    )
    mcp_idle_seconds: float = Field(
        default=300.0, gt=0, description="Seconds without use after which such a session is closed."
    )
    mcp_schema_seconds: float = Field(
        default=300.0, ge=0, description="Seconds for which an MCP server is not asked for its tools again."
    )
    mcp_failed_seconds: float = Field(
        default=10.0, ge=0, description="Seconds for which one that failed to list its tools is not asked again."
    )
    mcp_answer_mib: float = Field(default=16.0, gt=0, le=1024, description="Largest answer of an MCP server in MiB.")
    mcp_characters: int = Field(
        default=100_000,
        ge=100,
        le=100_000_000,
        description="Characters of one result of an MCP server's tool that the model is told.",
    )
    mcp_media: bool = Field(
        default=False,
        description="Whether the model gets the images and files of such a result, and of other tools' results. Many "
        "models refuse them from tools; else it is told in words what was there.",
    )

    @field_validator("mcp_token_url")
    @classmethod
    def _is_template(cls, value: str) -> str:
        if not value.startswith(("{origin}", "{url}", "https://", "http://")):
            raise ValueError("must begin with {origin}, {url}, https:// or http://")  # noqa: TRY003  # for pydantic
        return value

    @property
    def mcp_policy(self) -> UrlPolicy:
        """Where servers may be, for core."""
        return UrlPolicy(
            purpose=PURPOSE,
            require_https=self.mcp_require_https,
            allowed_domains=tuple(self.mcp_domains),
            allowed_ports=tuple(self.mcp_ports),
            allowed_networks=tuple(self.mcp_networks),
            allow_loopback=self.mcp_loopback,
        )

    @property
    def mcp_token_policy(self) -> UrlPolicy:
        """Where tokens are exchanged: a place that the operator names is theirs, what a URL leads to is not."""
        return self.mcp_policy if self.mcp_token_url.startswith("{") else _anywhere(())

    @property
    def mcp_token_hosts(self) -> UrlPolicy:
        """Which servers get tokens at all; whether they may be called is another question."""
        return _anywhere(tuple(self.mcp_token_domains))


def _anywhere(domains: tuple[str, ...]) -> UrlPolicy:
    return UrlPolicy(purpose=PURPOSE, allowed_domains=domains, allowed_networks=_EVERYWHERE, allow_loopback=True)
