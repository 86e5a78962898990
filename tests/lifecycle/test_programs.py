"""Programs rent machines with a token: which requests are rented, refused, approved or found again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import (
    BeyondTerms,
    InvalidToken,
    KeyInUse,
    Mistake,
    OverBudget,
    PrivateKey,
    Refused,
    TooLate,
    UnknownRental,
)
from bot.lifecycle.actions import program_queries, programs, waiting
from bot.lifecycle.actions.account import Pause
from bot.lifecycle.actions.action import carry_out, preview
from bot.lifecycle.actions.deciding import Deny
from bot.lifecycle.actions.ending import Destroy
from bot.lifecycle.actions.giving import Give
from bot.lifecycle.actions.programs import ExtendForProgram, ReleaseForProgram
from bot.lifecycle.actions.quoting import Prices, last_request
from bot.lifecycle.actions.replacing import Replace
from bot.lifecycle.actions.tokens import StopToken
from bot.lifecycle.loops.waitlist import look
from bot.lifecycle.money.token_use import use_of
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.message import MessageKind
from bot.model.money import micros
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.model.token import Access, TokenState, WhenLost
from bot.model.token import BeyondTerms as WhenBeyond
from bot.policy.buying.programs import CROWDED_AFTER
from bot.policy.buying.spending import LongerLease
from bot.policy.buying.waiting import ONCE_FOR
from bot.policy.team.rules import Budgets, Limits, WhenOver
from tests.lifecycle.adopting import change_owner
from tests.lifecycle.checks import ends_as
from tests.lifecycle.machines import Script
from tests.lifecycle.programs import KEY, TOKEN, add_token, ask, caller, change_token, rent, rented
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, PROBE, REPLY_TO, SECOND, World, world


def use(here: World, **rules: Any) -> None:
    """Switch to other rules."""
    here.restart(replace(here.deps, rules=changed(here.deps.rules, **rules)))


async def live(here: World) -> list[str]:
    async with here.database.read() as tx:
        return [rental.id for rental in await tx.rentals.live()]


async def look_once(here: World) -> None:
    """Run the due searches, but not the steps that follow from them."""
    async with here.database.write() as tx:
        due = await tx.searches.claim(here.now, 9, 20)
    for search in due:
        await look(here.deps, search.id, lambda: True)


async def refused(here: World, key: str = "run-1", **fields: Any) -> str:
    """Let a program ask for a machine that it doesn't get. Return the message. Its key isn't used up."""
    before = await live(here)
    with pytest.raises((Refused, Mistake)) as error:
        await ask(here.deps, key, **fields)
    async with here.database.read() as tx:
        token = await tx.tokens.get(TOKEN)
        assert await tx.rentals.of_key(TOKEN, key) is None
    assert await live(here) == before
    assert token is not None
    assert token.refusal
    return error.value.words


async def end_of(here: World, rental: Rental) -> tuple[State, Why | None, str]:
    """Return the state in which a rental ended, why, and the reason in words that the program sees."""
    view = await program_queries.rental_for(here.deps, await caller(here), rental.id)
    assert view.rental.ending is not None
    return view.rental.state, view.rental.ending.why, view.detail


# --- renting


async def test_a_program_gets_a_machine_on_the_terms_of_the_offer(here: World) -> None:
    """The rental first reserves the most that the terms allow, and then the most that the offer can cost."""
    await add_token(here)
    waits = await ask(here.deps, max_total=micros(Decimal(20)))
    assert (waits.state, waits.terms.total <= 20_000_000) == (State.QUEUED, True)
    assert waits.waitlist_entry is not None
    assert (waits.waitlist_entry.once, waits.waitlist_entry.any_time) == (True, True)
    rental = await here.until(waits, State.READY)
    assert (rental.token_id, rental.idempotency_key, rental.owner) == (TOKEN, "run-1", ANA.id)
    assert rental.terms.total < waits.terms.total
    assert rental.terms.max_rate >= rental.terms.price == rental.rate
    assert await here.event_kinds(rental) == [E.QUEUED, E.OFFER_FITS, E.RENTING, E.ACCEPTED, E.READY]
    assert rental.program is not None
    assert rental.program.lost is None


async def test_limits_of_people_do_not_count_but_those_of_the_token_do(here: World) -> None:
    """8 GPUs cost more than `auto_approve` allows, but the token's terms take the place of this limit."""
    await add_token(here, per_hour=Decimal(50))
    assert (await here.until(await ask(here.deps, count=8), State.READY)).approved_by is None


