"""What `demo:` answers: no language model, only counting, echoing and honest tool calls."""

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage, ToolMessage

from longline.errors import InvalidInputError
from longline.models.json import JsonObject
from longline_agent_tools.arithmetic import parse_expression
from longline_agent_tools.calculate import CALCULATE
from longline_agent_tools.current_time import CURRENT_TIME

DISCLAIMER: Final = "This is a demo, not a language model: set OPENAI_API_KEY or OPENAI_BASE_URL to get real answers."

_MOST_SEARCHED: Final = 4000
_MOST_ECHOED: Final = 40
_MOST_QUOTED: Final = 500
_MOST_CALLS: Final = 4

_ISO_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_MATHS = re.compile(r"[\d\s.+\-*/%^×÷()]+")  # noqa: RUF001  # as people type
_TIME = re.compile(r"\b(what|tell|current|now)\b.{0,30}\b(time|date|day)\b|\b(uhrzeit|wie spät)\b", re.IGNORECASE)
_ZONE = re.compile(r"\b[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z0-9_+\-]+){1,2}")
_CALL = re.compile(r"\bcall\s+([A-Za-z0-9_.\-]{1,128})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool that is to be called."""

    name: str
    arguments: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Either a text or calls of tools."""

    text: str = ""
    calls: tuple[Call, ...] = ()


def reply_to(messages: Sequence[BaseMessage], tools: Sequence[str]) -> Reply:
    """The next message of the conversation. A question is answered with tools at most once: it always ends."""
    asked = next((i for i in range(len(messages) - 1, -1, -1) if isinstance(messages[i], HumanMessage)), None)
    if asked is None:
        return Reply(text=" ".join((DISCLAIMER, *_counts(messages))))
    text = messages[asked].text
    results = [message for message in messages[asked + 1 :] if isinstance(message, ToolMessage)]
    if results:
        return Reply(text=" ".join((DISCLAIMER, *(_report(result) for result in results), *_counts(messages))))
    calls = wanted_calls(text, tools)
    if calls:
        return Reply(calls=calls)
    return Reply(text=" ".join((DISCLAIMER, _echo(text), *_counts(messages), *_offer(tools))))


def wanted_calls(text: str, tools: Sequence[str]) -> tuple[Call, ...]:
    """What the text asks for: `call NAME {json}`, arithmetic, or the time, as far as there are tools for it."""
    text = text[:_MOST_SEARCHED]
    named = _named_call(text, tools)
    if named is not None:
        return (named,)
    if CALCULATE.name in tools:
        sums = [Call(name=CALCULATE.name, arguments={"expression": found}) for found in find_expressions(text)]
        if sums:
            return tuple(sums[:_MOST_CALLS])
    if CURRENT_TIME.name in tools and _TIME.search(text):
        zone = _ZONE.search(text)
        return (Call(name=CURRENT_TIME.name, arguments={"timezone": zone.group()} if zone else {}),)
    return ()


def find_expressions(text: str) -> list[str]:
    """The parts of a text that are arithmetic with at least one operation. Dates are not."""
    runs = (run.strip().rstrip(".").rstrip() for run in _MATHS.findall(_ISO_DATE.sub(" ", text)))
    return [run for run in runs if _is_operation(run)]


def _is_operation(text: str) -> bool:
    try:
        return isinstance(parse_expression(text), ast.BinOp)
    except InvalidInputError:
        return False


def _named_call(text: str, tools: Sequence[str]) -> Call | None:
    found = _CALL.search(text)
    if found is None or found.group(1) not in tools:
        return None
    rest = text[found.end() :].lstrip()
    try:
        arguments = json.JSONDecoder().raw_decode(rest)[0] if rest.startswith("{") else {}
    except (ValueError, RecursionError):
        arguments = {}
    return Call(name=found.group(1), arguments=arguments)


def _report(result: ToolMessage) -> str:
    verb = "failed" if result.status == "error" else "answered"
    return f"The tool {result.name or result.tool_call_id} {verb}: {result.text[:_MOST_QUOTED]}."


def _echo(text: str) -> str:
    words = text.split(maxsplit=_MOST_ECHOED)
    shown = " ".join(words[:_MOST_ECHOED]) + (" …" if len(words) > _MOST_ECHOED else "")
    return f"You wrote {_plural(len(text.split()), 'word')}: “{shown}”."


def _counts(messages: Sequence[BaseMessage]) -> list[str]:
    """What it has seen. Of its instructions only the length: they are not for the reader."""
    instructions = sum(count_words(message) for message in messages if isinstance(message, SystemMessage))
    others = [message for message in messages if not isinstance(message, SystemMessage)]
    words = sum(count_words(message) for message in others)
    said = [f"This conversation has {_plural(len(others), 'message')} with {_plural(words, 'word')}."]
    return [*said, f"My instructions have {_plural(instructions, 'word')}."] if instructions else said


def _offer(tools: Sequence[str]) -> list[str]:
    return [f"I can call {', '.join(tools)}."] if tools else []


def count_words(message: BaseMessage) -> int:
    """How long a message is, as `demo:` counts."""
    return len(message.text.split())


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
