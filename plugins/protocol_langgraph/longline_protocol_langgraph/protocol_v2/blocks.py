"""Messages that grow chunk by chunk → the protocol's message events. Pure: no clock, no ids, no I/O."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from longline.models.json import JsonObject, JsonValue

_TOOL_PIECES: Final = frozenset({"tool_use", "input_json_delta", "tool_call", "tool_call_chunk", "function_call"})
"""Pieces of content that say again what `tool_call_chunks` says."""
_METADATA: Final = {"langgraph_node": "langgraph_node", "ls_provider": "provider", "ls_model_name": "model"}


@dataclass(slots=True)
class _Block:
    kind: str
    index: int
    text: str = ""
    call_id: str | None = None
    name: str | None = None
    chunk_index: JsonValue = None
    whole: JsonObject = field(default_factory=dict)

    def begun(self) -> JsonObject:
        if self.kind == "text":
            return {"type": "text", "text": ""}
        if self.kind == "reasoning":
            return {"type": "reasoning", "reasoning": ""}
        if self.kind == "tool":
            return {
                "type": "tool_call_chunk", "id": self.call_id, "name": self.name, "args": "", "index": self.chunk_index,
            }  # fmt: skip
        return self.whole

    def delta(self, text: str) -> JsonObject:
        if self.kind == "text":
            return {"type": "text-delta", "text": text}
        if self.kind == "reasoning":
            return {"type": "reasoning-delta", "reasoning": text}
        return {"type": "tool-call-delta", "args": text}

    def finished(self) -> JsonObject:
        if self.kind == "text":
            return {"type": "text", "text": self.text}
        if self.kind == "reasoning":
            return {"type": "reasoning", "reasoning": self.text}
        if self.kind == "tool":
            return self._call()
        return self.whole

    def _call(self) -> JsonObject:
        try:
            args = orjson.loads(self.text or "{}")
        except orjson.JSONDecodeError:
            args = None
        if isinstance(args, dict):
            return {"type": "tool_call", "id": self.call_id, "name": self.name, "args": args}
        fault = "the arguments are not a JSON object"
        return {"type": "invalid_tool_call", "id": self.call_id, "name": self.name, "args": self.text, "error": fault}


@dataclass(slots=True)
class _Message:
    blocks: dict[tuple[str, object], _Block] = field(default_factory=dict)
    usage: JsonObject = field(default_factory=dict)


class MessageBlocks:
    """The messages of one graph of one turn. Each is begun once, grows by deltas, and is finished once. Every event
    names its message (`id`, later `message_id`): several may grow at once."""

    def __init__(self) -> None:
        self._open: dict[str, _Message] = {}
        self._done: set[str] = set()

    def chunk(self, message: JsonObject, metadata: JsonObject) -> Iterator[JsonObject]:
        """What a chunk, or a whole message, of the `messages-tuple` mode says. Only what a model says is told."""
        if message.get("type") not in ("ai", "AIMessageChunk"):
            return
        is_whole = message["type"] == "ai"
        key = str(message.get("id") or "")
        if key in self._done:
            return
        if key not in self._open:
            yield _start(key, metadata)
        known = self._open.setdefault(key, _Message())
        yield from _named(key, _content(known, message.get("content")))
        yield from _named(key, _tool_calls(known, message, is_whole=is_whole))
        _add(known.usage, message.get("usage_metadata"))
        if is_whole or message.get("chunk_position") == "last":
            yield from self._finish(key)

    def accumulated(self, message: JsonObject, metadata: JsonObject) -> Iterator[JsonObject]:
        """What a message of the `messages` mode says, which repeats all of its text each time."""
        key = str(message.get("id") or "")
        if message.get("type") != "ai" or key in self._done:
            return
        if key not in self._open:
            yield _start(key, metadata)
        known = self._open.setdefault(key, _Message())
        block = known.blocks.get(("text", None))
        text = _text_of(message.get("content"))
        yield from _named(key, _grow(known, ("text", None), text[len(block.text) if block else 0 :], "text"))

    def finish_all(self) -> Iterator[JsonObject]:
        """The end of those messages that did not tell theirs."""
        for key in tuple(self._open):
            yield from self._finish(key)

    def fail_all(self, message: str) -> Iterator[JsonObject]:
        """The end of those messages that will not be finished."""
        for key in tuple(self._open):
            del self._open[key]
            self._done.add(key)
            yield {"event": "error", "message": message, "message_id": key}

    def _finish(self, key: str) -> Iterator[JsonObject]:
        known = self._open.pop(key)
        self._done.add(key)
        for block in known.blocks.values():
            finished: JsonObject = {"event": "content-block-finish", "index": block.index, "content": block.finished()}
            yield {**finished, "message_id": key}
        usage: JsonObject = {"usage": known.usage} if known.usage else {}
        yield {"event": "message-finish", **usage, "message_id": key}


def _named(key: str, events: Iterator[JsonObject]) -> Iterator[JsonObject]:
    for event in events:
        yield {**event, "message_id": key}


def _start(key: str, metadata: JsonObject) -> JsonObject:
    told: JsonObject = {
        name: value for given, name in _METADATA.items() if isinstance(value := metadata.get(given), str)
    }
    return {"event": "message-start", "role": "ai", "id": key, **({"metadata": told} if told else {})}


def _content(known: _Message, content: JsonValue) -> Iterator[JsonObject]:
    if isinstance(content, str):
        yield from _grow(known, ("text", None), content, "text")
    elif isinstance(content, list):
        for piece in content:
            yield from _piece(known, piece)


def _piece(known: _Message, piece: JsonValue) -> Iterator[JsonObject]:
    if isinstance(piece, str):
        yield from _grow(known, ("text", None), piece, "text")
        return
    if not isinstance(piece, dict) or piece.get("type") in _TOOL_PIECES:
        return
    kind, index = piece.get("type"), piece.get("index")
    if kind == "text":
        yield from _grow(known, ("text", index), _as_text(piece.get("text")), "text")
    elif kind in ("reasoning", "thinking"):
        text = _as_text(piece.get("reasoning")) or _as_text(piece.get("thinking"))
        yield from _grow(known, ("reasoning", index), text, "reasoning")
    else:
        block = _Block("whole", len(known.blocks), whole=_standard(piece))
        known.blocks[("whole", block.index)] = block
        yield {"event": "content-block-start", "index": block.index, "content": block.begun()}


def _standard(piece: JsonObject) -> JsonObject:
    """A piece that the protocol knows as it is; any other, wrapped."""
    if piece.get("type") in ("image", "video", "audio", "file", "non_standard", "server_tool_call"):
        return piece
    return {"type": "non_standard", "value": piece}


def _tool_calls(known: _Message, message: JsonObject, *, is_whole: bool) -> Iterator[JsonObject]:
    chunks = message.get("tool_calls" if is_whole else "tool_call_chunks")
    for place, chunk in enumerate(chunks if isinstance(chunks, list) else ()):
        if not isinstance(chunk, dict):
            continue
        args = chunk.get("args")
        text = orjson.dumps(args).decode() if isinstance(args, dict) else _as_text(args)
        index = chunk.get("index")
        key = ("tool", place if is_whole else index if index is not None else _tool_of(known, chunk.get("id")))
        yield from _grow(known, key, text, "tool", chunk)


def _tool_of(known: _Message, call_id: JsonValue) -> object:
    """Where a chunk without an index belongs: to the call with its id, or to the last one."""
    if call_id is not None:
        return f"id {call_id}"
    calls = [key[1] for key in known.blocks if key[0] == "tool"]
    return calls[-1] if calls else None


def _grow(
    known: _Message, key: tuple[str, object], text: str, kind: str, chunk: Mapping[str, JsonValue] | None = None
) -> Iterator[JsonObject]:
    block = known.blocks.get(key)
    if block is None:
        if not text and chunk is None:
            return
        call = chunk or {}
        block = _Block(
            kind,
            len(known.blocks),
            call_id=_text_or_none(call.get("id")),
            name=_text_or_none(call.get("name")),
            chunk_index=call.get("index", key[1] if isinstance(key[1], int) else None),
        )
        known.blocks[key] = block
        yield {"event": "content-block-start", "index": block.index, "content": block.begun()}
    elif chunk is not None:
        block.call_id = block.call_id or _text_or_none(chunk.get("id"))
        block.name = (block.name or "") + (_text_or_none(chunk.get("name")) or "") or None
    if text:
        block.text += text
        yield {"event": "content-block-delta", "index": block.index, "delta": block.delta(text)}


def _add(usage: JsonObject, more: JsonValue) -> None:
    """Token counts add up over chunks."""
    for name, value in more.items() if isinstance(more, dict) else ():
        known = usage.get(name)
        if isinstance(value, dict):
            inner: JsonObject = dict(known) if isinstance(known, dict) else {}
            _add(inner, value)
            usage[name] = inner
        elif isinstance(value, int) and not isinstance(value, bool):
            usage[name] = value + (known if isinstance(known, int) else 0)


def _text_of(content: JsonValue) -> str:
    if isinstance(content, list):
        return "".join(_as_text(piece.get("text")) if isinstance(piece, dict) else _as_text(piece) for piece in content)
    return _as_text(content)


def _as_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _text_or_none(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None
