"""A machine is rented until its job is done, and the job ends at night.

The bot is killed between the job's end, the message, the on-ending script and the deletion.
"""

from __future__ import annotations

from datetime import timedelta

from tests.journeys.checks import check_consistency
from tests.journeys.world import World

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DONE = "Your job is done"


async def told(world: World, words: str) -> int:
    """Return the number of Ana's direct messages that contain these words."""
    seen = await world.sandbox.see(world.people["Ana"])
    return sum(message.is_dm and words in message.text for message in seen)


async def test_a_machine_ends_once_after_its_job_whenever_the_bot_is_killed(world: World) -> None:
    rental = await world.rents(text="get H100 EU until done up to 12h")
    await world.until_card(rental, "Ready")
    latest = await world.now() + 12 * HOUR
    (machine,) = await world.alive()
    await world.sandbox.use(machine.resource_id, on_ending={"lasts": 4 * 60})
    await world.passes(4 * MINUTE)
    job = await world.sandbox.start_job(machine.resource_id, "python train.py", all=97)
    await world.sandbox.say(machine.resource_id, job, "step 1200 of 8000, loss 2.1")
    await world.passes(4 * MINUTE)
    await world.skips(10 * HOUR)
    await world.passes(10 * MINUTE)
    assert "step 1200 of 8000, loss 2.1" in (await world.card(rental)).reads

    # The job ends while the bot is down.
    await world.kill()
    await world.sandbox.end_job(machine.resource_id, job)
    await world.restart()
    await world.passes(6 * MINUTE)
    assert await told(world, DONE) == 1

    # The bot is killed again before the machine learns its end, and while its script is running.
    await world.kill()
    await world.restart()
    await world.passes(3 * MINUTE)
    await world.kill()
    await world.restart()
    assert [one.resource_id for one in await world.alive()] == [machine.resource_id]
    known = (await world.sandbox.machine(machine.resource_id)).on_ending
    assert known is not None
    assert len(known.runs) == 1
    assert await told(world, DONE) == 1

    # The bot is killed while it deletes the machine.
    deletion = await world.hold("delete_resource", "after")
    await world.until_met(deletion)
    await world.kill()
    await world.restart()
    card = await world.until_card(rental, "Ended", within=HOUR)
    assert "on-ending.sh finished at " in card.text
    assert await world.now() < latest
    await check_consistency(world, bought=["hyperstack"])