async def test_requests_that_are_still_searching_leave_the_terms_to_each_other(here: World) -> None:
    """While a rental waits for an offer, it reserves as much as the terms allow. The token doesn't count that."""
    total = micros(Decimal(30))
    await add_token(here, total=total)
    waiting = [await ask(here.deps, "run-1"), await ask(here.deps, "run-2")]
    assert sum(rental.terms.total for rental in waiting) > total
    ready = [await here.until(rental, State.READY) for rental in waiting]
    assert sum(rental.terms.total for rental in ready) <= total


async def test_a_repeated_request_returns_the_same_rental_whatever_became_of_it(here: World) -> None:
    await add_token(here)
    rental = await here.until(await ask(here.deps), State.READY)
    assert (await carry_out(here.deps, ANA, rent())).made is False
    await here.until(await here.destroy(rental), State.DESTROYED)
    assert (await rented(here)).id == rental.id
    assert await live(here) == []
    with pytest.raises(
        KeyInUse, match=r"^The key run-1 belongs to another request, 1x H100 for 2 h\. Nothing was"
    ):
        await ask(here.deps, lease=3 * HOUR)


async def test_two_tokens_can_use_the_same_key(here: World) -> None:
    await add_token(here)
    await add_token(here, "t2")
    assert (await rented(here)).id != (await rented(here, token_id="t2")).id  # noqa: S106


async def test_reuse_finds_a_current_rental_with_the_same_arguments(here: World) -> None:
    await add_token(here)
    first = await here.until(await ask(here.deps, None, reuse=True), State.READY)
    assert first.idempotency_key
    assert (await rented(here, None, reuse=True)).id == first.id
    assert (await rented(here, None, reuse=True, lease=HOUR)).id != first.id
    await here.until(await here.destroy(first), State.DESTROYED)
    assert (await rented(here, None, reuse=True)).id != first.id


@pytest.mark.parametrize(
    ("terms", "fields", "words"),
    [
        ({"access": Access.LOOK}, {}, "nightly eval can look at offers and machines, but not rent."),
        ({"models": ("L40S",)}, {}, "nightly eval can rent L40S, and not H100."),
        ({"longest": HOUR}, {}, "nightly eval can rent for 1 h at most, and not for 2 h."),
        ({}, {"lease": 100 * HOUR}, "The longest lease is 3 days. Ask for that or less."),
        ({}, {"count": 9}, "Your team's limit is 8 GPUs per rental. Ask for 8 or fewer."),
        ({}, {"setup": "x"}, "Your team's rules have no setups, so leave it out."),
        ({}, {"teammates": (BEN.id,)}, "A program can't share a machine with people."),
        ({}, {"project": "vision"}, "The terms of the token name the project."),
    ],
)
async def test_a_request_that_is_refused_at_once_uses_up_no_key(
    here: World, terms: dict[str, Any], fields: dict[str, Any], words: str
) -> None:
    await add_token(here, **terms)
    assert (await refused(here, **fields)).startswith(words)
    await change_token(here.database, access=Access.RENT, models=("H100",), longest=4 * HOUR)
    assert (await rented(here)).state is not State.FAILED


async def test_a_lease_never_ends_after_the_last_day(here: World) -> None:
    """The machine takes a while to get ready, and its lease still ends by then."""
    until = here.now + 2 * HOUR
    await add_token(here, until=until, at_once=3)
    waits = [await ask(here.deps), await ask(here.deps, "run-0", until=until)]
    await here.be_down(SECOND)
    for rental in waits:
        assert (await here.until(rental, State.READY)).running_lease.ends_at == until
    assert "nightly eval stops working" in await refused(here, "run-2", lease=HOUR + 59 * MINUTE)


async def test_only_a_token_that_works_rents(here: World) -> None:
    await add_token(here)
    await change_token(here.database, state=TokenState.STOPPED)
    with pytest.raises(InvalidToken):
        await ask(here.deps)
    with pytest.raises(InvalidToken):
        await ask(here.deps, token_id="t7")  # noqa: S106


async def test_a_pause_and_the_limits_of_the_owner_apply_to_programs(here: World) -> None:
    await add_token(here)
    use(here, limits=Limits(per_person_rentals=1))
    await here.get()
    assert (await refused(here)).startswith("Ana has 1 rental, and your team's limit is 1 per person.")
    await carry_out(here.deps, CLEO, Pause("audit"))
    assert await refused(here) == "Nothing was rented."
    async with here.database.read() as tx:
        token = await tx.tokens.get(TOKEN)
    assert token is not None
    assert token.refusal == 'Cleo paused all renting: "audit". Nothing was rented. Ask again later.'
    await here.settle()


