"""The contract of Prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from longline.auth.principal import Principal
from longline.errors import InvalidInputError
from longline.tools.prompts import Prompt, PromptContext, PromptMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptExample:
    """A prompt, with arguments that it must take and arguments that it must refuse."""

    prompt: Prompt
    good: Sequence[Mapping[str, str]]
    bad: Sequence[Mapping[str, str]] = ()
    context: PromptContext = field(default_factory=lambda: PromptContext(principal=Principal(identity="ann")))


@pytest.mark.anyio
class PromptContract:
    """A prompt names its arguments, makes a conversation of them, and refuses what it cannot use. Needs the fixture
    `example`: a PromptExample."""

    def test_it_has_a_name_and_says_what_it_is_for(self, example: PromptExample) -> None:
        assert example.prompt.name.strip()
        assert example.prompt.description.strip()

    def test_no_argument_has_two_meanings(self, example: PromptExample) -> None:
        names = [argument.name for argument in example.prompt.arguments]
        assert len(set(names)) == len(names)

    async def test_good_arguments_give_a_conversation(self, example: PromptExample) -> None:
        assert example.good, "a contract without good arguments proves nothing"
        for arguments in example.good:
            messages = await example.prompt.messages(arguments, example.context)
            assert messages
            assert all(isinstance(message, PromptMessage) for message in messages)

    async def test_bad_arguments_are_refused_as_invalid_input(self, example: PromptExample) -> None:
        for arguments in example.bad:
            with pytest.raises(InvalidInputError):
                await example.prompt.messages(arguments, example.context)

    async def test_an_argument_that_is_missing_or_unknown_is_refused(self, example: PromptExample) -> None:
        good = example.good[0]
        for argument in example.prompt.arguments:
            if argument.required:
                rest = {name: value for name, value in good.items() if name != argument.name}
                with pytest.raises(InvalidInputError, match="needs the argument"):
                    await example.prompt.messages(rest, example.context)
        with pytest.raises(InvalidInputError, match="has no argument"):
            await example.prompt.messages({**good, "no such argument": "x"}, example.context)

    async def test_what_is_proposed_begins_with_what_was_typed(self, example: PromptExample) -> None:
        if example.prompt.complete is None:
            return
        for argument in example.prompt.arguments:
            for value in await example.prompt.complete(argument.name, "", {}, example.context):
                again = await example.prompt.complete(argument.name, value[:2], {}, example.context)
                assert value in again
                assert all(found.startswith(value[:2]) for found in again)
