"""Graphs whose steps wait until the test says go."""

import asyncio
import operator
from dataclasses import dataclass, field
from typing import Annotated

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


class Steps(TypedDict, total=False):
    """What the steps leave behind."""

    steps: Annotated[list[str], operator.add]
    name: str


@dataclass
class Gate:
    """A step that tells when it was reached and waits until it is opened."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    visits: int = 0

    async def step(self, state: Steps) -> Steps:
        self.visits += 1
        self.reached.set()
        await self.opened.wait()
        return {"steps": [f"gate of {state.get('name', 'nobody')}"]}


def gated(gate: Gate) -> object:
    """before → gate → after."""
    builder = StateGraph(Steps)
    builder.add_node("before", lambda state: {"steps": ["before"]})
    builder.add_node("gate", gate.step)
    builder.add_node("after", lambda state: {"steps": ["after"]})
    builder.add_edge(START, "before")
    builder.add_edge("before", "gate")
    builder.add_edge("gate", "after")
    return builder.compile()