async def test_the_hourly_limit_of_the_team_refuses_the_offer(here: World) -> None:
    await add_token(here)
    use(here, limits=Limits(team_per_hour=Decimal(1)))
    state, why, words = await end_of(here, await rented(here))
    assert (state, why) == (State.FAILED, Why.NOT_ALLOWED)
    assert words.startswith("Your team's limit is $1.00/h")


async def test_an_offer_beyond_a_budget_follows_the_policy(here: World) -> None:
    """The budget counts only for the offer. What the terms would allow in addition doesn't matter."""
    await add_token(here)
    use(here, budgets=Budgets(person=Decimal(9), over=WhenOver.REFUSE))
    await here.destroy(await here.until(await ask(here.deps), State.READY))
    use(here, budgets=Budgets(person=Decimal(3), over=WhenOver.REFUSE))
    assert (await end_of(here, await rented(here, "run-2")))[:2] == (State.FAILED, Why.NOT_ALLOWED)
    use(here, budgets=Budgets(person=Decimal(3), over=WhenOver.APPROVER))
    rental = await rented(here, "run-3")
    assert rental.state is State.AWAITING_APPROVAL
    assert (await here.until(await here.approve(rental), State.READY)).approved_by == BEN.id
    use(here, budgets=Budgets(person=Decimal(3), over=WhenOver.REFUSE))
    with pytest.raises(OverBudget, match="and Ana has only"):
        await ask(here.deps, "run-4")


async def test_an_offer_is_refused_if_its_budget_was_used_up_during_the_search(here: World) -> None:
    await add_token(here)
    use(here, budgets=Budgets(person=Decimal(50), over=WhenOver.REFUSE))
    rental = await ask(here.deps)
    use(here, budgets=Budgets(person=Decimal(1), over=WhenOver.REFUSE))
    await here.settle()
    state, why, words = await end_of(here, rental)
    assert (state, why) == (State.FAILED, Why.NOT_ALLOWED)
    assert "and Ana has only $1.00 left in November" in words


async def test_searches_of_a_program_do_not_count_as_those_of_its_owner(here: World) -> None:
    """A program's requests also don't count as machines for which the person waits."""
    use(here, waiting=changed(here.deps.rules.waiting, per_person=1))
    await add_token(here, at_once=4, per_day=20)
    await here.behaves("*", "nothing_free")
    for n in range(2):
        await rented(here, f"run-{n}", wait_for=HOUR)
    quote = await here.ask(lease=3 * HOUR)
    await carry_out(here.deps, ANA, waiting.RentWhenFound(quote.id, gpu_rate=Decimal(9)))
    await rented(here, "run-7")
    assert (await last_request(here.deps, ANA)).request.lease == 3 * HOUR


# --- the search


async def test_one_search_decides_and_ends_the_rental_as_sold_out(here: World) -> None:
    await add_token(here)
    await here.behaves("*", "nothing_free")
    rental = await rented(here)
    assert await end_of(here, rental) == (State.EXPIRED, Why.NOTHING_FITTED, "")
    await here.behaves("*", "normal")
    assert (await rented(here)).state is State.EXPIRED
    assert (await rented(here, "run-2")).state is not State.EXPIRED


async def test_a_search_begins_at_once_even_if_an_equal_one_was_just_made(here: World) -> None:
    await add_token(here)
    await here.behaves("*", "nothing_free")
    quote = await here.ask()
    await carry_out(here.deps, BEN, waiting.TellMe((await here.ask(BEN)).id))
    await here.settle()
    assert quote.waits_for is None
    assert (await rented(here)).state is State.EXPIRED


async def test_the_search_is_repeated_while_the_market_is_away(here: World) -> None:
    await add_token(here)
    await here.fault("get_offers", "status", status=503, times=3)
    rental = await rented(here)
    assert rental.state is State.QUEUED
    await here.until(rental, State.READY)
    await here.fault("get_offers", "status", status=503, times=None)
    rental = await here.until(await ask(here.deps, "run-2"), State.FAILED)
    assert rental.over_at == rental.created_at + ONCE_FOR
    assert (await end_of(here, rental))[1] is Why.OUTAGE


async def test_a_rental_whose_purchases_all_fail_is_sold_out(here: World) -> None:
    """The rental tries several offers, as a person's rental does, and never goes back to the waitlist."""
    await add_token(here)
    await here.behaves("*", "sold_out")
    rental = await here.until(await ask(here.deps), State.EXPIRED)
    assert await end_of(here, rental) == (State.EXPIRED, Why.NOTHING_FITTED, "")
    assert rental.attempts > 1
    assert E.QUEUED_AGAIN not in await here.event_kinds(rental)


