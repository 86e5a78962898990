"""Notifications of people about new messages."""

from collections.abc import AsyncIterator

import pytest

from sandbox.slack.default import ANA, APPROVERS, BEN, CLEO, DAN, GUS, TRAINING
from tests.sandbox.slack_world import World, section, workspace

DM = "D0ANA0000"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with workspace() as world:
        yield world


async def pings(world: World, **query: object) -> list[tuple[str, str, str]]:
    """Return the person, the reason and the text of each notification."""
    found = (await world.get("pings", **query))["pings"]
    return [(ping["user"], ping["why"], ping["text"]) for ping in found]


async def test_a_direct_message_notifies_the_person_and_not_the_bot(world: World) -> None:
    await world.client.conversations_open(users=ANA)
    await world.post(DM, "Ready")
    await world.act("say", user=ANA, dm=True, text="thanks")
    assert await pings(world) == [(ANA, "dm", "Ready")]


async def test_a_channel_message_notifies_only_the_people_whom_it_mentions(world: World) -> None:
    await world.post(text="Ready")
    await world.post(text=f"For <@{BEN}>", blocks=[section(f"and <@{CLEO}|cleo>, not <@{GUS}> and <@{DAN}>")])
    assert await pings(world) == [(BEN, "mention", "For @Ben"), (CLEO, "mention", "For @Ben")]


@pytest.mark.parametrize(
    ("mention", "expected"),
    [
        (f"<!subteam^{APPROVERS}>", {(BEN, "group")}),
        ("<!here>", {(who, "channel") for who in (ANA, BEN, CLEO)}),
        (f"<@{ANA}>", {(ANA, "mention")}),
    ],
)
async def test_mrkdwn_mentions_people_groups_and_all(
    world: World, mention: str, expected: set[tuple[str, str]]
) -> None:
    await world.post(text="Look", blocks=[section(mention)])
    assert {(user, why) for user, why, _ in await pings(world)} == expected


async def test_a_reply_notifies_authors_and_people_mentioned_in_the_thread(world: World) -> None:
    card = (await world.post(text=f"Ready: <@{CLEO}>"))["ts"]
    await world.act("say", user=ANA, channel=TRAINING, text="is it mine?", thread_ts=card)
    last = (await world.get("pings"))["last"]
    await world.post(text="Gone", thread_ts=card, reply_broadcast=True)
    assert set(await pings(world, after=last)) == {(ANA, "thread", "Gone"), (CLEO, "thread", "Gone")}
    assert await pings(world, after=last, user=ANA) == [(ANA, "thread", "Gone")]
    await world.post(text="Another card")
    assert len(await pings(world, after=last)) == 2


async def test_a_message_notifies_a_person_once_and_its_author_never(world: World) -> None:
    card = (await world.post(text="Ready"))["ts"]
    await world.act("say", user=ANA, channel=TRAINING, text="@Ana @Ben @Ben look", thread_ts=card)
    await world.act("say", user=BEN, channel=TRAINING, text="@Ana", thread_ts=card)
    assert [ping[:2] for ping in await pings(world)] == [(BEN, "mention"), (ANA, "mention")]


async def test_an_edit_and_an_ephemeral_message_notify_nobody(world: World) -> None:
    card = (await world.post(text="Starting"))["ts"]
    await world.client.chat_update(channel=TRAINING, ts=card, text=f"Ready: <@{ANA}>")
    await world.client.chat_postEphemeral(channel=TRAINING, user=ANA, text=f"<@{ANA}>")
    assert await pings(world) == []
