"""When the marketplace is asked whether a ready machine still exists."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.model.machine_use import Missed, Sample
from bot.model.request import Contract
from bot.policy.use.probe_times import next_check
from tests.databases import START

SPOT, ONDEMAND = Contract.SPOT, Contract.ONDEMAND
MISSED = (Missed.NO_ANSWER, Missed.HOST_KEY_CHANGED, Missed.UNREADABLE)
"""What a visit finds if the machine is gone, or if another customer has its address."""


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def sample(at: float, missed: Missed | None = None) -> Sample:
    return Sample(rental_id="k7mq2", at=START + seconds(at), missed=missed)


@pytest.mark.parametrize(
    ("contract", "last", "now", "due", "live"),
    [
        # Nobody visits it, or not any more.
        (SPOT, None, 0, 60, True),
        (ONDEMAND, None, 0, 180, True),
        (SPOT, sample(-3600), 0, 60, True),
        (ONDEMAND, sample(-3600), 0, 180, True),
        # A visit is answered, so the cache is asked for the price. On spot the vendor is asked if the next visit
        # is not over in time.
        (SPOT, sample(50), 50, 125, False),
        (SPOT, sample(50), 125, 125, True),
        (SPOT, sample(170), 180, 180, False),
        (ONDEMAND, sample(50), 50, 180, False),
        (ONDEMAND, sample(50), 185, 180, True),
        # The probe answered, though without readings.
        (ONDEMAND, sample(50, Missed.NO_NVIDIA_SMI), 50, 180, False),
        (ONDEMAND, sample(50, Missed.NVIDIA_SMI_HANGS), 50, 180, False),
        (ONDEMAND, sample(50, Missed.NO_GPU), 50, 180, False),
        # A visit was missed after the last read: at once. The vendor was asked since: at the usual pace.
        *[(contract, sample(50, missed), 50, 50, True) for contract in (SPOT, ONDEMAND) for missed in MISSED],
        (SPOT, sample(-10, Missed.NO_ANSWER), 0, 60, True),
        (ONDEMAND, sample(-10, Missed.NO_ANSWER), 0, 180, True),
        # A server refused the login, so something runs there: as if nobody visited it.
        (SPOT, sample(50, Missed.REFUSED), 50, 60, True),
        (ONDEMAND, sample(50, Missed.REFUSED), 50, 180, True),
    ],
)
def test_a_missed_visit_asks_the_vendor_at_once_and_an_answered_one_makes_that_needless(
    contract: Contract, last: Sample | None, now: float, due: float, live: bool
) -> None:
    """All times are seconds after the machine was read last."""
    found = next_check(START, contract, last, START + seconds(now))
    assert (found.at - START, found.live) == (seconds(due), live)