async def test_with_wait_for_a_program_waits_for_an_offer(here: World) -> None:
    await add_token(here)
    await here.behaves("*", "nothing_free")
    rental = await rented(here, wait_for=HOUR)
    await here.pass_time(20 * MINUTE)
    assert (await here.rental(rental.id)).state is State.QUEUED
    await here.behaves("*", "normal")
    await here.until(rental, State.READY)
    await here.behaves("*", "nothing_free")
    late = await rented(here, "run-2", wait_for=HOUR)
    assert (await here.until(late, State.EXPIRED, within=2 * HOUR)).over_at == late.created_at + HOUR


# --- beyond the terms


async def test_an_offer_that_is_too_expensive_ends_the_rental_as_refused(here: World) -> None:
    await add_token(here, per_hour=Decimal(1))
    rental = await rented(here)
    state, why, words = await end_of(here, rental)
    assert (state, why) == (State.FAILED, Why.NOT_ALLOWED)
    assert words.startswith("1x H100 costs at least $")
    assert "/h, and nightly eval may spend $1.00/h. Nothing was rented, and repeating this won't help." in words


async def test_a_total_below_every_offer_is_sold_out_and_not_refused(here: World) -> None:
    """The program named the total itself, so no term was exceeded."""
    await add_token(here)
    rental = await rented(here, max_total=1_000_000)
    assert await end_of(here, rental) == (State.EXPIRED, Why.NOTHING_FITTED, "")


@pytest.mark.parametrize("terms", [{"per_hour": Decimal(1)}, {"models": ("L40S",)}, {"longest": HOUR}])
async def test_an_approver_is_asked_about_the_offer_if_the_terms_say_so(
    here: World, terms: dict[str, Any]
) -> None:
    await add_token(here, beyond=WhenBeyond.ASK, **terms)
    rental = await rented(here)
    assert rental.state is State.AWAITING_APPROVAL
    assert rental.decision is not None
    assert rental.decision.why is Why.BEYOND_TERMS
    view = await program_queries.rental_for(here.deps, await caller(here), rental.id)
    assert view.deciders == ("Ben", "U0DORA")
    assert [message.rental_id for message in await here.messages(MessageKind.APPROVAL)] == [rental.id]
    await here.pass_time(30 * MINUTE)
    ready = await here.until(await here.approve(rental), State.READY)
    assert ready.approved_by == BEN.id
    assert ready.terms.total <= rental.terms.total


async def test_a_denied_request_keeps_its_key_and_the_reason(here: World) -> None:
    await add_token(here, beyond=WhenBeyond.ASK, per_hour=Decimal(1))
    rental = await rented(here)
    await carry_out(here.deps, BEN, Deny(rental.id, rental.terms.version, reason="too expensive"))
    assert await end_of(here, rental) == (State.DENIED, None, "too expensive")
    assert (await rented(here)).id == rental.id


async def test_an_approved_request_goes_on_waiting_for_the_approved_gpu(here: World) -> None:
    """Its first purchase after the approval fails."""
    await add_token(here, beyond=WhenBeyond.ASK, per_hour=Decimal(1))
    rental = await rented(here, wait_for=5 * HOUR)
    await here.behaves("*", "sold_out")
    await here.approve(rental)
    await here.until_event(rental, E.QUEUED_AGAIN)
    await here.behaves("*", "normal")
    assert (await here.until(rental, State.READY)).gpu == rental.terms.gpu


async def test_a_request_that_is_approved_too_late_for_its_end_expires(here: World) -> None:
    """A person could name a later end, but a program no longer waits for that."""
    await add_token(here, beyond=WhenBeyond.ASK, per_hour=Decimal(1))
    rental = await rented(here, until=here.now + 2 * HOUR)
    await here.pass_time(95 * MINUTE)
    with pytest.raises(TooLate, match="Less than 30 min is left until the end of this request"):
        await here.approve(rental)
    assert (await here.rental(rental.id)).state is State.EXPIRED
    await here.settle()


async def test_an_approved_request_that_finds_nothing_is_sold_out(here: World) -> None:
    await add_token(here, beyond=WhenBeyond.ASK, per_hour=Decimal(1))
    rental = await rented(here)
    await here.behaves("*", "nothing_free")
    assert await end_of(here, await here.approve(rental)) == (State.EXPIRED, Why.NOTHING_FITTED, "")


