"""The operations on assistants."""

from typing import Final

from longline_protocol_langgraph.bodies import assistants as bodies
from longline_protocol_langgraph.openapi.answers import (
    Assistant,
    AssistantVersion,
    Drawing,
    GraphSchemas,
    SubgraphSchemas,
)
from longline_protocol_langgraph.openapi.operation import Operation, Section, json_answer, no_answer
from longline_protocol_langgraph.openapi.pages import as_shape, count_operation, find_operation
from longline_protocol_langgraph.routes.assistants import DELETE_THREADS, RECURSE, VERSION, XRAY

_SUBGRAPHS = json_answer("Schemas by the subgraphs' namespaces.", as_shape(dict[str, SubgraphSchemas]))

ASSISTANTS: Final = Section(
    tag="Assistants",
    description="Graphs with configurations of their own, kept in versions. Every graph has one from the start.",
    paths={
        "/assistants": {
            "POST": Operation(
                summary="Create an assistant",
                body=bodies.CREATE,
                answers=[json_answer("The assistant.", Assistant)],
                refusals=[400, 404, 409, 424],
            )
        },
        "/assistants/search": {"POST": find_operation("assistants", as_shape(list[Assistant]), bodies.SEARCH)},
        "/assistants/count": {"POST": count_operation("assistants", bodies.COUNT)},
        "/assistants/{assistant_id}": {
            "GET": Operation(
                summary="Read an assistant", answers=[json_answer("The assistant.", Assistant)], refusals=[404]
            ),
            "PATCH": Operation(
                summary="Change an assistant",
                description="Makes a new version of it, which is the current one from then on.",
                body=bodies.PATCH,
                answers=[json_answer("The assistant.", Assistant)],
                refusals=[400, 404, 424],
            ),
            "DELETE": Operation(
                summary="Delete an assistant",
                description="One that the server made for a graph stays.",
                parameters=[DELETE_THREADS],
                answers=[no_answer("It is gone.")],
                refusals=[404],
            ),
        },
        "/assistants/{assistant_id}/versions": {
            "POST": Operation(
                summary="List the versions of an assistant",
                body=bodies.VERSIONS,
                is_body_required=False,
                answers=[json_answer("Versions, newest first.", as_shape(list[AssistantVersion]))],
                refusals=[404],
            )
        },
        "/assistants/{assistant_id}/latest": {
            "POST": Operation(
                summary="Make a version the current one",
                description="The version is named in the body, or in the query.",
                body=bodies.LATEST,
                is_body_required=False,
                parameters=[VERSION],
                answers=[json_answer("The assistant as it is in this version.", Assistant)],
                refusals=[404],
            )
        },
        "/assistants/{assistant_id}/graph": {
            "GET": Operation(
                summary="Draw an assistant's graph",
                parameters=[XRAY],
                answers=[json_answer("Nodes and edges.", Drawing)],
                refusals=[404, 424],
            )
        },
        "/assistants/{assistant_id}/schemas": {
            "GET": Operation(
                summary="Read the schemas of an assistant's graph",
                answers=[json_answer("JSON schemas.", GraphSchemas)],
                refusals=[404, 424],
            )
        },
        "/assistants/{assistant_id}/subgraphs": {
            "GET": Operation(
                summary="Read the schemas of all subgraphs",
                parameters=[RECURSE],
                answers=[_SUBGRAPHS],
                refusals=[404, 424],
            )
        },
        "/assistants/{assistant_id}/subgraphs/{namespace}": {
            "GET": Operation(
                summary="Read the schemas of one subgraph",
                parameters=[RECURSE],
                answers=[_SUBGRAPHS],
                refusals=[404, 424],
            )
        },
    },
)
