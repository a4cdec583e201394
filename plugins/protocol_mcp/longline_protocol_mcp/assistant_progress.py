"""What a run says while it runs → what the caller of a tool hears of it."""

import time
from collections.abc import Callable
from typing import Final

import orjson

from longline.errors import SlowSubscriberError
from longline.events.hub import RunEnd
from longline.events.replay import RunReader
from longline.models.events import RunEvent
from longline.models.json import JsonValue, as_object
from longline.tools.caller import LOG_LEVELS, Caller, LogLevel

STREAM_MODES: Final = ("updates", "messages-tuple", "custom")
"""What a run is to tell so that there is progress."""
_PATIENCE_SECONDS: Final = 30.0
_TOKENS_EVERY_SECONDS: Final = 0.2
"""So often at most is told how many tokens there are: a caller wants to see that it lives, not each of them."""


class Progress:
    """Tells the caller what happens: each step of the graph, how many tokens its models said, and what it writes itself
    (`get_stream_writer`) as a log. What is told as done counts steps and tokens together, so that it only grows."""

    def __init__(self, caller: Caller, logger: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._caller = caller
        self._logger = logger
        self._monotonic = monotonic
        self._done = 0
        self._tokens = 0
        self._told_at = float("-inf")

    async def hear(self, event: RunEvent) -> None:
        """Tell what an event says, if it says anything for the caller."""
        if event.mode == "messages":
            await self._token()
        elif event.mode == "updates":
            for node in _nodes(orjson.loads(event.data)):
                self._done += 1
                await self._caller.progress(float(self._done), message=node)
        elif event.mode == "custom":
            await self._custom(orjson.loads(event.data))

    async def _custom(self, said: JsonValue) -> None:
        """What a graph writes itself, or one of its tools said to its caller."""
        known = as_object(said)
        if known.get("type") == "tool_progress":
            self._done += 1
            words = [str(word) for word in (known.get("tool"), known.get("message")) if word]
            await self._caller.progress(float(self._done), message=": ".join(words))
        elif known.get("type") == "tool_log":
            level: LogLevel = next((one for one in LOG_LEVELS if one == known.get("level")), "info")
            await self._caller.log(level, known.get("data"), logger=str(known.get("logger") or known.get("tool")))
        else:
            await self._caller.log("info", said, logger=self._logger)

    async def _token(self) -> None:
        self._done += 1
        self._tokens += 1
        now = self._monotonic()
        if now - self._told_at >= _TOKENS_EVERY_SECONDS:
            self._told_at = now
            await self._caller.progress(float(self._done), message=f"{self._tokens} tokens")


async def follow(reader: RunReader, progress: Progress | None) -> RunEnd:
    """How the run ended; what it says on the way is told as progress, if anybody listens."""
    if progress is not None:
        try:
            while (events := await reader.read(_PATIENCE_SECONDS)) is None or events:
                for event in events or ():
                    await progress.hear(event)
        except SlowSubscriberError:  # progress may get lost, the answer must not
            pass
    while (end := await reader.wait_for_end(_PATIENCE_SECONDS)) is None:
        continue
    return end


def _nodes(update: JsonValue) -> list[str]:
    return [node for node in update if not node.startswith("__")] if isinstance(update, dict) else []
