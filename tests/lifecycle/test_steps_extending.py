"""Extensions of a lease: immediate within the limits, and otherwise after an approval."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.errors import DuplicateExtension, Mistake, Refused, RequestChanged, TooLate
from bot.lifecycle.actions import deciding, leasing
from bot.lifecycle.actions.action import carry_out
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import Approvers, Lease
from tests.lifecycle.checks import check
from tests.lifecycle.leases import be_down_until, count, destroyed_at, end_of, waiting_for_extension
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, HOUR, MINUTE, RULES, SECOND, World, world


async def test_an_extension_within_the_limits_moves_the_end_at_once(here: World) -> None:
    rental = await here.ready(lease=HOUR)
    ends = end_of(rental)
    await here.pass_time(50 * MINUTE)
    longer = await here.extend(rental, 2 * HOUR)
    assert (end_of(longer), longer.terms.lease, longer.terms.version) == (ends + 2 * HOUR, 3 * HOUR, 2)
    facts = (await here.last_event(rental, E.EXTENDED)).facts
    assert (facts.until, facts.since, facts.total) == (ends + 2 * HOUR, ends, longer.terms.total)
    await be_down_until(here, ends + MINUTE)
    assert (await here.rental(rental.id)).state is State.READY
    assert await destroyed_at(here, longer) == ends + 2 * HOUR
    total = sum(row.amount for row in await here.ledger(rental))
    assert total == await here.bill() <= longer.terms.total


async def test_a_second_click_on_the_same_button_extends_nothing(here: World) -> None:
    rental = await here.ready(lease=HOUR)
    shown = end_of(rental).replace(microsecond=0)
    await carry_out(here.deps, ANA, leasing.Extend(rental.id, HOUR, shown_end=shown))
    await here.settle()
    with pytest.raises(TooLate, match="already extended"):
        await carry_out(here.deps, ANA, leasing.Extend(rental.id, HOUR, shown_end=shown))


async def test_the_same_command_within_two_minutes_extends_once(here: World) -> None:
    """The same person requests the same length, and the command doesn't show the end."""
    rental = await here.ready(lease=HOUR)
    ends = end_of(rental)
    await here.extend(rental, 2 * HOUR)
    await here.pass_time(MINUTE + 59 * SECOND)
    with pytest.raises(DuplicateExtension, match=r"You asked for 2 h more just now, so nothing more was added\."):
        await here.extend(rental, 2 * HOUR)
    shown = end_of(await here.rental(rental.id)).replace(microsecond=0)
    assert shown == (ends + 2 * HOUR).replace(microsecond=0)
    await carry_out(here.deps, ANA, leasing.Extend(rental.id, 2 * HOUR, shown_end=shown))
    await here.extend(rental, 2 * HOUR, CLEO)
    await here.extend(rental, 3 * HOUR)
    await here.pass_time(2 * MINUTE)
    assert end_of(await here.extend(rental, 2 * HOUR)) == ends + 11 * HOUR


@pytest.mark.parametrize("decision", ["approve", "deny"])
async def test_the_same_command_within_two_minutes_asks_an_approver_once(here: World, decision: str) -> None:
    rental = await waiting_for_extension(here)
    ends = end_of(rental)
    with pytest.raises(TooLate, match="already waiting for approval"):
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


async def test_an_extension_over_the_longest_lease_is_refused(here: World) -> None:
    rental = await here.ready(lease=HOUR)
    with pytest.raises(Mistake, match=r"is 3 days, so \w+ can be extended by 2 days 23 h at most\.$"):
        await here.extend(rental, 72 * HOUR)
    with pytest.raises(Refused):
        await here.extend(rental, HOUR, BEN)


async def test_an_approved_extension_moves_the_end_and_has_notices_of_its_own(here: World) -> None:
    rental = await waiting_for_extension(here)
    ends = end_of(rental)
    with pytest.raises(Refused, match="Only approvers"):
        await here.approve(rental, ANA)
    rental = await here.approve(rental)
    assert (rental.extension, end_of(rental), rental.terms.version) == (None, ends + 24 * HOUR, 2)
    assert (ANA.id, E.EXTENSION_APPROVED) not in await here.direct(rental)
    await be_down_until(here, ends + 22 * HOUR)
    assert await count(here, rental, E.ENDING) == 1
    assert await destroyed_at(here, rental) == ends + 24 * HOUR


