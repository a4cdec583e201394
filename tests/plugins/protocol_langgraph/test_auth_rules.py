"""The `on` handlers of an Auth object: which one runs, what it is told, what its answer means."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from langgraph_sdk import Auth
from langgraph_sdk.auth.types import BaseUser, StudioUser

from longline.auth.access import Action
from longline.auth.principal import ANONYMOUS, LOCAL, Principal
from longline.errors import ForbiddenError
from longline.models.filters import EVERYTHING, Equals
from longline_protocol_langgraph.custom_auth.errors import HandlerFailedError, HandlerForbiddenError
from longline_protocol_langgraph.custom_auth.rule import CustomAccessRule
from longline_protocol_langgraph.custom_auth.users import STUDIO, principal_from

pytestmark = pytest.mark.anyio

ANN = Principal(identity="ann", display_name="Ann", permissions=("read",), claims={"org": "o1"})


def ladder() -> tuple[Auth, list[str]]:
    auth, called = Auth(), []

    @auth.on
    async def everything(ctx: Auth.types.AuthContext, value: Any) -> None:
        called.append("everything")

    @auth.on(resources="*", actions="search")
    async def searches(ctx: Auth.types.AuthContext, value: Any) -> None:
        called.append("searches")

    @auth.on.threads
    async def threads(ctx: Auth.types.AuthContext, value: Any) -> None:
        called.append("threads")

    @auth.on.threads.create
    async def thread_create(ctx: Auth.types.AuthContext, value: Any) -> None:
        called.append("thread_create")

    return auth, called


@pytest.mark.parametrize(
    ("action", "handler"),
    [
        (Action("threads", "create"), "thread_create"),
        (Action("threads", "read"), "threads"),
        (Action("threads", "search"), "threads"),
        (Action("assistants", "search"), "searches"),
        (Action("assistants", "read"), "everything"),
        (Action("store", "put"), "everything"),
    ],
)
async def test_the_most_specific_handler_runs_and_no_other(action: Action, handler: str) -> None:
    auth, called = ladder()
    await CustomAccessRule(auth).decide(ANN, action, {})
    assert called == [handler]


async def test_a_handler_takes_the_owners_place_and_in_the_store_only_one_of_its_own() -> None:
    rule = CustomAccessRule(ladder()[0])
    assert rule.overrides(Action("threads", "read"))
    assert rule.overrides(Action("crons", "read"))
    assert not rule.overrides(Action("store", "put"))
    auth = Auth()

    @auth.on.store.put
    async def put(ctx: Auth.types.AuthContext, value: Any) -> None: ...

    rule = CustomAccessRule(auth)
    assert rule.overrides(Action("store", "put"))
    assert not rule.overrides(Action("store", "get"))
    assert not rule.overrides(Action("threads", "read"))
    assert await rule.decide(ANN, Action("threads", "read"), {}) == EVERYTHING


async def test_handlers_see_the_types_that_the_sdk_documents_and_what_they_write_counts() -> None:
    auth, seen = Auth(), {}

    @auth.on
    async def look(ctx: Auth.types.AuthContext, value: Any) -> dict[str, str]:
        seen.update(value, user=ctx.user, permissions=ctx.permissions, what=(ctx.resource, ctx.action))
        value.setdefault("metadata", {})["owner"] = ctx.user.identity
        value["metadata"]["team"] = {uuid}
        value["namespace"] = (ctx.user.identity, *value["namespace"])
        return {"owner": ctx.user.identity}

    uuid, thread = uuid4(), uuid4()
    value: dict[str, Any] = {
        "thread_id": str(thread), "run_id": None, "assistant_id": "agent", "end_time": "2026-01-02T00:00:00+00:00",
        "namespace": ["a", "b"], "limit": 3, "kwargs": {"input": {"x": 1}},
    }  # fmt: skip
    found = await CustomAccessRule(auth).decide(ANN, Action("threads", "create"), value)
    assert found == Equals("owner", "ann")
    user = seen.pop("user")
    assert isinstance(user, BaseUser)
    assert (user.identity, user["org"], user.org, "org" in user, user.display_name) == ("ann", "o1", "o1", True, "Ann")
    assert not hasattr(user, "nothing")
    assert seen["thread_id"] == UUID(str(thread))
    assert (seen["assistant_id"], seen["namespace"]) == ("agent", ("a", "b"))
    assert seen["end_time"] == datetime(2026, 1, 2, tzinfo=UTC)
    assert (seen["permissions"], seen["what"]) == (["read"], ("threads", "create"))
    assert value["metadata"] == {"owner": "ann", "team": [str(uuid)]}
    assert value["namespace"] == ["ann", "a", "b"]
    assert (value["thread_id"], value["kwargs"]) == (str(thread), {"input": {"x": 1}})


@pytest.mark.parametrize("answer", [None, True, {}])
async def test_an_answer_without_conditions_lets_everything_through(answer: object) -> None:
    assert await decided(answer) == EVERYTHING


async def test_false_is_forbidden() -> None:
    with pytest.raises(ForbiddenError, match=r"^forbidden$"):
        await decided(False)


@pytest.mark.parametrize(
    "answer",
    [
        0, 1, "ann", ["owner"], {"owner": {}}, {"owner": {"$ne": "ann"}}, {"owner": ["ann"]}, {"$not": {"owner": "a"}},
        {"owner": {"$eq": {"a": 1}}}, {"$or": {"owner": "ann"}}, {"$or": ["ann"]}, {7: "a"}, {"a": {"$contains": [[]]}},
    ],
)  # fmt: skip
async def test_an_answer_that_is_not_understood_lets_nothing_through(answer: object) -> None:
    with pytest.raises(HandlerFailedError):
        await decided(answer)


async def test_an_http_exception_of_a_handler_keeps_its_status() -> None:
    with pytest.raises(HandlerForbiddenError) as caught:
        await decided(Auth.exceptions.HTTPException(status_code=409, detail="not now"))
    assert (caught.value.status, caught.value.detail) == (409, "not now")


async def test_a_handler_that_breaks_is_a_fault_of_the_server() -> None:
    with pytest.raises(HandlerFailedError):
        await decided(RuntimeError("boom"))


@pytest.mark.parametrize("principal", [ANONYMOUS, LOCAL])
async def test_nobody_in_particular_is_not_shown_to_handlers(principal: Principal) -> None:
    with pytest.raises(ForbiddenError):
        await decided(None, principal)


async def decided(answer: object, principal: Principal = ANN) -> object:
    auth = Auth()

    @auth.on
    async def say(ctx: Auth.types.AuthContext, value: Any) -> Any:
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return await CustomAccessRule(auth).decide(principal, Action("threads", "read"), {})


async def test_who_only_says_so_is_no_studio_user_to_handlers() -> None:
    auth, seen = Auth(), []

    @auth.on
    async def look(ctx: Auth.types.AuthContext, value: Any) -> None:
        seen.append(isinstance(ctx.user, StudioUser))

    rule = CustomAccessRule(auth)
    made_up = principal_from({"identity": STUDIO.identity, "kind": "StudioUser"}, token=None)
    assert made_up is not None
    for principal in (made_up, STUDIO):
        await rule.decide(principal, Action("threads", "read"), {})
    assert seen == [False, True]
