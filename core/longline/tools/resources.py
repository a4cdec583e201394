"""Resources: documents that callers may read, each at a URI or at all that fit a template."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import unquote

from longline.auth.principal import Principal
from longline.errors import NotFoundError
from longline.tools.caller import SILENT, Caller
from longline.tools.content import File

_VARIABLE: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceContext:
    """Who reads, and what stands in the URI for the variables of a template. Injected by the server."""

    principal: Principal
    variables: Mapping[str, str] = field(default_factory=dict)
    caller: Caller = field(default=SILENT, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A document at a URI, or, where the URI has variables (`notes://{book}/{page}`), all documents whose URIs fit. A
    variable stands for one part of a path; its value is decoded, so that it may hold a slash (`%2F`) or be `..`.

    `read` returns a text or bytes (of `media_type`), or several files. It raises NotFoundError for what is not there,
    or not for this principal: the two look alike. `watch` yields each time the document at a URI has changed, until
    whoever reads it stops; without it nobody is told. `complete` gets a variable, what was typed of it, the others that
    are known and who asks, and returns values that begin so, the best first."""

    uri: str
    name: str
    read: Callable[[str, ResourceContext], Awaitable[str | bytes | Sequence[File]]] = field(repr=False)
    title: str = ""
    description: str = ""
    media_type: str | None = None
    watch: Callable[[str, ResourceContext], AsyncIterator[None]] | None = field(default=None, repr=False)
    complete: Callable[[str, str, Mapping[str, str], ResourceContext], Awaitable[Sequence[str]]] | None = field(
        default=None, repr=False
    )

    def __post_init__(self) -> None:
        names = self.variables
        if len(set(names)) < len(names) or not all(name.isidentifier() for name in names):
            raise ValueError(f"each variable of {self.uri!r} needs a name of its own")  # noqa: TRY003  # a plugin's mistake

    @property
    def is_template(self) -> bool:
        """Whether its URI has variables."""
        return _VARIABLE.search(self.uri) is not None

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables of its URI."""
        return tuple(_VARIABLE.findall(self.uri))

    def match(self, uri: str) -> Mapping[str, str] | None:
        """What stands for the variables in a URI that fits; None for one that does not."""
        found = self._pattern.fullmatch(uri)
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}

    async def files(self, uri: str, context: ResourceContext) -> Sequence[File]:
        """What is at a URI that fits. Raises NotFoundError."""
        found = await self.read(uri, context)
        if isinstance(found, str):
            return [File(uri=uri, text=found, media_type=self.media_type)]
        if isinstance(found, bytes):
            return [File(uri=uri, data=found, media_type=self.media_type)]
        return found

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = _VARIABLE.split(self.uri)  # literal, name, literal, …
        return re.compile("".join(f"(?P<{part}>[^/?#]+)" if i % 2 else re.escape(part) for i, part in enumerate(parts)))


class ResourceRegistry:
    """The resources of this server by URI."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._fixed: dict[str, Resource] = {}
        self._templates: list[Resource] = []
        self.fill(resources)

    def fill(self, resources: Mapping[str, Resource]) -> None:
        """Hold these from now on. Resources are made from the open server, which holds the registry: so it is filled
        when both are there."""
        self._fixed = {uri: resource for uri, resource in resources.items() if not resource.is_template}
        # The one that says most about its URIs first; no order of registration.
        templates = (resource for resource in resources.values() if resource.is_template)
        self._templates = sorted(templates, key=lambda one: (-len(_VARIABLE.sub("", one.uri)), one.uri))

    def __iter__(self) -> Iterator[Resource]:
        yield from self._fixed.values()
        yield from self._templates

    def __len__(self) -> int:
        return len(self._fixed) + len(self._templates)

    def get(self, uri: str) -> Resource:
        """The resource of exactly this URI or template. Raises NotFoundError."""
        for resource in self:
            if resource.uri == uri:
                return resource
        raise NotFoundError("resource", uri)

    def find(self, uri: str) -> tuple[Resource, Mapping[str, str]]:
        """The resource whose URI this is or fits, with what stands for its variables. Raises NotFoundError."""
        if uri in self._fixed:
            return self._fixed[uri], {}
        for template in self._templates:
            variables = template.match(uri)
            if variables is not None:
                return template, variables
        raise NotFoundError("resource", uri)
