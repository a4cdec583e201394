"""What a tool may say to whoever called it, and ask of them, while it works."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias, get_args

from longline.errors import CallerCannotError
from longline.models.json import JsonObject, JsonValue
from longline.tools.content import Audio, Image, Text

LogLevel: TypeAlias = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
"""How much something matters, as in syslog (RFC 5424 §6.2.1)."""
LOG_LEVELS: Final[tuple[LogLevel, ...]] = get_args(LogLevel)
"""The levels, the least first."""

_ASK: Final = "be asked anything"
_LEND: Final = "lend its model"

Said: TypeAlias = Text | Image | Audio
"""What a model is shown, and what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the person behind the caller did with a question: gave what was asked for, said no, or closed it."""

    action: Literal["accept", "decline", "cancel"]
    content: JsonObject = field(default_factory=dict)
    """What was given; empty unless the action is `accept`. It fits the schema of the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMessage:
    """A turn of a conversation that the caller's model is to go on with."""

    role: Literal["user", "assistant"]
    content: Said


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """What the caller's own model is asked."""

    messages: Sequence[ModelMessage]
    max_tokens: int
    system_prompt: str | None = None
    temperature: float | None = None
    stop: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """What the caller's model said."""

    content: tuple[Said, ...]
    model: str
    stop_reason: str | None = None

    @property
    def text(self) -> str:
        """All its text."""
        return "".join(block.text for block in self.content if isinstance(block, Text))


class Caller(Protocol):
    """The program that called. What it is told may get lost; what it is asked is answered, or CallerCannotError is
    raised. Whoever stops waiting for the tool cancels it: `run` is cancelled where it stands."""

    @property
    def hears_progress(self) -> bool:
        """Whether progress is of any use to them: a tool that must do something for it need not otherwise."""
        ...

    async def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Tell how far the work is. `done` grows with each call."""
        ...

    async def log(self, level: LogLevel, data: JsonValue, logger: str | None = None) -> None:
        """Tell what happened, to a caller that wants to know at this level."""
        ...

    async def ask(self, question: str, schema: JsonObject) -> Answer:
        """Ask the person behind the caller. The schema is that of an object with flat fields: strings, numbers,
        booleans, choices. Raises CallerCannotError."""
        ...

    async def ask_model(self, request: ModelRequest) -> ModelReply:
        """Have the caller's own model say something. Raises CallerCannotError."""
        ...

    async def release(self) -> None:
        """Say that the work takes a while: the connection may be let go, and the caller comes back for the answer.
        Nothing happens where that is impossible."""
        ...


class SilentCaller:
    """A caller that hears nothing and cannot be asked."""

    @property
    def hears_progress(self) -> bool:
        return False

    async def progress(self, done: float, total: float | None = None, message: str | None = None) -> None: ...

    async def log(self, level: LogLevel, data: JsonValue, logger: str | None = None) -> None: ...

    async def ask(self, question: str, schema: JsonObject) -> Answer:  # noqa: ARG002  # Caller's signature
        raise CallerCannotError(_ASK)

    async def ask_model(self, request: ModelRequest) -> ModelReply:  # noqa: ARG002  # Caller's signature
        raise CallerCannotError(_LEND)

    async def release(self) -> None: ...


SILENT: Final[Caller] = SilentCaller()
"""Where nobody listens."""
