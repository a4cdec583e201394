"""What an operator may change about the MCP server."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from longline.settings import SettingsModel

_Path = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)+$")]
_Url = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^(https?://[^\s?#]+)?$")]


class McpSettings(SettingsModel):
    """The Model Context Protocol."""

    path: _Path = Field("/mcp", description="Where the protocol is served.")
    public_url: _Url = Field(
        "",
        description="The URL of the whole server as callers reach it, e.g. https://agents.example.com/api: for where "
        "clients are told to sign in. Empty: what the request says.",
    )
    sessions: Literal["auto", "stateful", "stateless"] = Field(
        "auto",
        description="Whether clients get sessions: what lets a tool ask its caller, and a client come back to a broken "
        "stream. They live in one process. `auto`: where the database can have one process only. Clients without a "
        "session are served in any case.",
    )
    session_idle_seconds: float = Field(
        1800.0, gt=0, le=86_400, description="Seconds without a request after which a session ends."
    )
    max_sessions: int = Field(
        2000, ge=1, le=100_000, description="Open sessions of all callers. A new one ends the one that is idle longest."
    )
    max_sessions_per_caller: int = Field(
        200, ge=1, le=100_000, description="The same for each caller, on a server with authentication."
    )
    replay_seconds: float = Field(
        300.0,
        ge=1,
        le=86_400,
        description="Seconds for which a client that lost its connection may read what it missed.",
    )
    replay_mib: float = Field(16.0, gt=0, le=4096, description="How much is kept for that, in all, in MiB.")
    retry_seconds: float = Field(
        1.0, gt=0, le=600, description="Seconds that clients should wait before they come back to a stream."
    )
    ask_seconds: float = Field(
        600.0, gt=0, le=86_400, description="Seconds that a caller may take to answer what a tool asks."
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Names in the `Host` header that are answered, with a port or for any port; `*.example.com` is "
        "every name below, `*` is all. Empty: all, but only this machine's own on a server without authentication "
        "that was reached over its loopback address.",
    )
    allowed_origins: list[str] = Field(
        default_factory=list,
        description="Pages that may call, as https://app.example.com; `*`: all. The server's own origin always may, "
        "and this machine's pages may call a server on this machine.",
    )
    authorization_servers: list[_Url] = Field(
        default_factory=list,
        description="Where clients get tokens: issuers of OAuth 2.0. Empty: those of the server's authenticators.",
    )
    scopes: list[str] = Field(default_factory=list, description="Scopes that clients may ask for when they sign in.")
    instructions: str = Field("", description="What clients are told about the server; they may show it to models.")
    max_body_mib: float = Field(4.0, gt=0, description="Largest request in MiB; a larger one is answered 413.")
    body_seconds: float = Field(30.0, gt=0, description="Seconds that a request's body may take to arrive.")
    thread_resource: bool = Field(
        False,
        description="Whether callers may read the messages of their threads as `longline://threads/{thread_id}`.",
    )
    preload: bool = Field(
        False,
        description="Whether the protocol's SDK is imported right after the start rather than with the first request. "
        "`longline serve` does that.",
    )
