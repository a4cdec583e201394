"""Rows of an agent → the assistant that mirrors it. Pure: it asks nobody.

What is wrong with a part costs that part, and is told; an agent is broken only where nothing of it could be shown to
the right people.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from math import isfinite
from typing import Final
from urllib.parse import urlsplit

import orjson

from longline.errors import BrokenAgentError
from longline.ids import parse_uuid
from longline.models.json import JsonObject, JsonValue
from longline.services.sources import SourcedAssistant
from longline_supabase_sync.database import Row
from longline_supabase_sync.names import AGENT_KEY, ORGANIZATION_KEY

RESERVED: Final = frozenset({"model_name", "system_prompt", "agent_tools", "mcp_config", ORGANIZATION_KEY})
"""Configurable keys that sampling parameters never set."""
_UNNAMED: Final = "Untitled"
_YES: Final = frozenset({"true", "t", "yes", "y", "on", "1"})  # as the query says it too
_NO: Final = frozenset({"false", "f", "no", "n", "off", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What agents get that do not say it."""

    graph_id: str = "agent"
    model: str = "openai:gpt-4o"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """An agent as an assistant; `complaints` are what was left out of it, in words without secrets."""

    assistant: SourcedAssistant
    is_global: bool
    complaints: Sequence[str]


def group_rows(rows: Iterable[Row]) -> Mapping[str, Sequence[Row]]:
    """The rows of each agent by its id, in the order in which agents first appear."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(_text(row.get("agent_id")), []).append(row)
    return grouped


def map_agent(rows: Sequence[Row], defaults: Defaults) -> Mapped:
    """The assistant of the agent that these rows, at least one, tell of. Raises BrokenAgentError."""
    row = rows[0]
    shown = _text(row.get("agent_id"))
    agent_id = parse_uuid(shown)
    if agent_id is None:
        raise BrokenAgentError(shown[:100], "its id is no UUID")
    organization_id = parse_uuid(_text(row.get("organization_id")))
    complaints: list[str] = []
    is_global = _flag(row, "is_global", complaints)
    if organization_id is None and not (is_global and row.get("organization_id") is None):
        raise BrokenAgentError(agent_id, "it has no organisation, so nobody may see it")
    configurable = _sampling(row, complaints)
    configurable["model_name"] = _model(row, complaints) or defaults.model
    if row.get("system_prompt") is not None:
        configurable["system_prompt"] = _text(row["system_prompt"])
    builtin, servers = _tools(rows, complaints)
    configurable["agent_tools"] = [*builtin]
    configurable["mcp_config"] = {"servers": [*servers]}
    metadata: JsonObject = {AGENT_KEY: agent_id}
    if organization_id is not None:
        configurable[ORGANIZATION_KEY] = metadata[ORGANIZATION_KEY] = organization_id
    assistant = SourcedAssistant(
        key=agent_id,
        assistant_id=agent_id,
        graph_id=_text(row.get("graph_id")).strip() or defaults.graph_id,
        name=_text(row.get("name")).strip() or _UNNAMED,
        config={"configurable": configurable},
        metadata=metadata,
    )
    return Mapped(assistant=assistant, is_global=is_global, complaints=complaints)


def _model(row: Row, complaints: list[str]) -> str:
    """The name of the engine's model; empty if there is none."""
    found, engine = _text(row.get("model_name")).strip(), _text(row.get("engine_id"))
    if not found and engine and parse_uuid(engine) is None:
        complaints.append("engine_id is no UUID")
    return found


def _sampling(row: Row, complaints: list[str]) -> JsonObject:
    """Every parameter that is not null: of the older columns, then of the newer object, which is stronger."""
    found: JsonObject = {}
    for name in ("temperature", "max_tokens"):
        value = row.get(name)
        number = None if value is None else _number(value)
        if number is not None:
            found[name] = number
        elif value is not None:
            complaints.append(f"{name} is no number")
    given = _json(row.get("sampling_params"))
    if isinstance(given, dict):
        refused = sorted(key for key in given if key in RESERVED or key.startswith("__"))
        complaints += [f"sampling_params may not set {key}" for key in refused]
        found |= {key: value for key, value in given.items() if value is not None and key not in refused}
    elif given is not None:
        complaints.append("sampling_params is no object")
    return found


def _tools(rows: Sequence[Row], complaints: list[str]) -> tuple[Sequence[str], Sequence[JsonObject]]:
    """The names of built-in tools, and the MCP servers by their endpoints; both sorted."""
    builtin: set[str] = set()
    remote: set[tuple[str, str, bool]] = set()
    for row in rows:
        name, url = _text(row.get("tool_name")).strip(), _text(row.get("endpoint_url")).strip()
        if not name:
            if url:
                complaints.append("a tool without a name")
        elif _flag(row, "is_builtin", complaints, of=name):
            builtin.add(name)
        elif is_endpoint(url):
            remote.add((url, name, _flag(row, "auth_required", complaints, of=name)))
        else:
            complaints.append(f"tool {name[:100]!r} has no endpoint that is a URL")
    servers = [_server(url, [*tools]) for url, tools in groupby(sorted(remote), key=lambda tool: tool[0])]
    return sorted(builtin), servers


def _server(url: str, tools: Sequence[tuple[str, str, bool]]) -> JsonObject:
    names: list[JsonValue] = [*sorted({name for _, name, _ in tools})]
    return {
        "name": names[0],
        "url": url,
        "tools": names,
        "auth_required": any(is_needed for _, _, is_needed in tools),
    }


def is_endpoint(url: str) -> bool:
    """Whether an MCP server may be reached there: http or https, a host, nothing that is not printed."""
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is none, half an IPv6 address
        return False


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _flag(row: Row, name: str, complaints: list[str], *, of: str = "") -> bool:
    """A truth value however a schema has it: as one, as a number, or as text. What is none of these is false."""
    value = row.get(name)
    if value is None or isinstance(value, bool):
        return value is True
    word = str(value).strip().lower()
    if word not in _YES | _NO:
        whose = f"{name} of tool {of[:100]!r}" if of else name
        complaints.append(f"{whose} is neither true nor false")
    return word in _YES


def _number(value: object) -> int | float | None:
    """A number however a driver hands it over: as one, as a Decimal, or as text."""
    if isinstance(value, str | Decimal):
        value = _json(str(value))
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return value


def _json(value: object) -> JsonValue:
    """JSON as text or already read; a text that is none stays a text."""
    try:
        if not isinstance(value, str):
            value = orjson.dumps(value)
        found: JsonValue = orjson.loads(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return str(value)
    return found
