"""What `longline dev` tells a person once it serves."""

import json
import logging
import time
from collections.abc import Mapping
from typing import Final

from longline.errors import GraphLoadError, LonglineError
from longline.graphs.registry import GraphRegistry
from longline.runtime import OpenServer
from longline.settings import Settings

logger = logging.getLogger(__name__)

_AGENT_PLUGIN: Final = "agent_tools"


def print_banner(opened: OpenServer, url: str, left_out: Mapping[str, str]) -> None:
    """URL, storage, plugins, graphs, model and a first call, on stdout."""
    from rich.console import Console  # noqa: PLC0415  # not before the first request is answered
    from rich.markup import escape  # noqa: PLC0415  # the same

    server = opened.server
    rows = [
        ("storage", f"{server.storage_facts.kind}  {server.storage_facts.place}"),
        ("plugins", ", ".join(opened.plugins) or "none"),
        *(("left out", f"{name}: {reason}") for name, reason in left_out.items()),
        ("serves", _served(opened)),
        *_graph_rows(server.graphs),
        *((("model", _model(server.settings)),) if _AGENT_PLUGIN in opened.plugins else ()),
        *_hints(server.graphs, url),
    ]
    console = Console(soft_wrap=True, highlight=False, emoji=False)
    console.print(f"\n  [bold]Longline[/bold] {server.version}  [bold cyan]{url}[/bold cyan]\n")
    shown = ""
    for name, text in rows:
        console.print(f"  [dim]{name if name != shown else '':8}[/dim]  {escape(text)}")
        shown = name
    console.print()


async def report_graphs(graphs: GraphRegistry) -> None:
    """Say which graphs work, once all were loaded. What is wrong with a broken one stands in the log already."""
    started = time.monotonic()
    await graphs.load_all()
    broken = [graph_id for graph_id in graphs.graph_ids if _is_broken(graphs, graph_id)]
    loaded = [graph_id for graph_id in graphs.graph_ids if graph_id not in broken]
    facts = {"loaded": ", ".join(loaded) or "none", "seconds": round(time.monotonic() - started, 1)}
    if broken:
        logger.warning("graphs loaded in part", extra={**facts, "broken": ", ".join(broken)})
    else:
        logger.info("graphs loaded", extra=facts)


def _is_broken(graphs: GraphRegistry, graph_id: str) -> bool:
    try:
        graphs.require(graph_id)
    except GraphLoadError:
        return True
    return False


def _served(opened: OpenServer) -> str:
    prefix = _mount_prefix(opened)
    places = [(served.title, prefix + served.path.rstrip("/")) for served in opened.server.protocols()]
    return ", ".join(f"{title} at {path}" if path else title for title, path in places) or "nothing"


def _mount_prefix(opened: OpenServer) -> str:
    """The path below which everything is."""
    if "protocol_langgraph" not in opened.plugins:
        return ""
    from longline_protocol_langgraph.settings import LangGraphApiSettings  # noqa: PLC0415  # only where it is chosen

    return opened.server.settings.section(LangGraphApiSettings).http.mount_prefix


def _graph_rows(graphs: GraphRegistry) -> list[tuple[str, str]]:
    width = max((len(graph_id) for graph_id in graphs.graph_ids), default=0)
    found = [("graphs", f"{graph_id:{width}} ← {graphs.definition(graph_id).origin}") for graph_id in graphs.graph_ids]
    return found or [("graphs", 'none: name some in a langgraph.json, e.g. {"graphs": {"agent": "./graph.py:graph"}}')]


def _model(settings: Settings) -> str:
    """The model that answers where an assistant names none."""
    from longline_agent_tools.configuration import AgentConfig  # noqa: PLC0415  # only where this plugin is chosen
    from longline_agent_tools.model_choice import choose_model  # noqa: PLC0415  # the same
    from longline_agent_tools.settings import AgentToolsSettings  # noqa: PLC0415  # the same

    try:
        choice = choose_model(AgentConfig.model_validate({}), settings.section(AgentToolsSettings))
    except LonglineError as error:
        return str(error)
    if choice.provider == "demo":
        return "demo: (set OPENAI_API_KEY or OPENAI_BASE_URL for a real one)"
    return f"{choice.name} at {choice.endpoint}"


def _hints(graphs: GraphRegistry, url: str) -> list[tuple[str, str]]:
    if not graphs.graph_ids:
        return []
    graph_id = "agent" if "agent" in graphs.graph_ids else graphs.graph_ids[0]
    question = json.dumps({"messages": [{"role": "user", "content": "What is 2 + 2?"}]})
    return [
        ("try it", f'longline run {graph_id} "What is 2 + 2?"'),
        ("Python", f'langgraph_sdk.get_sync_client(url="{url}").runs.wait(None, "{graph_id}", input={question})'),
    ]
