"""With encryption a task works as without, and what was said stands in the files nowhere in clear."""

import os
from pathlib import Path

import pytest
from tests.plugins.protocol_a2a.agents import scripted
from tests.plugins.protocol_a2a.talking import CANCELED, COMPLETED, REJECTED, WAITS, said, states, talker, texts
from tests.plugins.protocol_langgraph.served import serve_graphs

pytestmark = pytest.mark.anyio

SECRET = "marker-91ab-of-the-test"


async def test_tasks_work_behind_a_cipher(tmp_path: Path) -> None:
    handlers, data = tmp_path / "sealing.py", tmp_path / "data"
    data.mkdir()
    handlers.write_text(
        "from tests.core.storage.handlers import aes, new_encryption\n"
        f"encryption = aes(bytes.fromhex({os.urandom(32).hex()!r}))\n"
    )
    settings = {"encryption": {"path": f"{handlers}:encryption"}}
    plugins = ("storage_sqlite", "protocol_a2a")
    async with (
        serve_graphs(data, {"scripted": scripted()}, settings, plugins=plugins) as served,
        talker(served.url, "scripted") as talking,
    ):
        asked = await talking.task(said(f"ask {SECRET}?", context_id=f"context {SECRET}"))
        assert (asked.status.state, asked.context_id) == (WAITS, f"context {SECRET}")
        assert [task.id for task in (await talking.list(status=WAITS)).tasks] == [asked.id]
        done = await talking.task(said(SECRET, task_id=asked.id))
        assert (done.status.state, texts(done)) == (COMPLETED, [f"you said ['{SECRET}']"])
        assert [message.parts[0].text for message in done.history][1:3] == [f"{SECRET}?", SECRET]
        rejected = await talking.task(f"reject {SECRET}")
        assert (await talking.list(status=REJECTED)).tasks[0].status == rejected.status
        assert (await talking.cancel((await talking.task("ask more?")).id)).status.state == CANCELED
        assert states([event async for event in talking.stream(f"hi {SECRET}")])[-1] == "completed"
    stored = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    assert stored
    assert SECRET.encode() not in stored
