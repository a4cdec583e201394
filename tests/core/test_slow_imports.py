"""Modules that are imported alone."""

import sys
from pathlib import Path

import pytest

from longline.slow_imports import import_alone


def test_a_package_that_ends_the_process_is_one_that_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaves_at_once.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    for _ in range(2):
        with pytest.raises(ImportError, match="importing leaves_at_once ends the process"):
            import_alone("leaves_at_once")
    assert "leaves_at_once" not in sys.modules
