"""The clicked GPU model is the one that is bought; another model needs a separate decision.

A100 in the EU, on demand: SXM 40 GB at $1.31 and SXM 80 GB at $1.83 (DataCrunch), PCIe 80 GB at $1.39
(Hyperstack), $1.70 (RunPod) and $1.89 (Vultr).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.lifecycle.actions import replacing
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.queries import show
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.quote import Quote
from bot.model.rental import Decider, Rental
from bot.model.request import Contract
from bot.model.state import State
from bot.policy.team.rules import AutoApprove, Procure
from tests.lifecycle.world import ANA, BEN, HOUR, RULES, World
from tests.rentals import waiting
from tests.store.make import REPLY_TO

PCIE, SXM, SXM_40 = "nvidia-a100-pcie-80gb", "nvidia-a100-sxm4-80gb", "nvidia-a100-sxm4-40gb"


def restart(here: World, **rules: object) -> None:
    here.restart(replace(here.deps, rules=changed(RULES, **rules)))


async def click(here: World, gpu: str, **fields: Any) -> Rental:
    """Request an A100, and rent the first offer of this model."""
    quote = await here.ask(gpu="A100", **fields)
    first = next(offer for offer in quote.offers if offer.gpu == gpu)
    return await here.rent(changed(quote, offers=(first,)))


async def models(here: World, rental: Rental) -> list[str]:
    """Return the models of all attempts of a rental, in order."""
    return [attempt.gpu for attempt in await here.attempts(rental)]


async def test_no_cheaper_machine_of_another_form_factor_is_bought(here: World) -> None:
    await here.behaves("hyperstack", "sold_out")
    rental = await here.until(await click(here, PCIE), State.AWAITING_APPROVAL)
    assert await models(here, rental) == [PCIE]
    # The same model at a higher price comes before another model.
    assert (waiting(rental).why, rental.terms.gpu) == (Why.DEARER, PCIE)
    rental = await here.until(await here.approve(rental, ANA), State.READY)
    assert (rental.vendor, rental.gpu) == ("runpod", PCIE)
    assert await here.bought() == ["runpod"]


async def test_a_new_search_keeps_the_clicked_model(here: World) -> None:
    await here.fault("procure_offer", "status", status=410)
    rental = await click(here, PCIE)
    assert len(await here.calls("get_offers")) == 2
    assert await models(here, rental) == [PCIE, PCIE]
    assert (rental.state, rental.vendor) == (State.PROVISIONING, "hyperstack")


async def test_more_memory_in_the_same_form_factor_is_bought_without_asking(here: World) -> None:
    """In the US, a PCIe 80 GB at $1.83 is cheaper than the SXM 80 GB at $1.90 that fits an SXM 40 GB."""
    restart(here, procure=Procure(dearer=Decimal(1)))
    await here.behaves("lambda", "sold_out")
    rental = await here.until(await click(here, SXM_40, region="US"), State.READY)
    assert set(await models(here, rental)) == {SXM_40, SXM}
    assert (rental.vendor, rental.gpu, rental.terms.gpu) == ("runpod", SXM, SXM_40)
    assert (await here.last_event(rental, E.RENTING)).facts.gpu == SXM


async def test_if_only_another_model_is_left_the_owner_decides(here: World) -> None:
    await here.behaves("datacrunch", "sold_out", times=1)
    rental = await here.until(await click(here, SXM, vendor="datacrunch"), State.AWAITING_APPROVAL)
    assert (waiting(rental).why, waiting(rental).decider) == (Why.OTHER_GPU, Decider.OWNER)
    assert (rental.model, rental.terms.gpu, rental.terms.version) == (SXM_40, SXM_40, 2)
    facts = (await here.last_event(rental, E.ASKED_AGAIN)).facts
    assert (facts.gpu, facts.before_gpu) == (SXM_40, SXM)
    rental = await here.until(await here.approve(rental, ANA), State.READY)
    assert await models(here, rental) == [SXM, SXM_40]
    assert (rental.gpu, rental.terms.gpu) == (SXM_40, SXM_40)


async def test_an_approver_decides_about_another_model_over_the_limits(here: World) -> None:
    """Hyperstack's SXM 80 GB at $1.55 costs less than the click on its PCIe 80 GB allowed."""
    restart(here, auto_approve=AutoApprove(per_hour=Decimal("1.50")))
    await here.behaves("hyperstack", "sold_out", times=1)
    rental = await here.until(
        await click(here, PCIE, vendor="hyperstack", region="Other"), State.AWAITING_APPROVAL
    )
    assert (waiting(rental).why, waiting(rental).decider) == (Why.OTHER_GPU, Decider.APPROVER)
    rental = await here.until(await here.approve(rental, BEN), State.READY)
    assert (rental.gpu, rental.approved_by) == (SXM, BEN.id)


async def lost(here: World) -> Rental:
    """Return a rental of an A100 PCIe that its vendor took away."""
    rental = await here.until(await click(here, PCIE, contract=Contract.SPOT, lease=6 * HOUR), State.READY)
    await here.be_down(HOUR)
    await here.vanish(rental, "deleted")
    return await here.until(rental, State.LOST)


async def replace_it(here: World, rental: Rental) -> Quote:
    quote = await carry_out(here.deps, ANA, replacing.Replace(rental.id, reply_to=REPLY_TO))
    await here.settle()
    return await here.quote(quote.id)


async def test_a_replacement_is_of_the_clicked_model_even_if_another_is_cheaper(here: World) -> None:
    rental = await lost(here)
    quote = await replace_it(here, rental)
    assert quote.offers[0].gpu == SXM_40
    new = await here.until(await here.rental(quote.rental_id or ""), State.READY)
    assert (new.gpu, new.terms.gpu, new.replaces) == (PCIE, PCIE, rental.id)


async def test_if_only_other_models_can_replace_it_the_owner_gets_the_offers(here: World) -> None:
    rental = await lost(here)
    await here.behaves("runpod", "no_price")
    quote = await replace_it(here, rental)
    assert quote.rental_id is None
    assert {offer.gpu for offer in quote.offers} == {SXM, SXM_40}


async def test_the_usual_time_to_ready_is_that_of_the_purchased_model(here: World) -> None:
    for _ in range(3):
        await here.until(await click(here, PCIE), State.READY)
    details = await show(here.deps, ANA, (await click(here, PCIE)).id)
    assert details.usual is not None


async def test_a_request_for_some_models_of_a_family_finds_exactly_those(here: World) -> None:
    quote = await here.ask(gpu="A100", features=("80gb",))
    assert {offer.gpu for offer in quote.offers} == {PCIE, SXM}
    await here.behaves("datacrunch", "sold_out", times=1)
    only = await here.ask(gpu="A100", features=("sxm", "80gb"), vendor="datacrunch")
    rental = await here.until(await here.rent(only), State.FAILED)
    assert await models(here, rental) == [SXM]


async def test_if_no_model_fits_its_family_is_suggested(here: World) -> None:
    quote = await here.ask(gpu="A100", features=("sxm", "40gb"), region="Other")
    (family,) = [near for near in quote.nearby if not near.request.features and near.request.region == "Other"]
    assert family.cheapest.gpu == PCIE
