"""The bench itself, at a size that takes seconds: it measures all that it promises, however fast anything is."""

from __future__ import annotations

import json
import math
from pathlib import Path

from bench.__main__ import figures
from bench.figures import write
from bench.sizes import TINY

NAMES = {"start", "ack_command_p99", "ack_click_p99", "poll_lateness_p99", "memory", "idle_engine"}
WITH_BASELINE = NAMES - {"poll_lateness_p99"}


def modes_of_logs(folder: Path) -> set[tuple[str, int]]:
    return {(log.name, log.stat().st_mode & 0o777) for log in folder.rglob("*.log")}


async def test_every_figure_is_measured_and_written(tmp_path: Path) -> None:
    measured = [one async for one in figures(TINY, tmp_path)]
    assert {one.name for one in measured} == NAMES
    assert {one.name for one in measured if one.ratio is not None} == WITH_BASELINE
    assert all(math.isfinite(one.value) for one in measured)

    assert modes_of_logs(tmp_path) == {("sandbox.log", 0o600), ("app.log", 0o600)}

    write(measured, tmp_path / "figures.json")
    written = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in written] == [one.name for one in measured]
    assert {key for one in written for key in one} == {"name", "value", "unit", "baseline", "ratio"}
