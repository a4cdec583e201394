"""Where clients want to be told of their tasks: kept sealed, read back without secrets.

Imports the protocol's SDK: only what answers a request imports this module.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from a2a.types import (
    AuthenticationInfo,
    ListTaskPushNotificationConfigsRequest,
    ListTaskPushNotificationConfigsResponse,
    TaskPushNotificationConfig,
)
from a2a.utils.errors import InvalidParamsError, PushNotificationNotSupportedError, TaskNotFoundError

from longline.auth.secret_urls import hide_in_url
from longline.clock import Clock, now
from longline.encoding import HIDDEN
from longline.errors import UrlRefusedError
from longline.models.runs import Run
from longline.services.server import Server
from longline_protocol_a2a.push_outbox import CONFIGS, ENDINGS, OWNER, given_up_document
from longline_protocol_a2a.push_settings import PURPOSE
from longline_protocol_a2a.push_store import KeptConfig, KeptConfigs, Target, keep_config, open_target, with_config
from longline_protocol_a2a.settings import A2aSettings

if TYPE_CHECKING:
    from longline_protocol_a2a.calls import Call

_SCHEME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LONGEST_ID: Final = 255
_LONGEST_TOKEN: Final = 4096
_LONGEST_CREDENTIALS: Final = 16_384
_LONGEST_PAGE_TOKEN: Final = 9
_LONGEST_GIVING_UP: Final = timedelta(seconds=60)
_UNKNOWN_SECRET: Final = f"{HIDDEN} stands for a secret that is not known here: give it again"


class PushConfigs:
    """Creates, reads and removes the configs of tasks, each caller's own. That the caller may see the task is for who
    asks to have checked. Everything raises PushNotificationNotSupportedError where the operator does not want it."""

    def __init__(self, server: Server, *, clock: Clock = now) -> None:
        self._settings = server.settings.section(A2aSettings).push
        self._vault = server.vault
        self._urls = server.urls
        self._clock = clock
        self._endings = server.collections.documents(ENDINGS.name)
        self._kept = KeptConfigs(server.collections.documents(CONFIGS.name), clock=clock)

    async def check(self, call: "Call", config: TaskPushNotificationConfig) -> None:  # noqa: ARG002  # the handler's port
        """Refuse a config before a task is made for it. Raises InvalidParamsError."""
        self._require_enabled()
        _check_texts(config)
        if HIDDEN in (config.token, config.authentication.credentials):
            raise InvalidParamsError(_UNKNOWN_SECRET)
        self._check_url(config.url)

    async def create(
        self, call: "Call", task_id: str, config: TaskPushNotificationConfig
    ) -> TaskPushNotificationConfig:
        """Keep a config for the task, over the caller's own with that id (none: the task's own id). `***` for a secret
        keeps the one that is there, as long as the URL is the same. Raises InvalidParamsError."""
        self._require_enabled()
        _check_texts(config)
        config_id = config.id or task_id
        made: list[Target] = []

        def revise(found: Sequence[KeptConfig]) -> Sequence[KeptConfig]:
            name = (call.principal.identity, config_id)
            before = next((kept for kept in found if kept.name == name), None)
            target = _merged(config, None if before is None else open_target(before, self._vault))
            self._check_url(target.url)
            made[:] = [target]
            mine = [kept for kept in found if kept.identity == call.principal.identity]
            if before is None and len(mine) >= self._settings.configs_per_task:
                raise InvalidParamsError(f"a task has at most {self._settings.configs_per_task} push configs")  # noqa: TRY003  # the SDK's
            return with_config(found, self._sealed(call, config_id, target))

        await self._kept.change(_key(task_id), revise, keep_days=self._settings.keep_days)
        return _shown(task_id, config_id, made[0])

    async def get(self, call: "Call", task_id: str, config_id: str) -> TaskPushNotificationConfig:
        """One config; without an id (protocol 0.3) the task's own or else the oldest. Raises TaskNotFoundError."""
        found = await self.find_all(call, task_id)
        if not config_id:
            found = [one for one in found if one.id == task_id] or found[:1]
        for one in found:
            if not config_id or one.id == config_id:
                return one
        raise TaskNotFoundError("no such push notification config")  # noqa: TRY003  # the SDK's

    async def find_all(self, call: "Call", task_id: str) -> Sequence[TaskPushNotificationConfig]:
        """The caller's configs of the task, the oldest first. One that cannot be opened any more (another key) is
        shown without its URL."""
        self._require_enabled()
        return [
            _shown(task_id, kept.config_id, open_target(kept, self._vault) or Target(url=""))
            for kept in await self._kept.find(_key(task_id))
            if kept.identity == call.principal.identity
        ]

    async def page(
        self, call: "Call", request: ListTaskPushNotificationConfigsRequest
    ) -> ListTaskPushNotificationConfigsResponse:
        """The caller's configs of a task from where the last page ended, all where no size is asked for. Raises
        InvalidParamsError."""
        found = await self.find_all(call, request.task_id)
        if request.page_size < 0:
            raise InvalidParamsError("pageSize cannot be negative")  # noqa: TRY003  # the SDK's
        first = _read_token(request.page_token)
        last = first + (request.page_size or len(found))
        shown = ListTaskPushNotificationConfigsResponse(configs=found[first:last])
        if last < len(found):
            shown.next_page_token = str(last)
        return shown

    async def delete(self, call: "Call", task_id: str, config_id: str) -> None:
        """Remove a config, if it is there: nobody is told by it any more."""
        self._require_enabled()
        gone = (call.principal.identity, config_id or task_id)
        await self._kept.change(
            _key(task_id),
            lambda found: [kept for kept in found if kept.name != gone],
            keep_days=self._settings.keep_days,
        )

    async def tell_given_up(self, run: Run, give_up: Callable[[], Awaitable[bool]]) -> bool:
        """Give up a task whose newest run waits, and tell of it: no run ends there that would. What is to be told is
        stored before, and counts if the run is found to be given up: a server that is killed in between tells it a
        minute later. Whether it was given up; raises what `give_up` raises."""
        if not self._settings.enabled:
            return await give_up()
        news = given_up_document(run, self._clock())
        await self._endings.put(OWNER, news.key, news.value, due_at=self._clock() + _LONGEST_GIVING_UP)
        if not await give_up():
            await self._endings.delete(OWNER, news.key)
            return False
        await self._endings.put(OWNER, news.key, news.value, due_at=self._clock())
        return True

    def _require_enabled(self) -> None:
        if not self._settings.enabled:
            raise PushNotificationNotSupportedError

    def _check_url(self, url: str) -> None:
        """Only what can be told without asking anybody: what a name leads to is looked at with each call, and told to
        nobody who could learn from it what stands inside a network."""
        try:
            target = self._urls.check(PURPOSE, url)
        except UrlRefusedError as error:
            raise InvalidParamsError(f"push notification URL refused: {error.reason}") from error  # noqa: TRY003  # the SDK's
        if target.host is None:
            raise InvalidParamsError("push notification URL refused: not an absolute URL with a host")  # noqa: TRY003  # the SDK's

    def _sealed(self, call: "Call", config_id: str, target: Target) -> KeptConfig:
        return keep_config(call.principal, config_id, target, version=call.version, vault=self._vault)


