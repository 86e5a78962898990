"""Replacements of machines that were lost or don't work. Tests of simultaneous clicks use both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.errors import BuyingBlocked, NeedsKey, Refused, TooLate
from bot.lifecycle.actions import account, keys, replacing
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.deps import transact
from bot.lifecycle.steps.replacing import rent_replacement
from bot.market.transport import Timeouts
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.message import Message, MessageKind
from bot.model.person import Person
from bot.model.quote import Quote, QuoteState
from bot.model.rental import Rental
from bot.model.request import Contract
from bot.model.state import State
from bot.policy.team.rules import AutoApprove, Limits
from tests.lifecycle.adopting import change_owner
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, RULES, World, world
from tests.store.make import REPLY_TO


@pytest.fixture
async def here(sqlite_url: str) -> AsyncIterator[World]:
    async with checked_world(sqlite_url) as made:
        yield made


@asynccontextmanager
async def checked_world(url: str) -> AsyncIterator[World]:
    """Yield a world. After the test, check the invariants."""
    async with world(url, ssh_timeout=0.05, timeouts=Timeouts(offers=5)) as made:
        yield made
        await check(made)
        await check_delivered(made)


async def lost(here: World, *, after: timedelta = HOUR, lease: timedelta = 6 * HOUR) -> Rental:
    """Return a rental whose machine its vendor took away `after` it had become ready."""
    rental = await here.ready(contract=Contract.SPOT, lease=lease)
    await here.be_down(after)
    await here.vanish(rental, "deleted")
    return await here.until(rental, State.LOST)


async def click(here: World, rental: Rental, person: Person = ANA, *, reason: str = "") -> Quote:
    """Click Replace. Return the quote, whose search is still due."""
    return await carry_out(here.deps, person, replacing.Replace(rental.id, reply_to=REPLY_TO, reason=reason))


async def replaced(here: World, rental: Rental, *, reason: str = "") -> Rental:
    """Replace a rental, and return the replacement."""
    quote = await click(here, rental, reason=reason)
    await here.settle()
    found = (await here.quote(quote.id)).rental_id
    assert found is not None
    return await here.rental(found)


async def test_a_lost_machine_is_replaced_once_within_its_remaining_terms(
    here: World,
) -> None:
    here.restart(replace(here.deps, rules=changed(RULES, auto_approve=AutoApprove(per_hour=Decimal("1.00")))))
    asked = await here.get(contract=Contract.SPOT, lease=6 * HOUR, teammates=(CLEO.id,), note="run 7")
    rental = await here.until(await here.approve(asked, BEN), State.READY)
    await here.be_down(HOUR)
    await here.vanish(rental, "deleted")
    rental = await here.until(rental, State.LOST)
    left, spent = rental.running_lease.ends_at - here.now, await here.bill()
    new = await replaced(here, rental)
    # Ben approved Ana's terms, so nobody is asked again.
    assert (new.state, new.decision, new.approved_by) == (State.PROVISIONING, None, BEN.id)
    assert (new.replaces, new.owner, new.card_channel) == (rental.id, ANA.id, rental.card_channel)
    assert new.request == changed(rental.request, lease=left)
    assert (new.terms.max_rate, new.terms.lease) == (rental.terms.max_rate, left)
    assert new.terms.total <= rental.terms.total - spent
    rental = await here.rental(rental.id)
    assert (rental.state, rental.replaced_by) == (State.LOST, new.id)
    replaced_event = await here.last_event(rental, E.REPLACED)
    assert (replaced_event.actor, replaced_event.facts.name, replaced_event.facts.why) == (
        ANA.id,
        new.id,
        Why.VENDOR_TOOK_IT,
    )
    started = await here.last_event(new, E.STARTED)
    assert (started.actor, started.facts.name) == (ANA.id, rental.id)
    with pytest.raises(TooLate, match=f"{new.id} already replaces") as late:
        await click(here, rental)
    assert late.value.rental_id == new.id
    await here.until(new, State.READY)
    assert len(await here.bought()) == 2


async def test_two_simultaneous_clicks_make_one_replacement(url: str) -> None:
    """Both clicks are answered with that rental."""
    async with checked_world(url) as here:
        rental = await lost(here)
        first, second = await click(here, rental), await click(here, rental)
        await here.settle()
        made = [(await here.quote(quote.id)).rental_id for quote in (first, second)]
        assert made[0] == made[1] == (await here.rental(rental.id)).replaced_by
        assert len(await here.bought()) == 2
        assert [r.due_at for r in (await here.quote(first.id), await here.quote(second.id))] == [None, None]


async def test_after_a_kill_the_next_process_replaces_the_machine_once(here: World) -> None:
    rental = await lost(here)
    hold = await here.fault("get_offers", "hang")
    quote = await click(here, rental)
    await here.engine.run_pass()
    await here.until_hit(hold)
    # The bot is killed during the search. Another process ends its claims and continues.
    await here.database.end_claims()
    killed = here.engine
    here.restart(here.deps)
    await here.release(hold)
    # The bot is killed between the commit of the purchase and the answer. The answer follows, without a second
    # purchase.
    shown = changed(quote, **await offers(here, quote))
    found = await transact(here.deps, rent_replacement, here.deps, shown)
    assert found is not None
    await here.settle()
    assert (await here.quote(quote.id)).rental_id == found.id
    await here.until(found, State.READY)
    await killed.drain()  # its search must not use the store once this test has ended
    assert len(await here.bought()) == 2


async def offers(here: World, quote: Quote) -> dict[str, object]:
    """Return the fields of a quote whose offers were found just now."""
    found = await here.deps.market.offers(quote.request)
    return {"offers": found, "state": QuoteState.FOUND, "due_at": None}


# --- replacements that don't fit or aren't allowed


async def test_if_no_replacement_fits_the_offers_are_shown(here: World) -> None:
    """The rest of the total doesn't pay for one hour, which is the shortest lease of a replacement."""
    rental = await lost(here, lease=30 * MINUTE, after=10 * MINUTE)
    quote = await click(here, rental)
    await here.settle()
    quote = await here.quote(quote.id)
    assert (quote.state, quote.rental_id, quote.due_at) == (QuoteState.FOUND, None, None)
    assert quote.offers != ()
    assert (await here.rental(rental.id)).replaced_by is None
    assert len(await here.bought()) == 1
    # From the list, Ana rents an offer as usual.
    await here.until(await here.rent(quote), State.READY)


