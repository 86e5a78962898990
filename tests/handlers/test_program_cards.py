"""The line about a program's rental in Slack: when it is posted, and when it isn't."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.programs import RentForProgram
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.changes.transitions import alter, buy_for_program
from bot.model.attempt import Why
from bot.model.base import EVER
from bot.model.event import Event
from bot.model.message import MessageKind
from bot.model.records import Change
from bot.model.rental import Decider, PendingDecision, Rental
from bot.model.request import Request
from bot.model.state import State
from sandbox.slack.default import ANA, BEN, GPUS
from tests.handlers.team import Team, an_offer, team
from tests.handlers.token_states import make, tokens

HOUR = timedelta(hours=1)


async def search(ours: Team) -> Rental:
    """Let a program ask for a machine, and deliver what is due before the search has a result."""
    await ours.has_key(ANA)
    await make(ours)
    (token,) = await tokens(ours)
    async with ours.deps.store.read() as tx:
        ana = await tx.people.get(ANA, EVER)
    assert ana is not None
    wanted = Request(gpu="H100", count=1, region="EU", lease=2 * HOUR)
    rental = (await carry_out(ours.deps, ana, RentForProgram(token.id, wanted, "run-1"))).rental
    await ours.deliver()
    assert await lines(ours) == []
    return rental


async def change(ours: Team, before: Rental, after: Rental, *events: Event) -> Rental:
    """Store a change to a rental, and deliver its messages."""
    async with ours.deps.store.write() as tx:
        await apply(tx, ours.deps, Change(before, after, events))
    await ours.deliver()
    return after


async def lines(ours: Team) -> list[str]:
    """Return the messages about programs in the home channel."""
    return [one["reads"] for one in await ours.world.see(BEN, channel=GPUS) if "nightly eval" in one["reads"]]


async def test_the_line_is_posted_as_soon_as_an_offer_is_found(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental, now = await search(ours), ours.clock.now()
        bought = buy_for_program(rental, an_offer("o-1", "2.15"), rental.terms, now + 240 * HOUR, now)
        await change(ours, rental, bought)
        (line,) = await lines(ours)
        assert line.startswith(f"nightly eval (Ana) rents 1x H100 ({rental.id}) in EU for 2 h, up to $")


async def test_a_request_that_needs_approval_has_one_line_from_then_on(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        found, now = await search(ours), ours.clock.now()
        decision = PendingDecision(decider=Decider.APPROVER, why=Why.BEYOND_TERMS, expires_at=now + HOUR)
        asked = await change(ours, found, alter(found, state=State.AWAITING_APPROVAL, decision=decision))
        (line,) = await lines(ours)
        assert line.startswith(f"nightly eval (Ana) asks for 1x H100 ({found.id}) in EU for 2 h, up to $")
        again = await change(ours, asked, alter(asked, state=State.QUEUED, decision=None))
        bought = buy_for_program(again, an_offer("o-1", "2.15"), again.terms, now + 240 * HOUR, now)
        await change(ours, again, bought)
        (line,) = await lines(ours)
        assert " rents 1x H100 " in line


async def test_a_search_that_finds_nothing_leaves_no_line(tmp_path: Path) -> None:
    """A program may ask again and again. Each time, only the program needs to know the answer."""
    async with team(tmp_path) as ours:
        rental = await search(ours)
        async with ours.deps.store.read() as tx:
            snapshot = await load_snapshot(tx, rental)
        after, event = snapshot.finished(State.EXPIRED, ours.clock.now(), why=Why.NOTHING_FITTED)
        await change(ours, rental, after, event)
        assert await lines(ours) == []
        assert not any(message.kind is MessageKind.CARD for message in await ours.queued())