def _read_token(token: str) -> int:
    if not token:
        return 0
    if not token.isascii() or not token.isdigit() or len(token) > _LONGEST_PAGE_TOKEN:
        raise InvalidParamsError("not a page token of this server")  # noqa: TRY003  # the SDK's
    return int(token)


def _key(task_id: str) -> str:
    """The first run of a task, which nobody else's task has."""
    return task_id.rpartition(":")[2]


def _check_texts(config: TaskPushNotificationConfig) -> None:
    """What is sent in a header must be sendable, and nothing is longer than anybody needs."""
    who = config.authentication
    if len(config.id) > _LONGEST_ID or not config.id.isprintable():
        raise InvalidParamsError(f"a push config's id has at most {_LONGEST_ID} printable characters")  # noqa: TRY003  # the SDK's
    if who.scheme and not _SCHEME.fullmatch(who.scheme):
        raise InvalidParamsError("not an authentication scheme")  # noqa: TRY003  # the SDK's
    if who.credentials and not who.scheme:
        raise InvalidParamsError("credentials need an authentication scheme")  # noqa: TRY003  # the SDK's
    texts = (("token", config.token, _LONGEST_TOKEN), ("credentials", who.credentials, _LONGEST_CREDENTIALS))
    for name, text, longest in texts:
        if len(text) > longest or not text.isascii() or not text.isprintable() or text != text.strip():
            raise InvalidParamsError(f"the {name} cannot be sent as a header")  # noqa: TRY003  # the SDK's


def _merged(config: TaskPushNotificationConfig, before: Target | None) -> Target:
    """The target as it is given, with the secrets that are given as they were shown. Raises InvalidParamsError."""
    target = _target(config)
    is_shown = before is not None and target.url == hide_in_url(before.url)
    if is_shown and before is not None:
        target = replace(target, url=before.url)
    known = before if before is not None and before.url == target.url else Target(url="")
    if target.token == HIDDEN:
        target = replace(target, token=known.token)
    if target.credentials == HIDDEN:
        target = replace(target, credentials=known.credentials if known.scheme == target.scheme else "")
    if (config.token and not target.token) or (config.authentication.credentials and not target.credentials):
        raise InvalidParamsError(_UNKNOWN_SECRET)
    return target


def _target(config: TaskPushNotificationConfig) -> Target:
    who = config.authentication
    return Target(url=config.url, token=config.token, scheme=who.scheme, credentials=who.credentials)


def _shown(task_id: str, config_id: str, target: Target) -> TaskPushNotificationConfig:
    """The config as its owner reads it: that there is a secret, and no secret."""
    shown = TaskPushNotificationConfig(id=config_id, task_id=task_id, url=hide_in_url(target.url))
    if target.token:
        shown.token = HIDDEN
    if target.scheme:
        credentials = HIDDEN if target.credentials else ""
        shown.authentication.CopyFrom(AuthenticationInfo(scheme=target.scheme, credentials=credentials))
    return shown
