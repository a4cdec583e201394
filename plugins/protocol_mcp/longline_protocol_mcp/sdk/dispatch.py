"""The SDK's server, without what it does to the process around it."""

import logging

from mcp import types
from mcp.server.lowlevel import Server as Protocol
from mcp.server.session import ServerSession
from mcp.shared.session import RequestResponder

from longline_protocol_mcp.sdk.conversation import Conversation

logger = logging.getLogger(__name__)

_Message = RequestResponder[types.ClientRequest, types.ServerResult] | types.ClientNotification | Exception


class Dispatch(Protocol[Conversation]):
    """The SDK collects the warnings of each request with `warnings.catch_warnings`, which is the whole process's: after
    two requests that overlap, whatever warns goes into a list that nobody reads. And it logs messages that nobody waits
    for, with what they hold."""

    async def _handle_message(
        self,
        message: _Message,
        session: ServerSession,
        lifespan_context: Conversation,
        raise_exceptions: bool = False,  # the SDK's signature
    ) -> None:
        match message:
            case RequestResponder(request=types.ClientRequest(root=request)):
                with message:
                    await self._handle_request(message, request, session, lifespan_context, raise_exceptions)
            case types.ClientNotification(root=told):
                await self._handle_notification(told)
            case _:
                logger.debug("mcp message ignored")
