"""All that must hold before a change lands, in the order of what it costs. Stops at the first failure.

`uv run python scripts/check.py` runs everything; names run only those: `… check.py format lint types imports`.
"""

import argparse
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(sysconfig.get_path("scripts"))

STEPS: dict[str, list[str]] = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "imports": ["lint-imports"],
    "tests": ["pytest", "-n", "2"],
}
"""Step → command, run in the root of the repository with the tools of this environment."""


def main() -> int:
    """Run the steps that the command line names, all by default; the exit code is that of the first failure."""
    parser = argparse.ArgumentParser(description="Check the repository as CI does; stop at the first failure.")
    parser.add_argument("step", nargs="*", help=f"only these steps, of: {', '.join(STEPS)}")
    chosen = parser.parse_args().step or list(STEPS)
    unknown = [name for name in chosen if name not in STEPS]
    if unknown:
        parser.error(f"no step {unknown[0]!r}; there are: {', '.join(STEPS)}")
    for name in chosen:
        code = _run(name, STEPS[name])
        if code:
            return code
    _say(f"all good: {', '.join(chosen)}")
    return 0


def _run(name: str, command: list[str]) -> int:
    program, *arguments = command
    started = time.monotonic()
    _say(f"{name}: {' '.join(command)}")
    code = _call([str(TOOLS / program), *arguments])
    if code:
        _say(f"FAILED: {name} (exit code {code}); again with: uv run {' '.join(command)}")
    else:
        _say(f"{name} is good ({time.monotonic() - started:.0f} s)")
    return code


def _call(command: list[str]) -> int:
    try:
        return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603  # the commands above
    except FileNotFoundError:
        _say(f"{command[0]} is missing; run: uv sync")
        return 127


def _say(text: str) -> None:
    sys.stdout.write(f"\n=== {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
