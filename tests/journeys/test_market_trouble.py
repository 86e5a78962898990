"""Compute Clear refuses the bot's token, or doesn't answer while somebody fills in the form."""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, WAIT, World


async def test_while_the_token_is_refused_nobody_can_rent_and_no_rental_fails(world: World) -> None:
    rental = await world.rents()
    await world.until_card(rental, "Ready")
    offers = await world.offers(text="get L4 EU for 1h")
    await world.sandbox.compute.post("token", {"valid": False})
    await world.play.until_sees("Cleo", "refuses my token", timedelta(minutes=15), dm=True)
    await world.play.clicks("Ana", offers, "Rent")
    world.play.sees("Ana", "Nothing was rented", only_you=True)
    await world.passes(timedelta(minutes=15))
    assert (await world.card(rental)).text.startswith("Ready")
    await world.sandbox.compute.post("token", {"valid": True})
    await world.play.until_sees("Cleo", "accepts my token again", timedelta(minutes=15), dm=True)
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Destroyed")
    await check_consistency(world, bought=["hyperstack"])


async def test_the_form_opens_and_keeps_what_was_chosen_while_the_market_hangs(world: World) -> None:
    ana, slack = PEOPLE["Ana"], world.sandbox.slack
    hangs = await world.hold("get_offers", "before", times=None)
    assert (await world.commands("Ana", "get")).ok
    form = await world.sandbox.open_modal(ana)

    async def reads_after_choosing(field: str, value: str) -> str:
        before = [request.n for request in await slack.traffic(endpoint="views.update")]
        chosen = {"view_id": form.view_id, "block_id": field, "action_id": field, "selected": value}
        assert (await slack.post("click", {"user": ana, **chosen}))["ok"]
        await slack.traffic(endpoint="views.update", after=max(before, default=0), answered="true", wait=WAIT)
        return (await world.sandbox.open_modal(ana)).reads

    no_price = await reads_after_choosing("gpu", "H100")
    assert "No price of 1x H100, on demand: Compute Clear hasn't answered." in no_price
    await hangs.release()
    assert "From $2.15/h, about $8.60 for 4 h: 1x H100 in EU" in await reads_after_choosing("region", "EU")
    typed = {"lease": {"lease": "1h"}, "note": {"note": "run 7"}}
    assert (await world.sandbox.submit(ana, form, typed)).ok
    await world.play.settle()
    world.play.sees("Ana", "1x H100 in EU, on demand, 1 h from ready", only_you=True)
    await check_consistency(world, bought=[])
