"""`.longline/` in the current folder: what a server on this machine keeps beside its database."""

import json
import logging
import os
import re
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from longline.auth.secrets import new_key
from longline_hosts.errors import NoSuchFileError

logger = logging.getLogger(__name__)

FOLDER: Final = Path(".longline")
_KEY: Final = "secret.key"
_SERVER: Final = "server.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerNote:
    """A running server, for `longline run` to find."""

    url: str
    pid: int
    database: str
    """A digest of the database's URL without its password."""


def secret_key() -> str:
    """The key of this folder, made when it is first asked for; only its owner may read the file. Raises
    NoSuchFileError if it cannot be written."""
    path = FOLDER / _KEY
    try:
        make_folder()
        if not path.exists():
            _write_private(path, new_key())
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoSuchFileError(str(path), f"the secret key cannot be kept here: {error}") from error


def make_folder() -> None:
    """Make the folder, with a note to git that nothing in it is to be committed."""
    FOLDER.mkdir(exist_ok=True)
    ignore = FOLDER / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", "utf-8")


def write_note(url: str, database: str) -> None:
    """Leave word of this process's server. A folder that cannot be written, as in a container, has none."""
    note = ServerNote(url=url, pid=os.getpid(), database=_digest(database))
    try:
        make_folder()
        _replace(FOLDER / _SERVER, json.dumps(asdict(note)))
    except OSError as error:
        logger.info("server not noted", extra={"folder": str(FOLDER.absolute()), "reason": error.strerror})


def remove_note() -> None:
    """Take it back, unless another server has left its own meanwhile."""
    found = _read_note()
    if found is not None and found.pid == os.getpid():
        (FOLDER / _SERVER).unlink(missing_ok=True)


def url_of_owner(database: str) -> str | None:
    """Where the server listens that was started last in this folder, if it has this database. It may be gone."""
    note = _read_note()
    return note.url if note is not None and note.database == _digest(database) else None


def _digest(database: str) -> str:
    return sha256(_without_password(database).encode()).hexdigest()


def _without_password(url: str) -> str:
    """A digest of a password could be guessed from."""
    return _IN_QUERY.sub("", _IN_USER.sub(r"\1", url))


_IN_USER: Final = re.compile(r"^([^:/?#]+://[^/?#:@]*):[^/?#]*(?=@)")
_IN_QUERY: Final = re.compile(r"(?<=[?&])(?:ssl)?password=[^&#]*")


def _read_note() -> ServerNote | None:
    try:
        return ServerNote(**json.loads((FOLDER / _SERVER).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all: two servers that start at once must end with one key."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
        _link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _link(draft: Path, path: Path) -> None:
    """Give the draft its name, unless somebody else was faster."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    except OSError:  # a file system without links
        draft.replace(path)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, "utf-8")
    draft.replace(path)
