"""What an agent says that it can do: what its assistant's metadata says, and the tools in its graph."""

import asyncio
import logging
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from longline.auth.principal import Principal
from longline.errors import LonglineError
from longline.models.assistants import Assistant
from longline.models.json import JsonObject, JsonValue
from longline.services.server import Server
from longline_protocol_a2a.media import DEFAULT_INPUT_MODES

logger = logging.getLogger(__name__)

METADATA_KEY: Final = "a2a"
"""The key of an assistant's metadata that says what its card shows."""
OUTPUT_MODES: Final = ("application/json", "text/plain")
_MOST_TOOLS: Final = 100
_LOOK_SECONDS: Final = 15.0
"""How long a graph may take to be there. Its factory may ask other servers."""
_LONGEST: Final = 500

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
_Mode = Annotated[str, StringConstraints(pattern=r"^[\w.+*-]+/[\w.+*-]+$", max_length=200)]


class DeclaredSkill(BaseModel):
    """A skill as an assistant's metadata says it."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    id: _Text
    name: _Text
    description: _Text
    tags: list[_Text] = Field(default_factory=list, max_length=50)
    examples: list[_Text] = Field(default_factory=list, max_length=50)


class Declared(BaseModel):
    """What an assistant's metadata may say about its card, under `a2a`."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    skills: list[DeclaredSkill] = Field(default_factory=list, max_length=100)
    input_modes: list[_Mode] = Field(list(DEFAULT_INPUT_MODES), alias="inputModes", min_length=1, max_length=50)
    output_modes: list[_Mode] = Field(list(OUTPUT_MODES), alias="outputModes", min_length=1, max_length=50)


def declared_by(assistant: Assistant) -> Declared:
    """What the assistant's metadata says. What cannot be used is left out, and logged."""
    said = assistant.metadata.get(METADATA_KEY)
    try:
        return Declared.model_validate(said if isinstance(said, dict) else {})
    except ValidationError as error:
        places = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors(include_url=False)[:5])
        logger.warning("card not as declared", extra={"assistant_id": assistant.assistant_id, "places": places})
        return Declared.model_validate({})


def skills_of(assistant: Assistant, declared: Declared, description: str) -> list[JsonObject]:
    """The skills that the metadata declares; without any, the assistant itself is the one."""
    if declared.skills:
        return [
            _skill(skill.id, skill.name, skill.description, skill.tags, skill.examples) for skill in declared.skills
        ]
    tags = ["assistant", assistant.graph_id]
    return [_skill(f"{assistant.assistant_id}-main", assistant.name, description, tags, [])]


async def tool_skills(server: Server, principal: Principal, assistant: Assistant) -> list[JsonObject]:
    """The tools of the assistant's graph, one skill each; none where the graph cannot be looked at."""
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            async with await server.assistants.open_graph(principal, assistant.assistant_id) as (graph, _, _):
                tools = [tool for node in _nodes_of(graph) for tool in _tools_in(getattr(node, "bound", None))]
    except (LonglineError, TimeoutError) as error:
        reason = error.code if isinstance(error, LonglineError) else "it took too long"
        logger.info("tools not looked at", extra={"assistant_id": assistant.assistant_id, "reason": reason})
        return []
    return [
        _skill(name, name, (text.strip() or name)[:_LONGEST], ["tool"], [])
        for name, text in sorted(dict(tools).items())[:_MOST_TOOLS]
    ]


def _nodes_of(graph: object) -> list[object]:
    """The nodes of a graph; none of one that runs elsewhere."""
    nodes = getattr(graph, "nodes", None)
    return list(nodes.values()) if isinstance(nodes, dict) else []


def _tools_in(node: object) -> list[tuple[str, str]]:
    """The tools of a node that calls tools (LangGraph's ToolNode knows them by name)."""
    known = getattr(node, "tools_by_name", None)
    if not isinstance(known, dict):
        return []
    return [(str(name), str(getattr(tool, "description", ""))) for name, tool in known.items()]


def _skill(skill_id: str, name: str, description: str, tags: list[str], examples: list[str]) -> JsonObject:
    listed: JsonValue = [*(tags or ["assistant"])]
    skill: JsonObject = {"id": skill_id, "name": name, "description": description, "tags": listed}
    return {**skill, "examples": [*examples]} if examples else skill
