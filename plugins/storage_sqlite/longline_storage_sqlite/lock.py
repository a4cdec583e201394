"""The owner's lock: one server per file. The system gives it back however the server ends."""

import os
import socket
import sys
from pathlib import Path

from longline.errors import StorageInUseError

if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1_000_000  # far behind the text, which others must be able to read

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class OwnerLock:
    """A lock on `<file>.lock`, held from construction to close. Raises StorageInUseError naming the holder."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(self._descriptor)
        except (BlockingIOError, PermissionError) as error:
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            owner = os.read(self._descriptor, 200).decode("utf-8", "replace")
            os.close(self._descriptor)
            raise StorageInUseError(str(path), owner or "unknown process") from error
        except BaseException:
            os.close(self._descriptor)
            raise
        self._write_owner()

    def close(self) -> None:
        """Let the next server have the file. The lock file stays: removing it would race with who opens it."""
        os.close(self._descriptor)

    def _write_owner(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
