"""What the handler needs of its neighbours: push notification configs, and extended cards."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from longline.models.runs import Run
from longline_protocol_a2a.calls import Call

if TYPE_CHECKING:
    from a2a.types import (
        AgentCard,
        ListTaskPushNotificationConfigsRequest,
        ListTaskPushNotificationConfigsResponse,
        TaskPushNotificationConfig,
    )


class PushConfigs(Protocol):
    """Where a task's push notifications go. The handler has checked that the caller may see the task."""

    async def check(self, call: Call, config: "TaskPushNotificationConfig") -> None:
        """Refuse a config before a task is made for it. Raises InvalidParamsError,
        PushNotificationNotSupportedError."""
        ...

    async def create(
        self, call: Call, task_id: str, config: "TaskPushNotificationConfig"
    ) -> "TaskPushNotificationConfig":
        """Keep a config for the task (an id of its own if it has none), as it is shown from now on. Raises
        InvalidParamsError, PushNotificationNotSupportedError."""
        ...

    async def get(self, call: Call, task_id: str, config_id: str) -> "TaskPushNotificationConfig":
        """One config. Raises TaskNotFoundError, PushNotificationNotSupportedError."""
        ...

    async def page(
        self, call: Call, request: "ListTaskPushNotificationConfigsRequest"
    ) -> "ListTaskPushNotificationConfigsResponse":
        """Configs of a task. Raises InvalidParamsError, PushNotificationNotSupportedError."""
        ...

    async def delete(self, call: Call, task_id: str, config_id: str) -> None:
        """Remove a config, if it is there. Raises PushNotificationNotSupportedError."""
        ...

    async def tell_given_up(self, run: Run, give_up: Callable[[], Awaitable[bool]]) -> bool:
        """Give up a task whose newest run waits, and tell of it. Whether it was given up; raises what `give_up`
        raises."""
        ...


class ExtendedCards(Protocol):
    """The cards that only callers who showed who they are get."""

    async def extended(self, call: Call) -> "AgentCard":
        """The extended card of the call's assistant. Raises UnsupportedOperationError,
        ExtendedAgentCardNotConfiguredError."""
        ...
