"""What an operator may say about push notifications."""

from dataclasses import replace
from typing import Final

from pydantic import Field

from longline.auth.urls import UrlPolicy
from longline.delivery.settings import CallUrlSettings, DeliverySettings

PURPOSE: Final = "push"


class PushUrlSettings(CallUrlSettings):
    """Where push notifications may go."""

    require_https: bool = Field(
        default=True, description="Whether only https is allowed; never where `push_loopback` is set."
    )


class PushSettings(DeliverySettings):
    """Push notifications: calls that tell a client's server how its tasks go."""

    enabled: bool = Field(True, description="Whether clients may ask for them.")
    url: PushUrlSettings = Field(PushUrlSettings(), description="Where they may go.")
    configs_per_task: int = Field(10, ge=1, le=100, description="Configs that a caller may keep for one task.")
    max_payload_mib: float = Field(
        4.0,
        gt=0,
        le=64,
        description="Largest body in MiB: of a larger task the history and then the artifacts are left out.",
    )
    keep_days: float = Field(
        365.0, gt=0, le=3653, description="Days after the last news of a task for which its configs are kept."
    )
    keep_ended_days: float = Field(7.0, gt=0, le=3653, description="The same for a task that is over.")

    def policy(self, *, allow_loopback: bool) -> UrlPolicy:
        """Where they may go, for core. Who lets them go to this machine lets them go there without TLS."""
        policy = self.url.policy(PURPOSE, allow_loopback=allow_loopback)
        return replace(policy, require_https=policy.require_https and not allow_loopback)
