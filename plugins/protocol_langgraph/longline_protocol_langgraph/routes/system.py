"""Is it alive, and what is it?"""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from starlette.requests import Request
from starlette.routing import Route

from longline.asgi.types import ASGIApp
from longline.services.server import Server
from longline_protocol_langgraph.endpoint import route
from longline_protocol_langgraph.parameters import Flag
from longline_protocol_langgraph.replies import json_reply

CHECK_DB = Flag("check_db", "Whether the storage is asked too.")


def system_routes(server: Server) -> list[Route]:
    """`/ok` and `/info`."""
    system = _System(server)
    return [route("/ok", GET=system.ok, HEAD=system.ok), route("/info", GET=system.info, HEAD=system.info)]


class _System:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def ok(self, request: Request) -> ASGIApp:
        """With `check_db` the storage is asked too."""
        if CHECK_DB.of(request):
            await self._server.check_storage()
        return json_reply({"ok": True, "services": {}})

    async def info(self, request: Request) -> ASGIApp:  # noqa: ARG002  # a handler's form
        nothing = dict.fromkeys(("project_id", "host_revision_id", "revision_id", "tenant_id"))
        told = {
            "version": self._server.version,
            "langgraph_py_version": _langgraph_version(),
            "flags": {
                "assistants": True,
                "crons": True,
                "langsmith": False,
                "langsmith_tracing_replicas": False,
                "langsmith_tracing_session_on_runs": False,
            },
            "host": {"kind": "self-hosted", **nothing},
        }
        return json_reply({**self._server.describe(), **told})


@cache
def _langgraph_version() -> str | None:
    """From the package's metadata: importing it for that would take a second."""
    try:
        return version("langgraph")
    except PackageNotFoundError:  # pragma: no cover  # core needs it
        return None
