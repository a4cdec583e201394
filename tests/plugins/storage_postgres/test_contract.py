"""Postgres keeps every promise of the storage protocols."""

from longline.testing.storage_assistants import AssistantStoreContract
from longline.testing.storage_checkpoints import CheckpointContract
from longline.testing.storage_collections import CollectionContract
from longline.testing.storage_counts import CountsContract
from longline.testing.storage_crons import CronSearchContract, CronStoreContract
from longline.testing.storage_events import EventLogContract
from longline.testing.storage_filters import FilterContract
from longline.testing.storage_items import ItemsContract
from longline.testing.storage_queue import RunQueueContract
from longline.testing.storage_records import RunRecordContract
from longline.testing.storage_relay import RelayContract
from longline.testing.storage_restart import RestartContract
from longline.testing.storage_retention import RetentionContract
from longline.testing.storage_shared import SharedCollectionContract, SharedCronContract
from longline.testing.storage_shared_retention import SharedRetentionContract
from longline.testing.storage_shared_runs import SharedRunContract
from longline.testing.storage_state_writes import StateWritesContract
from longline.testing.storage_threads import ThreadSearchContract, ThreadStoreContract
from longline.testing.storage_ticks import CronTickContract
from longline.testing.storage_turns import TurnContract


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


class TestCrons(CronStoreContract):
    pass


class TestCronSearch(CronSearchContract):
    pass


class TestCronTicks(CronTickContract):
    pass


class TestEventLog(EventLogContract):
    pass


class TestTurns(TurnContract):
    pass


class TestCheckpoints(CheckpointContract):
    pass


class TestItems(ItemsContract):
    pass


class TestCollections(CollectionContract):
    pass


class TestRunRecords(RunRecordContract):
    pass


class TestRestart(RestartContract):
    pass


class TestCounts(CountsContract):
    pass


class TestRetention(RetentionContract):
    pass


class TestStateWrites(StateWritesContract):
    pass


class TestSharedCrons(SharedCronContract):
    pass


class TestSharedCollections(SharedCollectionContract):
    pass


class TestSharedRetention(SharedRetentionContract):
    pass


class TestSharedRuns(SharedRunContract):
    pass


class TestRelay(RelayContract):
    pass