async def test_an_approval_because_of_a_budget_allows_nothing_beyond_the_terms(here: World) -> None:
    """Each of the two offers fits the hourly price of the terms alone, but they don't fit together."""
    await add_token(here, per_hour=Decimal(3))
    use(here, budgets=Budgets(person=Decimal(1), over=WhenOver.APPROVER))
    waits = [await rented(here, f"run-{n}") for n in range(2)]
    assert {one.state for one in waits} == {State.AWAITING_APPROVAL}
    for one in waits:
        await here.approve(one)
    await here.until(waits[0], State.READY)
    assert (await end_of(here, waits[1]))[:2] == (State.FAILED, Why.NOT_ALLOWED)


async def test_an_approved_request_buys_nothing_once_the_token_may_only_look(here: World) -> None:
    await add_token(here, beyond=WhenBeyond.ASK, per_hour=Decimal(1))
    rental = await rented(here)
    await change_token(here.database, access=Access.LOOK)
    await here.approve(rental)
    await here.settle()
    state, why, words = await end_of(here, rental)
    assert (state, why) == (State.FAILED, Why.NOT_ALLOWED)
    assert words.startswith("nightly eval can look at offers and machines, but not rent.")


async def test_machines_that_were_waited_for_count_on_the_day_they_begin(here: World) -> None:
    await add_token(here, per_day=1, at_once=2)
    await here.behaves("*", "nothing_free")
    waits = []
    for n in range(2):
        waits.append(await rented(here, f"run-{n}", wait_for=100 * HOUR))
        await here.pass_time(25 * HOUR)
    await here.behaves("*", "normal")
    first = await here.until(waits[0], State.READY)
    await here.pass_time(HOUR)
    assert (await here.rental(waits[1].id)).state is State.QUEUED
    second = await here.until(waits[1], State.READY, within=25 * HOUR)
    assert second.running_lease.ready_at - first.running_lease.ready_at > 23 * HOUR


async def test_terms_that_were_tightened_apply_when_an_offer_is_found(here: World) -> None:
    await add_token(here)
    rental = await ask(here.deps)
    await change_token(here.database, per_hour=Decimal(1))
    await here.settle()
    assert (await end_of(here, rental))[:2] == (State.FAILED, Why.NOT_ALLOWED)


async def test_nothing_is_bought_with_a_token_that_expired_during_the_search(here: World) -> None:
    await add_token(here)
    rental = await ask(here.deps)
    await change_token(here.database, state=TokenState.EXPIRED)
    await here.settle()
    rental = await here.rental(rental.id)
    assert (rental.state, rental.attempts) == (State.FAILED, 0)


async def test_rentals_of_one_search_share_what_is_left_of_the_terms(here: World) -> None:
    """Two requests come before either has an offer. Both fit alone, but not together."""
    await add_token(here, per_hour=Decimal(3))
    first, second = await ask(here.deps), await ask(here.deps, "run-2")
    await here.settle()
    states = [(await here.rental(one.id)).state for one in (first, second)]
    assert states.count(State.FAILED) == 1


async def test_earlier_purchases_of_a_rental_count_once_towards_the_total(here: World) -> None:
    """The first machine never starts, but its vendor bills it."""
    token = await add_token(here)
    prices = Prices.of(here.deps.market, here.clock)
    request = Request(gpu="H100", region="EU", lease=2 * HOUR)
    cheapest, *_ = await program_queries.offers_for(here.deps, prices, await caller(here), request)
    await here.behaves("hyperstack", "slow")
    rental = await ask(here.deps, wait_for=5 * HOUR)
    await here.until(rental, State.PROVISIONING)
    await here.behaves("*", "nothing_free")
    await here.until(rental, State.QUEUED)
    await here.pass_time(10 * MINUTE)
    paid = sum(row.amount for row in await here.ledger(rental))
    assert paid > 100_000
    total = cheapest.at_most + paid + paid // 2
    await change_token(here.database, total=total)
    await here.behaves("*", "normal")
    await here.until(rental, State.READY)
    async with here.database.read() as tx:
        assert (await use_of(tx, token, here.now)).spent <= total


# --- the key of a machine


async def test_the_key_of_the_request_is_the_default_key_of_the_machine(here: World) -> None:
    await add_token(here)
    rental = await here.until(await ask(here.deps, ssh_public_key=KEY), State.READY)
    attempt = (await here.attempts(rental))[-1]
    assert attempt.public_key == KEY.line
    assert attempt.script is not None
    assert [key.line for key in attempt.script.keys] == [here.outside.public_key]


async def test_an_owner_without_a_key_rents_with_the_key_of_the_request(here: World) -> None:
    await add_token(here)
    async with here.database.write() as tx:
        await tx.people.remove_key(ANA.id, "F")
    assert await refused(here) == (
        "To log in, you'll need an SSH key. Add your public key and I'll continue; nothing has been rented yet."
    )
    await here.until(await ask(here.deps, ssh_public_key=KEY), State.READY)


