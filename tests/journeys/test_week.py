"""A week of a person with many rentals: each direct message is something to do or to know at that moment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from sandbox.client import Ping
from tests.journeys.checks import check_consistency
from tests.journeys.world import DAY, PEOPLE, World

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
STEP = 30 * MINUTE
EVENING = 18
NIGHT = range(6)
"""The hours of the night, in UTC."""
MOST = 24

KINDS = {
    "ready": re.compile(r"^Your .* is ready\b|^Ana shared .* with you\b"),
    "end": re.compile(r" ends .*, in (\d+ min|[12] h)\b"),
    "lost": re.compile(r"took back your spot machine|Everything on it is lost"),
    "idle": re.compile(r"^\*?Still using your "),
}
"""The direct messages that this week may have, by kind."""
REPLIES = {
    "approved": re.compile(r"^Cleo approved this request\b"),
    "renting": re.compile(r"^Renting from "),
    "ready": re.compile(r"^Ready "),
    "extended": re.compile(r"^Ana extended this machine\b"),
    "lost": re.compile(r"^\w+ ended Ana's .* Everything on it is lost"),
    "ended": re.compile(r"^This machine ended "),
}
"""The replies in Ana's threads that this week may have, by kind."""


class Week:
    """Ana's actions, and the notifications that she gets."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def passes(self, span: timedelta) -> None:
        """Let time pass in steps."""
        await self.until(await self.world.now() + span)

    async def until_evening(self) -> None:
        """Let time pass until the next evening."""
        now = await self.world.now()
        await self.world.skips(timedelta(hours=(EVENING - now.hour) % 24))

    async def until(self, moment: datetime) -> None:
        while (now := await self.world.now()) < moment:
            await self._jump(min(STEP, moment - now))

    async def rents(self, text: str) -> str:
        """Rent, and wait until the machine is ready."""
        rental = await self.world.rents(text=text)
        if "8x" in text:
            await self.world.approves("Cleo")
        await self.until_card("Ready", rental)
        return rental

    async def writes(self, rental: str, words: str = "mine, for the demo") -> None:
        """Write in the thread of a rental."""
        card = await self.world.card(rental)
        await self.world.writes("Ana", words, channel=card.channel, thread_ts=card.ts)

    async def until_card(self, word: str, *rentals: str) -> None:
        """Let time pass in steps until the cards of these rentals begin with a word."""
        for rental in rentals:
            while not (await self.world.card(rental)).text.startswith(word):
                await self._jump(STEP if word == "Ended" else 4 * MINUTE)

    async def _jump(self, span: timedelta) -> None:
        """Jump from a moment at which no work was left, and settle."""
        self.world.clock.jump(span.total_seconds())
        await self.world.play.settle()

    async def pings(self, name: str = "Ana") -> list[Ping]:
        """Return a person's notifications."""
        return await self.world.sandbox.pings(PEOPLE[name])


def kind_of(ping: Ping, kinds: Mapping[str, re.Pattern[str]] = KINDS) -> str:
    """Return the kind of a message. Fails if the message isn't expected in this week."""
    found = [kind for kind, words in kinds.items() if words.search(ping.text)]
    assert len(found) == 1, ping.text
    return found[0]


async def test_a_week_of_nine_rentals_causes_at_most_24_notifications(
    world: World,
) -> None:
    """In addition, there are 9 notifications of replies in threads."""
    week = Week(world)
    await week.until_evening()
    first = await week.rents("get H100 EU for 14h")
    await week.writes(first)
    second = await week.rents("get A100 US for 13h")
    extended = await week.rents("get H100 US for 8h")
    await week.writes(extended)
    await week.passes(7 * HOUR + 40 * MINUTE)
    notice = world.play.sees("Ana", f"({extended}) ends ", dm=True)
    assert (await world.now()).hour in NIGHT
    await world.play.clicks("Ana", notice, "Extend 2 h")
    await week.until_card("Ended", extended, second, first)

    await world.skips(2 * DAY)
    approved = await world.rents(text="get 8x H100 in EU for 4h")
    await week.writes(approved, "needed by noon")
    await world.approves("Cleo")
    await week.until_card("Ready", approved)
    lost = await week.rents("get A100 US for 4h")
    (_, machine) = await world.alive()
    await week.writes(lost)
    other = await week.rents("get 8x H100 in US for 2h")
    await world.sandbox.vanish(machine.resource_id, "deleted")
    await week.until_card("Lost", lost)
    day = await week.rents("get L40S EU for 4h")
    await week.writes(day)
    await week.until_card("Ended", approved, day, other)

    await world.skips(2 * DAY)
    await world.sets_key("Ben")
    last = [
        await week.rents(waitlist_entry)
        for waitlist_entry in ("get A100 EU with @Ben for 2h", "get L40S US for 1h")
    ]
    await week.until_card("Ended", *last)

    pings = await week.pings()
    direct = [ping for ping in pings if ping.why == "dm"]
    counted = [ping for ping in direct if kind_of(ping) != "idle"]
    assert len(counted) <= MOST, [ping.text for ping in counted]
    assert Counter(map(kind_of, counted)) == {"ready": 9, "end": 11, "lost": 1}
    assert len({ping.text for ping in direct}) == len(direct)
    # Slack also notifies her of the replies in the five threads in which she wrote.
    in_threads = [ping for ping in pings if ping not in direct]
    assert {ping.why for ping in in_threads} == {"thread"}
    replies = Counter(kind_of(ping, REPLIES) for ping in in_threads)
    assert replies == {"approved": 1, "renting": 1, "ready": 1, "extended": 1, "lost": 1, "ended": 4}
    of_ben = await week.pings("Ben")
    assert [(ping.why, kind_of(ping)) for ping in of_ben] == [("dm", "ready"), ("dm", "end")]
    assert [ping.why for ping in await world.sandbox.pings(PEOPLE["Cleo"])] == ["mention", "mention"]
    await check_consistency(world, bought=await world.bought())
