"""A reply in a card's thread notifies everyone who wrote there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bot.lifecycle.actions import ending
from bot.lifecycle.actions.action import carry_out
from bot.model.person import Person
from bot.model.rental import Rental
from handlers.delivery.loop import Delivery
from handlers.delivery.pace import Pace
from sandbox.slack.default import ANA, APPROVERS, BEN, CLEO, GPUS, TRAINING
from tests.handlers.team import Team, team

REPLY = "ancelled by"
DM = "D0ANA0000"
BEN_APPROVES = Person(id=BEN, name="Ben", groups=frozenset({APPROVERS}))


async def rented(ours: Team) -> Rental:
    """Rent as Ana, with a delivery that isn't slowed down by Slack's limit on posts."""
    pace = Pace(post_every=timedelta())
    ours.delivery = Delivery(ours.deps, ours.world.client, ours.world.session, pace=pace)
    return await ours.rented()


async def pinged(ours: Team) -> list[tuple[str, str]]:
    """Return the people who were notified of the cancellation, each with the reason."""
    found = (await ours.world.get("pings"))["pings"]
    return sorted((ping["user"], ping["why"]) for ping in found if REPLY in ping["text"])


async def test_a_thread_reply_notifies_participants_and_its_owner_a_second_time(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        rental = await rented(ours)
        await ours.deliver()
        card = await ours.look(ANA, TRAINING, "Starting")
        for user, words in ((CLEO, "whose is it?"), (ANA, "mine")):
            said = await ours.world.act("say", user=user, channel=TRAINING, text=words, thread_ts=card["ts"])
            assert said["ok"]
        await carry_out(ours.deps, BEN_APPROVES, ending.Destroy(rental.id))
        await ours.deliver()
        replies = [words for words in await ours.world.reads(ANA, channel=TRAINING) if REPLY in words]
        edited, reply = sorted(replies)
        assert edited.startswith(f"Cancelled by {BEN} at ")
        assert reply.startswith(f"This request was cancelled by {BEN} at ")
        assert await pinged(ours) == [(ANA, "dm"), (ANA, "thread"), (CLEO, "thread")]


async def test_the_owner_is_not_notified_twice_in_direct_messages(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        refused = [
            await ours.refuse("chat.postMessage", "is_archived", match=channel, times=None)
            for channel in (TRAINING, GPUS)
        ]
        rental = await rented(ours)
        await ours.deliver()
        assert (await ours.look(ANA, DM, "Starting"))["is_dm"]
        for fault in refused:
            await ours.end_fault(fault)
        await carry_out(ours.deps, BEN_APPROVES, ending.Destroy(rental.id))
        await ours.deliver()
        assert [ping for ping in await pinged(ours) if ping[0] == ANA] == [(ANA, "dm")]
