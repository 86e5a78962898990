"""What people are told after `/gpu ...`, and what is then true."""

from __future__ import annotations

from pathlib import Path

from sandbox.slack.default import ANA
from tests.handlers.team import team


async def test_a_search_is_written_down_before_slack_is_answered(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.has_key(ANA)
        assert await ours.told(ANA, "get H100 EU for 6h -- fine-tune run 7") == ""
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.gpu, quote.request.region, quote.request.note) == ("H100", "EU", "fine-tune run 7")
