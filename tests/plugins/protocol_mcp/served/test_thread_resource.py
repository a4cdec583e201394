"""Threads as documents: their messages, for those who may read them."""

import json

import pytest
from tests.plugins.protocol_mcp.assistant_graphs import parrot
from tests.plugins.protocol_mcp.raw import error, request, result
from tests.plugins.protocol_mcp.served.conftest import TOKENS, Serve

from longline.auth.principal import Principal

pytestmark = pytest.mark.anyio


async def test_a_caller_reads_the_messages_of_its_own_threads_only(serve: Serve) -> None:
    async with serve(mcp={"thread_resource": True}, graphs={"parrot": parrot()}, **TOKENS) as client:
        threads = client.served.server.threads
        messages = [{"type": "human", "content": "hello"}]
        made = await threads.create(Principal(identity="ann"), metadata={"graph_id": "parrot"})
        await threads.update_state(
            Principal(identity="ann"), made.thread_id, values={"messages": messages}, as_node=None
        )
        uri = f"longline://threads/{made.thread_id}"
        ann, bob = client.as_user("ann"), client.as_user("bob")
        (content,) = result(await ann.post(request("resources/read", {"uri": uri})))["contents"]
        document = json.loads(content["text"])
        assert document["thread_id"] == made.thread_id
        assert [message["content"] for message in document["messages"]] == ["hello"]
        for who, missing in ((bob, uri), (ann, uri[:-1]), (ann, "longline://threads/nope"), (ann, uri[:-1] + "z")):
            refused = error(await who.post(request("resources/read", {"uri": missing})))
            assert (refused["code"], refused["message"]) == (-32002, "Resource not found")
        ref = {"type": "ref/resource", "uri": "longline://threads/{thread_id}"}
        for who, found in ((ann, [made.thread_id]), (bob, [])):
            asked = {"ref": ref, "argument": {"name": "thread_id", "value": made.thread_id[:4]}}
            assert result(await who.post(request("completion/complete", asked)))["completion"]["values"] == found


async def test_it_is_off_unless_the_operator_wants_it(serve: Serve) -> None:
    async with serve() as client:
        assert error(await client.post(request("resources/list")))["code"] == -32601
