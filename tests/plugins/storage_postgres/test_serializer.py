"""What may be rebuilt from a checkpoint is what the operator allows."""

import pickle

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from longline.settings import SerdeSettings
from longline_storage_postgres.backends import PartOptions, postgres_backend
from longline_storage_postgres.serializer import make_serializer
from longline_storage_postgres.settings import PostgresSettings


class Mine:
    """A class that no serializer knows."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mine) and other.number == self.number

    __hash__ = None


def test_langgraphs_own_choice_is_left_alone() -> None:
    assert make_serializer(None) is None


def test_pickle_is_used_only_where_it_is_allowed() -> None:
    allowed = make_serializer(SerdeSettings(pickle_fallback=True))
    kind, data = allowed.dumps_typed(Mine(1))
    assert (kind, pickle.loads(data)) == ("pickle", Mine(1))
    assert allowed.loads_typed((kind, data)) == Mine(1)
    forbidding = make_serializer(SerdeSettings(pickle_fallback=False))
    with pytest.raises(TypeError):
        forbidding.dumps_typed(Mine(1))
    with pytest.raises(NotImplementedError):
        forbidding.loads_typed((kind, data))


@pytest.mark.anyio
async def test_the_savers_of_a_storage_use_it(database_url: str) -> None:
    options = PartOptions(serde=SerdeSettings(pickle_fallback=True))
    async with postgres_backend(PostgresSettings(), options).connect(database_url) as storage:
        saver = await storage.checkpointer()
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"mine": Mine(7)}
        config = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        stored = await saver.aput(config, checkpoint, {"source": "loop", "step": 0, "parents": {}}, {})
        found = await saver.aget_tuple(stored)
        assert found.checkpoint["channel_values"] == {"mine": Mine(7)}
