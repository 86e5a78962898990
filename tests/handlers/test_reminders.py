"""Approvers are reminded of what waits, and others are asked if nobody decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.lifecycle.deciders import check_deciders
from bot.lifecycle.waiting_requests import check_waiting
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.state import State
from bot.policy.team.rules import Approval, Approvers
from sandbox.slack.default import ANA, APPROVALS, BEN, CLEO, TRAINING
from tests.handlers.rental_states import H, asked, change_request, question
from tests.handlers.team import NOON, RULES, Team, an_offer, team
from tests.handlers.test_unknown_machines import direct

NAMED = changed(RULES, approvers=Approvers(people=(BEN,)), approval=Approval(then=(CLEO,)))


async def pass_time(ours: Team, span: Any) -> None:
    """Let time pass, then do what the job does every five minutes, and deliver."""
    ours.clock.jump(span)
    await check_waiting(ours.deps)
    await ours.deliver_all()


async def pings_of(ours: Team, user: str, since: int) -> list[str]:
    pings = (await ours.world.get("pings", after=since))["pings"]
    return [ping["why"] for ping in pings if ping["user"] == user]


async def last_ping(ours: Team) -> int:
    """Deliver what is queued, and return the number of the last ping."""
    await ours.deliver_all()
    return int((await ours.world.get("pings"))["last"])


async def test_an_approver_is_reminded_once_of_all_that_wait_and_opens_the_first(tmp_path: Path) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        first = await asked(ours)
        await pass_time(ours, H / 3)
        second = await asked(ours, CLEO)
        last = await last_ping(ours)
        await pass_time(ours, H * 2 / 3)
        await pass_time(ours, H)
        assert await pings_of(ours, BEN, last) == ["dm"]
        told = await ours.look(BEN, direct(BEN), "2 requests wait for you")
        assert f"Ana, 1x H100 SXM 80 GB EU ({first.id}), up to $" in told["text"]
        assert f"Cleo, 1x H100 SXM 80 GB EU ({second.id}), up to $" in told["text"]
        await ours.click(BEN, told, "Open the first")
        await ours.deliver()
        shown = await ours.look(BEN, direct(BEN), "Approve up to")
        assert shown["only_you"]
        assert {button["value"] for button in shown["buttons"]} == {f"{first.id}:1"}


async def test_the_reminder_shows_each_decision_and_asks_no_more_once_nothing_waits(tmp_path: Path) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        first, second = await asked(ours), await asked(ours, CLEO)
        await pass_time(ours, H)
        await ours.forge(BEN, "deny", f"{first.id}:1")
        assert (await ours.submit(BEN, reason="later"))["ok"]
        await ours.deliver()
        told = await ours.look(BEN, direct(BEN), "1 request waits for you")
        assert "Denied by Ben" in told["text"]
        await change_request(ours, await ours.rental(second.id))
        await ours.forge(BEN, "approve", f"{second.id}:2")
        assert (await ours.submit(BEN))["ok"]
        await ours.deliver()
        told = await ours.look(BEN, direct(BEN), "Nothing of this waits any more.")
        assert "Approved by Ben" in told["text"]
        assert told["buttons"] == []


async def test_a_later_request_reminds_again_of_all_that_wait(
    tmp_path: Path,
) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        await ours.offered(CLEO, an_offer("later", "12.00", expires_at=NOON + 2 * H))
        await asked(ours)
        await pass_time(ours, H)
        await ours.click(CLEO, await ours.look(CLEO, TRAINING, "Prices stand until"), "Ask for")
        assert (await ours.submit(CLEO))["ok"]
        last = await last_ping(ours)
        await pass_time(ours, H)
        assert await pings_of(ours, BEN, last) == ["dm"]
        history = [event.kind for rental in await ours.rentals() for event in await events_of(ours, rental.id)]
        assert history.count(EventKind.APPROVERS_REMINDED) == 3
        assert "2 requests wait for you" in (await ours.look(BEN, direct(BEN), "wait for you"))["text"]


async def events_of(ours: Team, rental_id: str) -> Any:
    async with ours.deps.store.read() as tx:
        return await tx.events.of(rental_id)


async def test_after_four_hours_the_next_people_are_asked_once_and_may_decide(tmp_path: Path) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        rental = await asked(ours)
        last = await last_ping(ours)
        for _ in range(5):
            await pass_time(ours, H)
        assert await pings_of(ours, CLEO, last) == ["dm"]
        told = await ours.look(CLEO, direct(CLEO), "Approve up to")
        assert "Nobody has decided yet, so Cleo is asked." in told["text"]
        assert "Nobody has decided yet, so Cleo is asked." in (await question(ours))["text"]
        card = await ours.look(ANA, TRAINING, "Waiting for approval")
        assert "Asked: Ben and Cleo." in card["text"]
        await ours.click(CLEO, told, "Approve up to")
        assert (await ours.submit(CLEO))["ok"]
        await ours.deliver()
        assert (await ours.rental(rental.id)).state is State.PROCURING
        assert "Approved by Cleo" in (await ours.look(CLEO, direct(CLEO), "Approved by"))["text"]
        assert "Approved by Cleo" in (await ours.look(BEN, APPROVALS, "Approved by"))["text"]


@pytest.mark.parametrize("then", [(), (CLEO,)])
async def test_nothing_more_is_asked_about_what_was_decided(tmp_path: Path, then: tuple[str, ...]) -> None:
    rules = changed(NAMED, approval=Approval(then=then))
    async with team(tmp_path, rules=rules) as ours:
        await check_deciders(ours.deps, ours.context.people)
        rental = await asked(ours)
        await ours.forge(BEN, "deny", f"{rental.id}:1")
        assert (await ours.submit(BEN, reason="later"))["ok"]
        await ours.deliver()
        last = await last_ping(ours)
        await pass_time(ours, 5 * H)
        assert await pings_of(ours, BEN, last) == []
        assert await pings_of(ours, CLEO, last) == []
