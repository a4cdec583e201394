"""The messages of a thread as a document, for those who may read the thread."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from longline.auth.principal import Principal
from longline.errors import NotFoundError
from longline.ids import parse_uuid
from longline.models.json import as_object
from longline.models.threads import ThreadQuery
from longline.services.server import Server
from longline.tools.resources import Resource, ResourceContext

URI: Final = "longline://threads/{thread_id}"
_MOST_PROPOSED: Final = 50


def thread_resource(server: Server) -> Resource:
    """Threads as `longline://threads/{thread_id}`: what a client that called an assistant reads the conversation by."""

    async def read(uri: str, context: ResourceContext) -> str:
        return await _read(server, context.principal, context.variables["thread_id"], uri)

    async def complete(
        variable: str,  # noqa: ARG001  # there is one
        typed: str,
        known: Mapping[str, str],  # noqa: ARG001  # nothing depends on others
        context: ResourceContext,
    ) -> Sequence[str]:
        query = ThreadQuery(limit=_MOST_PROPOSED, sort_by="updated_at")
        page = await server.threads.search(context.principal, query)
        return [thread.thread_id for thread in page.items if thread.thread_id.startswith(typed)]

    return Resource(
        uri=URI,
        name="thread",
        title="Conversation",
        description="The messages of a thread of yours, the oldest first.",
        media_type="application/json",
        read=read,
        complete=complete,
    )


async def _read(server: Server, principal: Principal, thread_id: str, uri: str) -> str:
    if parse_uuid(thread_id) is None:
        raise NotFoundError("resource", uri)
    try:
        thread = await server.threads.get(principal, thread_id)
    except NotFoundError:
        raise NotFoundError("resource", uri) from None
    values = as_object(orjson.loads(thread.values)) if thread.values else {}
    messages = values.get("messages")
    shown = {"thread_id": thread.thread_id, "status": thread.status, "messages": messages or []}
    return orjson.dumps(shown).decode()
