"""The contract of Resource."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import pytest

from longline.auth.principal import Principal
from longline.errors import NotFoundError
from longline.tools.content import File
from longline.tools.resources import Resource, ResourceContext


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceExample:
    """A resource, with URIs at which it has something, and URIs of its form at which it has nothing."""

    resource: Resource
    good: Sequence[str]
    missing: Sequence[str] = ()
    context: ResourceContext = field(default_factory=lambda: ResourceContext(principal=Principal(identity="ann")))


@pytest.mark.anyio
class ResourceContract:
    """A resource knows its URIs, reads what is there, and finds nothing where nothing is. Needs the fixture `example`:
    a ResourceExample."""

    def test_it_has_a_uri_with_a_scheme_and_a_name(self, example: ResourceExample) -> None:
        assert urlsplit(example.resource.uri).scheme
        assert example.resource.name.strip()

    def test_no_variable_has_two_meanings(self, example: ResourceExample) -> None:
        names = example.resource.variables
        assert len(set(names)) == len(names)

    def test_every_uri_of_the_example_is_its_own(self, example: ResourceExample) -> None:
        for uri in (*example.good, *example.missing):
            assert example.resource.match(uri) is not None

    async def test_what_is_there_is_read(self, example: ResourceExample) -> None:
        assert example.good, "a contract without a good URI proves nothing"
        for uri in example.good:
            files = await example.resource.files(uri, _at(example, uri))
            assert files
            assert all(isinstance(file, File) for file in files)

    async def test_what_is_not_there_is_not_found(self, example: ResourceExample) -> None:
        for uri in example.missing:
            with pytest.raises(NotFoundError):
                await example.resource.files(uri, _at(example, uri))

    async def test_what_is_proposed_begins_with_what_was_typed(self, example: ResourceExample) -> None:
        if example.resource.complete is None:
            return
        for variable in example.resource.variables:
            for value in await example.resource.complete(variable, "", {}, example.context):
                again = await example.resource.complete(variable, value[:2], {}, example.context)
                assert value in again
                assert all(found.startswith(value[:2]) for found in again)


def _at(example: ResourceExample, uri: str) -> ResourceContext:
    return replace(example.context, variables=example.resource.match(uri) or {})
