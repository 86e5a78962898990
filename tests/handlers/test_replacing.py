"""Clicks that replace a machine, which was lost or doesn't work according to its owner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import RentalSnapshot
from bot.lifecycle.deps import transact
from bot.lifecycle.steps.replacing import rent_replacement
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import EndedFacts
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import Always, Approval
from sandbox.slack.default import ANA, BEN
from tests.handlers.rental_states import H, make_ready, question, running
from tests.handlers.team import NOON, RULES, Team, an_offer, team

ANAS_MESSAGES = "D0ANA0000"


async def lost(ours: Team, **terms: Any) -> Rental:
    """Return Ana's machine, which its vendor took away at 13:00. She hasn't been notified yet."""
    running_one = await running(ours)
    known = changed(running_one, terms=changed(running_one.terms, **terms))
    ours.clock.put(NOON + H)
    after, _ = RentalSnapshot(known).finished(State.LOST, NOON + H, why=Why.VENDOR_TOOK_IT)
    facts = EndedFacts(end=State.LOST, why=Why.VENDOR_TOOK_IT, vendor="hyperstack")
    event = Event(rental_id=known.id, kind=EventKind.LOST, at=NOON + H, facts=facts)
    async with ours.deps.store.write() as tx:
        await apply(tx, ours.deps, Change(running_one, after, (event,)))
    return after


async def test_replace_searches_and_the_message_then_names_the_replacement(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await lost(ours)
        message = await ours.deliver_until("Everything on it is lost.", channel=ANAS_MESSAGES)
        await ours.click(ANA, message, f"Replace {rental.id}, up to $2.47/h")
        assert await ours.replies() == []
        (quote,) = await ours.quotes(ANA)
        assert (quote.replaces_rental, quote.request.lease) == (rental.id, 5 * H)
        found = changed(quote, offers=(an_offer("o2", "2.40", expires_at=NOON + 2 * H),))
        new = await transact(ours.deps, rent_replacement, ours.deps, found)
        assert new is not None
        shown = await ours.deliver_until(f"Its replacement is {new.id}.", channel=ANAS_MESSAGES)
        assert shown["ts"] == message["ts"]
        # Her screen was outdated. The old button names the rental that replaced the machine, and shows it.
        await ours.forge(ANA, "replace", rental.id)
        assert (await ours.replies())[-1] == f"{new.id} already replaces {rental.id}. Nothing was changed."


async def test_an_expensive_replacement_is_confirmed_and_reserved_for_the_owner(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await lost(ours, total=80_000_000)
        await ours.forge(BEN, "replace", rental.id)
        assert (await ours.replies())[-1] == f"Only its owner can replace {rental.id}. Nothing was changed."
        message = await ours.deliver_until("Everything on it is lost.", channel=ANAS_MESSAGES)
        await ours.click(ANA, message, "Replace")
        assert await ours.quotes(ANA) == []
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "up to $2.47/h for 5 h, at most $80.00 in all." in dialog["reads"]
        assert (await ours.submit(ANA))["ok"]
        assert [quote.replaces_rental for quote in await ours.quotes(ANA)] == [rental.id]


async def test_a_replacement_that_always_needs_approval_names_the_rule_to_everyone(tmp_path: Path) -> None:
    rules = changed(RULES, approval=Approval(always=Always(models=("H100",))))
    async with team(tmp_path, rules=rules) as ours:
        await ours.click(ANA, await ours.offered(ANA, an_offer("o1", "2.15")), "Ask for")
        await ours.deliver()
        await ours.click(BEN, await question(ours), "Approve up to")
        (approved,) = await ours.rentals()
        rental = await make_ready(ours, approved)
        await ours.click(ANA, await ours.look(ANA, ANAS_MESSAGES, "is ready"), "It doesn't work")
        dialog = await ours.modal(ANA)
        assert dialog is not None
        assert "Needs approval: requests for H100 always do. Nothing is rented until" in dialog["reads"]
        assert (dialog["submit"], (await ours.submit(ANA, reason="no GPU"))["ok"]) == ("Ask", True)
        quote = next(one for one in await ours.quotes(ANA) if one.replaces_rental == rental.id)
        found = changed(quote, offers=(an_offer("o2", "2.40", vendor="nebius", expires_at=NOON + 2 * H),))
        new = await transact(ours.deps, rent_replacement, ours.deps, found)
        assert new is not None
        await ours.deliver_all()
        asked = await question(ours)
        shown = " ".join(asked["reads"].split())
        assert f"It would replace {rental.id}." in shown
        assert "Team rule requests for H100 always need approval" in shown
        assert f"{new.id}" in (await ours.card(new))["reads"]
        await ours.click(BEN, asked, "Approve up to")
        approved = await ours.rental(new.id)
        assert (approved.state, approved.approved_by) == (State.PROCURING, BEN)
        assert (await ours.rental(rental.id)).state is State.READY


async def test_the_reason_for_a_replacement_is_requested_and_posted_as_text(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await running(ours)
        await ours.click(ANA, await ours.look(ANA, ANAS_MESSAGES, "is ready"), "It doesn't work")
        refused = await ours.submit(ANA)
        assert refused["error"] == "incomplete"
        assert (await ours.submit(ANA, reason="<!channel> no GPU"))["ok"]
        assert [quote.replaces_rental for quote in await ours.quotes(ANA)] == [rental.id]
        said = await ours.deliver_until("says that this machine doesn't work")
        # A mention would appear as "@channel".
        assert said["reads"] == 'Ana says that this machine doesn\'t work: "<!channel> no GPU".'
        ours.clock.put(NOON + H)
        await ours.forge(ANA, "not_working", rental.id)
        assert (await ours.replies())[
            -1
        ] == f"{rental.id} has run for more than an hour, so it can't be replaced. Nothing was changed."
