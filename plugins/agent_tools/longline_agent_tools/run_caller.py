"""A run as the caller of a tool: what the tool says goes into the run's stream of custom events."""

import logging
from collections.abc import Callable
from contextvars import copy_context

from langgraph.config import get_stream_writer

from longline.encoding import encode
from longline.models.json import JsonObject, JsonValue
from longline.tools.caller import SILENT, Answer, Caller, LogLevel, ModelReply, ModelRequest

logger = logging.getLogger(__name__)

Write = Callable[[object], None]


def caller_in_run(tool: str) -> Caller:
    """Whoever listens to the run in which a tool is called; SILENT outside of one."""
    try:
        return RunCaller(tool, get_stream_writer())
    except RuntimeError:  # called by itself, as tests do
        return SILENT


class RunCaller:
    """See Caller. `progress` and `log` become custom events that name the tool; what is no JSON is left out. Nobody can
    be asked from here: a tool for agents interrupts the run to ask a person."""

    def __init__(self, tool: str, write: Write) -> None:
        self._tool = tool
        self._write_here = write
        self._context = copy_context()  # by which the writer knows its run, whichever thread or task tells

    def _write(self, event: JsonObject) -> None:
        try:
            encode(event)
        except TypeError as error:  # what the stream cannot show would end the run
            logger.warning("tool says no JSON", extra={"tool": self._tool, "reason": str(error)})
        else:
            self._context.copy().run(self._write_here, event)

    @property
    def hears_progress(self) -> bool:
        """See Caller: it goes by as an event."""
        return True

    async def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """See Caller."""
        self._write({"type": "tool_progress", "tool": self._tool, "done": done, "total": total, "message": message})

    async def log(self, level: LogLevel, data: JsonValue, logger: str | None = None) -> None:
        """See Caller."""
        self._write({"type": "tool_log", "tool": self._tool, "level": level, "data": data, "logger": logger})

    async def ask(self, question: str, schema: JsonObject) -> Answer:
        """See Caller."""
        return await SILENT.ask(question, schema)

    async def ask_model(self, request: ModelRequest) -> ModelReply:
        """See Caller."""
        return await SILENT.ask_model(request)

    async def release(self) -> None:
        """See Caller: a run holds no connection."""
