"""The contract of assistants and threads that several processes change at once."""

import asyncio

import pytest

from longline.errors import AlreadyExistsError, NotFoundError, ThreadBusyError
from longline.models.assistants import Assistant, AssistantChange
from longline.models.runs import Admission
from longline.models.threads import Thread, ThreadState, ThreadStatus
from longline.testing.storage_samples import (
    admit_all,
    batch_of,
    begin,
    ended,
    far_off,
    moment,
    put,
    sample_assistant,
    sample_run,
    sample_thread,
)
from longline.testing.storage_shared import Pair, PairContract

_IDLE = ThreadState(status=ThreadStatus.IDLE, values=b"{}")


@pytest.mark.anyio
class SharedAssistantContract(PairContract):
    """Assistants that two processes change."""

    async def test_of_processes_that_make_the_same_assistants_one_makes_each_and_all_see_it(self, pair: Pair) -> None:
        for number in range(10):
            made = [sample_assistant(f"assistant-{number}", name=f"n{n}") for n in range(6)]
            results = await asyncio.gather(
                *(pair[n % 2].assistants.create(made[n]) for n in range(6)), return_exceptions=True
            )
            winners = [result for result in results if isinstance(result, Assistant)]
            assert len(winners) == 1
            assert all(isinstance(result, Assistant | AlreadyExistsError) for result in results)
            for storage in pair:
                assert await storage.assistants.get(f"assistant-{number}") == winners[0]

    async def test_updates_of_two_processes_each_get_a_version_and_lose_nothing(self, pair: Pair) -> None:
        made = await pair[0].assistants.create(sample_assistant())
        changes = [AssistantChange(metadata={f"k{number}": number}) for number in range(20)]
        updated = await asyncio.gather(
            *(
                pair[n % 2].assistants.update(made.assistant_id, change, at=moment(1))
                for n, change in enumerate(changes)
            )
        )
        assert sorted(one.version for one in updated) == list(range(2, 22))
        latest = await pair[1].assistants.get(made.assistant_id)
        assert (latest.version, len(latest.metadata)) == (21, 21)

    async def test_an_assistant_that_is_updated_and_chosen_at_once_is_always_there(self, pair: Pair) -> None:
        made = await pair[0].assistants.create(sample_assistant())
        assistant_id = made.assistant_id
        await asyncio.gather(
            *(pair[n % 2].assistants.get(assistant_id) for n in range(20)),
            *(pair[n % 2].assistants.update(assistant_id, AssistantChange(), at=moment(1)) for n in range(10)),
            *(pair[n % 2].assistants.set_latest(assistant_id, 1, at=moment(2)) for n in range(10)),
        )
        assert len(await pair[0].assistants.versions(made.assistant_id, limit=99)) == 11

    async def test_a_deleted_assistant_stays_deleted_whoever_updates_it(self, pair: Pair) -> None:
        for _ in range(10):
            made = await pair[0].assistants.create(sample_assistant("one"))
            results = await asyncio.gather(
                pair[0].assistants.update(made.assistant_id, AssistantChange(name="x"), at=moment(1)),
                pair[1].assistants.delete(made.assistant_id),
                pair[0].assistants.set_latest(made.assistant_id, 1, at=moment(1)),
                return_exceptions=True,
            )
            assert results[1] is None
            assert all(isinstance(result, Assistant | NotFoundError) for result in (results[0], results[2]))
            assert await pair[0].assistants.versions(made.assistant_id) == []


