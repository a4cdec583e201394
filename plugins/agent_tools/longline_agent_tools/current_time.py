"""The tool `current_time`: models do not know what day it is."""

from datetime import UTC, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from longline.clock import Clock, now
from longline.models.json import JsonObject, JsonValue
from longline.threads import in_thread
from longline.tools.tool import Tool, ToolContext
from longline_agent_tools.errors import UnknownTimeZoneError

_LONGEST_NAME: Final = 100


def current_time_tool(clock: Clock) -> Tool:
    """The tool over a clock that tests can set."""

    async def run(arguments: JsonObject, context: ToolContext) -> JsonValue:  # noqa: ARG001  # a tool's signature
        name = arguments.get("timezone", "UTC")
        # Reads a file of the system's time zone database.
        zone = await in_thread(_zone, name)
        moment = clock().astimezone(zone)
        return {"time": moment.isoformat(timespec="seconds"), "weekday": moment.strftime("%A"), "timezone": str(zone)}

    return Tool(
        name="current_time",
        description="Tell the current date, time and weekday in a time zone.",
        schema={
            "type": "object",
            "properties": {
                "timezone": {
                    "type": "string",
                    "description": "IANA name of the time zone, e.g. Europe/Berlin",
                    "default": "UTC",
                }
            },
            "additionalProperties": False,
        },
        run=run,
    )


def _zone(name: JsonValue) -> tzinfo:
    if name == "UTC":  # known even where the machine has no time zone database
        return UTC
    if isinstance(name, str) and name and len(name) <= _LONGEST_NAME:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass  # names with dots, of folders or unknown ones: all the same fault
    raise UnknownTimeZoneError(name)


CURRENT_TIME: Final = current_time_tool(now)
