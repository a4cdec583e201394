"""With encryption nothing that the handlers encrypt stands in the files in clear, and nobody notices."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph.graph import START, StateGraph
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from tests.plugins.protocol_langgraph.conftest import Serve
from tests.plugins.protocol_langgraph.graphs import Text, asking, chat, counting, nested, seeing
from tests.plugins.protocol_langgraph.served import Served

from longline.errors import EncryptionError, SettingsError

pytestmark = pytest.mark.anyio

SECRET = "marker-7c1f-of-the-test"


def telling() -> object:
    """Fails with an error that says what it was given."""

    def tell(state: Text) -> Text:
        raise ValueError(state.get("value"))

    builder = StateGraph(Text)
    builder.add_node("tell", tell)
    builder.add_edge(START, "tell")
    return builder.compile()


GRAPHS = {
    "count": counting(), "chat": chat(), "ask": asking(), "tell": telling(), "nested": nested(), "see": seeing(),
}  # fmt: skip
TOKENS = {"tokens": {"ann": "ann-token"}}


def project(folder: Path, key: bytes, extra: str = "") -> dict[str, Any]:
    """Settings with a file of handlers that use this key."""
    file = folder / f"sealing_{key.hex()[:8]}_{abs(hash(extra))}.py"
    file.write_text(
        "from tests.core.storage.handlers import aes, new_encryption\n"
        f"encryption = aes(bytes.fromhex({key.hex()!r}))\n{extra}\n"
    )
    return {"encryption": {"path": f"{file}:encryption"}}


@pytest.fixture
def key() -> bytes:
    return os.urandom(32)


@pytest.fixture
async def sealed(anyio_backend: str, serve: Serve, tmp_path: Path, key: bytes) -> AsyncIterator[Served]:
    async with serve(GRAPHS, project(tmp_path, key)) as served:
        yield served


async def live(sdk: LangGraphClient, http: httpx.AsyncClient) -> None:
    """Everything that a project does with a server, with the secret wherever something can be said."""
    said = {"note": SECRET}
    assistant = await sdk.assistants.create(
        "ask", metadata=said, config={"configurable": said}, name="a name is not secret"
    )
    await sdk.assistants.update(assistant["assistant_id"], metadata=said, context=said)
    assert (await sdk.assistants.get(assistant["assistant_id"]))["metadata"]["note"] == SECRET
    thread = (await sdk.threads.create(metadata=said))["thread_id"]
    asked = await sdk.runs.wait(
        thread,
        assistant["assistant_id"],
        input={"topic": SECRET},
        metadata=said,
        config={"configurable": {"more": SECRET}},
    )
    assert SECRET in str(asked)
    assert SECRET in str((await sdk.threads.get(thread))["interrupts"])
    parts = [
        part
        async for part in sdk.runs.stream(
            thread, "ask", command={"resume": SECRET}, stream_mode=["values", "debug"], stream_resumable=True
        )
    ]
    assert SECRET in str(parts)
    run = (await sdk.runs.list(thread))[0]
    assert SECRET in str(run["kwargs"])
    rejoined = await http.get(f"/threads/{thread}/runs/{run['run_id']}/stream", headers={"last-event-id": "-1"})
    assert SECRET in rejoined.text
    await sdk.threads.update_state(thread, {"topic": f"{SECRET} again"})
    copied = await sdk.threads.copy(thread)
    assert f"{SECRET} again" in str(await sdk.threads.get_state(copied["thread_id"]))
    history = await sdk.threads.get_history(thread, limit=20)
    assert SECRET in str(history[-1])
    assert len(history) > 3
    await sdk.runs.wait(None, "nested", input={"value": SECRET})
    other = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(other, "nested", input={"value": SECRET})
    await sdk.runs.wait(other, "see", input={}, config={"configurable": said}, metadata=said)
    await sdk.store.put_item(["notes"], "one", {"text": SECRET, "kind": "memo"})
    assert (await sdk.store.get_item(["notes"], "one"))["value"]["text"] == SECRET
    found = await sdk.store.search_items(["notes"], filter={"kind": "memo"})
    assert [item["value"]["text"] for item in found["items"]] == [SECRET]
    cron = await sdk.crons.create("count", schedule="0 0 1 1 *", input={"text": SECRET}, metadata=said)
    assert SECRET in (await http.get(f"/runs/crons/{cron['cron_id']}")).text
    pending = await http.post(
        f"/threads/{other}/runs", json={"assistant_id": "count", "input": {"t": SECRET}, "after_seconds": 3600}
    )
    assert SECRET in str(pending.json()["kwargs"])
    await sdk.runs.cancel(other, pending.json()["run_id"])
    opened = [part async for part in sdk.runs.stream(other, "count", input={"x": 1}, feedback_keys=["thumbs"])]
    await http.post(opened[-1].data["thumbs"], json={"comment": SECRET})
    feedback = await http.get(f"/threads/{other}/runs/{opened[0].data['run_id']}/feedback")
    assert [one["comment"] for one in feedback.json()] == [SECRET]
    broken = (await sdk.threads.create())["thread_id"]
    await sdk.runs.wait(broken, "tell", input={"value": SECRET}, raise_error=False)
    assert SECRET in str((await http.get(f"/threads/{broken}")).json()["error"])


def in_clear(database: Path) -> list[str]:
    """The files of a database that hold the secret as it is."""
    files = [file for file in database.parent.iterdir() if file.name.startswith(database.name)]
    assert files
    return [file.name for file in files if SECRET.encode() in file.read_bytes()]


async def test_nothing_secret_stands_in_the_files(sealed: Served) -> None:
    async with get_client(url=sealed.url, api_key=None) as sdk, httpx.AsyncClient(base_url=sealed.url) as http:
        await live(sdk, http)
    assert in_clear(Path(sealed.server.storage_facts.place)) == []


async def test_without_encryption_the_same_stands_in_clear(serve: Serve) -> None:
    """That the test above would find what it looks for."""
    async with serve(GRAPHS) as served:
        async with get_client(url=served.url, api_key=None) as sdk, httpx.AsyncClient(base_url=served.url) as http:
            await live(sdk, http)
        assert in_clear(Path(served.server.storage_facts.place)) != []


async def test_it_is_read_again_after_a_restart(serve: Serve, tmp_path: Path, key: bytes) -> None:
    async with serve(GRAPHS, project(tmp_path, key)) as served, get_client(url=served.url, api_key=None) as sdk:
        thread = (await sdk.threads.create())["thread_id"]
        await sdk.runs.wait(thread, "nested", input={"value": SECRET})
    async with serve(GRAPHS, project(tmp_path, key)) as served, get_client(url=served.url, api_key=None) as sdk:
        assert SECRET in str((await sdk.threads.get_state(thread))["values"])


async def test_what_was_stored_before_is_still_read(serve: Serve, tmp_path: Path, key: bytes) -> None:
    async with serve(GRAPHS) as served, get_client(url=served.url, api_key=None) as sdk:
        thread = (await sdk.threads.create(metadata={"note": SECRET}))["thread_id"]
        await sdk.runs.wait(thread, "count", input={"x": 1})
    async with serve(GRAPHS, project(tmp_path, key)) as served, get_client(url=served.url, api_key=None) as sdk:
        assert (await sdk.threads.get(thread))["metadata"]["note"] == SECRET
        assert (await sdk.runs.wait(thread, "count", input={}))["x"] == 3


async def test_another_key_is_refused_at_the_start(serve: Serve, tmp_path: Path, key: bytes) -> None:
    async with serve(GRAPHS, project(tmp_path, key)):
        pass
    with pytest.raises(EncryptionError, match="cannot decrypt assistant"):
        async with serve(GRAPHS, project(tmp_path, os.urandom(32))):
            pass


async def test_a_thing_of_another_key_is_answered_with_a_sentence(serve: Serve, tmp_path: Path, key: bytes) -> None:
    async with serve({}, project(tmp_path, key)) as served, get_client(url=served.url, api_key=None) as sdk:
        thread = (await sdk.threads.create(metadata={"note": SECRET}))["thread_id"]
    async with serve({}) as served, get_client(url=served.url, api_key=None) as sdk:
        await sdk.threads.create()  # the start looks at the newest only
    async with serve({}, project(tmp_path, os.urandom(32))) as served, httpx.AsyncClient(base_url=served.url) as http:
        answer = await http.get(f"/threads/{thread}")
        assert answer.status_code == 503
        assert "keys do not fit" in answer.json()["detail"]


async def test_owners_are_found_with_authentication(serve: Serve, tmp_path: Path, key: bytes) -> None:
    async with serve(GRAPHS, {**project(tmp_path, key), "static_tokens": TOKENS}) as served:
        headers = {"authorization": "Bearer ann-token"}
        async with httpx.AsyncClient(base_url=served.url, headers=headers) as http:
            thread = (await http.post("/threads", json={"metadata": {"note": SECRET}})).json()["thread_id"]
            assert (await http.get(f"/threads/{thread}")).json()["metadata"]["note"] == SECRET


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ("encryption = 5", "a langgraph_sdk.Encryption object is expected, got int"),
        ("encryption = new_encryption()", "no handlers"),
        ("encryption._blob_decryptor = None", "must come in pairs"),
        ("async def ctx(user, ctx): return {}\nencryption.context(ctx)", "encryption.context is not supported"),
        ("encryption = missing", "NameError"),
    ],
)
async def test_what_cannot_be_honoured_stops_the_start(
    serve: Serve, tmp_path: Path, key: bytes, extra: str, sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        async with serve(GRAPHS, project(tmp_path, key, extra)):
            pass


async def test_vectors_beside_encrypted_items_stop_the_start(serve: Serve, tmp_path: Path, key: bytes) -> None:
    with pytest.raises(SettingsError, match="vectors tell what the values say"):
        async with serve(GRAPHS, {**project(tmp_path, key), "items": {"index": {"dims": 3, "embed": "a:b"}}}):
            pass


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ("async def more(ctx, data): return {**data, 'new': 1}\nencryption._json_encryptor = more", "keys"),
        ("async def bad(ctx, data): return {k: object() for k in data}\nencryption._json_encryptor = bad", "no JSON"),
        ("async def bad(ctx, data): return data\nencryption._json_decryptor = bad", "do not give back"),
        ("async def bad(ctx, data): raise KeyError('k')\nencryption._blob_encryptor = bad", "KeyError"),
    ],
)
async def test_handlers_that_do_not_work_stop_the_start(
    serve: Serve, tmp_path: Path, key: bytes, extra: str, sentence: str
) -> None:
    with pytest.raises(EncryptionError, match=sentence):
        async with serve(GRAPHS, project(tmp_path, key, extra)):
            pass


async def test_an_owner_that_cannot_be_searched_for_stops_the_start(serve: Serve, tmp_path: Path, key: bytes) -> None:
    extra = (
        "sealed = encryption._json_encryptor\n"
        "async def all_of_it(ctx, data): return {k: (await sealed(ctx, {'x': v}))['x'] for k, v in data.items()}\n"
        "encryption._json_encryptor = all_of_it"
    )
    with pytest.raises(SettingsError, match="must leave the key 'owner'"):
        async with serve(GRAPHS, {**project(tmp_path, key, extra), "static_tokens": TOKENS}):
            pass


async def test_runs_on_one_thread_wait_and_are_displaced_as_ever(sealed: Served) -> None:
    async with get_client(url=sealed.url, api_key=None) as sdk:
        thread = (await sdk.threads.create())["thread_id"]
        await asyncio.gather(*(sdk.runs.wait(thread, "count", input={}) for _ in range(5)))
        assert (await sdk.threads.get_state(thread))["values"]["x"] == 5
