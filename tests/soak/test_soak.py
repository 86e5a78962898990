"""The soak as a program, and what it reports when the bot itself does not start."""

from __future__ import annotations

from pathlib import Path

from soak.databases import Databases, Sqlite, Store
from soak.episode import run
from soak.plan import plan
from soak.report import episode_line, last_lines


class NoFolder(Databases):
    """Returns a database that can't be created."""

    async def new(self, kind: str, folder: Path) -> Store:
        return Sqlite(folder / "policy.yml" / f"{kind}.sqlite")


async def test_a_bot_that_does_not_start_is_a_finding_with_its_place_in_the_plan(tmp_path: Path) -> None:
    outcome = await run(plan(5, 2, 1, "sqlite"), NoFolder(None), tmp_path)
    assert len(outcome.findings) == 1
    assert outcome.findings[0].startswith("the opening: gpubot run did not start")
    report = episode_line(outcome, tmp_path)
    assert "seed 5, episode 2, the opening: " in report
    assert "SEED=5" in report
    assert "EPISODE=2" in report
    assert last_lines(outcome.counts, 1).endswith("1 finding.")
