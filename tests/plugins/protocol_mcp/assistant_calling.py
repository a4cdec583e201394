"""An open server without a socket, and the tools that its assistants are."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from longline.auth.principal import LOCAL, Principal
from longline.graphs.definition import GraphDefinition
from longline.graphs.registry import GraphRegistry
from longline.models.json import JsonObject, JsonValue
from longline.runtime import Runtime
from longline.services.assistants import NewAssistant
from longline.services.server import Server
from longline.tools.caller import SILENT, Answer, Caller, LogLevel, SilentCaller
from longline.tools.content import Text, ToolResult
from longline.tools.tool import ToolContext
from longline_protocol_mcp.assistants import AssistantTools

NOWHERE = "00000000-0000-4000-8000-000000000000"
ANNA, BERT = Principal(identity="anna"), Principal(identity="bert")


class Heard(SilentCaller):
    """A caller that keeps what it hears, and gives the answers that it was made with, in turn."""

    def __init__(self, *answers: Answer) -> None:
        self.progress_told: list[tuple[float, str | None]] = []
        self.logged: list[JsonValue] = []
        self.asked: list[tuple[str, JsonObject]] = []
        self._answers = list(answers)

    @property
    def hears_progress(self) -> bool:
        return True

    async def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        self.progress_told.append((done, message))

    async def log(self, level: LogLevel, data: JsonValue, logger: str | None = None) -> None:
        self.logged.append(data)

    async def ask(self, question: str, schema: JsonObject) -> Answer:
        if not self._answers:
            return await super().ask(question, schema)
        self.asked.append((question, schema))
        return self._answers.pop(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The assistants of a server, as tools."""

    server: Server
    tools: AssistantTools

    async def names(self, principal: Principal = LOCAL) -> list[str]:
        """What the caller's tools are called."""
        return [tool.name for tool in await self.tools.list(principal)]

    async def call(
        self, name: str, arguments: JsonObject, *, principal: Principal = LOCAL, caller: Caller = SILENT
    ) -> ToolResult:
        """What the tool answers."""
        tool = await self.tools.find(principal, name)
        assert tool is not None, name
        result = await tool.run(arguments, ToolContext(principal=principal, caller=caller))
        assert isinstance(result, ToolResult)
        return result

    async def add(self, name: str, graph_id: str, principal: Principal = LOCAL, **more: str) -> str:
        """An assistant's id."""
        new = NewAssistant(graph_id=graph_id, name=name, **more)  # type: ignore[arg-type]  # only texts are given
        return (await self.server.assistants.create(principal, new)).assistant_id


@asynccontextmanager
async def open_tools(folder: Path, graphs: Mapping[str, object], plugins: Sequence[str] = ()) -> AsyncIterator[Tools]:
    """A server on a file of the folder with these graphs."""
    runtime = Runtime(
        ("storage_sqlite", *plugins), {"server": {"database": f"sqlite:///{folder}/tools.db", "drain_seconds": 0}}
    )
    runtime.graphs = GraphRegistry({graph_id: _definition(graph_id, graph) for graph_id, graph in graphs.items()})
    async with runtime.open() as opened:
        tools = AssistantTools(opened.server)
        yield Tools(server=opened.server, tools=tools)
        await tools.close()


def words(result: ToolResult) -> str:
    """All that the answer says in text."""
    return "\n".join(block.text for block in result.content if isinstance(block, Text))


def _definition(graph_id: str, graph: object) -> GraphDefinition:
    if isinstance(graph, GraphDefinition):
        return graph
    return GraphDefinition(graph_id=graph_id, origin="the test", load=lambda: graph)
