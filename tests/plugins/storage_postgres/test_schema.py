"""schema.sql is what the migrations make."""

from collections.abc import Iterator
from importlib import resources

import psycopg
import pytest
from tests.postgres import fresh_database

_LOOKS = {
    "columns": """
        SELECT table_name, ordinal_position, column_name, data_type, collation_name, is_nullable, column_default
        FROM information_schema.columns WHERE table_schema = 'longline' AND table_name <> 'migrations' ORDER BY 1, 2
    """,
    "indexes": """
        SELECT indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'longline' AND tablename <> 'migrations' ORDER BY 1
    """,
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'longline' ORDER BY 1",
    "functions": """
        SELECT proname, pg_get_functiondef(oid) FROM pg_proc
        WHERE pronamespace = 'longline'::regnamespace ORDER BY 1
    """,
    "triggers": """
        SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal ORDER BY 1
    """,
    "options": """
        SELECT relname, reloptions FROM pg_class
        WHERE relnamespace = 'longline'::regnamespace AND relkind = 'r' AND relname <> 'migrations' ORDER BY 1
    """,
}


@pytest.fixture
def written(postgres_server: str) -> Iterator[str]:
    text = (resources.files("longline_storage_postgres") / "sql" / "schema.sql").read_text("utf-8")
    with fresh_database(postgres_server) as url:
        with psycopg.connect(url) as connection:
            connection.execute("CREATE SCHEMA longline")
            connection.execute(text)
        yield url


@pytest.mark.parametrize("look", _LOOKS)
def test_the_schema_that_is_written_down_is_the_one_that_migrations_make(
    database_url: str, written: str, look: str
) -> None:
    with psycopg.connect(database_url) as migrated, psycopg.connect(written) as read:
        made = migrated.execute(_LOOKS[look]).fetchall()
        assert made
        assert read.execute(_LOOKS[look]).fetchall() == made
