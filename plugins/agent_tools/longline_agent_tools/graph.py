"""The graph `agent`: a model that calls tools until it has an answer, made anew for each configuration."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain.agents import create_agent
from langchain_core.runnables import RunnableConfig

from longline.errors import InvalidInputError
from longline.models.json import JsonValue
from longline.threads import in_thread
from longline.tools.tool import Tool, ToolRegistry
from longline_agent_tools.configuration import AgentConfig, read_config
from longline_agent_tools.failures import ModelFailures
from longline_agent_tools.mcp_servers import McpServers, OfferedTool
from longline_agent_tools.model_choice import ModelChoice, choose_model, demo_choice
from longline_agent_tools.models import build_model
from longline_agent_tools.rag import Retriever, Retrievers
from longline_agent_tools.registered_tools import adapt_tool, choose_tools
from longline_agent_tools.settings import AgentToolsSettings

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph

    Agent: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPlan:
    """What an agent is made of. Two agents of equal plans behave alike, but for whose key the model is called with."""

    model: ModelChoice
    tools: tuple[str, ...]
    system_prompt: str
    mcp_tools: tuple[OfferedTool, ...] = ()
    retrievers: tuple[Retriever, ...] = ()

    @property
    def is_private(self) -> bool:
        """Whether a secret of the run's configuration is in it: then nothing made with it is kept for other runs."""
        return self.model.is_private or any(
            [one.is_private for one in self.mcp_tools] + [one.is_private for one in self.retrievers]
        )


class AgentFactory:
    """Makes agents, and keeps the latest ones unless a caller's key is in them."""

    def __init__(self, settings: AgentToolsSettings, registry: ToolRegistry, mcp: McpServers) -> None:
        self._settings = settings
        self._registry = registry
        self._mcp = mcp
        self._retrievers = Retrievers(settings)
        self._adapted: dict[str, BaseTool] = {}
        self._kept: OrderedDict[AgentPlan, Agent] = OrderedDict()

    async def make(self, config: RunnableConfig) -> "Agent":
        """The agent of a run. Raises InvalidInputError for a configuration that cannot be used, and what is raised by
        building its model. Only to read states and schemas any configuration will do: no model is called then."""
        configurable = config.get("configurable", {})
        if configurable.get("__is_for_execution__") is False:
            return await self._agent(self._readable_plan(configurable))
        return await self._agent(await self._plan(read_config(configurable), configurable))

    async def _plan(self, config: AgentConfig, configurable: Mapping[str, JsonValue]) -> AgentPlan:
        model = choose_model(config, self._settings)
        plan = self._planned(config, model, choose_tools(self._registry, config.agent_tools))
        listings, retrievers = await asyncio.gather(
            self._mcp.listings(config.mcp_config, configurable),
            self._retrievers.of(config.rag, configurable, taken=plan.tools),
        )
        taken = (*plan.tools, *(retriever.name for retriever in retrievers))
        return replace(plan, mcp_tools=self._mcp.offered(listings, taken=taken), retrievers=retrievers)

    def _readable_plan(self, configurable: Mapping[str, object]) -> AgentPlan:
        try:
            config = read_config(configurable)
            # Servers are not asked for a look, and what their tools did is read through the same node as all tools'.
            has_servers = config.mcp_config is not None and bool(config.mcp_config.servers)
            tools = choose_tools(self._registry, (config.agent_tools or None) if has_servers else config.agent_tools)
        except InvalidInputError:
            config = AgentConfig.model_validate({})
            tools = choose_tools(self._registry, None)
        plan = self._planned(config, demo_choice(config), tools)
        return replace(plan, retrievers=self._retrievers.unasked(config.rag, taken=plan.tools))

    def _planned(self, config: AgentConfig, model: ModelChoice, tools: tuple[Tool, ...]) -> AgentPlan:
        for tool in tools:
            if tool.name not in self._adapted:
                self._adapted[tool.name] = adapt_tool(tool, with_media=self._settings.mcp_media)
        prompt = self._settings.system_prompt if config.system_prompt is None else config.system_prompt
        return AgentPlan(model=model, tools=tuple(tool.name for tool in tools), system_prompt=prompt)

    async def _agent(self, plan: AgentPlan) -> "Agent":
        if plan.is_private:
            return await in_thread(self._build, plan)
        kept = self._kept.get(plan)
        if kept is None:
            kept = self._kept[plan] = await in_thread(self._build, plan)
            while len(self._kept) > self._settings.cached_agents:
                self._kept.popitem(last=False)
        if plan in self._kept:
            self._kept.move_to_end(plan)
        return kept

    def _build(self, plan: AgentPlan) -> "Agent":
        """Runs on a worker thread: the model's package may have to be imported."""
        agent: Agent = create_agent(
            build_model(plan.model, self._settings),
            [
                *(self._adapted[name] for name in plan.tools),
                *(self._mcp.tool(one) for one in plan.mcp_tools),
                *(self._retrievers.tool(one) for one in plan.retrievers),
            ],
            system_prompt=plan.system_prompt or None,
            middleware=[ModelFailures(plan.model)],
            context_schema=AgentConfig,
        )
        return agent.with_config({"recursion_limit": self._settings.max_steps})
