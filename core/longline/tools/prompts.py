"""Prompts: conversations to start with, made from a few arguments by who knows what to ask."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from longline.auth.principal import Principal
from longline.errors import InvalidInputError, NotFoundError
from longline.tools.caller import SILENT, Caller
from longline.tools.content import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptContext:
    """Who asks. Injected by the server."""

    principal: Principal
    caller: Caller = field(default=SILENT, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptArgument:
    """What a prompt is made from; a text."""

    name: str
    description: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMessage:
    """A turn of the conversation."""

    role: Literal["user", "assistant"]
    content: Block


Completion = Callable[[str, str, Mapping[str, str], PromptContext], Awaitable[Sequence[str]]]
"""(argument, what was typed of it, the others that are known, who asks) → values that begin so, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A named conversation. `render` gets every required argument and no unknown one; it raises InvalidInputError for
    values that it cannot use."""

    name: str
    description: str
    render: Callable[[Mapping[str, str], PromptContext], Awaitable[Sequence[PromptMessage]]] = field(repr=False)
    title: str = ""
    arguments: tuple[PromptArgument, ...] = ()
    complete: Completion | None = field(default=None, repr=False)

    async def messages(self, arguments: Mapping[str, str], context: PromptContext) -> Sequence[PromptMessage]:
        """The conversation. Raises InvalidInputError for an argument that is missing, unknown or of no use."""
        known = {argument.name for argument in self.arguments}
        missing = [one.name for one in self.arguments if one.required and one.name not in arguments]
        unknown = [name for name in arguments if name not in known]
        if missing or unknown:
            fault = f"needs the argument {missing[0]!r}" if missing else f"has no argument {unknown[0]!r}"
            raise InvalidInputError(f"prompt {self.name!r} {fault}")  # noqa: TRY003  # which one
        return await self.render(arguments, context)


class PromptRegistry:
    """The prompts of this server by name."""

    def __init__(self, prompts: Mapping[str, Prompt]) -> None:
        self._prompts = dict(prompts)

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self._prompts.values())

    def __len__(self) -> int:
        return len(self._prompts)

    def get(self, name: str) -> Prompt:
        """The prompt. Raises NotFoundError."""
        try:
            return self._prompts[name]
        except KeyError:
            raise NotFoundError("prompt", name) from None
