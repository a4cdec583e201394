"""What an operator may say about webhooks: the keys of langgraph.json, and some of our own."""

import re
from ipaddress import IPv4Network, IPv6Network
from typing import Final, Self

from pydantic import Field, SecretStr, model_validator

from longline.auth.urls import UrlPolicy
from longline.settings import SettingsModel

PURPOSE: Final = "webhook"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS: Final = frozenset({
    "host", "content-length", "content-type", "transfer-encoding", "connection", "longline-delivery",
    "longline-attempt", "longline-timestamp", "longline-signature",
})  # fmt: skip


class WebhookUrlSettings(SettingsModel):
    """Where webhooks may point."""

    require_https: bool = Field(default=False, description="Whether only https is allowed.")
    allowed_domains: list[str] = Field(
        default=[], description="Host names that are allowed; `*.example.com` is any below example.com. Empty: all."
    )
    allowed_ports: list[int] = Field(default=[], description="Ports that are allowed. Empty: all.")
    max_url_length: int = Field(default=65_536, ge=1, description="Longest URL in characters.")
    disable_loopback: bool = Field(
        default=True, description="Whether this machine, and paths of this server (`/path`), are out of bounds."
    )
    allowed_networks: list[IPv4Network | IPv6Network] = Field(
        default=[], description="Networks that may be called although they are not public."
    )


class WebhookSettings(SettingsModel):
    """Calls that tell other servers how runs ended."""

    env_prefix: str = Field(
        "LG_WEBHOOK_", min_length=1, description="How variables must begin that `headers` may name."
    )
    url: WebhookUrlSettings = Field(WebhookUrlSettings(), description="Where webhooks may point.")
    headers: dict[str, SecretStr] = Field(
        {}, description="Headers of every call; `${{ env.LG_WEBHOOK_NAME }}` in a value stands for that variable."
    )
    signing_secret: SecretStr = Field(SecretStr(""), description="The secret that signs calls. Empty: not signed.")
    timeout_seconds: float = Field(10.0, gt=0, le=300, description="Seconds that a call may take.")
    max_payload_mib: float = Field(
        4.0,
        gt=0,
        le=64,
        description="Largest body of a call in MiB: `values` and `kwargs` that are larger are left out.",
    )
    attempts: int = Field(10, ge=1, le=100, description="Calls after which a webhook is given up.")
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
    keep_failed_days: float = Field(7.0, gt=0, description="Days for which it is kept that a webhook was given up.")

    @model_validator(mode="after")
    def _takes_only_headers_that_can_be_sent(self) -> Self:
        for name, value in self.headers.items():
            text = value.get_secret_value()
            if not _NAME.fullmatch(name) or name.lower() in _OURS:
                raise ValueError(f"header {name!r} cannot be set")  # noqa: TRY003  # for pydantic
            if "${{" in text:
                raise ValueError(  # noqa: TRY003  # for pydantic
                    f"header {name!r} names a variable that is not set, or that does not begin with {self.env_prefix!r}"
                )
            if not text.isascii() or not text.isprintable():
                raise ValueError(f"the value of header {name!r} cannot be sent")  # noqa: TRY003  # for pydantic
        return self

    @property
    def policy(self) -> UrlPolicy:
        """Where webhooks may point, for core."""
        return UrlPolicy(
            purpose=PURPOSE,
            require_https=self.url.require_https,
            allowed_domains=tuple(self.url.allowed_domains),
            allowed_ports=tuple(self.url.allowed_ports),
            allowed_networks=tuple(self.url.allowed_networks),
            allow_loopback=not self.url.disable_loopback,
            max_length=self.url.max_url_length,
        )
