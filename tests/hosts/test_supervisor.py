"""The supervisor of workers: what it may not miss."""

import socket
import threading
from collections.abc import Callable

from longline_hosts.workers import _Supervisor

WATCHDOG_SECONDS = 30.0


def end_at_once(number: int, bound: socket.socket, ready: Callable[[], None]) -> int:
    """A worker that cannot start."""
    return 3


def test_a_worker_that_ended_before_anybody_waited_is_not_waited_for() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        supervisor = _Supervisor(bound, end_at_once, 1, 1.0, lambda: None)
        with supervisor._wakes, supervisor._waker:
            worker = supervisor._workers[0]
            supervisor._start(worker)
            assert worker.process is not None
            worker.process.join()
            assert worker.process.exitcode == 3
            supervisor._hear(worker)  # its pipe is at its end, too
            waiting = threading.Thread(target=supervisor._wait, args=(None,), daemon=True)
            waiting.start()
            waiting.join(WATCHDOG_SECONDS)
            assert not waiting.is_alive()
