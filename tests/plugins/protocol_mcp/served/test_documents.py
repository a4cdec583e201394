"""Prompts and resources of plugins, through the SDK's own client over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from mcp import McpError, types
from pydantic import AnyUrl
from tests.plugins.protocol_mcp.raw import INITIALIZE, result
from tests.plugins.protocol_mcp.served.conftest import Serve, connected

from longline.errors import NotFoundError
from longline.tools.content import Text
from longline.tools.prompts import Prompt, PromptArgument, PromptContext, PromptMessage
from longline.tools.resources import Resource, ResourceContext

pytestmark = pytest.mark.anyio


async def _render(arguments: Mapping[str, str], context: PromptContext) -> Sequence[PromptMessage]:
    return [PromptMessage(role="user", content=Text(f"Tell me of {arguments['what']}"))]


async def _complete(name: str, typed: str, known: Mapping[str, str], context: Any) -> Sequence[str]:
    return [f"{typed}{number}" for number in range(150)] if name == "what" else []


PROMPT = Prompt(
    name="tell", description="Tell.", render=_render, complete=_complete,
    arguments=(PromptArgument(name="what", required=True),),
)  # fmt: skip


async def test_prompts_are_listed_rendered_and_completed(serve: Serve) -> None:
    async with serve(prompts=[PROMPT]) as client, connected(client) as session:
        (prompt,) = (await session.list_prompts()).prompts
        assert (prompt.name, prompt.arguments[0].required) == ("tell", True)
        (message,) = (await session.get_prompt("tell", {"what": "cats"})).messages
        assert (message.role, message.content.text) == ("user", "Tell me of cats")
        for name, arguments in (("nope", {}), ("tell", {}), ("tell", {"what": "a", "more": "b"})):
            with pytest.raises(McpError) as caught:
                await session.get_prompt(name, arguments)
            assert caught.value.error.code == -32602
        ref = types.PromptReference(type="ref/prompt", name="tell")
        found = (await session.complete(ref, {"name": "what", "value": "c"})).completion
        assert (len(found.values), found.values[0], found.total, found.hasMore) == (100, "c0", 150, True)


class Shelf:
    """Notes that change."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.watching = asyncio.Event()

    async def read(self, uri: str, context: ResourceContext) -> str:
        if context.variables.get("name") == "missing":
            raise NotFoundError("resource", uri)
        return f"a note for {context.variables.get('name', 'all')}"

    async def watch(self, uri: str, context: ResourceContext) -> AsyncIterator[None]:
        self.watching.set()
        try:
            while True:
                await self.changed.wait()
                self.changed.clear()
                yield
        finally:
            self.watching.clear()

    @property
    def resources(self) -> list[Resource]:
        return [
            Resource(uri="notes://all", name="all", read=self.read, watch=self.watch, media_type="text/plain"),
            Resource(uri="notes://of/{name}", name="of", read=self.read),
        ]


async def test_resources_are_listed_and_read(serve: Serve) -> None:
    async with serve(resources=Shelf().resources) as client, connected(client) as session:
        assert [str(one.uri) for one in (await session.list_resources()).resources] == ["notes://all"]
        found = await session.list_resource_templates()
        assert [one.uriTemplate for one in found.resourceTemplates] == ["notes://of/{name}"]
        (content,) = (await session.read_resource(AnyUrl("notes://of/ann"))).contents
        assert content.text == "a note for ann"
        for uri in ("notes://of/missing", "notes://nothing/at/all"):
            with pytest.raises(McpError) as caught:
                await session.read_resource(AnyUrl(uri))
            assert (caught.value.error.code, caught.value.error.data) == (-32002, {"uri": uri})


async def test_who_subscribed_is_told_of_changes_until_it_leaves(serve: Serve) -> None:
    shelf, told = Shelf(), asyncio.Event()

    async def hear(message: object) -> None:
        match message:
            case types.ServerNotification(root=types.ResourceUpdatedNotification(params=params)):
                assert str(params.uri) == "notes://all"
                told.set()

    async with serve(resources=shelf.resources) as client:
        assert result(await client.post(INITIALIZE))["capabilities"]["resources"]["subscribe"] is True
        async with connected(client, message_handler=hear) as session:
            await session.subscribe_resource(AnyUrl("notes://all"))
            await asyncio.wait_for(shelf.watching.wait(), 10)
            shelf.changed.set()
            await asyncio.wait_for(told.wait(), 10)
            await session.unsubscribe_resource(AnyUrl("notes://all"))
            assert not shelf.watching.is_set()
            await session.subscribe_resource(AnyUrl("notes://all"))
            await asyncio.wait_for(shelf.watching.wait(), 10)
        async with asyncio.timeout(10):
            while shelf.watching.is_set():
                await asyncio.sleep(0.01)


async def test_without_a_session_nobody_can_subscribe(serve: Serve) -> None:
    async with serve(resources=Shelf().resources, mcp={"sessions": "stateless"}) as client:
        capabilities = result(await client.post(INITIALIZE))["capabilities"]
        assert capabilities["resources"] == {"subscribe": False, "listChanged": False}