async def test_a_private_key_is_refused_without_a_trace_of_it() -> None:
    line = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU"
    with pytest.raises(PrivateKey) as error:
        await programs.program_key(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{line}\n")
    assert "Slack" not in error.value.words
    assert line not in repr(error.value)
    assert error.value.__suppress_context__


# --- extending, releasing, heartbeats


async def test_a_repeated_extension_adds_nothing(here: World) -> None:
    await add_token(here)
    rental = await here.until(await ask(here.deps), State.READY)
    ends_at = rental.running_lease.ready_at + 3 * HOUR
    for _ in range(2):
        await carry_out(here.deps, ANA, ExtendForProgram(TOKEN, rental.id, lease=3 * HOUR))
        await carry_out(here.deps, ANA, ExtendForProgram(TOKEN, rental.id, until=ends_at))
    assert (await here.rental(rental.id)).running_lease.ends_at == ends_at
    assert (await here.event_kinds(rental)).count(E.EXTENDED) == 1
    await here.settle()


async def test_an_extension_within_a_flexible_lease_makes_sure_of_that_end(here: World) -> None:
    """Without it, the machine ends after an hour if it isn't in use."""
    await add_token(here)
    rental = await here.until(await ask(here.deps, lease=HOUR, up_to=3 * HOUR), State.READY)
    ends_at = rental.running_lease.ready_at + 2 * HOUR
    for _ in range(2):
        await carry_out(here.deps, ANA, ExtendForProgram(TOKEN, rental.id, until=ends_at))
    after = await here.rental(rental.id)
    assert (after.running_lease.ends_at, after.terms) == (ends_at, rental.terms)
    assert (await here.event_kinds(rental)).count(E.EXTENDED) == 1
    await here.settle()


async def test_a_longer_lease_beyond_the_terms_is_refused_or_asked(here: World) -> None:
    await add_token(here)
    rental = await here.until(await ask(here.deps), State.READY)
    longer = ExtendForProgram(TOKEN, rental.id, lease=5 * HOUR)
    with pytest.raises(BeyondTerms, match=r"4 h at most, and not for 5 h\. Nothing was changed\."):
        await carry_out(here.deps, ANA, longer)
    await change_token(here.database, beyond=WhenBeyond.ASK)
    for _ in range(2):
        assert (await carry_out(here.deps, ANA, longer)).waits
    rental = await here.approve(rental)
    assert rental.running_lease.ends_at == rental.running_lease.ready_at + 5 * HOUR
    await change_token(here.database, until=rental.running_lease.ends_at + HOUR)
    with pytest.raises(BeyondTerms, match="stops working"):
        await carry_out(here.deps, ANA, ExtendForProgram(TOKEN, rental.id, lease=7 * HOUR))


async def test_a_longer_lease_counts_with_all_that_it_can_cost(here: World) -> None:
    """A ready machine reserves less than its terms allow, because its price and its start are known by then."""
    token = await add_token(here)
    rental = await here.until(await ask(here.deps), State.READY)
    longer = ExtendForProgram(TOKEN, rental.id, lease=3 * HOUR)
    plan = (await preview(here.deps, ANA, longer)).plan
    assert isinstance(plan, LongerLease)
    more = plan.proposal.terms.total - rental.terms.total
    async with here.database.read() as tx:
        used = (await use_of(tx, token, here.now)).spent
    await change_token(here.database, total=used + more)
    with pytest.raises(BeyondTerms, match="The longer lease can cost up to"):
        await carry_out(here.deps, ANA, longer)
    await change_token(here.database, total=used + micros(Decimal(3)))
    await carry_out(here.deps, ANA, longer)
    async with here.database.read() as tx:
        assert (await use_of(tx, token, here.now)).spent <= used + micros(Decimal(3))
    await here.settle()


async def test_releasing_twice_answers_with_the_same_end(here: World) -> None:
    await add_token(here)
    rental = await here.until(await ask(here.deps), State.READY)
    release = ReleaseForProgram(TOKEN, rental.id)
    assert (await carry_out(here.deps, ANA, release)).state is State.DESTROYING
    assert (await carry_out(here.deps, ANA, release)).state is State.DESTROYING
    ended = await here.until(rental, State.DESTROYED)
    assert (await carry_out(here.deps, ANA, release)) == ended


async def test_releasing_again_does_not_cut_the_script_short(sqlite_url: str) -> None:
    async with world(sqlite_url, probe_line=PROBE) as here:
        await add_token(here)
        rental = await here.until(await ask(here.deps), State.READY)
        script = here.machines[rental].script = Script(here.clock, 5 * MINUTE, 0)
        await here.pass_time(4 * MINUTE)
        release = ReleaseForProgram(TOKEN, rental.id)
        first = await carry_out(here.deps, ANA, release)
        assert first.running_lease.graceful_destroy is not None
        await here.pass_time(2 * MINUTE)
        again = await carry_out(here.deps, ANA, release)
        assert (again.state, again.running_lease.ends_at) == (State.READY, first.running_lease.ends_at)
        await here.pass_time(2 * MINUTE)
        assert (await here.rental(rental.id)).state is State.READY
        assert len(script.starts) == 1
        await carry_out(here.deps, ANA, ReleaseForProgram(TOKEN, rental.id, now=True))
        assert (await here.rental(rental.id)).state is State.DESTROYING


async def test_a_program_cannot_extend_a_machine_that_is_ending(sqlite_url: str) -> None:
    """An approver has destroyed it, and its script still runs."""
    async with world(sqlite_url, probe_line=PROBE) as here:
        await add_token(here)
        rental = await here.until(await ask(here.deps), State.READY)
        here.machines[rental].script = Script(here.clock, 5 * MINUTE, 0)
        await here.pass_time(4 * MINUTE)
        await carry_out(here.deps, BEN, Destroy(rental.id, graceful_destroy=True))
        for lease in (HOUR, 3 * HOUR):
            with pytest.raises(TooLate, match="is already ending"):
                await carry_out(here.deps, ANA, ExtendForProgram(TOKEN, rental.id, lease=lease))
        await here.until(rental, State.DESTROYED, within=11 * MINUTE)


async def test_releasing_withdraws_a_request_that_has_no_machine_yet(here: World) -> None:
    await add_token(here, beyond=WhenBeyond.ASK, per_hour=Decimal(1))
    pending, searching = await rented(here), await ask(here.deps, "run-2", wait_for=HOUR)
    for rental in (pending, searching):
        await carry_out(here.deps, ANA, ReleaseForProgram(TOKEN, rental.id))
        assert (await here.rental(rental.id)).state is State.WITHDRAWN
    await here.settle()


async def test_rentals_of_others_are_unknown_to_a_token(here: World) -> None:
    await add_token(here)
    await add_token(here, "t2")
    own, other, persons = await rented(here), await rented(here, token_id="t2"), await here.get()  # noqa: S106
    for rental_id in (other.id, persons.id, "zzzzz"):
        with pytest.raises(UnknownRental):
            await carry_out(here.deps, ANA, ExtendForProgram(TOKEN, rental_id, lease=3 * HOUR))
        with pytest.raises(UnknownRental):
            await carry_out(here.deps, ANA, ReleaseForProgram(TOKEN, rental_id))
        with pytest.raises(UnknownRental):
            await programs.note_heartbeat(here.deps, await caller(here), rental_id)
    await programs.note_heartbeat(here.deps, await caller(here), own.id)
    assert (await here.rental(own.id)).heartbeat_at == here.now


async def test_a_token_sees_the_machines_of_its_owner_only(here: World) -> None:
    await add_token(here)
    own, persons, bens = await rented(here), await here.get(), await here.get(person=BEN)
    views = {view.rental.id: view.own for view in await program_queries.rentals_for(here.deps, await caller(here))}
    assert views == {own.id: True, persons.id: False}
    with pytest.raises(UnknownRental):
        await program_queries.rental_for(here.deps, await caller(here), bens.id)
    found = await program_queries.rentals_for(here.deps, await caller(here), "run-1")
    assert [view.rental.id for view in found] == [own.id]
    assert await program_queries.rentals_for(here.deps, await caller(here), "run-2") == []


async def test_heartbeats_follow_the_terms_or_the_request(here: World) -> None:
    await add_token(here)
    asked = (await rented(here, heartbeat=True)).program
    await change_token(here.database, lost=WhenLost.END)
    by_terms = (await rented(here, "run-2")).program
    assert (asked and asked.lost, by_terms and by_terms.lost) == (WhenLost.TELL, WhenLost.END)


async def test_offers_say_which_of_them_the_token_can_rent(here: World) -> None:
    limit = Decimal("2.40")
    await add_token(here, per_hour=limit)
    prices = Prices.of(here.deps.market, here.clock)
    request = Request(gpu="H100", region="EU", lease=2 * HOUR)
    offers = await program_queries.offers_for(here.deps, prices, await caller(here), request)
    assert [not one.reason for one in offers] == [one.offer.rate <= limit for one in offers]
    assert {bool(one.reason) for one in offers} == {True, False}


# --- a token that is stopped


@pytest.mark.parametrize("kind", ["hold_before", "hold_after"])
async def test_stopping_a_token_during_a_purchase_leaves_no_machine(here: World, kind: str) -> None:
    await add_token(here)
    fault = await here.fault("procure_offer", kind)
    rental = await ask(here.deps)
    await look_once(here)
    await here.engine.run_pass()
    await here.until_hit(fault)
    await carry_out(here.deps, ANA, StopToken(TOKEN, graceful_destroy=False))
    await here.release(fault)
    rental = await ends_as(here, rental, State.CANCELLED)
    assert rental.attempts == 1


async def test_a_token_stopped_between_the_search_and_the_purchase_buys_nothing(here: World) -> None:
    await add_token(here)
    rental = await ask(here.deps)
    await look_once(here)
    assert (await here.rental(rental.id)).state is State.PROCURING
    await carry_out(here.deps, ANA, StopToken(TOKEN, graceful_destroy=False))
    await ends_as(here, rental, State.CANCELLED)
    assert await here.calls("procure_offer") == []


# --- people and a program's rental


async def test_a_programs_machine_is_neither_given_away_nor_replaced(here: World) -> None:
    await add_token(here)
    rental = await here.until(await ask(here.deps), State.READY)
    with pytest.raises(TooLate, match="was rented by a program with the token nightly eval"):
        await carry_out(here.deps, ANA, Give(rental.id, BEN.id))
    with pytest.raises(TooLate, match="It can rent another machine itself"):
        await carry_out(here.deps, ANA, Replace(rental.id, REPLY_TO))
    await here.until(await here.destroy(rental, BEN), State.DESTROYED)


async def test_with_another_owner_it_is_a_persons_rental_like_any_other(here: World) -> None:
    await add_token(here)
    rental = await here.until(await ask(here.deps), State.READY)
    await change_owner(here, CLEO, rental, BEN)
    assert (await carry_out(here.deps, BEN, Replace(rental.id, REPLY_TO))).replaces_rental == rental.id
    await here.until(await here.destroy(rental, BEN), State.DESTROYED)


async def test_a_request_that_got_another_owner_while_it_waited_is_bought_for_them(here: World) -> None:
    await add_token(here)
    await here.behaves("*", "nothing_free")
    rental = await rented(here, wait_for=5 * HOUR, max_total=micros(Decimal(12)))
    await change_owner(here, CLEO, rental, BEN)
    await here.behaves("*", "normal")
    ready = await here.until(rental, State.READY)
    assert (ready.owner, ready.program) == (BEN.id, None)
    assert ready.terms.total <= rental.terms.total


# --- a runaway loop


async def test_a_runaway_loop_gets_no_more_than_its_terms_and_its_owner_is_told_once_an_hour(here: World) -> None:
    await add_token(here)
    made = [await here.until(await ask(here.deps, f"run-{n}"), State.READY) for n in range(2)]
    for minute in range(62):
        for n in range(50 if minute in {0, 1, 61} else 0):
            with pytest.raises(BeyondTerms, match="as many as its terms allow"):
                await ask(here.deps, f"loop-{minute}-{n}")
        await here.pass_time(MINUTE)
    told = await here.notices(E.TOKEN_CROWDED)
    assert [(to, event.facts.count) for to, event in told] == [(ANA.id, CROWDED_AFTER)] * 2
    assert {event.facts.rentals for _, event in told} == {tuple(rental.id for rental in made)}
    assert len(await live(here)) == 2
    await carry_out(here.deps, ANA, StopToken(TOKEN, graceful_destroy=False))
    for rental in made:
        await here.until(rental, State.DESTROYED)
    assert await here.alive() == []
    ledger = [row.amount for rental in made for row in await here.ledger(rental)]
    assert sum(ledger) == await here.bill()


async def test_a_loop_that_finds_nothing_makes_six_rentals_a_minute(here: World) -> None:
    await add_token(here)
    await here.behaves("*", "nothing_free")
    for n in range(6):
        assert (await rented(here, f"run-{n}")).state is State.EXPIRED
    for n in range(6, 50):
        with pytest.raises(BeyondTerms, match="asked for 6 machines within a minute") as error:
            await ask(here.deps, f"run-{n}")
        assert error.value.again_at == here.now + MINUTE
    await here.pass_time(MINUTE)
    assert (await rented(here, "run-50")).state is State.EXPIRED
    ((_, told),) = await here.notices(E.TOKEN_CROWDED)
    assert (told.facts.count, told.facts.rentals) == (6 + CROWDED_AFTER, ())
