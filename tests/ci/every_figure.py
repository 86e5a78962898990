"""Runs the whole bench at a size that takes half a minute, and checks that it measures every figure.

The values don't matter. CI runs this file by its name.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from bench.figures import write
from bench.measure import figures
from bench.sizes import TINY
from tests.programs import program

ACKS = {
    f"ack_{action}_{of}{place}"
    for action in ("command", "click", "api")
    for of in ("p50", "p99", "max")
    for place in ("", "_disk")
}
WITHOUT_BASELINE = {
    "commits_command",
    "commits_click",
    "poll_lateness_p99",
    "probe_memory",
}
WITH_BASELINE = {
    "start",
    "memory",
    "idle_engine",
    "poll_visited_p99",
    "polls_per_cpu_second",
    "polls_per_cpu_peer",
    "poll_many_p99",
    "polls_many_per_cpu",
    "polls_per_cpu_postgres",
    "probe_cpu",
    "spend_query",
    "home_publish_5",
    "page_effect_p95",
} | ACKS
LIVE = max(TINY.live)
OR_INVALID = {f"polls_late_{LIVE}", f"polls_late_{LIVE}_free", f"restart_{LIVE}"}
"""Figures that have a baseline, but no value if the machine wasn't quiet."""
COUNTS = {"lost_after_kill", "billing_after_kill"}
"""Like OR_INVALID, but with no ratio, because their baseline is 0."""


def modes_of_logs(folder: Path) -> set[tuple[str, int]]:
    return {(log.name, log.stat().st_mode & 0o777) for log in folder.rglob("*.log")}


async def test_every_figure_is_measured_and_written(tmp_path: Path) -> None:
    program("chromium")
    measured = [each async for each in figures(TINY, tmp_path)]
    assert {each.name for each in measured} == WITH_BASELINE | WITHOUT_BASELINE | OR_INVALID | COUNTS
    may_be_invalid = ACKS | OR_INVALID | COUNTS
    for each in measured:
        if each.value is None:
            assert each.name in may_be_invalid
            assert each.note
            assert "invalid" in each.line()
        else:
            assert math.isfinite(each.value)
            assert (each.baseline is not None) == (each.name not in WITHOUT_BASELINE)

    assert modes_of_logs(tmp_path) == {("sandbox.log", 0o600), ("app.log", 0o600)}

    write(measured, tmp_path / "figures.json")
    written = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in written] == [each.name for each in measured]
    assert {key for each in written for key in each} == {"name", "value", "unit", "baseline", "ratio", "note"}
