"""The bot on PostgreSQL: it is killed during a purchase, and its server fails in several ways."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta

import asyncpg

from demo.play import Missed
from tests.databases import Postgres, fresh_postgres
from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, WAIT, World

OUTAGE = ("I can't read my database", "My database can't save anything")
RETRY = timedelta(minutes=1)
"""The delay after which the bot repeats a step that the database refused."""
OVER = ("My database works again",)


async def test_on_postgresql_a_kill_during_a_purchase_leads_to_one_rental(
    stopped_world: World, postgres: Postgres
) -> None:
    world = stopped_world
    await world.start(GPUBOT_DATABASE_URL=await fresh_postgres(postgres))
    await world.sets_key()
    offers = await world.offers()
    held = await world.hold("procure_offer", "after")
    await world.clicks("Ana", offers, "Rent")
    await held.met()
    await world.kill()
    await held.dropped()
    await world.restart()
    rental = await world.rental()
    await world.until_card(rental, "Ready")
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack"])


async def admin_reads(world: World, words: tuple[str, ...], last: int) -> int:
    """Wait until the admin gets a message with one of these texts after the change with the number `last`.

    Returns the number of the change that brought the message.
    """
    while seen := await world.sandbox.see(PEOPLE["Cleo"], last, wait=WAIT):
        for message in seen:
            if message.text.startswith(words):
                return message.seq
        last = seen[-1].seq
    raise AssertionError(f"The admin doesn't read {words}")


async def reports(world: World) -> int:
    """Return the number of messages that report an outage or its end. They are sent without the outbox."""
    texts = [message.text for user in PEOPLE.values() for message in await world.sandbox.see(user)]
    return sum(text.startswith((*OUTAGE, *OVER)) or "can't be extended right now" in text for text in texts)


async def test_outages_of_the_database_server_are_reported_and_survived(
    replicas: World, postgres: Postgres
) -> None:
    """The server crashes, is locked, and has a full disk. No purchase is repeated."""
    world = replicas
    offers = await world.offers()
    call = await world.hold("procure_offer", "after")
    await world.clicks("Ana", offers, "Rent")
    await call.met()
    await postgres.stop()
    await call.release()
    last = await admin_reads(world, OUTAGE, 0)
    await world.clicks("Ana", offers, "Rent")
    await world.reads("Ana", "couldn't save anything just now")
    await postgres.start()
    last = await admin_reads(world, OVER, last)
    await world.play.settle()
    rental = await world.rental()
    await world.until_card(rental, "Ready")

    lock = await asyncpg.connect(postgres.url("gpubot"))
    await lock.execute("BEGIN; LOCK TABLE rentals, messages, account IN ACCESS EXCLUSIVE MODE")
    last = await admin_reads(world, OUTAGE, last)
    await lock.close()
    last = await admin_reads(world, OVER, last)

    await postgres.limit_files("1")
    await world.commands("Ana", f"extend {rental} 1h")
    last = await admin_reads(world, OUTAGE, last)
    await postgres.start()
    last = await admin_reads(world, OVER, last)
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await check_consistency(world, bought=["hyperstack"], outside_outbox=await reports(world))


async def test_after_a_failover_to_an_older_copy_nothing_is_bought_twice(
    replicas: World, postgres: Postgres
) -> None:
    """The standby has Ana's click, but neither the purchase that followed nor anything of Ben's.

    The account shows both.
    """
    world = replicas
    anas, bens = await world.offers(), await world.offers("Ben", "get A100 for 1h")
    lock = await asyncpg.connect(postgres.url("gpubot"))
    await lock.execute("BEGIN; LOCK TABLE attempts IN EXCLUSIVE MODE")
    assert (await world.clicks("Ana", anas, "Rent")).ok
    of_ana = await world.rental_of_new_card()
    copy = await postgres.copy()
    await lock.close()
    await world.clicks("Ben", bens, "Rent")
    await world.passes(RETRY)
    of_ben = await world.rental("Ben")
    for rental in (of_ana, of_ben):
        await world.until_card(rental, "Ready")
    bought = await world.bought()
    assert len(bought) == 2
    await postgres.fail_over(copy)
    question = await world.reads("Cleo", "My database seems to be an older backup: it lacks 2 machines")
    decided = None
    while decided is None:  # right after the failover, a click may find that nothing can be stored yet
        await world.clicks("Cleo", question, "Restore all 2")
        await world.play.settle()
        with suppress(Missed):
            decided = world.play.sees(
                "Cleo", "My database was restored from an older backup and lacked 2 machines"
            )
    assert await world.bought() == bought
    # Ana's request, whose purchase is missing from the standby, is closed. Her machine is a new rental.
    (of_ana,) = re.findall(r"with the new ID ([a-z0-9]{5})\) for Ana", decided.text)
    for rental in (of_ana, of_ben):
        while (await world.card(rental)).text.startswith("Ready"):
            await world.destroys("Cleo", rental)
        await world.until_card(rental, "Ended")
    await check_consistency(world, bought=bought, moved=True)
