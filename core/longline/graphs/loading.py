"""`path/to/file.py:name` or `package.module:name` → the object, with errors that name file and line."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from threading import RLock
from types import ModuleType

from longline.errors import GraphLoadError

_locks: dict[Path, RLock] = {}
"""One for each file that was ever imported here."""


def load_reference(graph_id: str, reference: str, base: Path) -> object:
    """The object that a reference names, relative paths taken from `base`. Raises GraphLoadError."""
    target, colon, attribute = reference.rpartition(":")
    if not colon or not attribute:
        raise GraphLoadError(graph_id, reference, "a graph is named path/to/file.py:name or package.module:name")
    is_file = target.endswith(".py") or "/" in target or "\\" in target
    try:
        module = _import_file(base / target) if is_file else importlib.import_module(target)
    except FileNotFoundError as error:
        if is_file and not (base / target).is_file():
            raise GraphLoadError(graph_id, str(base / target), "there is no such file") from None
        raise GraphLoadError(graph_id, place_of(error, base), describe_cause(error)) from error
    except (Exception, SystemExit) as error:
        raise GraphLoadError(graph_id, place_of(error, base), describe_cause(error)) from error
    found: object = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            place = getattr(module, "__file__", None) or target
            raise GraphLoadError(graph_id, place, f"it has no attribute {attribute!r}")
        found = getattr(found, name)
    return found


def place_of(error: BaseException, base: Path | None = None) -> str:
    """`file, line n` of the cause: the innermost frame below `base`, else the innermost of all."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shorten(error.filename, base)}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f for f in frames if base is not None and Path(f.filename).is_relative_to(base) and ".venv" not in f.filename
    ]
    chosen = (own or [f for f in frames if "importlib" not in f.filename] or list(frames))[-1:]
    return f"{_shorten(chosen[0].filename, base)}, line {chosen[0].lineno}" if chosen else "unknown place"


def describe_cause(error: BaseException) -> str:
    """The class of the error and the first line of its message."""
    first = str(error).strip().splitlines()[:1]
    return f"{type(error).__name__}: {first[0][:300]}" if first else type(error).__name__


def extend_path(folders: Sequence[Path]) -> None:
    """Make folders importable, in front of what is there, without doubles."""
    for folder in reversed(folders):
        text = str(folder)
        if text not in sys.path:
            sys.path.insert(0, text)


def _import_file(path: Path) -> ModuleType:
    """Import a file once, under the dotted name it has on `sys.path` if it has one: types that it defines come back
    from a checkpoint by that name, after a restart too."""
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(path)
    with _locks.setdefault(path, RLock()):  # another thread may be in the middle of it
        return _import_once(path)


def _import_once(path: Path) -> ModuleType:
    for name in _dotted_names(path):
        present = sys.modules.get(name)
        if present is not None:
            if _is_from(present, path):
                return present
            continue
        spec = importlib.util.find_spec(name) if _parents_are_importable(name) else None
        if spec is not None and spec.origin and Path(spec.origin).resolve() == path:
            return importlib.import_module(name)
    return _import_alone(path)


def _import_alone(path: Path) -> ModuleType:
    name = f"longline_graph_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file", path=str(path))  # noqa: TRY003  # Python's own error
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _dotted_names(path: Path) -> list[str]:
    """The names that the file would have below each entry of `sys.path`, the longest entry (shortest name) first."""
    names = []
    for entry in sorted({Path(p or ".").resolve() for p in sys.path}, key=lambda p: -len(str(p))):
        if path.is_relative_to(entry):
            parts = path.relative_to(entry).with_suffix("").parts
            if all(part.isidentifier() for part in parts):
                names.append(".".join(parts))
    return names


def _parents_are_importable(name: str) -> bool:
    """Whether `find_spec` may be asked: it imports parent packages, which must be plain folders or importable."""
    parent = name.rpartition(".")[0]
    if not parent:
        return True
    try:
        return importlib.util.find_spec(parent) is not None
    except (ImportError, ValueError):
        return False


def _is_from(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == path


def _shorten(filename: str, base: Path | None) -> str:
    path = Path(filename)
    return f"./{path.relative_to(base)}" if base is not None and path.is_relative_to(base) else filename
