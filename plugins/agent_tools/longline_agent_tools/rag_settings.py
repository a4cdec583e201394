"""What an operator may say about retrieval: the part of the section that begins with `rag_`."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from pydantic import Field

from longline.auth.urls import UrlPolicy
from longline.settings import SettingsModel

PURPOSE: Final = "rag"
_EVERYWHERE: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class RagSettings(SettingsModel):
    """Servers of documents: where they may be, who they are told calls, and how much anything takes."""

    rag_require_https: bool = Field(default=False, description="Whether rag_url is called over https only.")
    rag_domains: list[str] = Field(
        default=[],
        description="Hosts of rag_url that may be called; `*.example.com` is any below example.com. Empty: all.",
    )
    rag_ports: list[int] = Field(default=[], description="Ports of rag_url that may be called. Empty: all.")
    rag_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="Networks of rag_url that may be called although they are not public."
    )
    rag_loopback: bool = Field(
        default=False, description="Whether rag_url on this machine may be called. `longline dev`: true."
    )
    rag_token_domains: list[str] = Field(
        default=[],
        description="Hosts of rag_url that are shown the caller's token, as it is; `*.example.com` is any below. "
        "Empty: none.",
    )
    rag_documents: int = Field(default=10, ge=1, le=100, description="Documents that one search may find.")
    rag_characters: int = Field(
        default=30_000,
        ge=100,
        le=100_000_000,
        description="Characters of documents that the model is told by one search.",
    )
    rag_answer_mib: float = Field(
        default=4.0, gt=0, le=1024, description="Largest answer of a server of documents in MiB."
    )
    rag_search_seconds: float = Field(default=20.0, gt=0, le=300, description="Seconds that a search may take.")
    rag_describe_seconds: float = Field(
        default=3.0, gt=0, le=60, description="Seconds that a run waits for the names of its collections."
    )
    rag_described_seconds: float = Field(
        default=300.0, ge=0, description="Seconds for which a server is not asked for the name of a collection again."
    )
    rag_failed_seconds: float = Field(
        default=10.0, ge=0, description="Seconds for which one that failed to tell it is not asked again."
    )

    @property
    def rag_policy(self) -> UrlPolicy:
        """Where servers may be, for core."""
        return UrlPolicy(
            purpose=PURPOSE,
            require_https=self.rag_require_https,
            allowed_domains=tuple(self.rag_domains),
            allowed_ports=tuple(self.rag_ports),
            allowed_networks=tuple(self.rag_networks),
            allow_loopback=self.rag_loopback,
        )

    @property
    def rag_token_hosts(self) -> UrlPolicy | None:
        """Which servers get callers' tokens; whether they may be called is another question. None: no server."""
        if not self.rag_token_domains:
            return None
        domains = tuple(self.rag_token_domains)
        return UrlPolicy(purpose=PURPOSE, allowed_domains=domains, allowed_networks=_EVERYWHERE, allow_loopback=True)
