"""A spot machine that its vendor takes away is replaced: the click survives a kill, and one machine is bought."""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import World


async def test_a_lost_spot_machine_is_replaced_with_one_click_despite_a_kill(
    world: World,
) -> None:
    lost = await world.rents(text="get H100 EU spot for 6h -- run 7")
    await world.until_card(lost, "Ready")
    (machine,) = await world.alive()
    await world.passes(timedelta(minutes=20))
    taken_at = await world.now()
    await world.sandbox.vanish(machine.resource_id, "deleted")
    notice = await world.play.until_sees("Ana", "1x H100 SXM 80 GB", timedelta(minutes=5), dm=True)
    assert await world.now() - taken_at <= timedelta(minutes=3)
    # The click is acknowledged, and the process dies while it searches for another machine.
    search = await world.hold("get_offers", "before")
    assert (await world.clicks("Ana", notice, f"Replace {lost}, up to")).ok
    await search.met()
    await world.kill()
    await search.release()
    await world.restart()
    new = await world.rental()
    assert new != lost
    await world.until_card(new, "Ready")
    assert "run 7" in (await world.card(new)).text
    assert f"Its replacement is {new}." in (await world.card(lost)).text
    assert (await world.thread(lost))[-1] == f"The replacement for this machine is {new}."
    # The clicked message shows the replacement too, and the old button names it.
    now = world.play.sees("Ana", "Everything on it is lost.", dm=True)
    assert [button.text for button in now.buttons] == [f"Show {new}"]
    await world.clicks("Ana", notice, f"Replace {lost}, up to")
    assert (await world.reads("Ana", "already replaces")).only_you
    await world.destroys("Ana", new)
    await world.until_card(new, "Ended")
    bought = await world.bought()
    assert len(bought) == 2
    await check_consistency(world, bought=bought)
