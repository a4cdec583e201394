"""A run as a person reads it in the terminal: words as they come, tool calls and their results between them."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape

from longline.models.json import JsonObject, JsonValue

STREAM_MODES: Final = ("messages-tuple", "values")
"""What to ask of a run for a Transcript."""
_LONGEST_RESULT: Final = 600
_SPEAKS: Final = frozenset({"ai", "AIMessageChunk"})


class Transcript:
    """Prints the events of one run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._calls: dict[tuple[str, int], dict[str, str]] = {}
        self._streamed: set[str] = set()
        self._is_in_line = False
        self._has_spoken = False
        self._values: JsonValue = None
        self.failure: str | None = None
        """What the run failed of, if it did."""

    def hear(self, event: str, data: JsonValue) -> None:
        """One event. Its name may have a subgraph's namespace behind a bar."""
        name = event.partition("|")[0]
        if name == "messages" and isinstance(data, list) and data and isinstance(data[0], dict):
            self._message(data[0])
        elif name == "values" and name == event:
            self._values = data
        elif name == "error" and isinstance(data, dict):
            self.failure = f"{data.get('error', 'error')}: {data.get('message', '')}".removesuffix(": ")

    def finish(self) -> None:
        """The run has ended: print what has not been said yet."""
        self._end_calls()
        self._end_line()
        values = self._values if isinstance(self._values, dict) else {}
        waiting = values.get("__interrupt__")
        if waiting:
            self._print("[yellow]waiting for an answer:[/yellow] ", escape(_shown(_questions(waiting))))
        elif not self._has_spoken and self._values is not None and self.failure is None:
            self._console.print(_final_text(values), markup=False, highlight=False, soft_wrap=True)
        if self.failure is not None:
            self._print("[red]failed:[/red] ", escape(self.failure))

    # -- messages ---------------------------------------------------------------------------------------------------

    def _message(self, message: JsonObject) -> None:
        kind, message_id = message.get("type"), str(message.get("id"))
        if kind == "AIMessageChunk":
            self._streamed.add(message_id)
            self._say(_text(message.get("content")))
            self._collect(message_id, message.get("tool_call_chunks"))
            if message.get("chunk_position") == "last":
                self._end_calls()
        elif kind == "ai" and message_id not in self._streamed:
            self._streamed.add(message_id)
            self._say(_text(message.get("content")))
            self._end_line()
            for call in _objects(message.get("tool_calls")):
                self._print("[cyan]→[/cyan] ", escape(f"{call.get('name')}({_arguments(call.get('args'))})"))
        elif kind == "tool":
            self._end_calls()
            sign = "[red]←[/red] " if message.get("status") == "error" else "[green]←[/green] "
            result = _text(message.get("content"))
            self._print(sign, escape(f"{message.get('name') or 'tool'}: {_shortened(result)}"))

    def _say(self, text: str) -> None:
        if text:
            self._end_calls()
            self._console.print(text, end="", markup=False, highlight=False, soft_wrap=True)
            self._console.file.flush()
            self._is_in_line = not text.endswith("\n")
            self._has_spoken = True

    def _collect(self, message_id: str, chunks: JsonValue) -> None:
        """A tool call arrives in pieces: its name first, then its arguments as text."""
        for chunk in _objects(chunks):
            index = chunk.get("index")
            key = (message_id, index if isinstance(index, int) else 0)
            call = self._calls.setdefault(key, {"name": "", "args": ""})
            call["name"] += str(chunk.get("name") or "")
            call["args"] += str(chunk.get("args") or "")

    def _end_calls(self) -> None:
        for call in self._calls.values():
            try:
                arguments = json.loads(call["args"] or "{}")
            except json.JSONDecodeError:
                arguments = call["args"]
            self._print("[cyan]→[/cyan] ", escape(f"{call['name']}({_arguments(arguments)})"))
        self._calls.clear()

    def _print(self, sign: str, text: str) -> None:
        self._end_line()
        self._console.print(f"{sign}{text}", highlight=False, soft_wrap=True)
        self._has_spoken = True

    def _end_line(self) -> None:
        if self._is_in_line:
            self._console.print()
            self._is_in_line = False


def _text(content: JsonValue) -> str:
    """The words of a message: its content is a text, or blocks of which some are."""
    if isinstance(content, str):
        return content
    return "".join(str(block.get("text", "")) for block in _objects(content) if block.get("type", "text") == "text")


def _objects(value: JsonValue) -> Sequence[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _arguments(value: JsonValue) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name}={_shown(item)}" for name, item in value.items())


def _questions(waiting: JsonValue) -> JsonValue:
    found: list[JsonValue] = [item.get("value") for item in _objects(waiting)]
    return found[0] if len(found) == 1 else found


def _final_text(values: Mapping[str, JsonValue]) -> str:
    """What a graph that streamed no words has to say: its last message, else its values."""
    spoken = [message for message in _objects(values.get("messages")) if message.get("type") in _SPEAKS]
    return _text(spoken[-1].get("content")) if spoken else json.dumps(dict(values), ensure_ascii=False, indent=2)


def _shown(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_RESULT else line[:_LONGEST_RESULT] + " …"
