"""A process that has done the imports of the `longline` command, and is forked for each command that a test runs.

It is run as a program with the number of a socket; `tests/forked.py` has the other end. Each request on that socket is
the socket of one command: its child reads there what to be, it writes there the child's pid, then its exit code.
"""

import array
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType

SCRIPT = Path(sys.executable).with_name("longline")
IMPORTS = (
    "longline_hosts.warm", "longline_hosts.cli", "longline_hosts.check", "longline_hosts.migrate",
    "longline_hosts.plugins", "longline_hosts.plugin_commands", "longline_hosts.reload", "longline_hosts.remote",
    "longline_hosts.run", "longline_agent_tools.demo_model", "longline_agent_tools.graph",
    "longline_auth_supabase.choice", "longline_metrics_prometheus.app", "longline_protocol_a2a.app",
    "longline_protocol_mcp.app", "longline_storage_postgres.storage", "longline_storage_sqlite.checkpoints",
    "longline_storage_sqlite.items", "longline_storage_sqlite.pruning", "longline_supabase_sync.commands",
    "longline_webhooks.service", "langgraph.store.sqlite.aio",
)  # fmt: skip


def main() -> None:
    """Fork until nobody asks any more; in a child: be the command."""
    sys.path[0] = str(SCRIPT.parent)  # as the interpreter sets it for the script
    requests = socket.socket(fileno=int(sys.argv[1]))
    _import()
    command = _serve(requests)
    if command is not None:
        _become(command)


def _import() -> None:
    for name in IMPORTS:
        importlib.import_module(name)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/task")) == 1, "an import started a thread: nothing can be forked safely"
    gc.collect()
    gc.freeze()


def _serve(requests: socket.socket) -> socket.socket | None:
    """In a child the socket of its command; None in this process, once the other end of `requests` is closed."""
    commands: dict[int, socket.socket] = {}
    awake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    while True:
        readable, _, _ = select.select([requests, awake], [], [])
        if awake in readable:
            os.read(awake, 4096)
            _reap(commands)
        if requests not in readable:
            continue
        _, given, _, _ = socket.recv_fds(requests, 1, 1)
        if not given:
            return None
        command = socket.socket(fileno=given[0])
        if (pid := os.fork()) == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (requests, *commands.values()):
                other.close()
            os.close(awake)
            os.close(woken)
            return command
        commands[pid] = command
        _tell(command, pid)


def _reap(commands: dict[int, socket.socket]) -> None:
    """Tell the exit codes of those that have ended."""
    for pid in list(commands):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with commands.pop(pid) as command:
                _tell(command, os.waitstatus_to_exitcode(status))


def _tell(command: socket.socket, number: int) -> None:
    with suppress(ConnectionError):  # nobody waits for it any more
        command.sendall(array.array("i", [number]).tobytes())


def _become(command: socket.socket) -> None:
    """Run the script as the interpreter does, with the streams, the folder, the environment and arguments asked for."""
    with command:
        _, streams, _, _ = socket.recv_fds(command, 1, 3)
        with command.makefile("rb") as lines:
            asked = json.loads(lines.readline())
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.stdout.reconfigure(write_through=bool(os.environ.get("PYTHONUNBUFFERED")))
    added = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[1:1] = [folder for folder in added if folder not in sys.path]
    sys.argv[:] = [str(SCRIPT), *asked["arguments"]]
    module = ModuleType("__main__")
    module.__file__ = str(SCRIPT)
    sys.modules["__main__"] = module
    exec(compile(SCRIPT.read_bytes(), SCRIPT, "exec"), vars(module))


if __name__ == "__main__":
    main()
