"""Tests of which rentals may be replaced, and with how much time and budget."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import TooLate
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.job import Job, JobState, UntilDone
from bot.model.money import cost_at_most
from bot.model.request import Terms
from bot.model.state import State
from bot.model.summary import Remainder
from bot.policy.buying.replacing import (
    check_replaceable,
    had_gpu_mismatch,
    may_be_replaced,
    propose_replacement,
    remainder_of,
    replacing_request,
    shortened,
)
from bot.policy.buying.spending import billed_span, provisioning_budget
from bot.policy.team.rules import Lease, Rules
from bot.policy.use.jobs import with_fixed_end
from tests.views.stories import H, M, clock, gone, happened, lease, making, offer, ready, request

RULES = Rules()
LOST = gone(state=State.LOST, why=Why.VENDOR_TOOK_IT).rental
RUNS = ready().rental


@pytest.mark.parametrize(
    ("rental", "now", "gpu_mismatch", "may"),
    [
        (LOST, clock(15, 0), False, True),
        (changed(LOST, replaced_by="f6rat"), clock(15, 0), False, False),
        (LOST, clock(18, 40), False, False),
        (RUNS, clock(13, 39), False, True),
        (RUNS, clock(13, 40), False, False),
        (RUNS, clock(13, 40), True, True),
        (changed(RUNS, quiet_since_real=clock(12, 38)), clock(15, 0), False, True),
        (changed(RUNS, quote_id=None), clock(13, 0), False, False),
        (gone().rental, clock(13, 0), False, False),
        (making().rental, clock(13, 0), False, False),
    ],
)
def test_a_rental_may_be_replaced_once_if_there_is_a_reason(
    rental: Any, now: Any, gpu_mismatch: bool, may: bool
) -> None:
    assert may_be_replaced(rental, now, gpu_mismatch=gpu_mismatch) is may
    if may:
        check_replaceable(rental, now, gpu_mismatch=gpu_mismatch)
    else:
        with pytest.raises(TooLate):
            check_replaceable(rental, now, gpu_mismatch=gpu_mismatch)


def test_keeping_a_machine_closes_its_gpu_question_until_the_next_fault() -> None:
    kinds = (EventKind.GPU_MISMATCH, EventKind.GPU_FAULT, EventKind.KEPT_AS_IT_IS, EventKind.GPU_FAULT)
    events = [happened(kind, clock(13, n), id=n) for n, kind in enumerate(kinds, start=1)]
    assert [had_gpu_mismatch(events[:n]) for n in range(5)] == [False, True, True, False, True]


def test_a_replacement_gets_the_remaining_time_and_budget() -> None:
    """While the old machine is running, the cost of one more grace period is subtracted.

    That machine keeps billing until another one has been bought.
    """
    now, spent = clock(14, 40), 5_000_000
    left = remainder_of(LOST, spent, now, RULES)
    assert left == Remainder(gpu="H100", lease=4 * H, max_rate=Decimal("2.47"), total=16_055_000 - spent)
    grace = cost_at_most(Decimal("2.42"), RULES.lease.grace)
    assert remainder_of(RUNS, spent, now, RULES).total == left.total - grace
    assert remainder_of(LOST, spent, clock(18, 30), RULES).lease == H
    assert remainder_of(LOST, 20_000_000, now, RULES).total == 0
    shorter = Rules(lease=Lease(default=2 * H, max=2 * H))
    assert remainder_of(LOST, spent, now, shorter).lease == 2 * H
    later = changed(LOST, lease=changed(lease(), latest_end=clock(22, 40)))
    both = remainder_of(later, spent, now, RULES)
    asked = replacing_request(later, both, now)
    assert (both.lease, asked.lease, asked.up_to) == (8 * H, 4 * H, 8 * H)
    named = changed(later, request=request(until=clock(18, 40), lease=6 * H, up_to=10 * H))
    for at, first in ((now, clock(18, 40)), (clock(18, 30), clock(19, 30))):
        kept = replacing_request(named, remainder_of(named, spent, at, RULES), at)
        assert (kept.until, kept.last_end) == (first, clock(22, 40))
    terms = Terms.of(kept, "H100", price=Decimal(2), max_rate=Decimal(2), total=0, lease=2 * H)
    shorter_one = shortened(kept, terms)
    assert (shorter_one.lease, shorter_one.up_to) == (H, 2 * H)
    assert shortened(kept, changed(terms, lease=H)).up_to is None


def test_a_replacement_ends_with_its_jobs_unless_the_old_machine_was_kept() -> None:
    """The old machine was about to end because its job is done. The new one may run until the usual end."""
    now, usual = clock(15, 0), clock(18, 40)
    job = Job(id="0.a", uid=0, name="a", state=JobState.FAILED, began_at=clock(13, 0), ended_at=now)
    until_done = UntilDone(since=clock(12, 0), done=job, done_seen_at=now, told_at=now)
    soon = changed(lease(clock(16, 0)), latest_end=usual, until_done=until_done)
    asked = request(lease=6 * H, until_done=True)
    for one, ends_with_jobs in ((soon, True), (with_fixed_end(soon), False)):
        rental = changed(RUNS, lease=one, request=asked, quiet_since_real=now)
        found = replacing_request(rental, remainder_of(rental, 0, now, RULES), now)
        assert (found.lease, found.up_to, found.until_done) == (usual - now, None, ends_with_jobs)


def test_a_named_vendor_is_kept_only_if_the_machine_was_lost() -> None:
    """If the machine is running but doesn't work, the vendor is dropped."""
    named = request(vendor="hyperstack")
    left = remainder_of(LOST, 0, clock(14, 40), RULES)
    found = [replacing_request(changed(one, request=named), left, clock(14, 40)).vendor for one in (LOST, RUNS)]
    assert found == ["hyperstack", None]


