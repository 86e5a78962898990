"""A machine in use: whether it is still needed, its lease's end told ahead, and more time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.errors import Changed, DuplicateExtension, Mistake, Refused, TooLate
from bot.lifecycle.engine import Engine
from bot.lifecycle.service import deciding, leasing
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.rules import Approvers, CheckIn, Lease
from tests.lifecycle.checks import check
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, MINUTE, RULES, SECOND, World, world

GRACE = 15 * MINUTE


def end_of(rental: Rental) -> datetime:
    return rental.running.ends_at


async def sleep_to(here: World, moment: datetime) -> None:
    await here.oversleep(moment - here.now)


async def count(here: World, rental: Rental, kind: E) -> int:
    return (await here.details(rental)).count(kind)


async def destroyed_at(here: World, rental: Rental) -> datetime:
    """Goes to its end, and says when that began."""
    rental = await here.rental(rental.id)
    if rental.state is State.READY and here.now < end_of(rental):
        await sleep_to(here, end_of(rental) - SECOND)
    rental = await here.until(rental, State.DESTROYED)
    assert await here.alive() == []
    said = await here.said(rental, E.DESTROYING)
    assert said.facts.why is Why.LEASE_ENDED
    return said.at


# --- the end


async def test_the_end_is_told_two_hours_and_half_an_hour_ahead_and_comes_on_time(here: World) -> None:
    rental = await here.ready(lease=4 * HOUR)
    ends = end_of(rental)
    for ahead, told in ((2 * HOUR, 1), (31 * MINUTE, 1), (30 * MINUTE, 2), (SECOND, 2)):
        await sleep_to(here, ends - ahead - SECOND)
        before = await count(here, rental, E.ENDING)
        await here.pass_time(SECOND)
        assert await count(here, rental, E.ENDING) == told >= before
    said = await here.said(rental, E.ENDING)
    assert (said.facts.until, said.facts.span) == (ends, 30 * MINUTE)
    assert await destroyed_at(here, rental) == ends


async def test_a_short_lease_is_not_told_of_an_end_that_was_just_said(here: World) -> None:
    rental = await here.ready(lease=20 * MINUTE)
    assert await count(here, rental, E.ENDING) == 0
    assert await destroyed_at(here, rental) == end_of(rental)


async def test_two_notices_that_were_overslept_are_told_as_one(here: World) -> None:
    rental = await here.ready(lease=4 * HOUR)
    await sleep_to(here, end_of(rental) - 10 * MINUTE)
    assert await count(here, rental, E.ENDING) == 1
    await here.pass_time(5 * MINUTE)
    assert await count(here, rental, E.ENDING) == 1


@pytest.mark.parametrize("how", ["extended by its owner", "extended by an admin", "approved"])
async def test_after_an_extension_the_next_notice_is_skipped_if_it_is_not_the_last(here: World, how: str) -> None:
    rental = await here.ready(lease=24 * HOUR if how == "approved" else HOUR)
    await sleep_to(here, end_of(rental) - 30 * MINUTE)
    notices = await count(here, rental, E.ENDING)
    if how == "approved":
        rental = await here.approve(await here.extend(rental, 24 * HOUR))
        await sleep_to(here, end_of(rental) - 2 * HOUR - 30 * MINUTE)
        rental = await here.approve(await here.extend(rental, 3 * MINUTE))
    else:
        rental = await here.extend(rental, 2 * HOUR, ANA if how == "extended by its owner" else CLEO)
    ends = end_of(rental)
    await here.pass_time(ends - here.now - 2 * HOUR + MINUTE)
    await sleep_to(here, ends - 30 * MINUTE - SECOND)
    assert await count(here, rental, E.ENDING) == notices
    await here.pass_time(SECOND)
    assert await count(here, rental, E.ENDING) == notices + 1
    assert (await here.said(rental, E.ENDING)).facts.span == 30 * MINUTE
    assert await destroyed_at(here, rental) == ends


@pytest.mark.parametrize("hours", [1, 3])
async def test_an_end_that_nobody_could_read_of_is_said_and_waits_one_grace(here: World, hours: int) -> None:
    """Also where notices and the question whether it is needed were overslept."""
    here.unread = True
    rental = await here.ready(lease=hours * HOUR)
    await sleep_to(here, end_of(rental))
    assert await here.details(rental) == [E.STARTED, E.RENTING, E.ACCEPTED, E.READY, E.ENDING]
    assert (await here.said(rental, E.ENDING)).facts.until == here.now + GRACE
    assert GRACE <= await destroyed_at(here, rental) - end_of(rental) <= GRACE + 20 * SECOND


async def test_an_end_that_was_read_late_waits_one_grace_from_then(here: World) -> None:
    here.unread = True
    rental = await here.ready(lease=HOUR)
    await sleep_to(here, end_of(rental) - 5 * MINUTE)
    here.unread = False
    await here.settle()
    read = here.now
    assert GRACE <= await destroyed_at(here, rental) - read <= GRACE + 20 * SECOND


async def test_an_end_that_was_overslept_comes_when_the_bot_wakes(here: World) -> None:
    rental = await here.ready(lease=HOUR)
    await here.oversleep(5 * HOUR)
    assert (await here.rental(rental.id)).state is State.DESTROYING
    assert await destroyed_at(here, rental) == end_of(rental) + 4 * HOUR


# --- still needed?


async def test_who_gives_no_sign_of_life_is_asked_a_little_rarer_each_time(here: World) -> None:
    rental = await here.ready(lease=20 * HOUR)
    began = here.now
    for hours, times in ((2, 1), (5, 2), (9, 3)):
        await sleep_to(here, began + hours * HOUR - SECOND)
        assert await count(here, rental, E.STILL_NEEDED) == times - 1
        await here.pass_time(SECOND)
        assert await count(here, rental, E.STILL_NEEDED) == times
    said = await here.said(rental, E.STILL_NEEDED)
    assert said.facts.span == 9 * HOUR
    assert said.facts.amount == (await here.bill())
    assert [kind for _, kind in await here.direct(rental)].count(E.STILL_NEEDED) == 3


async def test_a_sign_of_life_puts_the_question_off(here: World) -> None:
    rental = await here.ready(lease=20 * HOUR)
    began = here.now
    await here.oversleep(90 * MINUTE)
    await here.ask()
    await sleep_to(here, began + 2 * HOUR)
    assert await count(here, rental, E.STILL_NEEDED) == 0
    await sleep_to(here, began + 3 * HOUR + 30 * MINUTE)
    assert await count(here, rental, E.STILL_NEEDED) == 1


async def test_after_the_last_notice_of_its_end_nobody_is_asked(here: World) -> None:
    rental = await here.ready(lease=2 * HOUR + 15 * MINUTE)
    assert await destroyed_at(here, rental) == end_of(rental)
    assert await count(here, rental, E.ENDING) == 1
    assert await count(here, rental, E.STILL_NEEDED) == 0


@pytest.mark.parametrize("hours", [1, 4])
async def test_kept_it_is_asked_about_when_that_was_promised(here: World, hours: int) -> None:
    rental = await here.ready(lease=20 * HOUR)
    ends = end_of(rental)
    await here.oversleep(2 * HOUR)
    rental = await here.keep(rental, hours * HOUR)
    kept = here.now
    said = (await here.said(rental, E.KEPT)).facts
    assert (said.until, said.since) == (kept + hours * HOUR, ends)
    await here.oversleep(MINUTE)
    await here.ask()
    await sleep_to(here, kept + hours * HOUR - SECOND)
    assert await count(here, rental, E.STILL_NEEDED) == 1
    await here.pass_time(SECOND)
    assert await count(here, rental, E.STILL_NEEDED) == 2
    await here.oversleep(3 * HOUR)
    assert await count(here, rental, E.STILL_NEEDED) == 3
    assert end_of(await here.rental(rental.id)) == ends


async def test_who_extended_it_after_keeping_it_is_not_asked_soon_after(here: World) -> None:
    rental = await here.ready(lease=9 * HOUR)
    rental = await here.keep(rental, 4 * HOUR)
    await here.oversleep(3 * HOUR + 30 * MINUTE)
    rental = await here.extend(rental, 2 * HOUR)
    extended = here.now
    await sleep_to(here, extended + 2 * HOUR - SECOND)
    assert await count(here, rental, E.STILL_NEEDED) == 0
    await here.pass_time(SECOND)
    assert (await here.said(rental, E.STILL_NEEDED)).facts.span == 2 * HOUR


def restarted(here: World, check_in: CheckIn) -> None:
    """The bot goes on with another policy file."""
    here.deps = replace(here.deps, rules=changed(here.deps.rules, check_in=check_in))
    here.engine = Engine(here.deps, claimant="world")


async def test_where_the_rules_switch_the_question_off_nobody_is_asked(here: World) -> None:
    restarted(here, CheckIn(after=None))
    rental = await here.ready(lease=20 * HOUR)
    await here.oversleep(5 * HOUR)
    await here.keep(rental, HOUR)
    kept = (await here.said(rental, E.KEPT)).facts
    assert (kept.until, kept.since) == (None, end_of(rental))
    await here.oversleep(5 * HOUR)
    rental = await here.extend(rental, 2 * HOUR)
    assert await destroyed_at(here, rental) == end_of(rental)
    assert await count(here, rental, E.STILL_NEEDED) == 0


async def test_a_question_that_was_planned_goes_by_the_rules_that_hold_when_it_is_due(here: World) -> None:
    rental = await here.ready(lease=40 * HOUR)
    await here.keep(rental, HOUR)
    restarted(here, CheckIn(after=None))
    await here.oversleep(9 * HOUR)
    assert await count(here, rental, E.STILL_NEEDED) == 0
    restarted(here, CheckIn(after=10 * HOUR))
    await here.oversleep(HOUR)
    assert await count(here, rental, E.STILL_NEEDED) == 1


async def test_only_its_owner_and_admins_keep_it(here: World) -> None:
    rental = await here.ready()
    with pytest.raises(Refused, match="owner and admins"):
        await here.keep(rental, HOUR, BEN)
    await here.keep(rental, HOUR, CLEO)
    assert (ANA.id, E.KEPT) in await here.direct(rental)


# --- more time


async def test_more_time_within_the_limits_is_given_at_once(here: World) -> None:
    rental = await here.ready(lease=HOUR)
    ends = end_of(rental)
    await here.pass_time(50 * MINUTE)
    longer = await here.extend(rental, 2 * HOUR)
    assert (end_of(longer), longer.envelope.lease, longer.envelope.version) == (ends + 2 * HOUR, 3 * HOUR, 2)
    said = (await here.said(rental, E.EXTENDED)).facts
    assert (said.until, said.since, said.total) == (ends + 2 * HOUR, ends, longer.envelope.total)
    await sleep_to(here, ends + MINUTE)
    assert (await here.rental(rental.id)).state is State.READY
    assert await destroyed_at(here, longer) == ends + 2 * HOUR
    total = sum(row.amount for row in await here.ledger(rental))
    assert total == await here.bill() <= longer.envelope.total


async def test_a_second_click_on_the_same_button_adds_nothing(here: World) -> None:
    rental = await here.ready(lease=HOUR)
    shown = int(end_of(rental).timestamp())
    await leasing.extend(here.deps, ANA, rental.id, HOUR, shown_end=shown)
    await here.settle()
    with pytest.raises(TooLate, match="extended already"):
        await leasing.extend(here.deps, ANA, rental.id, HOUR, shown_end=shown)


async def test_the_same_wish_within_two_minutes_extends_once(here: World) -> None:
    """Of the same person and of the same length, if it doesn't say which end it means."""
    rental = await here.ready(lease=HOUR)
    ends = end_of(rental)
    await here.extend(rental, 2 * HOUR)
    await here.pass_time(MINUTE + 59 * SECOND)
    with pytest.raises(DuplicateExtension, match=r"You asked for 2h more just now\. I added nothing more\."):
        await here.extend(rental, 2 * HOUR)
    shown = int(end_of(await here.rental(rental.id)).timestamp())
    assert shown == int((ends + 2 * HOUR).timestamp())
    await leasing.extend(here.deps, ANA, rental.id, 2 * HOUR, shown_end=shown)
    await here.extend(rental, 2 * HOUR, CLEO)
    await here.extend(rental, 3 * HOUR)
    await here.pass_time(2 * MINUTE)
    assert end_of(await here.extend(rental, 2 * HOUR)) == ends + 11 * HOUR


