"""Prints the coverage of each package from a report of coverage.py (`coverage json`)."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any


def by_package(files: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Return the number of covered lines and of all lines of each folder, from the `files` of a report."""
    sums: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for name, file in files.items():
        covered, lines = sums[str(Path(name).parent)]
        summary = file["summary"]
        sums[str(Path(name).parent)] = covered + summary["covered_lines"], lines + summary["num_statements"]
    return dict(sums)


def main(report: Path) -> None:
    """Print a line for each package, and a line for all of them."""
    sums = by_package(json.loads(report.read_text())["files"])
    sums["all"] = sum(covered for covered, _ in sums.values()), sum(lines for _, lines in sums.values())
    for package, (covered, lines) in sorted(sums.items(), key=lambda item: (item[0] == "all", item[0])):
        if lines:
            sys.stdout.write(f"{package:32} {covered:6} of {lines:6} lines  {covered / lines:6.1%}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
