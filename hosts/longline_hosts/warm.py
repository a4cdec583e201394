"""Imported by the forkserver that forks the workers of `longline serve` and the children of `longline dev`: each of
them has these modules already."""

import gc
import importlib
import logging
import signal

logger = logging.getLogger(__name__)

for _name in (
    "langgraph.pregel", "langgraph.graph", "langgraph.prebuilt", "langchain_core.messages", "langgraph_sdk.runtime",
    "langgraph.checkpoint.sqlite.aio", "longline_hosts.dev", "longline_hosts.production", "longline_storage_sqlite",
    "longline_protocol_a2a", "longline_protocol_langgraph", "longline_protocol_mcp", "longline_agent_tools", "uvloop",
    "rich.console", "rich.markup",
):  # fmt: skip
    try:
        importlib.import_module(_name)
    except Exception as error:  # a child that needs it will say what is wrong
        logger.debug("module not preloaded", extra={"module_name": _name}, exc_info=error)

gc.collect()
gc.freeze()  # what a collector never touches stays one copy for all children
# A signal to the whole group is for the supervisor and its children; this process ends with the supervisor.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
