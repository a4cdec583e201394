"""Documents: a text, bytes, one for each id, and one that changes."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Final

from longline.tools.resources import Resource, ResourceContext
from longline_conformance.media import PNG

_CHANGE_SECONDS: Final = 3


async def _text(uri: str, context: ResourceContext) -> str:
    return "This is the content of the static text resource."


async def _binary(uri: str, context: ResourceContext) -> bytes:
    return PNG


async def _of_id(uri: str, context: ResourceContext) -> str:
    wanted = context.variables["id"]
    return json.dumps({"id": wanted, "templateTest": True, "data": f"Data for ID: {wanted}"})


async def _watched(uri: str, context: ResourceContext) -> str:
    return "This document changes every few seconds."


async def _changes(uri: str, context: ResourceContext) -> AsyncIterator[None]:
    while True:
        await asyncio.sleep(_CHANGE_SECONDS)
        yield


RESOURCES: Final[Sequence[Resource]] = (
    Resource(uri="test://static-text", name="Static text", description="A text.", media_type="text/plain", read=_text),
    Resource(
        uri="test://static-binary", name="Static binary", description="Bytes.", media_type="image/png", read=_binary
    ),
    Resource(
        uri="test://template/{id}/data",
        name="Data of an id",
        description="A document for each id.",
        media_type="application/json",
        read=_of_id,
    ),
    Resource(
        uri="test://watched-resource",
        name="Watched",
        description="A document that changes.",
        media_type="text/plain",
        read=_watched,
        watch=_changes,
    ),
)
