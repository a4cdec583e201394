"""Node and the packages of a `package.json`, installed once a machine into the temporary folder.

Skips the test with a reason where Node, npm or the network is missing; fails instead where the variable `CI` is set.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

SCRIPTS = Path(__file__).with_name("js")
_INSTALL_SECONDS = 110


def installed_packages(scripts: Path = SCRIPTS) -> Path:
    """A folder with `node_modules`, for the `package.json` of another. Workers that ask at the same time wait for the
    first of them."""
    if shutil.which("node") is None:
        give_up("Node.js is not installed")
    package = (scripts / "package.json").read_bytes()
    mark = hashlib.sha256(package).hexdigest()[:12]
    home = Path(tempfile.gettempdir(), f"longline-js-{mark}-{os.getuid() if hasattr(os, 'getuid') else 0}")
    home.mkdir(mode=0o700, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            (home / "package.json").write_bytes(package)
            _install(home, scripts.name)
            (home / "complete").touch()
    return home


def _install(home: Path, name: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        give_up("npm is not installed")
    command = [npm, "install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"]
    try:
        subprocess.run(
            [*command, "--cache", str(home / "cache")],
            cwd=home,
            check=True,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        give_up(f"npm cannot install {name}/package.json: {str(error.stderr or error)[-500:]}")


def copied_scripts(home: Path, scripts: Path = SCRIPTS) -> Path:
    """Our scripts in a folder of their own below the packages, where Node finds these."""
    folder = Path(tempfile.mkdtemp(prefix="scripts-", dir=home))
    shutil.copytree(scripts, folder, dirs_exist_ok=True)
    return folder


def give_up(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
