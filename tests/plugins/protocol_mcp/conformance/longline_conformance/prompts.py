"""Prompts with each kind of content."""

from collections.abc import Mapping, Sequence
from typing import Final

from longline.tools.content import Block, File, Image, Text
from longline.tools.prompts import Prompt, PromptArgument, PromptContext, PromptMessage
from longline_conformance.media import PNG

_VALUES: Final = ("paris", "park", "party", "test value")


def _user(*content: Block) -> Sequence[PromptMessage]:
    return [PromptMessage(role="user", content=block) for block in content]


async def _simple(arguments: Mapping[str, str], context: PromptContext) -> Sequence[PromptMessage]:
    return _user(Text("This is a simple prompt for testing."))


async def _with_arguments(arguments: Mapping[str, str], context: PromptContext) -> Sequence[PromptMessage]:
    return _user(Text(f"Prompt with arguments: arg1='{arguments['arg1']}', arg2='{arguments['arg2']}'"))


async def _complete(argument: str, typed: str, known: Mapping[str, str], context: PromptContext) -> Sequence[str]:
    return [value for value in _VALUES if value.startswith(typed)]


async def _with_resource(arguments: Mapping[str, str], context: PromptContext) -> Sequence[PromptMessage]:
    text = "Embedded resource content for testing."
    document = File(uri=arguments["resourceUri"], text=text, media_type="text/plain")
    return _user(document, Text("Please process the embedded resource above."))


async def _with_image(arguments: Mapping[str, str], context: PromptContext) -> Sequence[PromptMessage]:
    return _user(Image(PNG, "image/png"), Text("Please analyze the image above."))


PROMPTS: Final[Sequence[Prompt]] = (
    Prompt(name="test_simple_prompt", description="A text.", render=_simple),
    Prompt(
        name="test_prompt_with_arguments",
        description="A text made from two arguments.",
        arguments=(
            PromptArgument(name="arg1", description="First test argument", required=True),
            PromptArgument(name="arg2", description="Second test argument", required=True),
        ),
        render=_with_arguments,
        complete=_complete,
    ),
    Prompt(
        name="test_prompt_with_embedded_resource",
        description="A document, and what to do with it.",
        arguments=(PromptArgument(name="resourceUri", description="URI of the document to embed", required=True),),
        render=_with_resource,
    ),
    Prompt(name="test_prompt_with_image", description="A picture, and what to do with it.", render=_with_image),
)