def proposed(rate: str, left: Remainder, team: str = "100.00", rules: Rules = RULES) -> Terms | None:
    wanted = request(lease=left.lease)
    return propose_replacement(offer("o", rate, "nebius", "eu"), wanted, left, Decimal(team), rules)


def test_a_replacement_is_shortened_to_stay_within_price_and_total() -> None:
    """The lease is never shortened to less than an hour."""
    left = Remainder(gpu="H100", lease=4 * H, max_rate=Decimal("2.47"), total=12_000_000)
    whole = proposed("2.42", left)
    assert whole is not None
    assert (whole.lease, whole.price, whole.max_rate) == (4 * H, Decimal("2.42"), Decimal("2.47"))
    assert whole.total == cost_at_most(Decimal("2.47"), billed_span(4 * H, 0 * H, RULES))
    shorter = proposed("2.40", changed(left, total=6_000_000))
    assert shorter is not None
    assert (shorter.lease, shorter.total) == (2 * H, 6_000_000)
    assert proposed("2.40", changed(left, total=3_500_000)) is None
    # A lease is never shortened to less than a grace period, however little is left.
    assert proposed("2.40", changed(left, total=0), rules=Rules(lease=Lease(grace=2 * H))) is None
    assert proposed("2.48", left) is None
    assert proposed("2.42", left, team="2.41") is None
    capped = proposed("2.42", left, team="2.44")
    assert capped is not None
    assert capped.max_rate == Decimal("2.44")
    assert (
        proposed("2.40", Remainder(gpu="H100", lease=30 * M, max_rate=Decimal("2.47"), total=3_000_000))
        is not None
    )


@pytest.mark.parametrize(
    ("total", "kept"), [(40_000_000, 12 * H), (14_400_000, 4 * H + 30 * M), (3_600_000, 0 * H)]
)
def test_a_replacement_is_kept_for_as_long_as_the_rest_pays(total: int, kept: timedelta) -> None:
    """A total that doesn't pay for that time too would leave the new machine no time to get ready."""
    left = Remainder(gpu="H100", lease=H, kept=12 * H, max_rate=Decimal("2.47"), total=total)
    wanted = request(lease=H, keep_if_failed=True, kept=left.kept)
    found = propose_replacement(offer("o", "2.40", "nebius", "eu"), wanted, left, Decimal(100), RULES)
    assert found is not None
    assert (found.lease, found.kept) == (H, kept)
    assert shortened(wanted, found).kept == kept
    pays = provisioning_budget(found.total, 0, found.price, found.lease + found.kept, RULES)
    assert pays == RULES.procure.provision_timeout
