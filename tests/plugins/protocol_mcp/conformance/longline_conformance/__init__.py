"""Longline plugin `mcp_conformance`: what the official conformance suite of MCP expects a server to offer."""

from collections.abc import Sequence

from longline import hookimpl
from longline.tools.prompts import Prompt
from longline.tools.resources import Resource
from longline.tools.tool import Tool
from longline_conformance.asking import ASKING
from longline_conformance.prompts import PROMPTS
from longline_conformance.resources import RESOURCES
from longline_conformance.schemas import SCHEMAS
from longline_conformance.tools import TOOLS


@hookimpl
def register_tools() -> Sequence[Tool]:
    return [*TOOLS, *ASKING, *SCHEMAS]


@hookimpl
def register_prompts() -> Sequence[Prompt]:
    return PROMPTS


@hookimpl
def register_resources() -> Sequence[Resource]:
    return RESOURCES
