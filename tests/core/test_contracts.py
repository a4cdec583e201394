"""Core's own parts keep the promises that it asks of plugins."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from longline.asgi.mount import ProtocolMount
from longline.asgi.respond import json_response
from longline.auth.authenticator import Credentials
from longline.defaults.static_tokens import StaticTokens
from longline.errors import InvalidInputError
from longline.events.broker import Broker, connect_memory
from longline.models.json import JsonObject, JsonValue
from longline.testing.authenticator import AuthenticatorContract, AuthenticatorExample
from longline.testing.broker import BrokerContract
from longline.testing.protocol import ProtocolContract
from longline.testing.tool import ToolContract, ToolExample, schema_faults
from longline.tools.tool import Tool, ToolContext


class TestMemoryBroker(BrokerContract):
    @pytest.fixture
    async def broker(self, anyio_backend: str) -> AsyncIterator[Broker]:
        async with connect_memory("memory://") as broker:
            yield broker


class TestStaticTokens(AuthenticatorContract):
    @pytest.fixture
    def example(self) -> AuthenticatorExample:
        def shown(**headers: str) -> Credentials:
            return Credentials(method="GET", path="/x", headers=headers)

        return AuthenticatorExample(
            authenticator=StaticTokens({"ann": SecretStr("tok-ann-1234"), "bob": SecretStr("tok-bob-1234")}),
            good=shown(authorization="Bearer tok-ann-1234"),
            foreign=shown(authorization="Basic dG9rLWFubi0xMjM0"),
            bad=shown(authorization="Bearer tok-ann-1234x"),
            secret="tok-ann-1234",
            refuses=False,
        )


NEEDS_TEXT = "text must be a string"


async def _shout(arguments: JsonObject, context: ToolContext) -> JsonValue:
    text = arguments.get("text")
    if not isinstance(text, str):
        raise InvalidInputError(NEEDS_TEXT)
    return {"text": text.upper(), "by": context.principal.identity}


SHOUT = Tool(
    name="shout",
    description="Say it louder.",
    schema={"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    run=_shout,
)


class TestToolOfPlainPython(ToolContract):
    @pytest.fixture
    def example(self) -> ToolExample:
        return ToolExample(tool=SHOUT, good=[{"text": "hi"}, {"text": ""}], bad=[{}, {"text": 5}])


class TestMountOfPlainAsgi(ProtocolContract):
    @pytest.fixture(params=["", "/plain"])
    def mount(self, request: pytest.FixtureRequest) -> ProtocolMount:
        def app_at(path: str):
            async def app(scope, receive, send):
                is_known = scope["path"] == f"{path}/ok"
                await json_response(200 if is_known else 404, {})(scope, receive, send)

            return app

        return ProtocolMount(path=request.param, app=app_at(request.param), public_paths=frozenset({"/ok"}))


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({"type": "objekt"}, "#/type"),
        ({"type": []}, "#/type"),
        ({"type": [{}]}, "#/type"),
        ({"type": "object", "required": "text"}, "#/required"),
        ({"type": "object", "required": ["a", "a"]}, "#/required"),
        ({"type": "object", "properties": {"a": {}}, "required": ["b"]}, "#/required"),
        ({"properties": []}, "#/properties"),
        ({"properties": {"a": {"type": "int"}}}, "#/properties/a/type"),
        ({"properties": {"a": {"items": 5}}}, "#/properties/a/items"),
        ({"anyOf": {}}, "#/anyOf"),
        ({"anyOf": [{}, {"type": "text"}]}, "#/anyOf/1/type"),
        ({"$defs": {"x": "y"}}, "#/$defs/x"),
        ({"enum": "a"}, "#/enum"),
        ({"description": 5}, "#/description"),
        ("text", "#"),
    ],
)
def test_what_is_not_json_schema_is_named_with_its_place(schema: JsonValue, fault: str) -> None:
    assert [found.partition(":")[0] for found in schema_faults(schema)] == [fault]


def test_a_schema_with_every_keyword_has_no_fault() -> None:
    schema: JsonObject = {
        "type": ["object", "null"],
        "properties": {"a": True, "b": {"type": "array", "items": {"$ref": "#/$defs/c"}, "description": "b"}},
        "required": ["a"],
        "additionalProperties": False,
        "anyOf": [{"not": {"const": 1}}, {"enum": [1, "x", None]}],
        "$defs": {"c": {"type": "integer", "minimum": 1}},
    }
    assert schema_faults(schema) == []
