"""The tool `calculate`: exact arithmetic for models, which are bad at it."""

from typing import Final

from longline.models.json import JsonObject, JsonValue
from longline.tools.tool import Tool, ToolContext
from longline_agent_tools.arithmetic import LONGEST_EXPRESSION, evaluate
from longline_agent_tools.errors import BadExpressionError

# Readers of JSON that keep numbers as IEEE doubles (RFC 8259 §6) are exact up to here.
_LARGEST_PORTABLE: Final = 2**53


async def _run(arguments: JsonObject, context: ToolContext) -> JsonValue:  # noqa: ARG001  # a tool's signature
    expression = arguments.get("expression")
    if not isinstance(expression, str):
        raise BadExpressionError(str(expression), "the expression must be a string such as 2 * (3 + 4)")
    value = evaluate(expression)
    return value if isinstance(value, float) or abs(value) <= _LARGEST_PORTABLE else str(value)


CALCULATE: Final = Tool(
    name="calculate",
    description=(
        "Evaluate an arithmetic expression and return its value: numbers, + - * / // % **, parentheses, abs, max, min, "
        "round, sqrt, pi, e. Integers are exact; those beyond 2**53 come as a string of digits."
    ),
    schema={
        "type": "object",
        "properties": {
            "expression": {
                "type": "string",
                "description": "The expression, e.g. 2 * (3 + 4)",
                "maxLength": LONGEST_EXPRESSION,
            }
        },
        "required": ["expression"],
        "additionalProperties": False,
    },
    run=_run,
)
