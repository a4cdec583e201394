"""The assistant that every graph has by itself: made by the server, everybody's."""

import logging
from datetime import timedelta

from longline.clock import Clock
from longline.errors import AlreadyExistsError
from longline.graphs.registry import GraphRegistry
from longline.ids import graph_assistant_id
from longline.models.assistants import Assistant
from longline.services.mirror_store import MAKER, MIRRORED_FROM, SERVER
from longline.storage.protocols import AssistantStore

logger = logging.getLogger(__name__)


async def ensure_graph_assistants(store: AssistantStore, graphs: GraphRegistry, clock: Clock) -> None:
    """One assistant for every graph, made by the server at its start if it is not there; each a little younger than the
    one before, so that lists by age have the order of the graphs."""
    start = clock()
    for number, graph_id in enumerate(graphs.graph_ids):
        now = start + timedelta(microseconds=number)
        assistant = Assistant(
            assistant_id=graph_assistant_id(graph_id),
            graph_id=graph_id,
            name=graph_id,
            description=graphs.definition(graph_id).description,
            config={},
            context={},
            metadata={MAKER: SERVER},
            version=1,
            created_at=now,
            updated_at=now,
        )
        try:
            await store.create(assistant)
        except AlreadyExistsError:  # from an earlier start, or from another server that starts now
            # These ids are known before there is the graph: somebody may have taken one.
            if not is_by_server(await store.get(assistant.assistant_id)):
                logger.warning("assistant of a graph belongs to a caller", extra={"graph_id": graph_id})


def is_by_server(assistant: Assistant) -> bool:
    """Whether the server made it for a graph. It makes mirrors too: those are not everybody's."""
    return assistant.metadata.get(MAKER) == SERVER and assistant.metadata.get(MIRRORED_FROM) is None
