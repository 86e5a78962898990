"""Waiting rentals follow the current rules.

For example, a budget may have been lowered after the reservation, or the owner may have left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from bot.errors import OverBudget
from bot.lifecycle.actions import waiting
from bot.lifecycle.actions.action import carry_out
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.quote import WaitlistEntry
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.text import say_at_most
from bot.policy.team.rules import AutoApprove, Budgets, WhenOver
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, RULES, World


def use(here: World, over: WhenOver, *, team: str, **rules: object) -> None:
    """Switch to other rules with this budget for the team."""
    budgets = Budgets(team=Decimal(team), over=over)
    here.restart(replace(here.deps, rules=changed(RULES, budgets=budgets, **rules)))


async def waitlist_entry(here: World) -> Rental:
    """Put Ana on the waitlist for a machine at up to $3.00/h for 2 h, $7.50 in total."""
    await here.behaves("*", "nothing_free")
    quote = await here.ask(typed=WaitlistEntry(until=here.now + 24 * HOUR, any_time=True))
    rental = (await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id, gpu_rate=Decimal(3)))).rental
    await here.settle()
    return rental


async def approved_waitlist_entry(here: World) -> Rental:
    """Do the same under rules that require an approval first."""
    use(here, here.deps.rules.budgets.over, team="100", auto_approve=AutoApprove(total=Decimal(1)))
    rental = await here.approve(await waitlist_entry(here))
    assert rental.state is State.QUEUED
    return rental


async def start(here: World) -> Rental:
    """Let Ana request a machine that starts in an hour, for 2 h."""
    starts_at = here.now + HOUR
    quote = await here.ask(starts_at=starts_at, until=starts_at + 2 * HOUR)
    rental = (await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id))).rental
    await here.behaves("*", "nothing_free")
    await here.settle()
    return rental


KINDS = [waitlist_entry, approved_waitlist_entry, start]


async def an_offer_comes(here: World) -> None:
    await here.behaves("nebius", "normal")
    await here.pass_time(HOUR + 5 * MINUTE)


@pytest.mark.parametrize("waits", KINDS)
async def test_with_over_refuse_a_lowered_budget_blocks_purchases(
    here: World, waits: Callable[[World], Awaitable[Rental]]
) -> None:
    use(here, WhenOver.REFUSE, team="100")
    rental = await waits(here)
    use(here, WhenOver.REFUSE, team="5")
    await an_offer_comes(here)
    assert await here.bought() == []
    rental = await here.rental(rental.id)
    assert rental.state is State.QUEUED
    (refused,) = [event for event in await here.events(rental) if event.kind is E.NOT_ALLOWED_NOW]
    total = say_at_most(rental.terms.total)
    assert (
        refused.facts.detail == f"The request could cost {total}, and your team has only $5.00 left in November."
    )
    use(here, WhenOver.REFUSE, team="100")
    await here.until(rental, State.READY)


@pytest.mark.parametrize("waits", KINDS)
async def test_with_over_approver_a_lowered_budget_asks_an_approver_once(
    here: World, waits: Callable[[World], Awaitable[Rental]]
) -> None:
    use(here, WhenOver.APPROVER, team="100")
    rental = await waits(here)
    use(here, WhenOver.APPROVER, team="5")
    await an_offer_comes(here)
    assert await here.bought() == []
    rental = await here.rental(rental.id)
    assert rental.approver_decides
    assert rental.decision is not None
    assert rental.decision.why is Why.OVER_BUDGET
    rental = await here.approve(rental)
    assert [one.budget for one in (await here.last_event(rental, E.APPROVED)).facts.passed] == [5_000_000]
    rental = await here.until(rental, State.READY)
    assert rental.approved_by == BEN.id
    assert (await here.event_kinds(rental)).count(E.ASKED_AGAIN) == 1


@pytest.mark.parametrize("over", list(WhenOver))
async def test_a_lowered_budget_with_enough_headroom_asks_nobody(here: World, over: WhenOver) -> None:
    use(here, over, team="100")
    rental = await waitlist_entry(here)
    use(here, over, team="8")
    await an_offer_comes(here)
    assert await here.bought() == [(await here.rental(rental.id)).vendor]


async def test_with_over_approver_only_a_lowered_budget_counts(here: World) -> None:
    """Other rentals may have exceeded the budget with an approver's consent.

    That says nothing about this entry.
    """
    use(here, WhenOver.APPROVER, team="10")
    rental = await waitlist_entry(here)
    await here.behaves("lambda", "normal")
    await here.approve(await here.get(person=CLEO, region="US", lease=8 * HOUR))
    await an_offer_comes(here)
    rental = await here.rental(rental.id)
    assert (rental.vendor, E.ASKED_AGAIN in await here.event_kinds(rental)) == ("nebius", False)


async def test_a_pending_request_is_not_approved_beyond_a_lowered_budget(here: World) -> None:
    use(here, WhenOver.REFUSE, team="100", auto_approve=AutoApprove(total=Decimal(1)))
    rental = await waitlist_entry(here)
    assert rental.state is State.AWAITING_APPROVAL
    use(here, WhenOver.REFUSE, team="5", auto_approve=AutoApprove(total=Decimal(1)))
    with pytest.raises(OverBudget, match=r"has only \$5\.00 left"):
        await here.approve(rental)


# --- the owner


async def test_the_owner_is_looked_up_again_before_the_purchase(here: World) -> None:
    use(here, WhenOver.APPROVER, team="100")
    rental = await waitlist_entry(here)
    here.people.changed[ANA.id] = changed(ANA, deactivated=True)
    await here.behaves("nebius", "normal")
    await here.pass_time(20 * MINUTE)
    assert await here.bought() == []
    assert here.people.asked_anew == [ANA.id] * len(here.people.asked_anew) != []
    assert E.OFFER_FITS not in await here.event_kinds(rental)


async def test_if_slack_does_not_answer_its_last_answer_counts(here: World) -> None:
    """The history records that the owner was not confirmed."""
    rental = await waitlist_entry(here)
    here.people.answers = False
    await here.behaves("nebius", "normal")
    rental = await here.until(rental, State.READY)
    assert (await here.last_event(rental, E.OFFER_FITS)).facts.owner_unconfirmed