async def test_a_search_delayed_by_a_downtime_rents_no_replacement(here: World) -> None:
    rental = await lost(here)
    quote = await click(here, rental)
    await here.be_down(5 * MINUTE)
    assert (await here.quote(quote.id)).rental_id is None
    assert (await here.rental(rental.id)).replaced_by is None


async def test_the_rules_are_checked_at_the_click_and_with_the_offers(here: World) -> None:
    rental = await lost(here)
    with pytest.raises(Refused, match="Only its owner"):
        await click(here, rental, BEN)
    with pytest.raises(Refused, match="rules don't let you"):
        await click(here, rental, changed(ANA, deactivated=True))
    quotes = [await click(here, rental) for _ in range(3)]
    lower = changed(RULES, limits=Limits(team_per_hour=Decimal("1.00")))
    here.restart(replace(here.deps, rules=lower))
    await here.settle()
    here.restart(replace(here.deps, rules=RULES))
    here.jump(MINUTE)
    quotes.append(await click(here, rental))
    await carry_out(here.deps, CLEO, account.Pause())
    await here.settle()
    with pytest.raises(BuyingBlocked):
        await click(here, rental)
    await carry_out(here.deps, CLEO, account.Resume())
    quotes.append(await click(here, rental))
    await carry_out(here.deps, ANA, keys.RemoveKey("F"))
    await here.settle()
    with pytest.raises(NeedsKey):
        await click(here, rental)
    assert [(await here.quote(quote.id)).rental_id for quote in quotes] == [None] * 5
    assert [(await here.quote(quote.id)).due_at for quote in quotes] == [None] * 5
    assert len(await here.bought()) == 1
    await here.be_down(6 * HOUR)
    with pytest.raises(TooLate, match="would have ended"):
        await click(here, rental)


# --- machines that are still running


async def test_a_broken_machine_runs_until_its_replacement_is_bought(here: World) -> None:
    """The limits don't count the machine that is replaced: the team's limit allows only one.

    The replacement comes from another vendor.
    """
    one = Limits(per_person_rentals=1, team_per_hour=Decimal("2.50"))
    here.restart(replace(here.deps, rules=changed(RULES, limits=one)))
    rental = await here.ready(lease=6 * HOUR)
    assert rental.vendor == "hyperstack"
    await here.pass_time(10 * MINUTE)
    hold = await here.fault("procure_offer", "hold_before")
    quote = await click(here, rental, reason="no GPU in it")
    buying = asyncio.create_task(here.settle())
    await here.until_hit(hold)
    rental = await here.rental(rental.id)
    new = await here.rental(rental.replaced_by or "")
    assert (rental.state, new.state) == (State.READY, State.PROCURING)
    assert len(await here.alive()) == 1
    await here.release(hold)
    await buying
    new, rental = await here.until(new, State.READY), await here.until(rental, State.DESTROYED)
    assert (new.vendor, new.request.without_vendor) == ("nebius", "hyperstack")
    assert new.terms.max_rate <= Decimal("2.50")
    kinds = await here.event_kinds(rental)
    assert kinds[-4:] == [E.NOT_WORKING, E.REPLACED, E.DESTROYING, E.ENDED]
    said = await here.last_event(rental, E.NOT_WORKING)
    assert (said.actor, said.facts.detail) == (ANA.id, "no GPU in it")
    accepted = await here.last_event(new, E.ACCEPTED)
    destroying = await here.last_event(rental, E.DESTROYING)
    assert timedelta(0) <= destroying.at - accepted.at <= MINUTE
    assert (destroying.actor, destroying.facts.why) == (None, Why.REPLACED)
    # Ana did this herself, so nothing about the first machine pings her. The second one is reported as ready.
    assert [kind for _, kind in await here.direct(rental)] == [E.READY]
    assert (await here.quote(quote.id)).rental_id == new.id
    # Both machines together cost no more than the terms that she approved for the first one.
    assert sum([row.amount for row in await here.ledger(rental)], new.terms.total) <= rental.terms.total


