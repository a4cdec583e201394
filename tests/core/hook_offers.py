"""Tests of the hooks that offer something to callers: tools, prompts, documents. `test_hooks.py` runs them."""

from collections.abc import Callable

import pytest

from longline.auth.principal import LOCAL, Principal
from longline.errors import InvalidInputError, NotFoundError
from longline.runtime import Runtime
from longline.tools.content import Text
from longline.tools.prompts import PromptContext
from longline.tools.resources import ResourceContext
from longline.tools.tool import ToolContext

CONTEXT = ToolContext(principal=Principal(identity="ann"))


@pytest.mark.anyio
async def test_hook_register_tools(make_runtime: Callable[..., Runtime]) -> None:
    tool = make_runtime("register_tools").tools.get("count_words")
    assert await tool.run({"text": "one two"}, CONTEXT) == 2
    with pytest.raises(InvalidInputError):
        await tool.run({}, CONTEXT)


@pytest.mark.anyio
async def test_hook_register_prompts(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime("register_prompts").open() as opened:
        prompt = opened.server.prompts.get("translate")
        context = PromptContext(principal=LOCAL)
        (message,) = await prompt.messages({"language": "dutch", "text": "Hi"}, context)
        assert message.content == Text("Translate into dutch, and keep the tone: Hi")
        assert prompt.complete is not None
        assert await prompt.complete("language", "d", {}, context) == ["danish", "dutch"]


@pytest.mark.anyio
async def test_hook_register_resources(make_runtime: Callable[..., Runtime]) -> None:
    async with make_runtime("register_resources").open() as opened:
        resource, variables = opened.server.resources.find("rules://go")
        context = ResourceContext(principal=LOCAL, variables=variables)
        (file,) = await resource.files("rules://go", context)
        assert (file.text, file.media_type) == ("Black begins.", "text/plain")
        with pytest.raises(NotFoundError):
            await resource.files("rules://poker", ResourceContext(principal=LOCAL, variables={"game": "poker"}))
