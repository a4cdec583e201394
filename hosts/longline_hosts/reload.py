"""Restart on change: a supervisor that owns the socket, a child that serves, and a forkserver that has the slow imports
done before a child is needed."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, Protocol

from watchfiles import Change, watch

from longline.errors import LonglineError
from longline_hosts.errors import print_error
from longline_hosts.watched import holds_sources, is_source, source_folders

logger = logging.getLogger(__name__)

_POLL_MS: Final = 200
_SETTLE_MS: Final = 60  # an editor that saves writes more than once
_KILL_SECONDS: Final = 60.0  # a child ends by itself long before
_WARM: Final = "longline_hosts.warm"


class Serve(Protocol):
    """What the child does: serve on the socket until it is told to stop, and return the exit code. It calls `ready`
    once everything is loaded. `is_first`: no child has been ready before."""

    def __call__(self, bound: socket.socket, ready: Callable[[], None], *, is_first: bool) -> int:
        """Raises LonglineError where it cannot start."""
        ...


def supervise(bound: socket.socket, serve: Serve, files: Callable[[], tuple[Iterable[Path], Iterable[Path]]]) -> int:
    """Keep a child serving until SIGTERM or SIGINT; the exit code. `serve` must be picklable. `files` tells which
    folders and which single files to watch, asked again before each start."""
    return _Supervisor(bound, serve, files).run()


class _Supervisor:
    def __init__(
        self, bound: socket.socket, serve: Serve, files: Callable[[], tuple[Iterable[Path], Iterable[Path]]]
    ) -> None:
        self._bound = bound
        self._serve = serve
        self._find_files = files
        self._stop = threading.Event()
        self._child: BaseProcess | None = None
        self._ready: Connection | None = None
        self._was_ready = False
        self._is_reported = False

    def run(self) -> int:
        self._start(_first_context())  # before there are threads: it is forked where that is safe
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)
        code: int | None = None
        try:
            while code is None and not self._stop.is_set():
                code = self._watch()
        finally:
            self._end()
        return code or 0

    def _ask(self, number: int, frame: object) -> None:  # noqa: ARG002  # a signal handler's arguments
        if self._stop.is_set():
            if self._child is not None:
                self._child.kill()
            os._exit(130)  # the second time the operator means it
        self._stop.set()

    # -- watching ---------------------------------------------------------------------------------------------------

    def _watch(self) -> int | None:
        """Until what is to be watched changes (None), or the child failed at its first start (its exit code)."""
        watched = self._files()
        folders, singles = watched
        changes = watch(
            *folders, watch_filter=lambda change, path: _matters(change, Path(path), singles), recursive=False,
            debounce=_SETTLE_MS * 5, step=_SETTLE_MS, stop_event=self._stop, rust_timeout=_POLL_MS,
            yield_on_timeout=True, raise_interrupt=False,
        )  # fmt: skip
        for changed in changes:
            if changed:
                self._reload(sorted({path for _, path in changed}))
                if self._files() != watched:
                    return None
            code = self._look_after()
            if code is not None:
                return code
        return None

    def _files(self) -> tuple[frozenset[Path], frozenset[Path]]:
        """The folders to watch, and the single files that matter in them."""
        roots, files = self._find_files()
        singles = frozenset(path.resolve() for path in files)
        return frozenset(source_folders(roots) | {path.parent for path in singles if path.parent.is_dir()}), singles

    def _reload(self, changed: list[str]) -> None:
        shown = ", ".join(os.path.relpath(path) for path in changed[:3])
        self._look_after()
        logger.info("files changed", extra={"files": shown + (", …" if len(changed) > 3 else "")})  # noqa: PLR2004  # a line
        self._end()
        if not self._stop.is_set():
            self._start(_next_context())

    def _look_after(self) -> int | None:
        """Note that the child is ready, or that it has ended: the exit code if it never served anything."""
        if self._ready is not None and self._ready.poll():
            self._note_ready(self._ready)
        child = self._child
        if child is None or child.exitcode is None:
            return None
        if not self._was_ready:
            return child.exitcode if child.exitcode > 0 else 1
        if not self._is_reported:
            self._is_reported = True
            logger.error("server ended", extra={"exit_code": child.exitcode, "next": "it starts again on a change"})
        return None

    def _note_ready(self, ready: Connection) -> None:
        try:
            ready.recv_bytes()
        except EOFError:  # it ended before
            return
        finally:
            ready.close()
            self._ready = None
        self._was_ready = True
        if sys.platform != "win32":
            _next_context()
            forkserver.ensure_running()

    # -- the child --------------------------------------------------------------------------------------------------

    def _start(self, context: "multiprocessing.context.BaseContext") -> None:
        sys.stdout.flush()
        receiver, sender = context.Pipe(duplex=False)
        self._child = context.Process(  # type: ignore[attr-defined]  # typeshed gives it to the subclasses only
            target=_child,
            args=(self._serve, self._bound, sender),
            kwargs={"is_first": not self._was_ready},
            name="longline-server",
        )
        self._child.start()
        sender.close()
        self._ready = receiver
        self._is_reported = False

    def _end(self) -> None:
        child = self._child
        if child is None:
            return
        child.terminate()
        child.join(_KILL_SECONDS)
        if child.exitcode is None:
            child.kill()
            child.join()
        if self._ready is not None:
            self._ready.close()
            self._ready = None
        self._child = None


def _child(
    serve: Serve, bound: socket.socket, sender: Connection, is_first: bool
) -> None:  # Process takes no keywords here
    """Runs in the child. Ctrl-C reaches the whole group: the parent decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def ready() -> None:
        sender.send_bytes(b"ready")
        sender.close()

    try:
        code = serve(bound, ready, is_first=is_first)
    except LonglineError as error:
        if logger.isEnabledFor(logging.DEBUG):
            raise
        print_error(error)
        code = 2
    sys.exit(code)


def _matters(change: Change, path: Path, singles: frozenset[Path]) -> bool:
    """Whether a change restarts the server: a source, a file of the configuration, a new folder (it may hold some)."""
    if is_source(path) or path.resolve() in singles:
        return True
    return change is Change.added and holds_sources(path)


def _first_context() -> "multiprocessing.context.BaseContext":
    """Forked from the supervisor, the first child has all imports already; on macOS and Windows that is not safe."""
    return multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")


def _next_context() -> "multiprocessing.context.BaseContext":
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_WARM])
    return context
