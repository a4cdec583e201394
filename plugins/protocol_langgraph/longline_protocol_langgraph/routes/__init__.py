"""All paths of the API."""

from collections.abc import Sequence

from starlette.routing import Route

from longline.services.server import Server
from longline_protocol_langgraph.routes.assistants import assistant_routes
from longline_protocol_langgraph.routes.runs import run_routes
from longline_protocol_langgraph.routes.stateless import stateless_routes
from longline_protocol_langgraph.routes.states import state_routes
from longline_protocol_langgraph.routes.system import system_routes
from longline_protocol_langgraph.routes.threads import thread_routes
from longline_protocol_langgraph.settings import LangGraphApiSettings


def all_routes(server: Server, settings: LangGraphApiSettings) -> Sequence[Route]:
    """In the order in which they are tried: what is asked most comes first."""
    return [
        *stateless_routes(server, settings),
        *run_routes(server, settings),
        *thread_routes(server),
        *state_routes(server),
        *assistant_routes(server),
        *system_routes(server),
    ]