@pytest.mark.anyio
class SharedThreadContract(PairContract):
    """Threads that two processes change."""

    async def test_of_processes_that_make_one_thread_exactly_one_wins(self, pair: Pair) -> None:
        for number in range(10):
            made = [sample_thread(f"thread-{number}", metadata={"n": n}) for n in range(6)]
            results = await asyncio.gather(
                *(pair[n % 2].threads.create(made[n]) for n in range(6)), return_exceptions=True
            )
            winners = [result for result in results if isinstance(result, Thread)]
            assert len(winners) == 1
            assert all(isinstance(result, Thread | AlreadyExistsError) for result in results)

    async def test_updates_of_two_processes_lose_no_metadata(self, pair: Pair) -> None:
        made = await pair[0].threads.create(sample_thread())
        await asyncio.gather(
            *(pair[n % 2].threads.update(made.thread_id, metadata={f"k{n}": n}, at=moment(n)) for n in range(20))
        )
        assert (await pair[1].threads.get(made.thread_id)).metadata == {f"k{n}": n for n in range(20)}

    async def test_state_updates_of_two_processes_each_take_a_turn(self, pair: Pair) -> None:
        made = await pair[0].threads.create(sample_thread())
        turns = await asyncio.gather(
            *(pair[n % 2].threads.set_state(made.thread_id, _IDLE, at=moment(n)) for n in range(20))
        )
        assert sorted(turns) == list(range(1, 21))

    async def test_a_state_update_never_slips_beside_a_new_run(self, pair: Pair) -> None:
        for _ in range(20):
            made = await pair[0].threads.create(sample_thread())
            new = sample_run(made.thread_id, not_before=far_off())
            enqueued, turn = await asyncio.gather(
                pair[0].runs.enqueue(new, admit=admit_all),
                pair[1].threads.set_state(made.thread_id, _IDLE, at=moment()),
                return_exceptions=True,
            )
            assert isinstance(enqueued, Admission)
            assert isinstance(turn, int | ThreadBusyError)
            with pytest.raises(ThreadBusyError):
                await pair[1].threads.set_state(made.thread_id, _IDLE, at=moment())

    async def test_a_deleted_thread_leaves_no_run_behind_whoever_adds_one(self, pair: Pair) -> None:
        for _ in range(20):
            made = await pair[0].threads.create(sample_thread())
            new = sample_run(made.thread_id, creates_thread=False)
            enqueued, gone = await asyncio.gather(
                pair[0].runs.enqueue(new, admit=admit_all),
                pair[1].threads.delete(made.thread_id),
                return_exceptions=True,
            )
            assert gone == ([new.run_id] if isinstance(enqueued, Admission) else [])
            assert isinstance(enqueued, Admission | NotFoundError)
            with pytest.raises(NotFoundError):
                await pair[0].runs.get(made.thread_id, new.run_id)

    async def test_deleting_a_thread_while_its_run_says_and_ends_leaves_nothing(self, pair: Pair) -> None:
        for _ in range(10):
            run = await begin(pair[0])
            waiting = await put(pair[0], sample_run(run.thread_id))
            gone, *others = await asyncio.gather(
                pair[1].threads.delete(run.thread_id),
                pair[0].events.append([batch_of(run.lease, b"1")]),
                pair[0].runs.finish(run.lease, ended(), at=moment(1)),
                return_exceptions=True,
            )
            assert gone in ([run.run_id, waiting.run_id], [waiting.run_id])
            assert not [other for other in others if isinstance(other, BaseException) and "eadlock" in str(other)]
            for run_id in (run.run_id, waiting.run_id):
                with pytest.raises(NotFoundError):
                    await pair[0].runs.get(run.thread_id, run_id)
                assert await pair[0].events.append([batch_of(run.lease, b"2")]) == {run.run_id}

    async def test_of_two_deletes_one_wins(self, pair: Pair) -> None:
        for _ in range(10):
            made = await pair[0].threads.create(sample_thread())
            results = await asyncio.gather(
                *(storage.threads.delete(made.thread_id) for storage in pair), return_exceptions=True
            )
            assert sorted(type(result).__name__ for result in results) == ["NotFoundError", "list"]

    async def test_of_two_copies_to_one_id_one_wins(self, pair: Pair) -> None:
        one, other = [await pair[0].threads.create(sample_thread(metadata={"n": n})) for n in range(2)]
        results = await asyncio.gather(
            pair[0].threads.copy(one.thread_id, "copy", at=moment(9)),
            pair[1].threads.copy(other.thread_id, "copy", at=moment(9)),
            return_exceptions=True,
        )
        winners = [result for result in results if isinstance(result, Thread)]
        assert len(winners) == 1
        assert all(isinstance(result, Thread | AlreadyExistsError) for result in results)
        assert await pair[0].threads.get("copy") == winners[0]
