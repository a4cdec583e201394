"""The operations on items."""

from typing import Final

from pydantic import AwareDatetime
from typing_extensions import TypedDict

from longline_protocol_langgraph.bodies import items as bodies
from longline_protocol_langgraph.openapi.answers import Object, Refusal
from longline_protocol_langgraph.openapi.operation import Answer, Operation, Section, json_answer, no_answer
from longline_protocol_langgraph.openapi.pages import as_shape
from longline_protocol_langgraph.routes.items import KEY, NAMESPACE, REFRESH


class Item(TypedDict):
    """What is remembered under a name."""

    namespace: list[str]
    key: str
    value: Object
    created_at: AwareDatetime
    updated_at: AwareDatetime


class FoundItem(Item):
    """An item, and how near it is to what was asked for."""

    score: float | None


class FoundItems(TypedDict):
    """Items that were found."""

    items: list[FoundItem]


class KeyMissing(TypedDict):
    """No key was named."""

    error: str


class Namespaces(TypedDict):
    """Where there are items."""

    namespaces: list[list[str]]


ITEMS: Final = Section(
    tag="Store",
    description="What agents remember across threads.",
    paths={
        "/store/items": {
            "PUT": Operation(
                summary="Store an item",
                description="In place of one with the same name.",
                body=bodies.PUT,
                answers=[no_answer("It is stored.")],
                refusals=[400, 424],
            ),
            "GET": Operation(
                summary="Read an item",
                parameters=[KEY, NAMESPACE, REFRESH],
                answers=[
                    json_answer("The item; null if there is none.", as_shape(Item | None)),
                    Answer(
                        status=400, description="No key, or no such namespace.", shape=as_shape(KeyMissing | Refusal)
                    ),
                ],
            ),
            "DELETE": Operation(
                summary="Remove an item", body=bodies.DELETE, answers=[no_answer("It is gone.")], refusals=[400]
            ),
        },
        "/store/items/search": {
            "POST": Operation(
                summary="Find items",
                body=bodies.SEARCH,
                is_body_required=False,
                answers=[json_answer("Items: the nearest first, else the newest.", FoundItems)],
                refusals=[400, 424],
            )
        },
        "/store/namespaces": {
            "POST": Operation(
                summary="List namespaces",
                body=bodies.NAMESPACES,
                is_body_required=False,
                answers=[json_answer("Namespaces that hold items, in order.", Namespaces)],
            )
        },
    },
)
