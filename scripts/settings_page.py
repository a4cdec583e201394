"""Writes docs/settings.md from the settings models of core and of all first-party plugins.

`uv run python scripts/settings_page.py` after a setting has changed; a test compares the page with the models.
"""

import json
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from longline.plugin_host import PluginHost
from longline.settings import CORE_SECTIONS, SettingsSection
from longline_hosts.environment import HOST_VARIABLES
from longline_hosts.variables import VARIABLES

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "settings.md"

INTRODUCTION: Final = """\
# Settings

<!-- Written by scripts/settings_page.py: change the models, not this page. -->

Settings come from `longline.toml`, then from the environment, then from the command line; the later one wins, key by
key. A key that nobody knows stops the start, and the message names those there are. `longline check` reads everything
and starts nothing.

- **`longline.toml`**: one table for each section below. In an otherwise empty folder none is needed.
- **Environment**: `LONGLINE_<SECTION>__<KEY>`, e.g. `LONGLINE_SERVER__RUNS=20`; lists and tables are written as JSON.
  Some settings have a shorter name as well, which stands beside them. A `.env` beside the configuration is read too;
  the environment itself wins over it.
- **Command line**: `--database`, `--runs` and `--workers` set `server.database`, `server.runs` and `server.workers`.
  `--config`, `--host`, `--port`, `--log-level` and `--debug` are the command's own (see `longline dev --help`), and so
  are the variables {own}.

```toml
[server]
database = "sqlite:////var/lib/longline/longline.db"
runs = 20

[static_tokens.tokens]
ann = "a long random text"

[plugins]
disable = ["agent_tools"]
```
"""

_BOUNDS: Final = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"), ("min_length", "length ≥"))
_NAMES: Final = {str: "text", int: "whole number", float: "number", bool: "true or false", SecretStr: "secret text"}


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION.format(own=", ".join(f"`{name}`" for name in HOST_VARIABLES))]
    parts += ["\n".join(_section(section, origin)) for section, origin in _sections()]
    return "\n".join(parts)


def _sections() -> Iterator[tuple[SettingsSection, str]]:
    """Every section with where it comes from: core's first, then those of the plugins by name."""
    plugins = sorted(path.name for path in (ROOT / "plugins").iterdir() if path.is_dir())
    yield from ((section, "core") for section in CORE_SECTIONS)
    for section in sorted(PluginHost(plugins).settings_sections(), key=lambda section: section.name):
        module = section.model.__module__.partition(".")[0]
        yield section, "core" if module == "longline" else f"plugin `{module.removeprefix('longline_')}`"


def _section(section: SettingsSection, origin: str) -> Iterable[str]:
    yield f"## [{section.name}]"
    yield ""
    yield f"{(section.model.__doc__ or '').strip()} ({origin})"
    yield ""
    yield "| key | takes | default | what it does |"
    yield "|---|---|---|---|"
    yield from _rows(section.name, section.model)
    yield ""


def _rows(section: str, model: type[BaseModel], above: str = "") -> Iterable[str]:
    """A line for each key; the keys of a table follow it, with its name before theirs."""
    for name, setting in model.model_fields.items():
        key = setting.alias or name
        takes = ", ".join([_kind(setting.annotation), *_bounds(setting.metadata)])
        names = [f"`{v.name}`" for v in VARIABLES if (v.section, v.key) == (section, above + key)]
        also = f" Also {', '.join(names)}." if names else ""
        yield f"| `{above}{key}` | {takes} | {_default(setting)} | {setting.description or ''}{also} |"
        table = _table(setting.annotation)
        if table is not None:
            yield from _rows(section, table, f"{above}{key}.")


def _table(annotation: Any) -> type[BaseModel] | None:
    """The model of a setting that is a table of its own."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _kind(annotation: Any) -> str:  # noqa: PLR0911  # one kind a line
    """What a setting takes, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _NAMES:
        return _NAMES[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    if origin is Annotated:
        return _kind(arguments[0])
    if origin is list:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return f"table of {_kind(arguments[1])}"
    if origin is Literal:
        return " or ".join(f"`{json.dumps(argument)}`" for argument in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(part) for part in arguments if part is not types.NoneType)
    return str(getattr(annotation, "__name__", annotation))


def _bounds(metadata: Iterable[Any]) -> Iterator[str]:
    for item in metadata:
        for name, sign in _BOUNDS:
            bound = getattr(item, name, None)
            if bound is not None:
                yield f"{sign} {bound}"


def _default(setting: FieldInfo) -> str:
    """The default as it would stand in longline.toml."""
    if setting.is_required():
        return "needed"
    value = setting.get_default(call_default_factory=True)
    if value is None:
        return "unset"
    if isinstance(value, BaseModel):
        return "below"
    shown = value.get_secret_value() if isinstance(value, SecretStr) else value
    return f"`{json.dumps(shown, ensure_ascii=False)}`"


def main() -> int:
    """Write the page; with `--check` only say whether it is as it should be."""
    text = page()
    if "--check" in sys.argv[1:]:
        is_same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        sys.stdout.write("" if is_same else f"{PAGE.name} is not up to date; run: python scripts/settings_page.py\n")
        return int(not is_same)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
