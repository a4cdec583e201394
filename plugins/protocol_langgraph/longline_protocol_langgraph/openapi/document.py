"""The OpenAPI document of what a server serves: https://spec.openapis.org/oas/v3.1.1.html."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from longline.models.json import JsonObject, JsonValue
from longline_protocol_langgraph.openapi.answers import Refusal
from longline_protocol_langgraph.openapi.assistants import ASSISTANTS
from longline_protocol_langgraph.openapi.crons import CRONS
from longline_protocol_langgraph.openapi.feedback import FEEDBACK
from longline_protocol_langgraph.openapi.items import ITEMS
from longline_protocol_langgraph.openapi.operation import Answer, Operation, Section, Shape
from longline_protocol_langgraph.openapi.runs import STATELESS_RUNS, THREAD_RUNS
from longline_protocol_langgraph.openapi.schemas import Schemas
from longline_protocol_langgraph.openapi.security import Requirements, Security
from longline_protocol_langgraph.openapi.streams import STREAMS
from longline_protocol_langgraph.openapi.system import MOUNTED, SYSTEM
from longline_protocol_langgraph.openapi.threads import THREADS
from longline_protocol_langgraph.parameters import Parameter

SECTIONS: Final[Sequence[Section]] = (
    ASSISTANTS, THREADS, THREAD_RUNS, STATELESS_RUNS, FEEDBACK, CRONS, ITEMS, STREAMS, SYSTEM,
)  # fmt: skip
"""All that is described, in the order of the document."""

Served = tuple[str, str]
"""A path with names for what varies, and a method."""

_PLAIN: Final[JsonObject] = {"type": "string"}
_UUID: Final[JsonObject] = {"type": "string", "format": "uuid"}
_NAME_IN_PATH: Final = re.compile(r"{(\w+)}")
_REFUSED: Final[Mapping[int, str]] = {
    400: "What is asked for contradicts itself, or the graph does not take it.",
    401: "No credentials, or none that are known.",
    403: "An access rule refuses.",
    404: "There is no such thing, or none that the caller may see.",
    409: "The id is taken, or the thread is busy.",
    413: "The body is too large.",
    422: "The body is no JSON, or a value, a parameter or an id does not fit.",
    424: "The graph or the embedding cannot be loaded or built.",
    503: "The storage is away.",
}


def document(
    served: Iterable[Served],
    *,
    version: str,
    graph_ids: Sequence[str],
    public_paths: Iterable[str],
    security: Security | None = None,
) -> JsonObject:
    """The document of these routes, without its `servers`. What is served and not described is named all the same."""
    routes = list(served)
    schemas = Schemas(_shapes(), graph_ids)
    writer = _Writer(schemas, graph_ids, frozenset(public_paths), security)
    paths: dict[str, JsonValue] = {}
    for path, method in routes:
        section, operation = _described(path, method)
        entry = paths.setdefault(path, {})
        if isinstance(entry, dict):
            entry[method.lower()] = writer.write(path, method, section, operation)
    used = {section.tag for path, method in routes for section, _ in [_described(path, method)] if section}
    made: JsonObject = {
        "openapi": "3.1.0",
        "info": {
            "title": "Longline: LangGraph Server API",
            "version": version,
            "description": "Graphs of LangGraph as a service: assistants, threads and runs. Fields that are not named "
            "here are ignored; null stands for a field that is left out.",
        },
        "tags": [{"name": one.tag, "description": one.description} for one in SECTIONS if one.tag in used],
        "paths": _in_order(paths),
    }
    components: JsonObject = {"schemas": schemas.components, "responses": _refusals(schemas)}
    if security is not None:
        components["securitySchemes"] = security.schemes
        made["security"] = _requirements(security.everywhere)
    return {**made, "components": components}


def mounted_operations() -> Iterator[Served]:
    """What is served only if another plugin does."""
    return ((path, method) for path, methods in MOUNTED.paths.items() for method in methods)


def _described(path: str, method: str) -> tuple[Section | None, Operation | None]:
    for section in (*SECTIONS, MOUNTED):
        if method in section.paths.get(path, {}):
            return section, section.paths[path][method]
    return None, None


def _shapes() -> Iterator[Shape]:
    yield Refusal
    for section in (*SECTIONS, MOUNTED):
        for methods in section.paths.values():
            for operation in methods.values():
                if operation.body is not None:
                    yield operation.body
                yield from (answer.shape for answer in operation.answers if answer.shape is not None)


def _in_order(paths: dict[str, JsonValue]) -> JsonObject:
    """Paths as the sections have them, then the others."""
    known = [path for section in SECTIONS for path in section.paths if path in paths]
    return {path: paths[path] for path in dict.fromkeys([*known, *paths])}


def _refusals(schemas: Schemas) -> JsonObject:
    shape = schemas.of(Refusal)
    refused: JsonObject = {
        _response_name(status): {"description": text, "content": {"application/json": {"schema": shape}}}
        for status, text in _REFUSED.items()
    }
    fault: JsonObject = {"description": "A fault of the server.", "content": {"text/plain": {"schema": _PLAIN}}}
    return {**refused, _response_name(500): fault}


def _requirements(said: Requirements) -> list[JsonValue]:
    return [{name: [*scopes] for name, scopes in one.items()} for one in said]


def _response_name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "").replace("-", "")


class _Writer:
    """Operations as JSON."""

    def __init__(
        self, schemas: Schemas, graph_ids: Sequence[str], public: frozenset[str], security: Security | None
    ) -> None:
        self._schemas = schemas
        self._graph_ids = list(graph_ids)
        self._public = public
        self._security = security

    def write(self, path: str, method: str, section: Section | None, operation: Operation | None) -> JsonObject:
        parameters = self._path_parameters(path)
        written: JsonObject = {"operationId": _operation_id(path, method)}
        if self._security is not None:
            written |= self._access(path, method, self._security)
        if section is None or operation is None:
            answers: JsonObject = {"default": {"description": "Whatever is served here."}}
            return {**written, "parameters": [*parameters], "responses": answers}
        written |= {"tags": [section.tag], "summary": operation.summary}
        if operation.description:
            written["description"] = operation.description
        parameters += [self._parameter(parameter) for parameter in operation.parameters]
        if parameters:
            written["parameters"] = [*parameters]
        if operation.body is not None:
            content: JsonObject = {"application/json": {"schema": self._schemas.of(operation.body)}}
            written["requestBody"] = {"required": operation.is_body_required, "content": content}
        written["responses"] = self._responses(operation, has_id=bool(parameters), is_public=path in self._public)
        return written

    def _access(self, path: str, method: str, security: Security) -> JsonObject:
        said = security.paths.get(path, {}).get(method.lower())
        if said is not None:
            return {"security": _requirements(said)}
        return {"security": []} if path in self._public else {}

    def _path_parameters(self, path: str) -> list[JsonObject]:
        return [
            {"name": name, "in": "path", "required": True, "schema": self._path_schema(path, name)}
            for name in _NAME_IN_PATH.findall(path)
        ]

    def _path_schema(self, path: str, name: str) -> JsonObject:
        if path == "/assistants/{assistant_id}/graph":
            return {"anyOf": [_UUID, {"enum": list(self._graph_ids)}]}
        return _UUID if name in {"assistant_id", "thread_id", "run_id", "cron_id"} else _PLAIN

    def _parameter(self, parameter: Parameter) -> JsonObject:
        return {
            "name": parameter.name,
            "in": parameter.place,
            "required": parameter.is_required,
            "description": parameter.description,
            "schema": parameter.schema(),
        }

    def _responses(self, operation: Operation, *, has_id: bool, is_public: bool) -> JsonObject:
        responses: JsonObject = {}
        for answer in operation.answers:
            _merge(responses, answer.status, self._answer(answer))
        statuses = {*operation.refusals, 500, 503}
        if operation.body is not None:
            statuses |= {413, 422}
        if has_id:
            statuses.add(422)
        if not is_public:
            statuses |= {401, 403}
        refused: JsonObject = {
            str(status): {"$ref": f"#/components/responses/{_response_name(status)}"}
            for status in sorted(statuses)
            if str(status) not in responses
        }
        return {**responses, **refused}

    def _answer(self, answer: Answer) -> JsonObject:
        written: JsonObject = {"description": answer.description}
        if answer.headers:
            written["headers"] = {
                name: {"description": text, "schema": _PLAIN} for name, text in answer.headers.items()
            }
        if answer.shape is not None:
            schema = self._schemas.of(answer.shape, is_partial=answer.is_partial)
            written["content"] = {answer.media: {"schema": schema}}
        return written


def _merge(responses: JsonObject, status: int, written: JsonObject) -> None:
    """Several answers of one status are told in several media types."""
    known, content = responses.get(str(status)), written.get("content")
    if isinstance(known, dict) and isinstance(known.get("content"), dict) and isinstance(content, dict):
        known["content"] = {**known["content"], **content}  # type: ignore[dict-item]  # it was just looked at
    else:
        responses[str(status)] = written


def _operation_id(path: str, method: str) -> str:
    words = re.findall(r"\w+", path.replace("openapi.json", "openapi"))
    return "_".join([method.lower(), *words])
