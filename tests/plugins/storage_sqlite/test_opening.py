"""Opening: URLs, places that cannot be used, and what importing the plugin costs."""

import subprocess
import sys
from pathlib import Path

import pytest

import longline_storage_sqlite as plugin
from longline import defaults
from longline.errors import StorageError
from longline.settings import CORE_SECTIONS, parse_settings
from longline.storage.capabilities import Capability
from longline_storage_sqlite.settings import SqliteSettings
from longline_storage_sqlite.storage import database_path, sqlite_backend


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/x.db", "data/x.db"),
        ("sqlite:////var/x.db", "/var/x.db"),
        ("sqlite:///it's a %20 path?.db", "it's a %20 path?.db"),
    ],
)
def test_a_url_names_its_file(url: str, path: str) -> None:
    assert database_path(url) == Path(path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://host/x.db", "sqlite:x.db", "sqlite:////dir/"])
def test_a_url_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(StorageError, match="names no file"):
        database_path(url)


@pytest.mark.anyio
async def test_a_file_in_a_new_folder_with_an_odd_name_works_whole(tmp_path: Path) -> None:
    path = tmp_path / "it's 100% #new?" / "ünï.db"
    async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{path}") as storage:
        assert storage.facts.kind == "SQLite"
        assert storage.facts.place == str(path)
        assert storage.capabilities == {Capability.SURVIVES_RESTART}
        saver = await storage.checkpointer()
        assert await saver.aget_tuple({"configurable": {"thread_id": "t"}}) is None
        assert await saver.aget_delta_channel_history(config={"configurable": {"thread_id": "t"}}, channels=["c"]) == {
            "c": {"writes": []}
        }
        assert await (await storage.items()).aget(("n",), "k") is None
    assert path.is_file()


@pytest.mark.anyio
async def test_a_file_that_is_no_database_is_named_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"these are my notes" * 100)
    with pytest.raises(StorageError, match=r"notes\.txt: the file is not an SQLite database"):
        async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{path}"):
            pass
    assert path.read_bytes() == b"these are my notes" * 100


@pytest.mark.anyio
async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        async with sqlite_backend(SqliteSettings()).connect(f"sqlite:///{tmp_path}/file/sub/x.db"):
            pass


def test_the_hooks_offer_the_settings_the_backend_and_the_command() -> None:
    sections = plugin.register_settings()
    settings = parse_settings(
        {"storage_sqlite": {"reader_threads": 3}}, [*CORE_SECTIONS, *defaults.register_settings(), *sections]
    )
    assert settings.section(SqliteSettings).reader_threads == 3
    assert [backend.schemes for backend in plugin.register_storage_backends(settings)] == [("sqlite",)]
    assert [command.name for command in plugin.register_commands()] == ["sqlite-backup"]


def test_opening_does_not_import_langgraph(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "import longline_storage_sqlite\n"
        "from longline_storage_sqlite.settings import SqliteSettings\n"
        "from longline_storage_sqlite.storage import sqlite_backend\n"
        "async def main():\n"
        "    async with sqlite_backend(SqliteSettings()).connect('sqlite:///' + sys.argv[1]) as storage:\n"
        "        await storage.check()\n"
        "asyncio.run(main())\n"
        "print([name for name in sys.modules if name.startswith(('langgraph', 'langchain', 'aiosqlite', 'pytest'))])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "x.db")], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