@pytest.mark.parametrize("how", ["denied", "withdrawn", "expired"])
async def test_without_an_approval_the_end_does_not_change(here: World, how: str) -> None:
    rental = await waiting_for_extension(here)
    ends = end_of(rental)
    if how == "denied":
        await here.deny(rental)
    elif how == "withdrawn":
        await here.withdraw(rental)
    await be_down_until(here, ends)
    rental = await here.rental(rental.id)
    assert rental.extension is None
    kind = E(f"extension_{how}")
    assert await count(here, rental, kind) == 1
    assert ((ANA.id, kind) in await here.direct(rental)) is (how == "denied")
    assert await destroyed_at(here, rental) == ends
    with pytest.raises(TooLate):
        await here.approve(rental)


async def test_an_extension_is_not_approved_after_its_old_end(here: World) -> None:
    rental = await waiting_for_extension(here)
    here.jump(end_of(rental) - here.now)
    with pytest.raises(TooLate, match="expired"):
        await here.approve(rental)
    await here.settle()
    assert await count(here, rental, E.EXTENSION_EXPIRED) == 1
    await here.until(rental, State.DESTROYED)


async def test_a_destroyed_rental_no_longer_waits_for_an_extension(here: World) -> None:
    rental = await here.destroy(await waiting_for_extension(here))
    rental = await here.until(rental, State.DESTROYED)
    assert rental.extension is None
    with pytest.raises(TooLate):
        await here.approve(rental)


async def test_an_old_approval_button_never_decides_a_newer_extension(here: World) -> None:
    """Each extension has its own version, even after one that was withdrawn."""
    rental = await waiting_for_extension(here)
    assert rental.extension is not None
    old = rental.extension.terms.version
    await here.withdraw(rental)
    rental = await here.extend(rental, 40 * HOUR)
    for decision in (deciding.Approve, deciding.Deny):
        with pytest.raises(RequestChanged):
            await carry_out(here.deps, BEN, decision(rental.id, old))
    rental = await here.approve(rental)
    assert rental.terms.lease == 64 * HOUR


async def in_its_last_grace(here: World, lease: timedelta) -> Rental:
    """Return a ready rental whose end was an hour ago, in its last grace period.

    Its owner can only read about the end now, so the grace period has just started.
    """
    here.slack_is_down = True
    rental = await here.ready(lease=lease)
    await be_down_until(here, end_of(rental) + HOUR)
    here.slack_is_down = False
    await here.settle()
    rental = await here.rental(rental.id)
    assert rental.state is State.READY
    return rental


async def test_an_extension_in_the_last_grace_period_counts_from_now(here: World) -> None:
    rental = await in_its_last_grace(here, HOUR)
    asked_at = here.now
    rental = await here.extend(rental, 30 * MINUTE)
    assert end_of(rental) == asked_at + 30 * MINUTE
    assert await destroyed_at(here, rental) == asked_at + 30 * MINUTE


async def test_an_extension_in_the_last_grace_period_asks_no_approver(here: World) -> None:
    rental = await in_its_last_grace(here, 24 * HOUR)
    with pytest.raises(TooLate, match="needs approval"):
        await here.extend(rental, 24 * HOUR)
    assert await count(here, rental, E.EXTENSION_ASKED) == 0


async def test_an_owner_who_may_no_longer_rent_cannot_extend(here: World) -> None:
    rental = await here.ready(lease=HOUR)
    with pytest.raises(Refused, match="rules"):
        await here.extend(rental, HOUR, changed(ANA, guest=True))
    await here.extend(rental, HOUR, CLEO)


async def test_an_extension_over_a_newer_longest_lease_is_not_approved(here: World) -> None:
    rental = await waiting_for_extension(here)
    tight = changed(RULES, lease=Lease(max=24 * HOUR))
    with pytest.raises(Mistake, match="longest lease is 24 h"):
        await carry_out(replace(here.deps, rules=tight), BEN, deciding.Approve(rental.id, 2))


async def test_an_admin_cannot_approve_their_own_extension_request(sqlite_url: str) -> None:
    rules = changed(RULES, approvers=Approvers(), admins=(CLEO.id, DORA.id))
    async with world(sqlite_url, rules=rules) as here:
        rental = await here.ready(lease=24 * HOUR)
        await here.be_down(20 * HOUR)
        rental = await here.extend(rental, 24 * HOUR, CLEO)
        with pytest.raises(Refused, match="Another approver"):
            await here.approve(rental, CLEO)
        rental = await here.approve(rental, DORA)
        assert rental.extension is None
        await check(here)
