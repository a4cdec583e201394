"""SQLite keeps every promise of the storage protocols."""

from longline.testing.storage_assistants import AssistantStoreContract
from longline.testing.storage_checkpoints import CheckpointContract
from longline.testing.storage_events import EventLogContract
from longline.testing.storage_filters import FilterContract
from longline.testing.storage_items import ItemsContract
from longline.testing.storage_queue import RunQueueContract
from longline.testing.storage_restart import RestartContract, SoleOwnerContract
from longline.testing.storage_threads import ThreadSearchContract, ThreadStoreContract


class TestAssistants(AssistantStoreContract):
    pass


class TestThreads(ThreadStoreContract):
    pass


class TestThreadSearch(ThreadSearchContract):
    pass


class TestFilters(FilterContract):
    pass


class TestRunQueue(RunQueueContract):
    pass


class TestEventLog(EventLogContract):
    pass


class TestCheckpoints(CheckpointContract):
    pass


class TestItems(ItemsContract):
    pass


class TestRestart(RestartContract):
    pass


class TestSoleOwner(SoleOwnerContract):
    pass
