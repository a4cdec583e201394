"""What an operator may change about the A2A server."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from longline.settings import SettingsModel
from longline_protocol_a2a.push_settings import PushSettings

_Path = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)+$")]
_Url = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^(https?://[^\s?#]+)?$")]

Version = Literal["1.0", "0.3"]


class ProviderSettings(SettingsModel):
    """Who offers the agents."""

    organization: str = Field(min_length=1, description="The name of the organisation.")
    url: _Url = Field(min_length=1, description="Its website.")


class A2aSettings(SettingsModel):
    """The Agent2Agent protocol."""

    path: _Path = Field("/a2a", description="Where the agents are served, each below it by its id.")
    public_url: _Url = Field(
        "",
        description="The URL of the whole server as callers reach it, e.g. https://agents.example.com/api: for agent "
        "cards behind a proxy. Empty: what the request says.",
    )
    assistant: str = Field(
        "",
        description="Whose card `/.well-known/agent-card.json` is when the request does not say: an assistant's UUID, "
        "or a graph's id. Empty: that of the project's first graph.",
    )
    public_cards: bool = Field(
        False, description="Whether the cards of graphs' own assistants need no credentials; others' always do."
    )
    versions: list[Version] = Field(
        ["1.0", "0.3"],
        min_length=1,
        description="The protocol's versions to speak. A card for both has the fields of both.",
    )
    card_max_age_seconds: int = Field(60, ge=0, description="Seconds for which clients may keep a card.")
    provider: ProviderSettings | None = Field(None, description="Who offers the agents, for their cards.")
    documentation_url: _Url = Field("", description="Where people read about the agents, for their cards.")
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Names in the `Host` header that are answered, with a port or for any port; `*.example.com` is "
        "every name below. Empty: all, but only this machine's own on a server without authentication that was "
        "reached over its loopback address.",
    )
    allowed_origins: list[str] = Field(
        default_factory=list,
        description="Pages that may call, as https://app.example.com; `*`: all. The server's own origin always may, "
        "and this machine's pages may call a server on this machine.",
    )
    max_body_mib: float = Field(10.0, gt=0, description="Largest request in MiB; a larger one is answered 413.")
    body_seconds: float = Field(30.0, gt=0, description="Seconds that a request's body may take to arrive.")
    heartbeat_seconds: float = Field(5.0, gt=0, description="Seconds of silence after which a stream says it lives.")
    stalled_seconds: float = Field(
        60.0, gt=0, description="Seconds after which a client that does not read its stream is hung up on."
    )
    push: PushSettings = Field(
        default_factory=lambda: PushSettings.model_validate({}),
        description="Calls that tell a client's server how its tasks go.",
    )
    push_loopback: bool = Field(
        False, description="Whether push notifications may go to this machine, over http too; `longline dev`: yes."
    )
    preload: bool = Field(
        False,
        description="Whether the protocol's SDK is imported right after the start rather than with the first request.",
    )
