"""Which files make a running development server old."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_SUFFIXES: Final = frozenset({".py"})
_NAMES: Final = frozenset({"langgraph.json", "longline.toml", ".env"})
_IGNORED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})
_MOST_FOLDERS: Final = 2000
"""More than a project has: somebody's home folder. The rest is not watched."""


def is_source(path: Path) -> bool:
    """Whether the server may have read this file."""
    return path.suffix in _SUFFIXES or path.name in _NAMES


def source_folders(roots: Iterable[Path]) -> set[Path]:
    """All folders below these that may hold sources: no hidden ones, no environments, no caches."""
    found: set[Path] = set()
    for root in roots:
        for folder, names, _ in os.walk(root):
            names[:] = [name for name in names if not _is_ignored(Path(folder, name))]
            found.add(Path(folder))
            if len(found) >= _MOST_FOLDERS:
                return found
    return found


def holds_sources(folder: Path) -> bool:
    """Whether this is a folder, one that counts, with sources in or below it."""
    if not folder.is_dir() or _is_ignored(folder):
        return False
    return any(is_source(Path(found, name)) for found in source_folders([folder]) for name in os.listdir(found))


def _is_ignored(folder: Path) -> bool:
    return folder.name.startswith(".") or folder.name in _IGNORED or (folder / "pyvenv.cfg").is_file()
