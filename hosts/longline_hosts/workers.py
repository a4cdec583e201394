"""Several processes that serve one socket, and their supervisor: it binds, starts, restarts and stops them."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Final, Protocol

from longline.errors import LonglineError
from longline_hosts.errors import print_error

logger = logging.getLogger(__name__)

_WARM: Final = "longline_hosts.warm"
_PAUSE_SECONDS: Final = 0.5
"""Before a worker that ended soon after its start is started again; twice as long each time it does so again."""
_LONGEST_PAUSE_SECONDS: Final = 30.0
_STEADY_SECONDS: Final = 10.0
"""A worker that served for so long did not end because of its start."""
_GRACE_SECONDS: Final = 5.0
"""What a worker that overruns its own limit gets before it is killed."""

_GOOD_ENDS: Final = (0, -signal.SIGTERM)  # the latter: it had not begun to serve


class Work(Protocol):
    """What a worker does: serve on the socket until it is told to stop, and return the exit code. It calls `ready` as
    soon as requests are answered."""

    def __call__(self, number: int, bound: socket.socket, ready: Callable[[], None]) -> int:
        """Raises LonglineError where it cannot start."""
        ...


@dataclass(slots=True)
class _Worker:
    """A place for a process; `process` is None while none is there."""

    number: int
    process: BaseProcess | None = None
    said_ready: Connection | None = None
    """Open until the process is ready."""
    ready_at: float | None = None
    pause_seconds: float = 0.0
    start_at: float = 0.0


def supervise_workers(
    bound: socket.socket, work: Work, *, count: int, stop_seconds: float, on_ready: Callable[[], None]
) -> int:
    """Keep `count` workers serving until SIGTERM or SIGINT, and return the exit code; a second signal ends everything
    at once. `work` must be picklable.

    The first worker starts alone: one that cannot start ends all, with its exit code. Later on a worker that ends is
    started again. `on_ready` is called once the first is ready. Workers get `stop_seconds` to end."""
    return _Supervisor(bound, work, count, stop_seconds, on_ready).run()


class _Supervisor:
    def __init__(
        self, bound: socket.socket, work: Work, count: int, stop_seconds: float, on_ready: Callable[[], None]
    ) -> None:
        self._bound = bound
        self._work = work
        self._workers = [_Worker(number) for number in range(1, count + 1)]
        self._stop_seconds = stop_seconds
        self._on_ready = on_ready
        self._is_stopping = False
        self._context = _context()
        self._wakes, self._waker = socket.socketpair()

    def run(self) -> int:
        with self._wakes, self._waker, self._signals():
            try:
                return self._first() or self._keep()
            finally:
                self._end_all()

    # -- signals ----------------------------------------------------------------------------------------------------

    def _signals(self) -> "_Signals":
        return _Signals(self._ask, self._waker)

    def _ask(self, number: int, frame: object) -> None:  # noqa: ARG002  # a signal handler's arguments
        if self._is_stopping:
            for process in self._processes():
                process.kill()
            os._exit(130)  # the second time the operator means it; what was committed is safe
        self._is_stopping = True

    def _processes(self) -> Iterator[BaseProcess]:
        return (worker.process for worker in self._workers if worker.process is not None)

    # -- life -------------------------------------------------------------------------------------------------------

    def _first(self) -> int:
        """Until the first worker is ready; the exit code if it ends before."""
        first = self._workers[0]
        self._start(first)
        while first.ready_at is None and not self._is_stopping:
            if first.process is None:
                return 1
            self._wait(None)
            self._hear(first)
            code = first.process.exitcode
            if first.ready_at is None and code is not None and not self._is_stopping:
                return code if code > 0 else 1
        if not self._is_stopping:
            self._on_ready()
        return 0

    def _keep(self) -> int:
        """Until a signal; 0 if all workers ended as they should."""
        while not self._is_stopping:
            for worker in self._workers:
                self._hear(worker)
                self._look_after(worker)
            self._wait(self._next_start())
        return self._stop()

    def _stop(self) -> int:
        self._bound.close()  # as soon as the workers close theirs, nobody can connect any more
        logger.info("server stopping", extra={"workers": sum(1 for _ in self._processes())})
        for process in self._processes():
            process.terminate()
        deadline = time.monotonic() + self._stop_seconds + _GRACE_SECONDS
        for process in self._processes():
            process.join(max(0.0, deadline - time.monotonic()))
        bad = [process.exitcode for process in self._processes() if process.exitcode not in _GOOD_ENDS]
        if bad:
            logger.error("workers did not stop as they should", extra={"exit_codes": bad})
        return 1 if bad else 0

    def _end_all(self) -> None:
        for process in self._processes():
            if process.exitcode is None:
                process.kill()
                process.join()

    # -- one worker -------------------------------------------------------------------------------------------------

    def _start(self, worker: _Worker) -> None:
        sys.stdout.flush()
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(  # type: ignore[attr-defined]  # typeshed gives it to the subclasses only
            target=_worker, args=(self._work, worker.number, self._bound, sender), name=f"longline-{worker.number}"
        )
        worker.ready_at = None
        with sender:
            try:
                process.start()
            except (OSError, EOFError) as error:  # no memory, or no process, for one more
                receiver.close()
                self._plan(worker, {"reason": str(error)})
                return
        worker.process, worker.said_ready = process, receiver

    def _hear(self, worker: _Worker) -> None:
        """Note that it is ready."""
        ready = worker.said_ready
        if ready is None or not ready.poll():
            return
        with suppress(EOFError):  # it ended before
            ready.recv_bytes()
            worker.ready_at = time.monotonic()
        ready.close()
        worker.said_ready = None

    def _look_after(self, worker: _Worker) -> None:
        """Start it if it is time to; plan that if it has just ended."""
        process = worker.process
        if process is None:
            if time.monotonic() >= worker.start_at:
                self._start(worker)
        elif process.exitcode is not None:
            worker.process = None
            self._plan(worker, {"worker_pid": process.pid, "exit_code": process.exitcode})

    def _plan(self, worker: _Worker, facts: Mapping[str, object]) -> None:
        """Say that it is not there, and when it is started."""
        now = time.monotonic()
        was_steady = worker.ready_at is not None and now - worker.ready_at >= _STEADY_SECONDS
        pause = 0.0 if was_steady else min(max(worker.pause_seconds * 2, _PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        worker.pause_seconds, worker.start_at = pause, now + pause
        logger.error("worker ended", extra={"worker": worker.number, **facts, "restart_seconds": pause})

    def _next_start(self) -> float | None:
        """Seconds until a worker is to be started; None if all are there."""
        starts = [worker.start_at for worker in self._workers if worker.process is None]
        return max(0.0, min(starts) - time.monotonic()) if starts else None

    def _wait(self, seconds: float | None) -> None:
        """Until a worker is ready or has ended, a signal comes, or the time is over."""
        ends = [process.sentinel for process in self._processes()]  # also of one that ended a moment ago
        readies = [worker.said_ready for worker in self._workers if worker.said_ready is not None]
        if self._wakes in wait([*ends, *readies, self._wakes], seconds):
            self._wakes.recv(1024)


class _Signals:
    """SIGTERM and SIGINT go to a function, and each wakes who waits for a socket."""

    def __init__(self, handle: Callable[[int, object], None], waker: socket.socket) -> None:
        self._handle = handle
        self._waker = waker

    def __enter__(self) -> None:
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGINT, self._handle)

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)


def _worker(work: Work, number: int, bound: socket.socket, sender: Connection) -> None:
    """Runs in the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the supervisor decides what it means
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        sys.exit(work(number, bound, partial(sender.send_bytes, b"ready")))
    except LonglineError as error:
        if logger.isEnabledFor(logging.DEBUG):
            raise
        print_error(error)
        sys.exit(2)


def _context() -> BaseContext:
    """Workers are forked by a process that has the slow imports done and nothing else: they start fast, whenever that
    is, and share the memory of what was imported."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_WARM])
    forkserver.ensure_running()
    return context
