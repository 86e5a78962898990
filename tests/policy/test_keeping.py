"""How long a machine is kept if its `/root/on-ending.sh` fails before its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.base import changed
from bot.model.machine_use import OnEnding, OnEndingState
from bot.model.money import cost_at_most
from bot.model.rental import GracefulDestroy
from bot.model.request import Request
from bot.model.state import State
from bot.policy.buying.fewer_hours import shortened
from bot.policy.buying.spending import propose, propose_longer_lease
from bot.policy.team.rules import Hours, Idle, ProbeKind, Rules, WhenFailed
from bot.policy.team.rules import OnEnding as OnEndingRules
from bot.policy.use import keeping
from tests.store import make

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
RULES, BERLIN = Rules(), ZoneInfo("Europe/Berlin")
KEEP = changed(RULES, on_ending=OnEndingRules(failed=WhenFailed.KEEP))
UNSEEN = changed(KEEP, idle=Idle(probe=ProbeKind.NONE))
ALWAYS = changed(RULES, hours=Hours(time=(0, 24 * 60), days=frozenset(range(7))))
GPU = "nvidia-h100-sxm5-80gb"


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a time in Berlin. The 24th is a Tuesday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


def asked(**fields: Any) -> Request:
    return Request(**{"gpu": "H100", "lease": 6 * HOUR, "keep_if_failed": True, **fields})


@pytest.mark.parametrize(
    ("ends_at", "until", "rules"),
    [
        pytest.param(at(24, 18, 40), at(25, 8), RULES, id="in the evening"),
        pytest.param(at(25, 3), at(25, 8), RULES, id="at night"),
        pytest.param(at(25, 7, 30), at(26, 8), RULES, id="less than an hour before the hours"),
        pytest.param(at(25, 14), at(26, 8), RULES, id="within the hours"),
        pytest.param(at(27, 21), at(30, 8), RULES, id="on Friday evening"),
        pytest.param(at(24, 18, 40), at(25, 8), ALWAYS, id="nobody gets up at midnight"),
    ],
)
def test_a_machine_is_kept_until_its_owners_next_hours_begin(
    ends_at: datetime, until: datetime, rules: Rules
) -> None:
    assert ends_at + keeping.kept_for(ends_at, BERLIN, rules) == until


@pytest.mark.parametrize(
    ("request_", "rules", "kept"),
    [
        (asked(), RULES, True),
        (asked(keep_if_failed=False), RULES, False),
        (asked(keep_if_failed=False), KEEP, True),
        (asked(probe=False), KEEP, False),
        (asked(), UNSEEN, False),
    ],
)
def test_a_machine_is_kept_if_asked_for_and_if_a_failure_can_be_seen(
    request_: Request, rules: Rules, kept: bool
) -> None:
    found = keeping.with_kept(changed(request_, kept=5 * HOUR), at(24, 12), BERLIN, rules)
    assert (found.kept > timedelta(0)) is kept


def test_the_highest_cost_pays_until_the_hours_begin_even_if_the_machine_is_late() -> None:
    request = keeping.with_kept(asked(), at(24, 12), BERLIN, RULES)
    terms = propose(request, GPU, Decimal("2.15"), RULES).terms
    longest = at(25, 8) - at(24, 12) + RULES.lease.grace
    assert (terms.lease, terms.total) == (6 * HOUR, cost_at_most(terms.max_rate, longest))


def test_a_machine_that_is_rented_later_may_be_kept_for_a_weekend() -> None:
    whenever = keeping.with_kept(asked(), at(24, 12), BERLIN, RULES, begins_later=True)
    assert whenever.kept == 3 * 24 * HOUR + keeping.LEAST_KEPT
    named = asked(until=at(24, 18))
    assert keeping.with_kept(named, at(24, 12), BERLIN, RULES, begins_later=True).kept == 14 * HOUR


@given(
    now=st.datetimes(datetime(2026, 3, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    wait=st.timedeltas(timedelta(0), timedelta(days=7)),
    late=st.timedeltas(timedelta(0), RULES.procure.provision_timeout),
)
def test_no_end_is_followed_by_more_time_than_was_reserved(
    now: datetime, wait: timedelta, late: timedelta
) -> None:
    """The exceptions are an hour when the clocks change, and a machine that is late."""
    whenever = keeping.with_kept(asked(), now, BERLIN, RULES, begins_later=True)
    ends_at = now + wait + 6 * HOUR
    assert keeping.kept_for(ends_at, BERLIN, RULES) <= whenever.kept + HOUR
    soon = keeping.with_kept(asked(), now, BERLIN, RULES)
    ends_at, last = now + late + 6 * HOUR, now + RULES.procure.provision_timeout + 6 * HOUR
    assert ends_at + keeping.kept_for(ends_at, BERLIN, RULES) <= last + soon.kept


def test_fewer_hours_are_kept_until_the_same_time() -> None:
    request = keeping.with_kept(asked(), at(24, 12), BERLIN, RULES)
    terms = propose(request, GPU, Decimal("2.15"), RULES).terms
    rental = make.rental("k7mq2", state=State.AWAITING_APPROVAL, request=request, terms=terms)
    fewer = shortened(rental, 4 * HOUR, spent=0, now=at(24, 12), rules=RULES)
    assert (fewer.terms.lease, fewer.terms.kept) == (4 * HOUR, request.kept + 2 * HOUR)
    assert fewer.terms.total == terms.total


def test_an_extension_pays_for_the_time_after_its_end() -> None:
    lease = make.lease(at(24, 18), ready_at=at(24, 12))
    script = OnEnding(state=OnEndingState.THERE)
    rental = make.rental("k7mq2", state=State.READY, request=asked(), lease=lease, on_ending=script)
    kept = keeping.kept_for_longer_lease(rental, at(24, 20), BERLIN, RULES)
    assert kept == 12 * HOUR
    now, rate = at(24, 17), rental.rate_at_most
    longer = propose_longer_lease(rental, at(24, 20), kept=kept, spent=0, now=now, rules=RULES).terms
    assert (longer.kept, longer.total) == (kept, cost_at_most(rate, 15 * HOUR + RULES.lease.grace))
    nothing_runs = changed(rental, on_ending=None)
    assert keeping.kept_for_longer_lease(nothing_runs, at(24, 20), BERLIN, RULES) == timedelta(0)


def test_a_machine_is_kept_no_longer_than_paid_for_and_not_if_somebody_destroys_it() -> None:
    now, lease = at(24, 18, 26), make.lease(at(24, 18, 40), ready_at=at(24, 12))
    paid = changed(lease, kept_until=at(25, 8))
    assert keeping.kept_until(lease, now, BERLIN, RULES) is None
    assert keeping.kept_until(paid, now, BERLIN, RULES) == at(25, 8)
    assert keeping.kept_until(changed(paid, kept_until=at(25, 2)), now, BERLIN, RULES) == at(25, 2)
    assert keeping.kept_until(changed(paid, kept_until=at(26, 8)), now, BERLIN, RULES) == at(25, 8)
    graceful = GracefulDestroy(by="U0ANA", ends_at=at(24, 21))
    assert keeping.kept_until(changed(paid, graceful_destroy=graceful), now, BERLIN, RULES) is None
