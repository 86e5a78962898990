"""Two processes of `gpubot run` share one PostgreSQL database, and one of them is paused or restarted."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import cycle, islice

from bot.clock import SystemClock
from demo.play import Missed
from demo.processes import Bot, stop
from sandbox.client import Outcome, SeenMessage
from soak.evidence import CARD
from soak.world import delivers
from tests.databases import postgres
from tests.journeys.checks import check_consistency
from tests.journeys.world import PEOPLE, WAIT, World

__all__ = ["postgres"]

GPUS = ("H100", "A100", "L4")
NOT_WRITTEN = "couldn't save anything just now"
"""The answer that people get if the database is too slow."""
TRIES = 50
TAKEOVER = 60.0
"""The wall-clock seconds within which a process takes over, even on a busy machine."""
LOOK = 0.2
"""The wall-clock seconds between two polls of a process."""


async def delivering(world: World, *candidates: Bot) -> Bot:
    """Return the process that delivers messages to Slack, as soon as one of these does."""
    async with asyncio.timeout(TAKEOVER):
        while True:
            for bot in candidates or world.running:
                if await delivers(world.session, bot):
                    return bot
            await SystemClock().pause(LOOK)


async def stepping(world: World) -> Bot:
    """Return the process that is working on a step, as soon as one is."""
    async with asyncio.timeout(WAIT):
        while True:
            for bot in world.running:
                async with world.session.get(bot.health) as answer:
                    if (await answer.json())["steps_in_flight"]:
                        return bot
            await SystemClock().pause(LOOK)


def beside(world: World, bot: Bot) -> Bot:
    """Return the other one of the two processes."""
    return next(other for other in world.running if other is not bot)


async def settle(world: World) -> None:
    """Wait until no process has any work left."""
    for _ in range(2):
        for bot in world.running:
            world.play.bot = bot
            await world.play.settle()


async def destroys_all(world: World) -> None:
    """Let the admin destroy all machines, and wait until they are terminated."""
    rentals = await cards(world)
    for rental in rentals:
        await world.commands("Cleo", f"destroy {rental}")
        while not await world.sandbox.modal(PEOPLE["Cleo"], wait=5):
            await world.commands("Cleo", f"destroy {rental}")
        await world.confirms("Cleo")
    for rental in rentals:
        await world.until_any_card(rental, ("Ended", "Cancelled"))
    await settle(world)


async def cards(world: World) -> list[str]:
    """Return the IDs of all rentals whose card Ana sees."""
    seen = await world.sandbox.see(PEOPLE["Ana"])
    posted = [m.text for m in seen if not m.only_you and not m.is_dm and m.thread_ts is None]
    return [card["id"] for card in map(CARD.match, posted) if card]


async def private_answers(world: World, last: int) -> list[str]:
    """Return the texts of all ephemeral messages to anybody since the change with this number."""
    return [m.text for user in PEOPLE.values() for m in await world.sandbox.see(user, last) if m.only_you]


async def test_of_thirty_clicks_on_two_replicas_one_per_list_wins(
    replicas: World,
) -> None:
    """All clicks are answered."""
    world = replicas
    asks = [("Ana", "H100"), ("Ben", "A100"), ("Cleo", "L4")]
    lists = [(name, await world.offers(name, f"get {gpu} for 1h")) for name, gpu in asks]
    last = await world.sandbox.last_change(PEOPLE["Ana"])
    clicks = list(islice(cycle(lists), 30))
    await asyncio.gather(*(world.clicks(name, offers, "Rent") for name, offers in clicks))
    await settle(world)
    answers = await private_answers(world, last)
    assert len(answers) == 30, Counter(answers)
    # On a busy machine, the database may refuse all clicks on one list. The people get that answer, and click
    # again.
    for name, offers in lists:
        await world.clicks(name, offers, "Rent")
    await settle(world)
    renting = [text for text in await private_answers(world, last) if text.startswith("Renting ")]
    bought = await world.bought()
    assert len(bought) == len(lists) == len(renting)
    sockets = (await world.sandbox.slack.get("sockets"))["sockets"]
    assert all(each["delivered"] for each in sockets)
    await destroys_all(world)
    await check_consistency(world, bought=bought)


async def test_a_paused_replica_is_replaced_and_repeats_nothing_later(
    replicas: World,
) -> None:
    """The paused replica doesn't buy again, and at most completes a post that it had begun."""
    world = replicas
    offers = await world.offers()
    call = await world.hold("procure_offer", "after")
    await world.clicks("Ana", offers, "Rent")
    await call.met()
    buyer = await stepping(world)
    with buyer.stopped():
        await call.release()
        world.play.bot = beside(world, buyer)
        rental = await world.rental_of_new_card()
        await world.until_card(rental, "Ready")
    await settle(world)
    assert await world.bought() == ["hyperstack"]

    sender = await delivering(world)
    post = await world.hold("chat.postMessage", "before")
    await world.commands("Ana", f"extend {rental} 1h")
    await post.met()
    with sender.stopped():
        world.play.bot = await delivering(world, beside(world, sender))
        await world.play.settle()
        await post.release()
    await settle(world)
    said = [text for text in await world.thread(rental) if text.startswith("Ana extended this machine")]
    assert len(said) <= 2
    await world.destroys("Ana", rental)
    await world.until_card(rental, "Ended")
    await settle(world)
    await check_consistency(world, bought=["hyperstack"], outside_outbox=len(said) - 1)


