"""Where nobody listens, a tool may speak, and is told that it cannot ask."""

import pytest

from longline.auth.principal import LOCAL
from longline.errors import CallerCannotError
from longline.tools.caller import SILENT, ModelMessage, ModelReply, ModelRequest
from longline.tools.content import Image, Text
from longline.tools.tool import ToolContext


@pytest.mark.anyio
async def test_nobody_hears_and_nobody_answers() -> None:
    caller = ToolContext(principal=LOCAL).caller
    assert caller is SILENT
    assert not caller.hears_progress
    await caller.progress(1, 2, "half")
    await caller.log("info", {"a": 1})
    await caller.release()
    with pytest.raises(CallerCannotError, match="cannot be asked"):
        await caller.ask("Sure?", {"type": "object", "properties": {}})
    with pytest.raises(CallerCannotError, match="cannot lend its model"):
        await caller.ask_model(ModelRequest(messages=[ModelMessage(role="user", content=Text("hi"))], max_tokens=9))


def test_the_text_of_a_reply_is_all_its_text() -> None:
    content = (Text("a"), Image(b"", "image/png"), Text("b"))
    assert ModelReply(content=content, model="m").text == "ab"
