"""What the single binary starts: the `longline` command, with a folder for third parties beside it."""

import sys
from multiprocessing import freeze_support
from pathlib import Path
from typing import Final

PLUGINS: Final = "plugins"
"""The folder beside the binary whose packages it finds, as `pip install --target plugins PACKAGE` puts them there."""


def add_plugins_folder(program: Path) -> None:
    """Make what lies in the folder beside a program importable, after everything that the program brings itself."""
    folder = program.resolve().parent / PLUGINS
    if folder.is_dir():
        sys.path.append(str(folder))


if __name__ == "__main__":
    freeze_support()
    add_plugins_folder(Path(sys.executable))
    from longline_hosts.cli import main  # plugins are looked for from here on

    sys.exit(main())
