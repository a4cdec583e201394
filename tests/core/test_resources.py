"""Resources are found by their URI, or by the template that says most about it."""

import pytest

from longline.auth.principal import LOCAL
from longline.errors import InvalidInputError, NotFoundError
from longline.tools.content import File
from longline.tools.prompts import Prompt, PromptArgument, PromptContext, PromptMessage, PromptRegistry
from longline.tools.resources import Resource, ResourceContext, ResourceRegistry

CONTEXT = ResourceContext(principal=LOCAL)


def resource(uri: str, content: str | bytes | list[File] = "") -> Resource:
    async def read(uri: str, context: ResourceContext) -> str | bytes | list[File]:
        return content

    return Resource(uri=uri, name=uri, read=read, media_type="text/plain")


def registry(*uris: str) -> ResourceRegistry:
    return ResourceRegistry({uri: resource(uri) for uri in uris})


def test_a_fixed_uri_wins_over_templates_and_the_longest_template_over_others() -> None:
    known = registry("notes://{book}/{page}", "notes://diary/{page}", "notes://diary/1", "notes://{book}")
    for uri, expected in (
        ("notes://diary/1", ("notes://diary/1", {})),
        ("notes://diary/2", ("notes://diary/{page}", {"page": "2"})),
        ("notes://x/2", ("notes://{book}/{page}", {"book": "x", "page": "2"})),
        ("notes://a%20b", ("notes://{book}", {"book": "a b"})),
    ):
        found, variables = known.find(uri)
        assert (found.uri, variables) == expected
    assert next(iter(known)).uri == "notes://diary/1"
    assert len(known) == 4


@pytest.mark.parametrize("uri", ["notes://", "notes://a/b/c", "other://a", "notes://a?b", "", "xnotes://a"])
def test_what_fits_nothing_is_not_found(uri: str) -> None:
    known = registry("notes://{book}/{page}", "notes://{book}")
    with pytest.raises(NotFoundError, match="no resource"):
        known.find(uri)
    with pytest.raises(NotFoundError):
        known.get("notes://{else}")
    assert known.get("notes://{book}").variables == ("book",)


@pytest.mark.anyio
async def test_what_is_read_becomes_files() -> None:
    files = [File(uri="a://1", data=b"1"), File(uri="a://2", text="2")]
    assert await resource("a://b", "x").files("a://b", CONTEXT) == [
        File(uri="a://b", text="x", media_type="text/plain")
    ]
    assert await resource("a://b", b"x").files("a://b", CONTEXT) == [
        File(uri="a://b", data=b"x", media_type="text/plain")
    ]
    assert await resource("a://b", files).files("a://b", CONTEXT) == files


def test_a_file_has_one_content() -> None:
    for content in ({}, {"text": "a", "data": b"a"}):
        with pytest.raises(ValueError, match="either a text or data"):
            File(uri="a://b", **content)


@pytest.mark.parametrize("uri", ["notes://{page}/{page}", "notes://{1st}"])
def test_a_template_that_could_never_be_read_is_refused_at_once(uri: str) -> None:
    with pytest.raises(ValueError, match=r"each variable of 'notes://.*' needs a name of its own"):
        resource(uri)


@pytest.mark.anyio
async def test_a_prompt_gets_all_its_arguments_and_no_other() -> None:
    seen = []

    async def render(arguments, context):
        seen.append((dict(arguments), context.principal))
        return list[PromptMessage]()

    prompt = Prompt(
        name="ask",
        description="Ask.",
        render=render,
        arguments=(PromptArgument(name="what", required=True), PromptArgument(name="how")),
    )
    context = PromptContext(principal=LOCAL)
    known = PromptRegistry({"ask": prompt})
    assert list(known) == [known.get("ask")]
    assert len(known) == 1
    assert await prompt.messages({"what": "x"}, context) == []
    for arguments, message in (({}, "needs the argument 'what'"), ({"what": "x", "who": "y"}, "no argument 'who'")):
        with pytest.raises(InvalidInputError, match=message):
            await prompt.messages(arguments, context)
    assert seen == [({"what": "x"}, LOCAL)]
    with pytest.raises(NotFoundError, match="no prompt with id 'nope'"):
        known.get("nope")
