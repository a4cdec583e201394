"""docs/hooks.md, taken apart: the hooks as they stand in the source, and the section of each."""

import ast
import inspect
import re
from pathlib import Path

from longline import hookspecs

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")


def _hooks() -> dict[str, str]:
    """Hook name → its signature as it stands in the source, in order."""
    tree = ast.parse(inspect.getsource(hookspecs))
    return {
        node.name: f"{node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns)}"
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and node.returns is not None
        and "hookspec" in map(ast.unparse, node.decorator_list)
    }


def _sections() -> dict[str, str]:
    """Heading of each hook's section → the section."""
    parts = re.split(r"^### `(.+)`$", PAGE.split("\n## The contracts\n")[0], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


HOOKS = _hooks()
SECTIONS = _sections()


def example_of(hook: str) -> str:
    """The plugin that the section of a hook shows."""
    found = re.search(r"^```python\n(.*?)^```$", SECTIONS[HOOKS[hook]], flags=re.MULTILINE | re.DOTALL)
    assert found is not None, f"the section of {hook} has no example"
    return found[1]
