"""`demo:`, a chat model without network: it streams, counts and calls tools, and says that it is a demo."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Final
from uuid import uuid4

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from longline_agent_tools.demo_replies import Call, count_words, reply_to

_PIECE: Final = 12
_WORD = re.compile(r"\s*\S+\s*")


class ChatDemo(BaseChatModel):
    """Answers by the rules of `demo_replies`. A token, where it counts them, is a word."""

    model: str = "demo"
    max_tokens: int | None = None
    word_seconds: float = 0.0

    @property
    def _llm_type(self) -> str:
        return "demo"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model, "max_tokens": self.max_tokens}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,  # LangChain's signature
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """A copy that may call these tools; with `tool_choice="none"` it may not."""
        offered = [] if tool_choice == "none" else [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=offered, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  # LangChain's signature
        **kwargs: Any,  # LangChain's signature
    ) -> ChatResult:
        return generate_from_stream(self._chunks(messages, stop, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # LangChain's signature
        **kwargs: Any,  # LangChain's signature
    ) -> ChatResult:
        return generate_from_stream(self._chunks(messages, stop, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002  # LangChain reports the tokens itself
        **kwargs: Any,  # LangChain's signature
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages, stop, **kwargs):
            if self.word_seconds:
                time.sleep(self.word_seconds)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002  # LangChain reports the tokens itself
        **kwargs: Any,  # LangChain's signature
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages, stop, **kwargs):
            # Also without a delay the loop gets a turn: a long answer must not hold up the other runs.
            await asyncio.sleep(self.word_seconds)
            yield chunk

    def _chunks(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        tools: Sequence[dict[str, Any]] = (),
        **_: Any,  # options of other models
    ) -> Iterator[ChatGenerationChunk]:
        reply = reply_to(messages, [tool["function"]["name"] for tool in tools if "function" in tool])
        seen = sum(count_words(message) for message in messages)
        if reply.calls:
            yield from _call_chunks(reply.calls)
            yield _last_chunk("tool_calls", seen, sum(len(json.dumps(call.arguments).split()) for call in reply.calls))
            return
        words = _WORD.findall(_stopped(reply.text, stop))
        said = words if self.max_tokens is None else words[: self.max_tokens]
        for word in said:
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        yield _last_chunk("stop" if len(said) == len(words) else "length", seen, len(said))


def _call_chunks(calls: Sequence[Call]) -> Iterator[ChatGenerationChunk]:
    """Each call as models stream it: name and id first, then the arguments in pieces."""
    for index, call in enumerate(calls):
        call_id = f"call_{uuid4().hex}"
        yield _tool_chunk(name=call.name, args="", call_id=call_id, index=index)
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        for start in range(0, len(arguments), _PIECE):
            yield _tool_chunk(name=None, args=arguments[start : start + _PIECE], call_id=None, index=index)


def _tool_chunk(*, name: str | None, args: str, call_id: str | None, index: int) -> ChatGenerationChunk:
    part = tool_call_chunk(name=name, args=args, id=call_id, index=index)
    return ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[part]))


def _last_chunk(reason: str, seen: int, said: int) -> ChatGenerationChunk:
    message = AIMessageChunk(
        content="",
        usage_metadata=UsageMetadata(input_tokens=seen, output_tokens=said, total_tokens=seen + said),
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message, generation_info={"finish_reason": reason, "model_name": "demo"})


def _stopped(text: str, stop: list[str] | None) -> str:
    ends = [text.find(word) for word in stop or () if word and word in text]
    return text[: min(ends)] if ends else text
