"""Imported by the forkserver of `longline dev`: every child that it forks has these modules already."""

import importlib
import logging

logger = logging.getLogger(__name__)

for _name in (
    "langgraph.pregel", "langgraph.graph", "langgraph.prebuilt", "langchain_core.messages", "langgraph_sdk.runtime",
    "langgraph.checkpoint.sqlite.aio", "longline_hosts.dev", "longline_storage_sqlite", "longline_protocol_langgraph",
    "longline_agent_tools", "uvloop", "rich.console", "rich.markup",
):  # fmt: skip
    try:
        importlib.import_module(_name)
    except Exception as error:  # a child that needs it will say what is wrong
        logger.debug("module not preloaded", extra={"module_name": _name}, exc_info=error)
