"""Tests of the tour of the code: its links, and the lines that it quotes."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
TOUR = (DOCS / "tour.md").read_text(encoding="utf-8")


def test_each_stop_of_the_tour_quotes_a_unique_line_of_its_file() -> None:
    stops = re.split(r"^## \d+\. ", TOUR, flags=re.MULTILINE)[1:]
    assert len(stops) == 8
    for stop in stops:
        links = re.findall(r"\[`([^`]+)`\]\(\.\./([^)]+)\)", stop)
        quoted = re.findall(r"^    (.+)$", stop, re.MULTILINE)
        assert len(links) == len(quoted) == 1
        [(shown, path)], [line] = links, quoted
        assert shown == path
        lines = [one.strip() for one in (DOCS.parent / path).read_text(encoding="utf-8").splitlines()]
        assert lines.count(line) == 1, f"the tour quotes a line that {path} doesn't have exactly once: {line}"
