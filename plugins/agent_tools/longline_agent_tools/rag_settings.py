"""What an operator may say about retrieval: the section `[agent_tools.rag]`."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from pydantic import Field

from longline.auth.urls import UrlPolicy
from longline.settings import SettingsModel

PURPOSE: Final = "rag"
_EVERYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class RagUrlSettings(SettingsModel):
    """Which servers of documents may be called."""

    require_https: bool = Field(default=False, description="Whether only https is allowed.")
    allowed_domains: list[str] = Field(
        default=[], description="Host names that may be called; `*.example.com` is any below example.com. Empty: all."
    )
    allowed_ports: list[int] = Field(default=[], description="Ports that may be called. Empty: all.")
    disable_loopback: bool = Field(
        default=True, description="Whether this machine is out of bounds. `longline dev`: false."
    )
    allowed_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="Networks that may be called although they are not public."
    )


class RagSettings(SettingsModel):
    """Retrieval: collections of documents that agents search over HTTP."""

    url: RagUrlSettings = Field(default=RagUrlSettings(), description="Which servers may be called.")
    token_domains: list[str] = Field(
        default=[],
        description="Hosts that are shown the caller's token, as it is; `*.example.com` is any below. Empty: none.",
    )
    documents: int = Field(default=10, ge=1, le=100, description="Documents that one search may find.")
    characters: int = Field(
        default=30_000,
        ge=100,
        le=100_000_000,
        description="Characters of documents that the model is told by a search.",
    )
    answer_mib: float = Field(default=4.0, gt=0, le=1024, description="Largest answer of a server in MiB.")
    timeout_seconds: float = Field(default=20.0, gt=0, le=300, description="Seconds that a search may take.")
    describe_seconds: float = Field(
        default=3.0, gt=0, le=60, description="Seconds that a run waits for the names of its collections."
    )
    described_seconds: float = Field(
        default=300.0, ge=0, description="Seconds for which a server is not asked for the name of a collection again."
    )
    failed_seconds: float = Field(
        default=10.0, ge=0, description="Seconds for which a server that failed to tell it is not asked again."
    )

    @property
    def policy(self) -> UrlPolicy:
        """Where servers may be, for core."""
        return UrlPolicy(
            purpose=PURPOSE,
            require_https=self.url.require_https,
            allowed_domains=tuple(self.url.allowed_domains),
            allowed_ports=tuple(self.url.allowed_ports),
            allowed_networks=tuple(self.url.allowed_networks),
            allow_loopback=not self.url.disable_loopback,
        )

    @property
    def token_hosts(self) -> UrlPolicy | None:
        """Which servers get callers' tokens; whether they may be called is another question. None: no server."""
        if not self.token_domains:
            return None
        domains = tuple(self.token_domains)
        return UrlPolicy(purpose=PURPOSE, allowed_domains=domains, allowed_networks=_EVERYWHERE, allow_loopback=True)
