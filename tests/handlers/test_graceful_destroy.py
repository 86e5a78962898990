"""Graceful destroy: the dialog's checkbox that runs `/root/on-ending.sh` first, Keep, and Destroy now."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.lifecycle.changes.apply import apply
from bot.model.attempt import AttemptState, SentScript
from bot.model.machine_use import OnEnding, OnEndingState, Sample, UsageStatus, Use
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from sandbox.slack.default import ANA, BEN, TRAINING
from tests.handlers.rental_states import H, running
from tests.handlers.team import NOON, Team, an_offer, team
from tests.rentals import ending
from tests.store import make

MIN = timedelta(minutes=1)
BOX = "Run /root/on-ending.sh first, for up to 10 min"


async def with_script(ours: Team) -> Rental:
    """Return Ana's machine, on which a current probe run found a script that can run."""
    rental = await running(ours)
    attempt = make.attempt(
        rental_id=rental.id,
        state=AttemptState.BOUGHT,
        offer=an_offer("o1", "2.15"),
        script=SentScript(version=1, probe=True),
    )
    use = Use(status=UsageStatus.IDLE, since=NOON)
    seen = {"use": use, "on_ending": OnEnding(state=OnEndingState.THERE), "on_ending_at": NOON}
    after = make.next_of(rental, probe_answered_at=NOON, **seen)
    async with ours.deps.store.write() as tx:
        await apply(tx, ours.deps, Change(rental, after, attempts=(attempt,)))
        await tx.samples.add(Sample(rental_id=rental.id, at=NOON))
    await ours.deliver()
    return after


async def card(ours: Team, user: str) -> dict[str, Any]:
    await ours.deliver()
    return await ours.look(user, TRAINING, "Ready: 1x H100 SXM 80 GB (")


async def test_graceful_destroy_can_be_cancelled_by_keep_or_replaced_by_destroy_now(
    tmp_path: Path,
) -> None:
    async with team(tmp_path) as ours:
        rental = await with_script(ours)
        end = rental.running_lease.ends_at
        assert await ours.command(ANA, f"destroy {rental.id}") == ""
        dialog = await ours.modal(ANA)
        assert BOX in str(dialog)
        assert (await ours.submit(ANA))["ok"]
        first = await ours.rental(rental.id)
        assert (first.state, first.running_lease.ends_at) == (State.READY, NOON + 10 * MIN)
        assert (await ours.replies())[-1].startswith(
            f"I'll destroy 1x H100 SXM 80 GB ({rental.id}) when its script /root/on-ending.sh is done, "
        )

        shown = await card(ours, BEN)
        assert "As Ana asked, I'll destroy it when its script /root/on-ending.sh is done" in shown["reads"]
        await ours.click(BEN, shown, f"Keep {rental.id}")  # Ben is an approver, so he may not extend
        assert (await ours.rental(rental.id)) == first
        for _ in range(2):
            await ours.click(ANA, shown, f"Keep {rental.id}")
        kept = (await ours.rental(rental.id)).running_lease
        assert (kept.ends_at.replace(microsecond=0), kept.graceful_destroy) == (end.replace(microsecond=0), None)

        await ours.click(BEN, await card(ours, BEN), f"Destroy {rental.id}")
        assert (await ours.submit(BEN))["ok"]
        assert (await ours.rental(rental.id)).running_lease.graceful_destroy is not None
        await ours.click(BEN, await card(ours, BEN), f"Destroy {rental.id} now")
        assert BOX not in str(await ours.modal(BEN))
        assert (await ours.submit(BEN))["ok"]
        assert ending(await ours.rental(rental.id)).by == BEN


async def test_a_second_graceful_destroy_changes_nothing_but_an_immediate_one_destroys(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await with_script(ours)
        shown = await card(ours, BEN)
        for user in (ANA, BEN):
            await ours.click(user, shown, "Destroy")
        await ours.submit(ANA)
        first = await ours.rental(rental.id)
        assert f"{rental.id} is already waiting for its script /root/on-ending.sh." in str(await ours.submit(BEN))
        assert (await ours.rental(rental.id)) == first
        assert (await ours.submit(BEN, script_first=[]))["ok"]
        assert ending(await ours.rental(rental.id)).by == BEN


async def test_an_unchecked_box_destroys_immediately_and_a_missing_script_is_reported(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await with_script(ours)
        await ours.click(ANA, await card(ours, ANA), "Destroy")
        after = make.next_of(rental, on_ending=OnEnding(state=OnEndingState.NONE))
        async with ours.deps.store.write() as tx:
            await apply(tx, ours.deps, Change(rental, after))
        assert f"on-ending.sh can't run on {rental.id} now. Nothing was changed." in str(await ours.submit(ANA))
        assert (await ours.rental(rental.id)).running_lease == rental.running_lease
        assert (await ours.submit(ANA, script_first=[]))["ok"]
        assert ending(await ours.rental(rental.id)).since is not None


async def test_an_extension_cancels_graceful_destroy_and_never_shortens_the_lease(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await with_script(ours)
        await ours.click(ANA, await card(ours, ANA), "Destroy")
        await ours.submit(ANA)
        await ours.command(ANA, f"extend {rental.id} 1h")
        lease = (await ours.rental(rental.id)).running_lease
        assert (lease.ends_at, lease.graceful_destroy) == (NOON + 6 * H, None)