@pytest.mark.parametrize("decision", ["approve", "deny"])
async def test_the_same_wish_within_two_minutes_asks_an_approver_once(here: World, decision: str) -> None:
    rental = await asking_for_more(here)
    ends = end_of(rental)
    with pytest.raises(TooLate, match="already asks"):
        await here.extend(rental, 24 * HOUR)
    rental = await getattr(here, decision)(rental)
    with pytest.raises(DuplicateExtension):
        await here.extend(rental, 24 * HOUR)
    rental = await here.rental(rental.id)
    assert rental.extension is None
    assert end_of(rental) == ends + (24 * HOUR if decision == "approve" else 0 * HOUR)
    await here.pass_time(2 * MINUTE)
    if decision == "deny":
        assert (await here.extend(rental, 24 * HOUR)).extension is not None


async def test_a_lease_beyond_the_longest_is_refused(here: World) -> None:
    rental = await here.ready(lease=HOUR)
    with pytest.raises(Mistake, match=r"at most 72h in all, so \w+ can be longer by 71h\.$"):
        await here.extend(rental, 72 * HOUR)
    with pytest.raises(Refused):
        await here.extend(rental, HOUR, BEN)


async def asking_for_more(here: World) -> Rental:
    """24 hours more than 24: over the total that needs an approver."""
    rental = await here.ready(lease=24 * HOUR)
    ends = end_of(rental)
    await here.oversleep(20 * HOUR)
    rental = await here.extend(rental, 24 * HOUR)
    assert (rental.state, end_of(rental)) == (State.READY, ends)
    assert rental.extension is not None
    assert rental.extension.ends_at == ends + 24 * HOUR
    with pytest.raises(TooLate, match="already asks"):
        await here.extend(rental, HOUR)
    return rental


