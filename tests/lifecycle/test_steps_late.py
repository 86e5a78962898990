"""A click that is carried out late follows the rules of that time, and nothing is bought late without asking."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.errors import Refused
from bot.lifecycle.actions import account, deciding, quoting
from bot.lifecycle.actions.action import carry_out
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.rental import Decider, Rental
from bot.model.request import Request
from bot.model.state import State
from bot.policy.team.rules import AutoApprove, Lease, Limits
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, RULES, SECOND, TRAINING, World
from tests.rentals import blocked, waiting
from tests.store.make import REPLY_TO

# --- nothing is bought late


async def test_nothing_is_bought_long_after_the_click_without_asking(here: World) -> None:
    rental = await here.rent(await here.ask(), settle=False)
    await here.be_down(HOUR)
    rental = await here.rental(rental.id)
    assert (rental.state, waiting(rental).decider) == (State.AWAITING_APPROVAL, Decider.OWNER)
    assert waiting(rental).why is Why.BUYING_BLOCKED
    assert (ANA.id, E.ASKED_AGAIN) in await here.direct(rental)
    assert await here.calls("procure_offer") == []
    rental = await here.approve(rental, ANA)
    assert rental.state is State.PROVISIONING


async def test_after_an_attempt_ended_during_a_downtime_the_owner_decides(here: World) -> None:
    await here.fault("procure_offer", "cut_before")
    rental = await here.get()
    await here.be_down(5 * HOUR)
    rental = await here.until(rental, State.AWAITING_APPROVAL)
    assert waiting(rental).why is Why.BUYING_BLOCKED
    assert await here.bought() == []


async def test_a_machine_bought_before_a_downtime_becomes_ready(here: World) -> None:
    await here.fault("procure_offer", "cut_after")
    rental = await here.get()
    await here.be_down(20 * MINUTE)
    rental = await here.until(rental, State.READY)
    assert await here.bought() == ["hyperstack"]


async def test_a_machine_billed_during_a_downtime_has_a_shorter_lease(here: World) -> None:
    """The rental never costs more than the approved total."""
    rental = await here.until(await here.get(lease=6 * HOUR), State.PROVISIONING)
    await here.be_down(3 * HOUR)
    rental = await here.until(rental, State.READY)
    lease = rental.running_lease
    assert 4 * HOUR < lease.ends_at - lease.ready_at < 5 * HOUR
    assert (await here.last_event(rental, E.READY)).facts.until == lease.ends_at
    await here.be_down(lease.ends_at - here.now)
    await here.until(rental, State.DESTROYED)
    assert await here.bill() <= rental.terms.total


async def test_now_only_shows_the_offers_after_a_downtime(here: World) -> None:
    quote = await carry_out(
        here.deps,
        ANA,
        quoting.Ask(
            Request(gpu="H100", region="EU", lease=2 * HOUR),
            asked_in=TRAINING,
            direct=False,
            reply_to=REPLY_TO,
            rent_now=True,
        ),
    )
    await here.be_down(10 * MINUTE)
    found = await here.quote(quote.id)
    assert found.offers
    assert found.rental_id is None
    assert await here.rentals() == []


async def test_nothing_is_bought_if_buying_is_paused_during_the_search(here: World) -> None:
    quote = await here.ask()
    here.jump(29 * MINUTE + 45 * SECOND)
    fault = await here.fault("get_offers", "hold_before")
    rental = await here.rent(quote, settle=False)
    await here.engine.run_pass()
    await here.until_hit(fault)
    await carry_out(here.deps, CLEO, account.Pause())
    await here.release(fault)
    await here.settle()
    rental = await here.rental(rental.id)
    assert (rental.state, blocked(rental).why, rental.attempts) == (State.PROCURING, Why.PAUSED, 0)
    assert await here.calls("procure_offer") == []
    await carry_out(here.deps, CLEO, account.Resume())
    await here.until(rental, State.PROVISIONING)


# --- decisions follow the rules at the time they are made


async def asked_again(here: World) -> Rental:
    """Return a rental whose owner has to decide about a pricier offer."""
    await here.behaves("hyperstack", "sold_out")
    await here.behaves("nebius", "sold_out")
    rental = await here.until(await here.get(), State.AWAITING_APPROVAL)
    assert waiting(rental).decider is Decider.OWNER
    return rental


async def test_an_owner_who_may_no_longer_rent_cannot_accept_an_offer(here: World) -> None:
    rental = await asked_again(here)
    with pytest.raises(Refused, match="rules"):
        await here.approve(rental, changed(ANA, guest=True))
    assert (await here.rental(rental.id)).state is State.AWAITING_APPROVAL


async def test_an_owner_can_accept_only_offers_that_the_rules_still_allow(here: World) -> None:
    rental = await asked_again(here)
    tight = changed(RULES, auto_approve=AutoApprove(per_hour=Decimal("1.00")))
    with pytest.raises(Refused, match="needs approval"):
        await carry_out(replace(here.deps, rules=tight), ANA, deciding.Approve(rental.id, rental.terms.version))
    assert (await here.rental(rental.id)).state is State.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"limits": Limits(per_rental_gpus=4)}, "4 GPUs"),
        ({"lease": Lease(default=HOUR, max=HOUR)}, "lease is 1 h"),
    ],
)
async def test_a_request_over_newer_limits_is_not_approved(here: World, rules: dict[str, Any], says: str) -> None:
    rental = await here.get(count=8, lease=2 * HOUR)
    tight = changed(RULES, **rules)
    with pytest.raises(Exception, match=says):
        await carry_out(replace(here.deps, rules=tight), BEN, deciding.Approve(rental.id, 1))
    assert (await here.rental(rental.id)).state is State.AWAITING_APPROVAL
