"""The agent that the conformance suite of A2A asks for: what it does is in the message's id.

It uses nothing but what any graph may use: messages with content blocks, `response_metadata`, `interrupt`, a chat model
that streams, and what the server says about a call in the run's metadata.
"""

import asyncio
import base64
import os
from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt

_FILE = {"mime_type": "text/plain", "extras": {"filename": "output.txt"}}
_OUTPUT = base64.b64encode(b"output of the agent").decode()
# The suite cuts its streams after a timeout of its own; a task that is subscribed to again must be open for longer.
_OPEN_SECONDS = 2 * float(os.environ.get("TCK_STREAMING_TIMEOUT", "2.0")) + 1

# By the beginning of a message's id: the content of what is answered.
_CONTENTS: dict[str, str | list[str | dict[str, Any]]] = {
    "tck-complete-task": "Hello from TCK",
    "tck-artifact-text": "Generated text content",
    "tck-artifact-file-url": [{"type": "file", "url": "https://example.com/output.txt", **_FILE}],
    "tck-artifact-file": [{"type": "file", "base64": _OUTPUT, **_FILE}],
    "tck-artifact-data": [{"type": "non_standard", "value": {"key": "value", "count": 42}}],
    "tck-message-response": "Direct message response",
    "tck-reject-task": "rejected",
    "tck-stream-001": "Stream hello from TCK",
    "tck-stream-002": "Stream message-only response",
    "tck-stream-003": "Stream task lifecycle",
    "tck-stream-ordering-001": "Ordered output",
    "tck-stream-artifact-text": "Streamed text content",
    "tck-stream-artifact-file": [{"type": "file", "base64": _OUTPUT, **_FILE}],
    "tck-stream-artifact-chunked": "chunk-1 chunk-2",
    "test-resubscribe-message-id": "done at last",
    "tck-": "Hello from TCK",
}
_SAID = {
    "tck-message-response": {"reply": "message"},
    "tck-stream-002": {"reply": "message"},
    "tck-reject-task": {"state": "rejected"},
}


def _case(message_id: str) -> str | None:
    """Which of the suite's cases a message is; None for one that only wants a task that goes on."""
    if message_id.startswith("tck-input-required"):
        return None
    return next((case for case in _CONTENTS if message_id.startswith(case)), None)


def _next(state: MessagesState, config: RunnableConfig) -> str:
    """Ask for more, or answer, as the last message wants it."""
    return "ask" if _case(_message_id(state["messages"], config)) is None else "answer"


def _message_id(messages: Sequence[AnyMessage], config: RunnableConfig) -> str:
    return str(config.get("metadata", {}).get("a2a_message_id") or messages[-1].id)


def ask(state: MessagesState) -> dict[str, list[HumanMessage]]:
    """Wait for one more message. It is kept under an id of its own: clients use one id again and again."""
    return {"messages": [HumanMessage(_text(interrupt("What else?")))]}


def _text(answer: object) -> str:
    return answer if isinstance(answer, str) else str(answer)


async def answer(state: MessagesState, config: RunnableConfig) -> dict[str, list[AIMessage]]:
    """Say what the case wants, the way it wants it."""
    case = _case(_message_id(state["messages"], config)) or "tck-complete-task"
    content = _CONTENTS[case]
    if case == "test-resubscribe-message-id":
        get_stream_writer()({"progress": "waiting"})
        await asyncio.sleep(_OPEN_SECONDS)
    if case == "tck-stream-artifact-chunked":
        model = GenericFakeChatModel(messages=iter([AIMessage(content)]))
        return {"messages": [await model.ainvoke(state["messages"], config)]}
    said = {"a2a": _SAID[case]} if case in _SAID else {}
    return {"messages": [AIMessage(content, response_metadata=said)]}


def build() -> StateGraph[MessagesState]:
    """The graph, not yet compiled."""
    builder = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_node("answer", answer)
    builder.add_conditional_edges(START, _next, ["ask", "answer"])
    builder.add_conditional_edges("ask", _next, ["ask", "answer"])
    builder.add_edge("answer", END)
    return builder


graph = build().compile()
