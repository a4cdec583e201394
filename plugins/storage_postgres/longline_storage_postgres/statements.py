"""SQL from the files beside this module, by name."""

from collections.abc import Mapping
from importlib import resources
from typing import LiteralString

_MARK = "-- name: "


def load_statements(noun: str) -> Mapping[str, LiteralString]:
    """The named statements of `sql/queries/<noun>.sql`. Each starts with a line `-- name: <name>`."""
    text = (resources.files("longline_storage_postgres") / "sql" / "queries" / f"{noun}.sql").read_text("utf-8")
    statements: dict[str, LiteralString] = {}
    for block in text.split(_MARK)[1:]:
        name, _, body = block.partition("\n")
        kept = "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
        statements[name.strip()] = kept
    return statements
