"""The cards that callers get who showed who they are: with the tools of the agent."""

from a2a.types import AgentCard
from a2a.utils.errors import TaskNotFoundError, UnsupportedOperationError
from google.protobuf.json_format import ParseDict

from longline.services.server import Server
from longline_protocol_a2a.agents import find_agent
from longline_protocol_a2a.calls import Call
from longline_protocol_a2a.cards import CardMaker
from longline_protocol_a2a.errors import UnknownAgentError
from longline_protocol_a2a.skills import tool_skills


class AssistantCards:
    """See ExtendedCards."""

    def __init__(self, server: Server, maker: CardMaker) -> None:
        self._server = server
        self._maker = maker

    async def extended(self, call: Call) -> AgentCard:
        """See ExtendedCards. Where nobody shows who they are, the plain card has everything."""
        if not self._maker.schemes:
            raise UnsupportedOperationError(message="The agent has no extended card: its card has everything")
        try:
            assistant = await find_agent(self._server, call.principal, call.assistant_id)
        except UnknownAgentError as error:  # it went since the call began
            raise TaskNotFoundError(message=str(error)) from error
        tools = await tool_skills(self._server, call.principal, assistant)
        card = AgentCard()
        ParseDict(self._maker.card(assistant, call.url, tools=tools), card)
        return card
