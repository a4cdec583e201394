"""docs/settings.md tells every setting there is."""

import subprocess
import sys

import pytest
from tests.architecture.repository import PLUGIN_FOLDERS, ROOT

from longline.plugin_host import PluginHost
from longline.settings import CORE_SECTIONS, SettingsSection

SECTIONS = [*CORE_SECTIONS, *PluginHost([folder.name for folder in PLUGIN_FOLDERS]).settings_sections()]
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_models_say() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "settings_page.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_every_setting_has_a_default_a_description_and_a_line(section: SettingsSection) -> None:
    assert (section.model.__doc__ or "").strip()
    section.model()
    text = PAGE.partition(f"\n## [{section.name}]\n")[2].partition("\n## ")[0]
    for key, setting in section.model.model_fields.items():
        assert setting.description, key
        assert setting.description.endswith((".", ")", "`")), key
        assert f"\n| `{key}` | " in text, key
    assert section.model.model_config.get("frozen")
    assert section.model.model_config.get("extra") == "forbid"


@pytest.mark.parametrize("folder", PLUGIN_FOLDERS, ids=lambda folder: folder.name)
def test_the_section_of_a_plugin_has_its_name(folder) -> None:
    own = [section.name for section in SECTIONS if section.model.__module__.startswith(f"longline_{folder.name}")]
    assert own in ([], [folder.name])
