"""What is wrong with settings and plugins shows as a server is put together, before anything is opened."""

from pathlib import Path

import pytest
from tests.core.conftest import InstallPlugin

from longline.errors import NoBackendError, PluginHookError, SettingsError, UnknownPluginError
from longline.runtime import Runtime

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ({"database": "oracle://x"}, r"no plugin offers a storage for oracle://; known schemes: sqlite"),
        ({"database": "x"}, r"the URL of the storage has no scheme; write scheme://…; known schemes: sqlite"),
        ({"broker": "nats://x"}, r"no plugin offers a broker for nats://; known schemes: memory"),
    ],
)
async def test_a_scheme_that_nobody_serves_is_named_with_those_that_are(
    server: dict[str, object], message: str
) -> None:
    with pytest.raises(NoBackendError, match=message):
        Runtime(["storage_sqlite"], {"server": {"database": "sqlite://", **server}})


async def test_faults_of_plugins_and_settings_show_before_anything_is_opened(
    install_plugin: InstallPlugin, tmp_path: Path
) -> None:
    database = {"server": {"database": f"sqlite:///{tmp_path}/none.db"}}
    with pytest.raises(UnknownPluginError):
        Runtime(["nope"], database)
    with pytest.raises(SettingsError, match=r"unknown section \[fisch\]"):
        Runtime(["storage_sqlite"], {**database, "fisch": {}})
    with pytest.raises(SettingsError, match=r"secrets\.key"):
        Runtime(["storage_sqlite"], {**database, "secrets": {"key": "short"}})
    install_plugin("pike", "from longline import hookimpl\n\n@hookimpl\ndef register_tools():\n    return 1 / 0\n")
    with pytest.raises(PluginHookError, match="pike"):
        Runtime(["pike", "storage_sqlite"], database)
    assert not (tmp_path / "none.db").exists()
