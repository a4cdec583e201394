"""What the project's schema has: it drifts, and a user may not be let at all of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from longline_supabase_sync.database import Row

OBLIGATORY: Final[Mapping[str, Sequence[str]]] = {
    "agents": ("id", "organization_id", "name", "system_prompt", "status"),
    "agent_mcp_tools": ("agent_id", "mcp_tool_id"),
    "mcp_tools": ("id", "endpoint_url", "tool_name"),
    "global_ai_engines": ("id", "language_model_id"),
    "ai_models": ("id", "runtime_model_name"),
}
"""What every schema must have, in `public`. Whatever else there may be is read where it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What was found. `kinds` are the types of columns by table and name."""

    kinds: Mapping[tuple[str, str], str]
    filtered: Sequence[str]
    """Tables of which policies hide rows from this user."""
    seen: str
    """What had happened by then, as a snapshot of Postgres."""

    @property
    def missing(self) -> Sequence[str]:
        """The tables and columns that are not there, or that this user may not read."""
        tables = {table for table, _ in self.kinds}
        absent = [f"public.{table}" for table in OBLIGATORY if table not in tables]
        return absent + [
            f"public.{table}.{column}"
            for table, columns in OBLIGATORY.items()
            for column in columns
            if table in tables and (table, column) not in self.kinds
        ]

    @property
    def lacks_engines(self) -> bool:
        """Whether agents name no engine, and so no model of theirs."""
        return ("agents", "engine_id") not in self.kinds

    @property
    def assistant_id_kind(self) -> str | None:
        """The type of the column that the ids of assistants are written to; None without one."""
        return self.kinds.get(("agents", "langgraph_assistant_id"))


def read_schema(rows: Sequence[Row]) -> Schema:
    """The schema that the rows of `columns.sql` tell of."""
    kinds: dict[tuple[str, str], str] = {}
    filtered: defaultdict[str, bool] = defaultdict(bool)
    seen = ""
    for row in rows:
        seen = str(row["seen"])
        if row["table_name"] is not None:
            table = str(row["table_name"])
            kinds[table, str(row["column_name"])] = str(row["udt_name"])
            filtered[table] |= bool(row["is_filtered"])
    return Schema(kinds=kinds, filtered=[table for table, is_so in sorted(filtered.items()) if is_so], seen=seen)
