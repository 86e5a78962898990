"""Tests of when to check with the marketplace that a ready machine still exists."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.model.machine_use import Missed, Sample
from bot.model.request import Contract
from bot.policy.use.probe_times import next_check
from tests.databases import START

SPOT, ONDEMAND = Contract.SPOT, Contract.ONDEMAND
MISSED = (Missed.NO_ANSWER, Missed.HOST_KEY_CHANGED, Missed.UNREADABLE)
"""The results of a probe run after the machine was terminated or its address was given to another customer."""


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def sample(at: float, missed: Missed | None = None) -> Sample:
    return Sample(rental_id="k7mq2", at=START + seconds(at), missed=missed)


@pytest.mark.parametrize(
    ("contract", "last", "now", "due", "live"),
    [
        # The machine is not probed, or no longer probed.
        (SPOT, None, 0, 60, True),
        (ONDEMAND, None, 0, 180, True),
        (SPOT, sample(-3600), 0, 60, True),
        (ONDEMAND, sample(-3600), 0, 180, True),
        # The probe run succeeded, so only the cache is read, for the price. For a spot machine, the vendor is
        # asked if the next probe run has not finished in time.
        (SPOT, sample(50), 50, 125, False),
        (SPOT, sample(50), 125, 125, True),
        (SPOT, sample(170), 180, 180, False),
        (ONDEMAND, sample(50), 50, 180, False),
        (ONDEMAND, sample(50), 185, 180, True),
        # The probe answered, but without readings.
        (ONDEMAND, sample(50, Missed.NO_NVIDIA_SMI), 50, 180, False),
        (ONDEMAND, sample(50, Missed.NVIDIA_SMI_HANGS), 50, 180, False),
        (ONDEMAND, sample(50, Missed.NO_GPU), 50, 180, False),
        # A probe run failed after the last check, so the check is due at once. If the vendor has been asked since
        # then, the usual pace applies.
        *[(contract, sample(50, missed), 50, 50, True) for contract in (SPOT, ONDEMAND) for missed in MISSED],
        (SPOT, sample(-10, Missed.NO_ANSWER), 0, 60, True),
        (ONDEMAND, sample(-10, Missed.NO_ANSWER), 0, 180, True),
        # A server refused the login, so something is running there. The pace is that of a machine without probe.
        (SPOT, sample(50, Missed.REFUSED), 50, 60, True),
        (ONDEMAND, sample(50, Missed.REFUSED), 50, 180, True),
    ],
)
def test_the_vendor_is_checked_at_once_after_a_failed_probe_run(
    contract: Contract, last: Sample | None, now: float, due: float, live: bool
) -> None:
    """After a successful probe run, no such check is needed.

    All times are in seconds after the machine's last check.
    """
    found = next_check(START, contract, last, START + seconds(now))
    assert (found.at - START, found.live) == (seconds(due), live)
