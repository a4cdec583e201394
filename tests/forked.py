"""The `longline` command without its imports: forked from a process that has done them, one for each test process.

What is forked is a process like any other, with a pid, a session, streams and an exit code of its own. Where the
environment changes what is imported, or where there is no fork, the command is started afresh.
"""

import array
import atexit
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TypeAlias

LONGLINE = Path(sys.executable).with_name("longline")
_WARM = Path(__file__).with_name("warm.py")
_NUMBER = array.array("i").itemsize
# What commands of tests do not see of the environment.
HIDDEN = ("LONGLINE_", "OPENAI_", "DATABASE_", "COV_", "FORCE_COLOR")
# What is read while Python starts, or while modules are imported.
_EARLY = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_", "TZ", "PYDANTIC_")
_CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"  # where system libraries do not survive it
# What the fork does as Python does at its start.
_GIVEN = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
_ENVIRONMENT = dict(os.environ)

Process: TypeAlias = "subprocess.Popen[bytes] | Forked"


def start(
    arguments: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str],
    output: int | IO[bytes] = subprocess.PIPE,
    errors: int | IO[bytes] = subprocess.STDOUT,
    program: Path = LONGLINE,
    afresh: bool = False,
) -> Process:
    """Start a command in a session of its own, with nothing to read. `output` and `errors` are as for `Popen`."""
    if program == LONGLINE and not afresh and can_fork(env):
        return _warm.start(arguments, folder, env, output, errors)
    return subprocess.Popen(
        [str(program), *arguments], cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
        start_new_session=True,
    )  # fmt: skip


def finish(
    arguments: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str],
    seconds: float,
    afresh: bool = False,
) -> subprocess.CompletedProcess[str]:
    """What a command does, to its end. It is killed with its group if that takes longer: `TimeoutExpired`."""
    with TemporaryFile() as output, TemporaryFile() as errors:
        process = start(arguments, folder=folder, env=env, output=output, errors=errors, afresh=afresh)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise subprocess.TimeoutExpired(list(arguments), seconds, _text(output), _text(errors)) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return subprocess.CompletedProcess(list(arguments), code, _text(output), _text(errors))


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode(errors="replace").replace(os.linesep, "\n")


def can_fork(env: Mapping[str, str]) -> bool:
    """Whether a command with this environment starts and imports as one with the environment of the tests does, but
    for modules of its own."""
    path = env.get("PYTHONPATH", "")
    return (
        _CAN_FORK
        and _early(env) == _early(_ENVIRONMENT)
        and (path == _ENVIRONMENT.get("PYTHONPATH", "") or all(map(_only_adds, path.split(os.pathsep))))
    )


def _early(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_EARLY) and name not in _GIVEN}


def _only_adds(folder: str) -> bool:
    """Whether everything in a folder is a module, or a package's description, of a name that means nothing so far."""
    if not (os.path.isabs(folder) and os.path.isdir(folder)):
        return False
    names = {re.split(r"[-.]", name)[0] for name in os.listdir(folder)}
    return not names & {"sitecustomize", "usercustomize", *sys.modules} and not any(map(find_spec, filter(None, names)))


class Forked:
    """A command that was forked: what tests use of `Popen`."""

    def __init__(self, arguments: Sequence[str], connection: socket.socket, stdout: IO[bytes] | None) -> None:
        self.args = list(arguments)
        self.stdout = stdout
        self.returncode: int | None = None
        self._connection = connection
        self._reads = threading.Lock()
        self.pid = self._number()

    def poll(self) -> int | None:
        """The exit code, minus the number of the signal that ended it; None while it goes on."""
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises `TimeoutExpired` after these seconds."""
        code = self._wait(timeout)
        if code is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        return code

    def send_signal(self, number: int) -> None:
        """To the process alone; nothing where it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            poller = select.poll()
            with suppress(ValueError):  # closed: another thread has just read the code
                poller.register(self._connection, select.POLLIN)
                poller.poll(None if timeout is None else timeout * 1000)
        with self._reads:
            if self.returncode is None and _is_readable(self._connection):
                self.returncode = self._number()
                self._connection.close()
        return self.returncode

    def _number(self) -> int:
        data = self._connection.recv(_NUMBER, socket.MSG_WAITALL)
        if len(data) < _NUMBER:
            raise RuntimeError("the process that commands are forked from has ended")
        return array.array("i", data)[0]


def _is_readable(connection: socket.socket) -> bool:
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(0))


class _Warm:
    """The process with the imports. It starts with the first command, and ends with this process."""

    def __init__(self) -> None:
        self._requests: socket.socket | None = None
        self._starts = threading.Lock()

    def start(
        self,
        arguments: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        output: int | IO[bytes],
        errors: int | IO[bytes],
    ) -> Forked:
        """Have a command forked. Its streams are sent as they are: nothing of it goes through that process."""
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._connected(), [b"c"], [theirs.fileno()])
        asked = {"arguments": list(arguments), "folder": str(folder), "environment": dict(env)}
        with ExitStack() as stack:
            stdout: IO[bytes] | None = None
            streams = [stack.enter_context(open(os.devnull, "rb")).fileno()]
            if output == subprocess.PIPE:
                reading, writing = os.pipe()
                stack.callback(os.close, writing)
                stdout = open(reading, "rb", buffering=0)  # noqa: SIM115  # closed by who reads it
                streams.append(writing)
            else:
                streams.append(_descriptor(output))
            streams.append(streams[1] if errors == subprocess.STDOUT else _descriptor(errors))
            socket.send_fds(ours, [b"s"], streams)
        ours.sendall(json.dumps(asked).encode() + b"\n")
        return Forked(arguments, ours, stdout)

    def _connected(self) -> socket.socket:
        with self._starts:
            if self._requests is None:
                ours, theirs = socket.socketpair()
                with theirs:
                    clean = {name: value for name, value in _ENVIRONMENT.items() if not name.startswith(HIDDEN)}
                    process = subprocess.Popen(
                        [sys.executable, str(_WARM), str(theirs.fileno())], pass_fds=[theirs.fileno()], env=clean,
                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
                    )  # fmt: skip
                self._requests = ours
                atexit.register(_end, process, ours)
            return self._requests


def _end(process: "subprocess.Popen[bytes]", requests: socket.socket) -> None:
    requests.close()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:  # somebody else holds the socket too
        process.kill()
        process.wait()


def _descriptor(stream: int | IO[bytes]) -> int:
    return stream if isinstance(stream, int) else stream.fileno()


_warm = _Warm()
