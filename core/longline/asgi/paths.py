"""Paths when the server, or an app in it, is mounted below another path."""

import re
from collections.abc import Callable, Collection

from longline.asgi.types import Scope

_NAMED = re.compile(r"\\{\w+\\}")  # {name}, escaped


def path_below(scope: Scope) -> str:
    """The path without what the app is mounted at (ASGI: `path` holds the whole one, `root_path` the mount's)."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path[len(root) :] if root and (path == root or path.startswith(f"{root}/")) else path


def path_matcher(paths: Collection[str]) -> Callable[[str], bool]:
    """Whether a path is one of these, in which `{name}` stands for one part of a path: `/notes/{note_id}`."""
    exact = frozenset(path for path in paths if "{" not in path)
    varied = [re.compile(_NAMED.sub("[^/]+", re.escape(path))) for path in paths if "{" in path]

    def matches(path: str) -> bool:
        return path in exact or any(pattern.fullmatch(path) for pattern in varied)

    return matches
