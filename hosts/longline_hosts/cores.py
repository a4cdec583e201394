"""How many cores this process may use."""

import os
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import Final

_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def count_cores(quota: Path = _QUOTA) -> int:
    """The cores of the machine that are open to this process, and no more than its container may keep busy."""
    return max(1, min(_open_cores(), _within_quota(quota)))


def _open_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _within_quota(path: Path) -> int:
    """What the container is given (https://docs.kernel.org/admin-guide/cgroup-v2.html): `microseconds of each`, or
    `max of each`."""
    with suppress(OSError, ValueError):
        share, _, period = path.read_text("ascii").partition(" ")
        if share != "max":
            return ceil(int(share) / int(period))
    return os.cpu_count() or 1