async def test_approved_the_lease_is_longer_and_its_end_is_told_anew(here: World) -> None:
    rental = await asking_for_more(here)
    ends = end_of(rental)
    with pytest.raises(Refused, match="Only approvers"):
        await here.approve(rental, ANA)
    rental = await here.approve(rental)
    assert (rental.extension, end_of(rental), rental.envelope.version) == (None, ends + 24 * HOUR, 2)
    assert (ANA.id, E.EXTENSION_APPROVED) in await here.direct(rental)
    await sleep_to(here, ends + 22 * HOUR)
    assert await count(here, rental, E.ENDING) == 1
    assert await destroyed_at(here, rental) == ends + 24 * HOUR


@pytest.mark.parametrize("how", ["denied", "withdrawn", "lapsed"])
async def test_otherwise_the_old_end_stands(here: World, how: str) -> None:
    rental = await asking_for_more(here)
    ends = end_of(rental)
    if how == "denied":
        await here.deny(rental)
    elif how == "withdrawn":
        await here.withdraw(rental)
    await sleep_to(here, ends)
    rental = await here.rental(rental.id)
    assert rental.extension is None
    kind = E(f"extension_{how}")
    assert await count(here, rental, kind) == 1
    assert ((ANA.id, kind) in await here.direct(rental)) is (how != "withdrawn")
    assert await destroyed_at(here, rental) == ends
    with pytest.raises(TooLate):
        await here.approve(rental)


