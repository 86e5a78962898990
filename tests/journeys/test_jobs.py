"""A job on a machine, in the real process and over real SSH: its progress, and the message when it ends."""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

MINUTE = timedelta(minutes=1)


async def test_the_end_of_a_job_is_told_once_even_if_the_bot_is_killed(world: World) -> None:
    """Before that, its progress is on the card, and notifies nobody."""
    rental = await world.rents(text="get H100 EU for 4h")
    await world.until_card(rental, "Ready")
    await world.passes(3 * MINUTE)
    (machine,) = await world.alive()
    job = await world.sandbox.start_job(machine.resource_id, "python train.py", all=98)
    before = len(await world.sandbox.pings())
    await world.sandbox.say(machine.resource_id, job, "step 1 <!channel> *now*")
    await world.passes(3 * MINUTE)
    card = await world.card(rental)
    assert "step 1 <!channel> *now* (" in card.reads
    assert "python" not in card.reads
    await world.sandbox.say(machine.resource_id, job, "step 2")
    await world.passes(8 * MINUTE)
    assert "step 2 (" in (await world.card(rental)).reads
    assert len(await world.sandbox.pings()) == before
    own, other = [await world.play.types(name, "#training", f"show {rental}") for name in ("Ana", "Ben")]
    assert "python train.py, running for" in str(own.payload)
    assert "python" not in str(other.payload)

    await world.sandbox.end_job(machine.resource_id, job, 137)
    await world.kill()
    await world.restart()
    await world.passes(5 * MINUTE)
    told = await world.reads("Ana", "Your job on")
    assert "exit status 137 (killed, often out of memory)" in told.reads
    assert sum("Your job on" in ping.text for ping in await world.sandbox.pings()) == 1
    assert len(await world.sandbox.pings()) == before + 1

    await world.clicks("Ana", told, "Keep it, ask again in 1 h")
    await world.reads("Ana", "You said that you still need your 1x H100")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    assert "step 2" not in (await world.card(rental)).reads
    await check_consistency(world, bought=await world.bought())
