"""What an operator may say about webhooks: the keys of langgraph.json, and some of our own."""

import re
from typing import Final, Self

from pydantic import Field, SecretStr, model_validator

from longline.auth.urls import UrlPolicy
from longline.delivery.settings import CallUrlSettings, DeliverySettings

PURPOSE: Final = "webhook"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS: Final = frozenset({
    "host", "content-length", "content-type", "transfer-encoding", "connection", "longline-delivery",
    "longline-attempt", "longline-timestamp", "longline-signature",
})  # fmt: skip


class WebhookUrlSettings(CallUrlSettings):
    """Where webhooks may point."""

    disable_loopback: bool = Field(
        default=True, description="Whether this machine, and paths of this server (`/path`), are out of bounds."
    )


class WebhookSettings(DeliverySettings):
    """Calls that tell other servers how runs ended."""

    env_prefix: str = Field(
        "LG_WEBHOOK_", min_length=1, description="How variables must begin that `headers` may name."
    )
    url: WebhookUrlSettings = Field(WebhookUrlSettings(), description="Where webhooks may point.")
    headers: dict[str, SecretStr] = Field(
        {}, description="Headers of every call; `${{ env.LG_WEBHOOK_NAME }}` in a value stands for that variable."
    )
    max_payload_mib: float = Field(
        4.0,
        gt=0,
        le=64,
        description="Largest body of a call in MiB: `values` and `kwargs` that are larger are left out.",
    )

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
        return self.url.policy(PURPOSE, allow_loopback=not self.url.disable_loopback)
