"""Fails where core is covered too little, by lines and branches together or by branches alone.

`uv run python scripts/coverage_floor.py REPORT PERCENT`
"""

import json
import sys
from pathlib import Path


def main() -> int:
    """Print what was covered; 1 if it is too little."""
    report, floor = Path(sys.argv[1]), float(sys.argv[2])
    totals = json.loads(report.read_text("utf-8"))["totals"]
    found = {
        "lines and branches": totals["percent_covered"],
        "branches": 100 * totals["covered_branches"] / totals["num_branches"],
    }
    for what, percent in found.items():
        sys.stdout.write(f"{percent:5.1f} % of {what} ({floor:g} % are asked)\n")
    return int(min(found.values()) < floor)


if __name__ == "__main__":
    sys.exit(main())
