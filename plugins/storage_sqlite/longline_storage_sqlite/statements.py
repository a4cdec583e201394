"""SQL from the files beside this module, by name."""

from collections.abc import Mapping
from importlib import resources

_MARK = "-- name: "


def load_statements(noun: str) -> Mapping[str, str]:
    """The named statements of `sql/queries/<noun>.sql`. Each starts with a line `-- name: <name>`."""
    text = (resources.files("longline_storage_sqlite") / "sql" / "queries" / f"{noun}.sql").read_text("utf-8")
    statements = {}
    for block in text.split(_MARK)[1:]:
        name, _, body = block.partition("\n")
        statements[name.strip()] = "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
    return statements
