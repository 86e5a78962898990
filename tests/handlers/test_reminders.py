"""Approvers are reminded of waiting requests, and others are asked if nobody decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.lifecycle.people.deciders import check_deciders
from bot.lifecycle.people.undecided import check_undecided
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.state import State
from bot.policy.team.rules import Approval, Approvers
from sandbox.slack.default import ANA, APPROVALS, BEN, CLEO, TRAINING
from tests.handlers.rental_states import H, asked, change_request, question
from tests.handlers.team import NOON, RULES, Team, an_offer, team
from tests.handlers.test_unmanaged_machines import direct
from tests.rentals import waiting

NAMED = changed(RULES, approvers=Approvers(people=(BEN,)), approval=Approval(then=(CLEO,)))


async def pass_time(ours: Team, span: Any) -> None:
    """Let time pass, then run the job that runs every five minutes, and deliver messages."""
    ours.clock.jump(span)
    await check_undecided(ours.deps)
    await ours.deliver_all()


async def pings_of(ours: Team, user: str, since: int) -> list[str]:
    pings = (await ours.world.get("pings", after=since))["pings"]
    return [ping["why"] for ping in pings if ping["user"] == user]


async def last_ping(ours: Team) -> int:
    """Deliver the queued messages, and return the number of the last ping."""
    await ours.deliver_all()
    return int((await ours.world.get("pings"))["last"])


async def test_an_approver_gets_one_reminder_of_all_waiting_requests(tmp_path: Path) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        first = await asked(ours)
        await pass_time(ours, H / 3)
        second = await asked(ours, CLEO)
        last = await last_ping(ours)
        await pass_time(ours, H * 2 / 3)
        await pass_time(ours, H)
        assert await pings_of(ours, BEN, last) == ["dm"]
        told = await ours.look(BEN, direct(BEN), "2 requests are waiting for you")
        assert f"Ana: 1x H100 SXM 80 GB ({first.id}) in EU, up to $" in told["text"]
        assert f"Cleo: 1x H100 SXM 80 GB ({second.id}) in EU, up to $" in told["text"]
        await ours.click(BEN, told, "Open the first")
        await ours.deliver()
        shown = await ours.look(BEN, direct(BEN), "Approve up to")
        assert shown["only_you"]
        assert {button["value"] for button in shown["buttons"]} == {f"{first.id}:1", first.id}


async def test_the_reminder_shows_decisions_and_ends_once_nothing_is_waiting(tmp_path: Path) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        first, second = await asked(ours), await asked(ours, CLEO)
        await pass_time(ours, H)
        await ours.forge(BEN, "deny", f"{first.id}:1")
        assert (await ours.submit(BEN, reason="later"))["ok"]
        await ours.deliver()
        told = await ours.look(BEN, direct(BEN), "1 request is waiting for you")
        assert "Ben declined" in told["text"]
        await change_request(ours, await ours.rental(second.id))
        await ours.forge(BEN, "approve", f"{second.id}:2")
        assert (await ours.submit(BEN))["ok"]
        await ours.deliver()
        told = await ours.look(BEN, direct(BEN), "None of these requests is waiting any more.")
        assert "Ben approved" in told["text"]
        assert told["buttons"] == []


async def test_a_later_request_causes_a_new_reminder_of_all_waiting_ones(
    tmp_path: Path,
) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        await ours.offered(CLEO, an_offer("later", "12.00", expires_at=NOON + 2 * H))
        await asked(ours)
        await pass_time(ours, H)
        await ours.click(CLEO, await ours.look(CLEO, TRAINING, "Prices are valid until"), "Ask for")
        assert (await ours.submit(CLEO))["ok"]
        last = await last_ping(ours)
        await pass_time(ours, H)
        assert await pings_of(ours, BEN, last) == ["dm"]
        history = [event.kind for rental in await ours.rentals() for event in await events_of(ours, rental.id)]
        assert history.count(EventKind.APPROVERS_REMINDED) == 3
        assert "2 requests are waiting for you" in (await ours.look(BEN, direct(BEN), "waiting for you"))["text"]


async def events_of(ours: Team, rental_id: str) -> Any:
    async with ours.deps.store.read() as tx:
        return await tx.events.of(rental_id)


async def test_after_four_hours_the_next_people_are_asked_and_may_decide(tmp_path: Path) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        rental = await asked(ours)
        last = await last_ping(ours)
        for _ in range(5):
            await pass_time(ours, H)
        assert await pings_of(ours, CLEO, last) == ["dm"]
        told = await ours.look(CLEO, direct(CLEO), "Approve up to")
        assert "Nobody has decided yet, so Cleo was asked." in told["text"]
        assert "Nobody has decided yet, so Cleo was asked." in (await question(ours))["text"]
        card = await ours.look(ANA, TRAINING, "Waiting for approval")
        assert "Ben and Cleo were asked." in card["text"]
        await ours.click(CLEO, told, "Approve up to")
        assert (await ours.submit(CLEO))["ok"]
        await ours.deliver()
        assert (await ours.rental(rental.id)).state is State.PROCURING
        assert "Cleo approved" in (await ours.look(CLEO, direct(CLEO), "approved"))["text"]
        assert "Cleo approved" in (await ours.look(BEN, APPROVALS, "approved"))["text"]


@pytest.mark.parametrize("then", [(), (CLEO,)])
async def test_nobody_else_is_asked_about_a_decided_request(tmp_path: Path, then: tuple[str, ...]) -> None:
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


# --- a deleted channel


@pytest.mark.parametrize("change", [{"archived": True}, {"bot": False}], ids=["archived", "without the bot"])
async def test_if_the_approvers_channel_was_deleted_approvers_are_asked_directly(
    tmp_path: Path, change: dict[str, bool]
) -> None:
    rules = changed(NAMED, approvers=Approvers(people=(BEN, CLEO)))
    async with team(tmp_path, rules=rules) as ours:
        await check_deciders(ours.deps, ours.context.people)
        await ours.world.act(f"channels/{APPROVALS}", "PATCH", **change)
        last = await last_ping(ours)
        rental = await asked(ours)
        await ours.deliver_all()
        for person in (BEN, CLEO):
            assert await pings_of(ours, person, last) == ["dm"]
        told = await ours.look(BEN, direct(BEN), "Approve up to")
        await ours.click(BEN, told, "Approve up to")
        assert (await ours.submit(BEN))["ok"]
        await ours.deliver_all()
        assert (await ours.rental(rental.id)).approved_by == BEN
        assert "Ben approved" in (await ours.look(CLEO, direct(CLEO), "approved"))["text"]


async def test_a_question_in_an_archived_channel_is_asked_directly_after_a_change(
    tmp_path: Path,
) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        rental = await asked(ours)
        await ours.world.act(f"channels/{APPROVALS}", "PATCH", archived=True)
        await change_request(ours, rental)
        await ours.deliver_all()
        told = await ours.look(BEN, direct(BEN), "Approve up to")
        assert {button["value"] for button in told["buttons"]} == {f"{rental.id}:2", rental.id}


# --- approvers who are away


async def test_an_absent_approver_is_not_mentioned_and_the_requester_sees_why(
    tmp_path: Path,
) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        answer = await ours.command(BEN, "away until thu")
        assert "You're away until" in answer
        assert "I'll ask Cleo instead." in answer
        last = await last_ping(ours)
        rental = await asked(ours)
        await ours.deliver_all()
        assert await pings_of(ours, BEN, last) == []
        assert await pings_of(ours, CLEO, last) == ["dm"]
        assert "Ben is away, so Cleo was asked." in (await question(ours))["text"]
        assert "Ben is away, so Cleo was asked." in (await ours.look(ANA, TRAINING, "Waiting for"))["text"]
        assert (
            "Ben is away, so I've asked Cleo for approval"
            in (await ours.look(ANA, TRAINING, "so I've asked"))["text"]
        )
        await pass_time(ours, 5 * H)
        assert await pings_of(ours, CLEO, last) == ["dm"]
        await ours.forge(BEN, "approve", f"{rental.id}:1")  # an approver who is away may still decide
        assert (await ours.submit(BEN))["ok"]
        assert (await ours.rental(rental.id)).approved_by == BEN


async def test_others_are_asked_once_when_the_last_approver_goes_away(tmp_path: Path) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        await check_deciders(ours.deps, ours.context.people)
        await asked(ours)
        last = await last_ping(ours)
        for _ in range(2):
            await ours.command(BEN, "away until fri 18:00")
        await ours.deliver_all()
        assert await pings_of(ours, CLEO, last) == ["dm"]
        assert "Ben is away, so Cleo was asked." in (await ours.look(CLEO, direct(CLEO), "Approve up to"))["text"]


async def test_time_in_which_all_approvers_are_away_does_not_count(tmp_path: Path) -> None:
    rules = changed(NAMED, approval=Approval())
    async with team(tmp_path, rules=rules) as ours:
        await check_deciders(ours.deps, ours.context.people)
        rental = await asked(ours)
        before = waiting(rental).expires_at
        assert "Requests will wait for you." in await ours.command(BEN, "away until fri")
        later = waiting(await ours.rental(rental.id)).expires_at
        assert (before, later) == (NOON + 8 * H, NOON + 3 * 24 * H + 4 * H)  # on Friday, counted from 8:00
        last = await last_ping(ours)
        await pass_time(ours, 5 * H)
        assert await pings_of(ours, BEN, last) == []
        assert "I'll ask you about requests again." in await ours.command(BEN, "away off")
        assert "You weren't marked as away." in await ours.command(BEN, "away off")
        assert before < waiting(await ours.rental(rental.id)).expires_at < later
        await pass_time(ours, H)
        assert await pings_of(ours, BEN, last) == ["dm"]


@pytest.mark.parametrize(
    ("user", "text", "words"),
    [
        (ANA, "away until mon", "Only approvers are asked about requests"),
        (BEN, "away", "Until when? Try: /gpu away until mon, or /gpu away off"),
        (BEN, "away until someday", "Until when?"),
        (BEN, "away until 2029-01-01", "That's more than a year away."),
        (BEN, "away until mon 25:00", "isn't a time."),
        (BEN, "away mon", "You're away until"),
    ],
)
async def test_all_arguments_of_away_are_understood_or_refused(
    tmp_path: Path, user: str, text: str, words: str
) -> None:
    async with team(tmp_path, rules=NAMED) as ours:
        assert words in await ours.command(user, text)
