"""The main path: a machine is found, rented, used and destroyed, and the ledger equals the vendors' bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import asyncssh
import pytest

from bot.model.attempt import AttemptState, Why
from bot.model.event import EventKind as E
from bot.model.quote import QuoteState
from bot.model.state import State
from tests.lifecycle.failing import ProberWithoutHostKey
from tests.lifecycle.world import ANA, HOUR, MINUTE, TRAINING, World


async def test_a_machine_is_found_rented_used_and_destroyed_at_its_end(
    here: World,
) -> None:
    """The ledger equals the vendors' bill."""
    quote = await here.ask()
    assert quote.state is QuoteState.FOUND
    assert [(offer.vendor, offer.rate) for offer in quote.offers][:2] == [
        ("hyperstack", Decimal("2.15")),
        ("nebius", Decimal("2.42")),
    ]
    rental = await here.rent(quote)
    assert (rental.state, rental.card_channel) == (State.PROVISIONING, TRAINING)
    started = here.now
    rental = await here.until(rental, State.READY)
    assert 155 <= (here.now - started).total_seconds() <= 155 + 20
    until_ready = [E.STARTED, E.RENTING, E.ACCEPTED, E.READY]
    assert await here.event_kinds(rental) == until_ready
    (machine,) = await here.alive()
    assert (rental.host, rental.port) == (machine["host"], machine["port"])
    assert machine["name"] == f"gpubot-{rental.id}-1-u0ana"
    ends_at = rental.running_lease.ends_at
    assert ends_at == here.now + 2 * HOUR
    assert await here.direct(rental) == [(ANA.id, E.READY)]
    key = await asyncssh.get_server_host_key(rental.host or "", rental.port or 0, config=None)
    assert key is not None
    assert rental.host_key == key.get_fingerprint("sha256")

    await here.be_down(HOUR)
    rental = await here.until(rental, State.DESTROYED, within=2 * HOUR)
    assert rental.over_at is not None
    assert ends_at <= rental.over_at <= ends_at + 2 * MINUTE
    assert await here.alive() == []
    (row,) = await here.ledger(rental)
    assert (row.estimated, row.amount) == (False, await here.bill())
    event = await here.last_event(rental, E.ENDED)
    assert (event.facts.end, event.facts.amount) == (State.DESTROYED, row.amount)
    assert await here.event_kinds(rental) == [*until_ready, E.ENDING, E.DESTROYING, E.ENDED]
    (attempt,) = await here.attempts(rental)
    assert attempt.state is AttemptState.TERMINATED
    assert (await here.last_event(rental, E.DESTROYING)).facts.why is Why.LEASE_ENDED


async def test_a_machine_becomes_ready_even_if_its_host_key_cannot_be_read(here: World) -> None:
    here.restart(replace(here.deps, prober=ProberWithoutHostKey()))
    rental = await here.ready()
    assert (rental.state, rental.host_key) == (State.READY, None)
    await here.pass_time(20 * MINUTE)
    await here.be_down(40 * MINUTE)
    assert (await here.rental(rental.id)).host_key is None


@pytest.mark.parametrize(("later", "is_read"), [(4 * MINUTE, True), (16 * MINUTE, False)])
async def test_a_missing_host_key_is_read_early_in_the_lease(here: World, later: timedelta, is_read: bool) -> None:
    """After the first minutes of the lease, the key isn't read any more."""
    prober = here.deps.prober
    here.restart(replace(here.deps, prober=ProberWithoutHostKey()))
    rental = await here.ready()
    here.jump(later)
    here.restart(replace(here.deps, prober=prober))
    await here.pass_time(10 * MINUTE)
    key = await asyncssh.get_server_host_key(rental.host or "", rental.port or 0, config=None)
    assert key is not None
    expected = key.get_fingerprint("sha256") if is_read else None
    assert (await here.rental(rental.id)).host_key == expected
    assert await here.direct(rental) == [(ANA.id, E.READY)]