async def test_an_extension_is_not_approved_once_its_old_end_has_come(here: World) -> None:
    rental = await asking_for_more(here)
    here.jump(end_of(rental) - here.now)
    with pytest.raises(TooLate, match="expired"):
        await here.approve(rental)
    await here.settle()
    assert await count(here, rental, E.EXTENSION_EXPIRED) == 1
    await here.until(rental, State.DESTROYED)


async def test_more_time_for_a_few_minutes_is_not_followed_by_a_notice_of_what_was_just_said(here: World) -> None:
    rental = await asking_for_more(here)
    await sleep_to(here, end_of(rental) - 10 * MINUTE)
    told = await count(here, rental, E.ENDING)
    await here.withdraw(rental)
    rental = await here.extend(rental, 10 * MINUTE)
    await here.pass_time(MINUTE)
    assert await count(here, rental, E.ENDING) == told


async def test_destroyed_while_more_time_is_asked_for_nothing_waits_any_more(here: World) -> None:
    rental = await here.destroy(await asking_for_more(here))
    rental = await here.until(rental, State.DESTROYED)
    assert rental.extension is None
    with pytest.raises(TooLate):
        await here.approve(rental)


async def test_its_price_is_what_its_machine_says(here: World) -> None:
    rental = await here.ready()
    (machine,) = await here.alive()
    assert str(rental.rate) == str(machine["rate"])
    await here.pass_time(timedelta(minutes=7))
    assert (await here.rental(rental.id)).rate == rental.rate


