"""The tool `hello_greet`, for every agent and protocol of the server."""

from longline.models.json import JsonObject, JsonValue
from longline.tools.tool import Tool, ToolContext
from longline_hello.errors import BadNameError
from longline_hello.settings import HelloSettings


def greet(settings: HelloSettings, name: str) -> str:
    """The greeting for a name. Raises BadNameError."""
    if not name.strip():
        raise BadNameError
    return f"{settings.greeting}, {name.strip()}!"


def make_tool(settings: HelloSettings) -> Tool:
    """The tool as these settings want it."""

    async def run(arguments: JsonObject, context: ToolContext) -> JsonValue:
        name = arguments.get("name", context.principal.display_name or "you")
        if not isinstance(name, str):
            raise BadNameError
        return greet(settings, name)

    return Tool(
        name="hello_greet",
        description="Greet somebody by name. Without a name, greet whoever is asking.",
        schema={
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}},
            "additionalProperties": False,
        },
        run=run,
    )