async def test_if_the_replacement_fails_the_machine_can_be_replaced_again(here: World) -> None:
    rental = await here.ready(lease=6 * HOUR, max_gpu_rate=Decimal("2.45"))
    await here.behaves("nebius", "sold_out")
    failed = await here.until(await replaced(here, rental, reason="no GPU"), State.FAILED)
    await here.pass_time(5 * MINUTE)
    rental = await here.rental(rental.id)
    assert (rental.state, rental.replaced_by) == (State.READY, None)
    stays = await here.last_event(rental, E.NOT_REPLACED)
    assert (stays.facts.name, stays.facts.amount) == (failed.id, 0)
    assert (ANA.id, E.ENDED) in await here.direct(failed)
    assert (await here.bought()) == ["hyperstack"]
    await here.behaves("*", "normal")
    new = await replaced(here, rental)
    await here.until(rental, State.DESTROYED)
    assert (await here.rental(new.id)).vendor == "nebius"


async def test_a_pricier_replacement_waits_for_its_owner(here: World) -> None:
    """The owner's limit doesn't count the machine that is replaced."""
    here.restart(replace(here.deps, rules=changed(RULES, limits=Limits(per_person_rentals=1))))
    rental = await here.ready(lease=6 * HOUR)
    await here.behaves("nebius", "sold_out")
    new = await here.until(await replaced(here, rental, reason="no GPU"), State.AWAITING_APPROVAL)
    assert (await here.rental(rental.id)).state is State.READY
    await here.until(await here.approve(new, ANA), State.READY)
    await here.until(rental, State.DESTROYED)
    assert await here.bought() == ["hyperstack", "scaleway"]


async def test_a_machine_that_got_a_new_owner_is_not_replaced(here: World) -> None:
    rental = await here.ready(lease=6 * HOUR)
    quote = await click(here, rental, reason="no GPU")
    await change_owner(here, CLEO, rental, BEN)
    await here.settle()
    assert ((await here.quote(quote.id)).rental_id, (await here.quote(quote.id)).due_at) == (None, None)
    assert ((await here.rental(rental.id)).replaced_by, await here.bought()) == (None, ["hyperstack"])


async def test_an_unreachable_machine_can_be_replaced_after_its_first_hour(
    here: World,
) -> None:
    """The machine isn't announced as ready."""
    await here.behaves("hyperstack", "silent_ssh")
    rental = await here.ready(lease=6 * HOUR)
    assert rental.unreachable
    assert (await here.event_kinds(rental))[-2:] == [E.UNREACHABLE, E.READY]
    # The thread contains the purchase and the unreachable machine. Neither is shown in the channel.
    assert [message.broadcast for message in await thread_of(here, rental)] == [False, False]
    await here.be_down(2 * HOUR)
    new = await replaced(here, rental)
    await here.until(rental, State.DESTROYED)
    new = await here.until(new, State.READY)
    assert (new.vendor, new.unreachable) == ("nebius", False)
    with pytest.raises(TooLate, match="wasn't lost"):
        await click(here, await here.until(await here.destroy(new), State.DESTROYED))


async def thread_of(here: World, rental: Rental) -> list[Message]:
    """Return the replies in the thread of a rental's card."""
    return [one for one in await here.messages(MessageKind.THREAD) if one.rental_id == rental.id]


async def test_a_repeated_report_of_a_broken_machine_is_stored_once(here: World) -> None:
    rental = await here.ready(lease=6 * HOUR)
    for _ in range(2):
        await click(here, rental, reason="no GPU in it")
    assert (await here.event_kinds(rental)).count(E.NOT_WORKING) == 1
    await here.settle()