async def test_an_old_button_for_more_time_never_gives_other_time(here: World) -> None:
    """Each wish for more time is a version of its own, also after one that came to nothing."""
    rental = await asking_for_more(here)
    assert rental.extension is not None
    old = rental.extension.envelope.version
    await here.withdraw(rental)
    rental = await here.extend(rental, 40 * HOUR)
    for decision in (deciding.approve, deciding.deny):
        with pytest.raises(Changed):
            await decision(here.deps, BEN, rental.id, old)
    rental = await here.approve(rental)
    assert rental.envelope.lease == 64 * HOUR


async def in_its_last_grace(here: World, lease: timedelta) -> Rental:
    """Its end has come, an hour ago; it was said only now, and waits one grace."""
    here.unread = True
    rental = await here.ready(lease=lease)
    await sleep_to(here, end_of(rental) + HOUR)
    here.unread = False
    await here.settle()
    rental = await here.rental(rental.id)
    assert rental.state is State.READY
    return rental


async def test_more_time_after_the_end_counts_from_now(here: World) -> None:
    rental = await in_its_last_grace(here, HOUR)
    asked_at = here.now
    rental = await here.extend(rental, 30 * MINUTE)
    assert end_of(rental) == asked_at + 30 * MINUTE
    assert await destroyed_at(here, rental) == asked_at + 30 * MINUTE


async def test_after_the_end_nobody_is_asked_to_approve_more_time(here: World) -> None:
    rental = await in_its_last_grace(here, 24 * HOUR)
    with pytest.raises(TooLate, match="approver"):
        await here.extend(rental, 24 * HOUR)
    assert await count(here, rental, E.EXTENSION_ASKED) == 0


async def test_who_may_no_longer_rent_does_not_extend(here: World) -> None:
    rental = await here.ready(lease=HOUR)
    with pytest.raises(Refused, match="rules"):
        await here.extend(rental, HOUR, changed(ANA, guest=True))
    await here.extend(rental, HOUR, CLEO)


async def test_nobody_approves_more_time_than_the_longest_lease_by_now(here: World) -> None:
    rental = await asking_for_more(here)
    tight = changed(RULES, lease=Lease(max=24 * HOUR))
    with pytest.raises(Mistake, match="at most 24h"):
        await deciding.approve(replace(here.deps, rules=tight), BEN, rental.id, 2)


async def test_who_asks_for_more_time_for_somebody_else_does_not_approve_it(there: str) -> None:
    rules = changed(RULES, approvers=Approvers(), admins=(CLEO.id, DORA.id))
    async with world(there, rules=rules) as here:
        rental = await here.ready(lease=24 * HOUR)
        await here.oversleep(20 * HOUR)
        rental = await here.extend(rental, 24 * HOUR, CLEO)
        with pytest.raises(Refused, match="another approver"):
            await here.approve(rental, CLEO)
        rental = await here.approve(rental, DORA)
        assert rental.extension is None
        await check(here)
