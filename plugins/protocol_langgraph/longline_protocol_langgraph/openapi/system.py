"""The operations on the server itself."""

from dataclasses import replace
from typing import Final, Literal, NotRequired

from typing_extensions import TypedDict

from longline_protocol_langgraph.openapi.answers import Object
from longline_protocol_langgraph.openapi.operation import Answer, Operation, Section, json_answer
from longline_protocol_langgraph.parameters import Choice
from longline_protocol_langgraph.routes.system import CHECK_DB


class Alive(TypedDict):
    """The server answers."""

    ok: Literal[True]
    services: Object


class Host(TypedDict):
    """Where the server runs."""

    kind: str
    project_id: None
    host_revision_id: None
    revision_id: None
    tenant_id: None


class Info(TypedDict):
    """What the server is. Plugins may add sections of their own."""

    version: str
    langgraph_py_version: str | None
    flags: dict[str, bool]
    host: Host


class Health(TypedDict):
    """Whether the server lives, or can work."""

    status: Literal["ok", "unavailable"]
    detail: NotRequired[str]


class FrontProtocol(TypedDict):
    """A protocol at its place."""

    title: str
    path: str
    pages: dict[str, str]


class Front(TypedDict):
    """What is served."""

    name: str
    version: str
    docs: NotRequired[str]
    openapi: NotRequired[str]
    studio: str
    health: str
    ready: str
    protocols: list[FrontProtocol]


FORMAT: Final = Choice("format", "How the figures are written.", ("prometheus", "json"), default="prometheus")
_ALIVE = json_answer("It is alive.", Alive)
_INFO = json_answer("What the server is.", Info)
_PAGE = Answer(description="A page.", shape={"type": "string"}, media="text/html")
_FRONT = [json_answer("What is served.", Front), _PAGE]
_LIVES = json_answer("It lives.", Health)
_READY = json_answer("It can work.", Health)


def _alone(answer: Answer) -> Answer:
    return replace(answer, shape=None)


SYSTEM: Final = Section(
    tag="System",
    description="The server itself.",
    paths={
        "/": {
            "GET": Operation(summary="What is served here?", answers=_FRONT),
            "HEAD": Operation(summary="What is served here? In headers alone", answers=[_alone(_FRONT[0])]),
        },
        "/ok": {
            "GET": Operation(summary="Is it alive?", parameters=[CHECK_DB], answers=[_ALIVE]),
            "HEAD": Operation(summary="Is it alive? In headers alone", parameters=[CHECK_DB], answers=[_alone(_ALIVE)]),
        },
        "/health": {
            "GET": Operation(
                summary="Does the process live?", description="The storage is not asked.", answers=[_LIVES]
            ),
            "HEAD": Operation(summary="Does the process live? In headers alone", answers=[_alone(_LIVES)]),
        },
        "/ready": {
            "GET": Operation(
                summary="Can it work?",
                description="503 while its storage is away, and while it stops.",
                answers=[_READY],
            ),
            "HEAD": Operation(summary="Can it work? In headers alone", answers=[_alone(_READY)]),
        },
        "/info": {
            "GET": Operation(summary="What is it?", answers=[_INFO]),
            "HEAD": Operation(summary="What is it? In headers alone", answers=[_alone(_INFO)]),
        },
        "/openapi.json": {
            "GET": Operation(summary="This document", answers=[json_answer("An OpenAPI document.", {"type": "object"})])
        },
        "/docs": {"GET": Operation(summary="This document for people", answers=[_PAGE])},
    },
)

MOUNTED: Final = Section(
    tag="System",
    description=SYSTEM.description,
    paths={
        "/metrics": {
            "GET": Operation(
                summary="How is it doing?",
                parameters=[FORMAT],
                answers=[
                    Answer(description="Figures.", shape={"type": "string"}, media="text/plain"),
                    json_answer("Figures.", {"type": "object"}),
                ],
            )
        }
    },
)
"""Paths of this API that other plugins serve."""