async def test_a_rolling_restart_under_load_loses_and_repeats_no_click(replicas: World) -> None:
    world = replicas
    clicks: list[Outcome] = []

    async def rents_all(name: str) -> None:
        """Rent one GPU of each kind, like a person who tries again after an error."""
        for gpu in GPUS:
            clicks.extend(await rents(world, name, await gets_offers(world, name, gpu)))

    async def until_clicked(count: int) -> None:
        while len(clicks) < count and not any(person.done() for person in people):
            await SystemClock().pause(LOOK)

    people = [asyncio.create_task(rents_all(name)) for name in PEOPLE]
    for old in world.running:
        await until_clicked(len(clicks) + 2)
        assert await stop(old.process) == 0
        await until_clicked(len(clicks) + 2)
        await world.start_beside()
    await asyncio.gather(*people)
    await settle(world)
    for _ in range(TRIES):
        if len(await world.bought()) == len(await cards(world)):
            break
        await world.next_due_time()  # a purchase whose call was cut is looked up before the next one
    assert {outcome.error for outcome in clicks if not outcome.ok} <= {"dispatch_failed"}
    bought, rentals = await world.bought(), await cards(world)
    assert len(bought) == len(rentals) == len(GPUS) * len(PEOPLE)
    await destroys_all(world)
    await check_consistency(world, bought=bought)


async def gets_offers(world: World, name: str, gpu: str) -> SeenMessage:
    """Request a GPU, again and again while that fails or isn't stored. Return the list of offers."""
    last = await world.sandbox.last_change(PEOPLE[name])
    while not (await world.commands(name, f"get {gpu} for 30m")).ok:
        pass
    while seen := await world.sandbox.see(PEOPLE[name], last, wait=WAIT):
        for message in seen:
            if message.only_you and "Prices are valid" in message.text + message.reads:
                return message
            if message.only_you and NOT_WRITTEN in message.text:
                return await gets_offers(world, name, gpu)
        last = seen[-1].seq
    return await gets_offers(world, name, gpu)


async def rents(world: World, name: str, offers: SeenMessage) -> list[Outcome]:
    """Click Rent, again and again while that fails or isn't stored. Return the outcome of each click."""
    clicks = []
    while True:
        last = await world.sandbox.last_change(PEOPLE[name])
        clicks.append(await world.clicks(name, offers, "Rent"))
        if clicks[-1].ok:
            answer = await answered(world, name, last)
            if NOT_WRITTEN not in answer:
                return clicks


async def answered(world: World, name: str, last: int) -> str:
    """Return the text of the first private message since the change with this number, as soon as there is one."""
    while seen := await world.sandbox.see(PEOPLE[name], last, wait=WAIT):
        for message in seen:
            if message.only_you:
                return message.text
        last = seen[-1].seq
    raise Missed(f"{name}'s click was acknowledged and not answered.")
