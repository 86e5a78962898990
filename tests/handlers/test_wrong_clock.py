"""While the clock of the bot's machine is wrong, nothing is changed, and people are told so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot.errors import WrongClock
from sandbox.slack import Timing
from sandbox.slack.default import ANA, TRAINING
from tests.handlers.team import Team, an_offer, team
from tests.handlers.test_events import delivery_of

REFUSED = WrongClock().words
SOON_AGAIN = Timing(ack=0.5, retries=(0.0,) * 30)


@dataclass
class Clocks:
    """The state of the clock of the bot's machine, and of another process."""

    right: bool = True
    others_work: bool = False


async def test_all_interactions_are_refused_with_the_same_sentence(tmp_path: Path) -> None:
    clocks = Clocks()
    async with team(tmp_path, may_claim=lambda: clocks.right) as ours:
        offers = await ours.offered(ANA, an_offer("o1", "2.15"))
        await ours.command(ANA, "get")
        clocks.right = False
        assert (await ours.submit(ANA, gpu="H100"))["errors"] == {"gpu": REFUSED}
        assert await ours.command(ANA, "get H100 EU now") == REFUSED
        assert (await ours.click(ANA, offers, "Rent"))["ok"]
        assert (await ours.look(ANA, TRAINING, REFUSED))["only_you"]
        await ours.world.act("say", user=ANA, text="extend 1h", dm=True)
        await ours.world.get("events", wait=10)
        (*_, newest) = await ours.world.reads(ANA, channel=f"D{ANA[1:]}")
        assert newest == REFUSED
        assert await ours.rentals() == []
        assert await ours.quotes(ANA) == []

        clocks.right = True
        await ours.click(ANA, offers, "Rent")
        assert len(await ours.rentals()) == 1


async def test_a_message_is_silently_left_to_another_process(tmp_path: Path) -> None:
    """A person who is told that nothing was changed writes the message again, and both would be carried out."""
    clocks = Clocks(right=False, others_work=True)
    async with team(
        tmp_path, timing=SOON_AGAIN, may_claim=lambda: clocks.right, others_work=lambda: clocks.others_work
    ) as ours:
        await ours.world.act("say", user=ANA, text="list", dm=True)
        await until_sent_again(ours)
        clocks.right = True
        (event,) = (await ours.world.get("events", wait=10))["events"]
        assert event["state"] == "acknowledged"
        await ours.deliver_all()
        seen = await ours.world.reads(ANA, channel=f"D{ANA[1:]}")
        assert not any(REFUSED in text for text in seen)
        assert "You have no machines right now." in seen[-1]


async def test_an_event_that_needs_no_answer_is_not_acknowledged(tmp_path: Path) -> None:
    clocks = Clocks(right=False)
    async with team(tmp_path, timing=SOON_AGAIN, may_claim=lambda: clocks.right) as ours:
        sent = await ours.world.act("event", type="user_change", user={"id": ANA})
        await until_sent_again(ours)
        clocks.right = True
        assert (await delivery_of(ours, sent["event_id"]))[0] == "acknowledged"


async def until_sent_again(ours: Team) -> None:
    """Wait until Slack has sent an event twice."""
    last = 0
    for _ in ("first", "again"):
        seen = await ours.world.get("traffic", after=last, endpoint="envelope", wait=10)
        last = seen["requests"][-1]["n"]
