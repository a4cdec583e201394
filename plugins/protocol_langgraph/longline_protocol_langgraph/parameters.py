"""Query parameters and headers: how each is read, and what may stand in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from starlette.requests import Request

from longline.models.json import JsonObject
from longline_protocol_langgraph.query import LARGEST, choice, choices, flag, flag_or_number, matches, number, score

_FLAG: JsonObject = {"anyOf": [{"type": "boolean"}, {"enum": ["0", "1", "no", "yes", "off", "on", ""]}]}


class Parameter(Protocol):
    """What a request may carry besides its path and body."""

    @property
    def name(self) -> str:
        """Its name on the wire."""

    @property
    def description(self) -> str:
        """What it is for."""

    @property
    def place(self) -> Literal["query", "header"]:
        """Where it stands."""

    @property
    def is_required(self) -> bool:
        """Whether a request without it is refused."""

    def schema(self) -> JsonObject:
        """The JSON schema of what is taken."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A yes or no; no if it is missing."""

    name: str
    description: str
    place: Literal["query"] = "query"
    is_required: bool = False

    def of(self, request: Request) -> bool:
        """The value. Raises InvalidParameterError."""
        return flag(request, self.name)

    def schema(self) -> JsonObject:
        return {**_FLAG, "default": False}


@dataclass(frozen=True, slots=True)
class FlagOrNumber:
    """A yes or no, or a number of levels; no if it is missing."""

    name: str
    description: str
    place: Literal["query"] = "query"
    is_required: bool = False

    def of(self, request: Request) -> bool | int:
        """The value. Raises InvalidParameterError."""
        return flag_or_number(request, self.name)

    def schema(self) -> JsonObject:
        return {"anyOf": [_FLAG, {"type": "integer", "minimum": 0, "maximum": LARGEST}], "default": False}


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number. A default below the least stands for nothing said."""

    name: str
    description: str
    default: int = -1
    least: int = 0
    most: int = LARGEST
    place: Literal["query"] = "query"
    is_required: bool = False

    def of(self, request: Request) -> int:
        """The value; the default if it is missing. Raises InvalidParameterError."""
        return number(request, self.name, default=self.default, least=self.least, most=self.most)

    def schema(self) -> JsonObject:
        default: JsonObject = {} if self.default < self.least else {"default": self.default}
        return {"type": "integer", "minimum": self.least, "maximum": self.most, **default}


@dataclass(frozen=True, slots=True)
class Score:
    """Any number, or true or false."""

    name: str
    description: str
    place: Literal["query"] = "query"
    is_required: bool = False

    def of(self, request: Request) -> bool | float | None:
        """The value; None if it is missing. Raises InvalidParameterError."""
        return score(request, self.name)

    def schema(self) -> JsonObject:
        return {"anyOf": [{"type": "number", "minimum": -LARGEST, "maximum": LARGEST}, {"type": "boolean"}]}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several words."""

    name: str
    description: str
    options: Sequence[str]
    default: str
    place: Literal["query"] = "query"
    is_required: bool = False

    def of(self, request: Request) -> str:
        """The word. Raises InvalidParameterError."""
        return choice(request, self.name, self.options, default=self.default)

    def schema(self) -> JsonObject:
        return {"type": "string", "enum": list(self.options), "default": self.default}


@dataclass(frozen=True, slots=True)
class Choices:
    """Several words: the parameter several times, or with commas."""

    name: str
    description: str
    options: Sequence[str]
    place: Literal["query"] = "query"
    is_required: bool = False

    def of(self, request: Request) -> list[str]:
        """The words. Raises InvalidParameterError."""
        return choices(request, self.name, self.options)

    def schema(self) -> JsonObject:
        # Clients send the empty word for what they leave out.
        return {"type": "array", "items": {"type": "string", "enum": [*self.options, ""]}}


@dataclass(frozen=True, slots=True)
class Matches:
    """Several texts of one form: the parameter several times."""

    name: str
    description: str
    pattern: str
    place: Literal["query"] = "query"
    is_required: bool = False

    def of(self, request: Request) -> list[str]:
        """The texts. Raises InvalidParameterError."""
        return matches(request, self.name, self.pattern)

    def schema(self) -> JsonObject:
        return {"type": "array", "items": {"type": "string", "pattern": f"^({self.pattern})$"}}


@dataclass(frozen=True, slots=True)
class Text:
    """Any text."""

    name: str
    description: str
    known: Sequence[str] = ()
    """Texts that mean something; others are as good as none."""
    place: Literal["query", "header"] = "query"
    is_required: bool = False

    def of(self, request: Request) -> str | None:
        """The text; None if it is missing."""
        values = request.query_params if self.place == "query" else request.headers
        return values.get(self.name)

    def schema(self) -> JsonObject:
        least: JsonObject = {"minLength": 1} if self.is_required else {}
        return {"type": "string", **least, **({"examples": list(self.known)} if self.known else {})}


LAST_EVENT_ID = Text(
    "Last-Event-ID", "Go on behind the event with this id; `-1`: from the beginning. Only new ones without it.",
    place="header",
)  # fmt: skip
