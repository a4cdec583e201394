"""What an operator may say about the agents of a Supabase project."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr

from longline.errors import SettingsError
from longline.settings import LONGEST_MINUTES, ServerSettings, SettingsModel
from longline_supabase_sync.scope import Scope, parse_scope

SECTION: Final = "supabase_sync"
_MOST_SECONDS: Final = LONGEST_MINUTES * 60.0


def _checked(text: str) -> str:
    parse_scope(text)
    return text


class SyncSettings(SettingsModel):
    """Agents of a Supabase project, mirrored as assistants."""

    scope: Annotated[str, AfterValidator(_checked)] = Field(
        "none",
        description="Whose agents are mirrored at the start and again from time to time: `none`, `all`, or "
        "`org:<uuid>`, several with commas between. Others are mirrored when they are asked for.",
    )
    database: SecretStr = Field(
        SecretStr(""),
        description="The project's Postgres database, as a URL. Empty: `server.database` where that is one.",
    )
    direct_url: SecretStr = Field(
        SecretStr(""),
        description="The same database without a pooler between, to hear of changes. Empty: the same as `database`.",
    )
    start_seconds: float = Field(
        10.0, ge=0, le=3600, description="Seconds that a start waits for the first sync; it goes on after that."
    )
    fresh_seconds: float = Field(
        300.0, ge=0, le=_MOST_SECONDS, description="Seconds for which an agent is not read again by who uses it."
    )
    reconcile_seconds: float = Field(
        300.0, gt=0, le=_MOST_SECONDS, description="Seconds between two comparisons of everything with the project."
    )
    include_global: bool = Field(
        False, description="Whether agents with `is_global` are mirrored too before somebody asks for them."
    )
    query_file: str = Field(
        "",
        description="A file with the query for agents of another schema. Empty: the query for the platform's tables.",
    )
    graph_id: str = Field("agent", min_length=1, description="The graph of agents that name none.")
    model: str = Field("openai:gpt-4o", min_length=1, description="The model of agents that have none.")
    connect_seconds: float = Field(5.0, gt=0, le=60, description="Seconds that an attempt to connect may take.")
    statement_seconds: float = Field(15.0, gt=0, le=3600, description="Seconds that one statement may take.")
    pool_size: int = Field(4, ge=1, le=100, description="Connections of one process. One more hears of changes.")
    poll_seconds: float = Field(
        5.0, gt=0, le=3600, description="Seconds between looks for changes where notifications do not arrive."
    )

    @property
    def parsed_scope(self) -> Scope:
        """The scope, read."""
        return parse_scope(self.scope)

    def database_url(self, server: ServerSettings) -> str:
        """Where the agents are; empty if that is nowhere."""
        own = self.database.get_secret_value()
        return own or (server.database if server.database_scheme in ("postgresql", "postgres") else "")

    def has_database(self, server: ServerSettings) -> bool:
        """Whether there is a database to ask. Raises SettingsError where the scope needs one."""
        if self.database_url(server):
            return True
        if not self.parsed_scope.is_empty:
            needed = f"set {SECTION}.database (SUPABASE_DATABASE_URL)"
            raise SettingsError([f"bad value for {SECTION}.scope: {self.parsed_scope} needs a database; {needed}"])
        return False

    @property
    def is_asked_for(self) -> bool:
        """Whether somebody said that there are agents; else there may be some in the server's own database."""
        return bool(self.database.get_secret_value()) or not self.parsed_scope.is_empty
