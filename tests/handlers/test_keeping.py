"""`keep-if-failed` as people see it: typed, in the form, and in the price."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bot.model.base import changed
from bot.policy.team.rules import OnEnding, WhenFailed
from sandbox.slack.default import ANA
from tests.handlers.team import RULES, an_offer, team

H = timedelta(hours=1)


async def test_keep_if_failed_can_be_typed_and_change_keeps_it_until_unchecked(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "get H100 EU keep-if-failed")
        (typed,) = await ours.quotes(ANA)
        assert typed.request.keep_if_failed
        assert typed.request.kept > H
    async with team(tmp_path / "form") as ours:
        message = await ours.offered(ANA, an_offer("o1", "2.15"), keep_if_failed=True, kept=13 * H)
        assert "kept if saving fails" in message["text"]
        assert "including startup, shutdown, and keeping it if saving fails" in message["text"]
        await ours.click(ANA, message, "Change")
        assert (await ours.submit(ANA, region="US"))["ok"]
        await ours.click(ANA, message, "Change")
        assert (await ours.submit(ANA, if_failed=[]))["ok"]
        found = [one.request for one in await ours.quotes(ANA)]
        assert sorted((one.keep_if_failed, one.kept > H) for one in found) == [(False, False), (True, True)]


async def test_the_form_refuses_to_keep_a_machine_that_is_not_monitored(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.command(ANA, "get")
        both = {"if_failed": ["keep-if-failed"], "probe": ["no-probe"]}
        answer = await ours.submit(ANA, gpu="H100", **both)
        assert "I can't keep the machine if I don't see whether saving failed." in str(answer)
        assert await ours.quotes(ANA) == []


async def test_a_policy_that_keeps_machines_needs_no_word_and_no_box(tmp_path: Path) -> None:
    rules = changed(RULES, on_ending=OnEnding(failed=WhenFailed.KEEP))
    async with team(tmp_path, rules=rules) as ours:
        await ours.command(ANA, "get")
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "If saving fails" not in dialog["reads"]
        assert (await ours.submit(ANA, gpu="H100"))["ok"]
        (quote,) = await ours.quotes(ANA)
        assert quote.request.kept
