"""What an operator may say about calls to other servers, whatever they tell."""

from ipaddress import IPv4Network, IPv6Network

from pydantic import Field, SecretStr

from longline.auth.urls import UrlPolicy
from longline.settings import SettingsModel


class CallUrlSettings(SettingsModel):
    """Where calls may go."""

    require_https: bool = Field(default=False, description="Whether only https is allowed.")
    allowed_domains: list[str] = Field(
        default=[], description="Host names that are allowed; `*.example.com` is any below example.com. Empty: all."
    )
    allowed_ports: list[int] = Field(default=[], description="Ports that are allowed. Empty: all.")
    max_url_length: int = Field(default=65_536, ge=1, description="Longest URL in characters.")
    allowed_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="Networks that may be called although they are not public."
    )

    def policy(self, purpose: str, *, allow_loopback: bool) -> UrlPolicy:
        """The same as core's rule for URLs of a purpose."""
        return UrlPolicy(
            purpose=purpose,
            require_https=self.require_https,
            allowed_domains=tuple(self.allowed_domains),
            allowed_ports=tuple(self.allowed_ports),
            allowed_networks=tuple(self.allowed_networks),
            allow_loopback=allow_loopback,
            max_length=self.max_url_length,
        )


class DeliverySettings(SettingsModel):
    """How calls are made."""

    signing_secret: SecretStr = Field(SecretStr(""), description="The secret that signs calls. Empty: not signed.")
    timeout_seconds: float = Field(10.0, gt=0, le=300, description="Seconds that a call may take.")
    attempts: int = Field(10, ge=1, le=100, description="Calls after which one is given up.")
    first_retry_seconds: float = Field(
        1.0, gt=0, description="Seconds before the second call; doubles with each, up to half of it left to chance."
    )
    longest_retry_seconds: float = Field(
        300.0, gt=0, description="Most seconds between two calls, also where the receiver asks for more."
    )
    concurrency: int = Field(8, ge=1, le=1000, description="Calls at the same time.")
    poll_seconds: float = Field(
        1.0, gt=0, description="Seconds between looks for what other processes stored: the net below signals."
    )
    keep_failed_days: float = Field(7.0, gt=0, description="Days for which it is kept that a call was given up.")
