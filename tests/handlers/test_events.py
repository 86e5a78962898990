"""Events are handled before they are acknowledged, so Slack sends an event again that could not be stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.model.base import changed
from bot.policy.team.rules import Access, Rules
from handlers.listeners.hints import PER_MINUTE
from handlers.listeners.pace import Pace
from handlers.listeners.slack_events import message_posted
from sandbox.slack import Timing
from sandbox.slack.default import ANA, APPROVERS, BEN, CLEO, GPUS, GUS, SHARED, TRAINING
from tests.handlers.team import RULES, Team, team


async def delivery_of(ours: Team, event_id: str) -> tuple[str, int]:
    (event,) = (await ours.world.get("events", id=event_id, wait=10))["events"]
    return event["state"], event["attempts"]


async def test_slack_sends_an_event_again_that_could_not_be_stored(tmp_path: Path) -> None:
    async with team(tmp_path, timing=Timing(ack=1.0, retries=(0.0,) * 9)) as ours:
        await ours.context.people.get(ANA)
        last = (await ours.world.get("traffic", after=0))["last"]
        with ours.locked():
            sent = await ours.world.act("event", type="user_change", user={"id": ANA})
            for _ in ("first", "again"):
                seen = await ours.world.get("traffic", after=last, endpoint="envelope", wait=10)
                last = seen["requests"][-1]["n"]
        state, attempts = await delivery_of(ours, sent["event_id"])
        assert (state, attempts > 1) == ("acknowledged", True)
        async with ours.deps.store.read() as tx:
            assert await tx.people.get(ANA, ours.clock.real().replace(year=2000)) is None


async def test_a_change_of_a_person_who_is_not_cached_writes_nothing(tmp_path: Path) -> None:
    """Slack sends this event also for every status that anybody sets."""
    async with team(tmp_path) as ours:
        with ours.locked():
            sent = await ours.world.act("event", type="user_change", user={"id": BEN})
            assert await delivery_of(ours, sent["event_id"]) == ("acknowledged", 1)


async def test_malformed_events_are_acknowledged_and_ignored(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for inner in (
            {"type": "user_change", "user": "U1"},
            {"type": "user_change"},
            {"type": "subteam_members_changed", "subteam_id": 7},
            {"type": "subteam_members_changed", "subteam_id": "S0OTHER"},
            {"type": "member_joined_channel", "channel": None},
            {"type": "channel_shared"},
            {"type": "message", "channel_type": "im"},
        ):
            sent = await ours.world.act("event", **inner)
            assert await delivery_of(ours, sent["event_id"]) == ("acknowledged", 1)


async def test_a_channel_is_looked_up_again_after_it_was_shared(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.world.act(f"channels/{SHARED}", "PATCH", shared=False)
        assert not (await ours.context.channels.get(SHARED)).shared
        await ours.world.act(f"channels/{SHARED}", "PATCH", shared=True)
        sent = await ours.world.act("event", type="channel_shared", channel=SHARED, connected_team_id="T2")
        assert await delivery_of(ours, sent["event_id"]) == ("acknowledged", 1)
        assert (await ours.context.channels.get(SHARED)).shared


async def write_to_bot(ours: Team, *people: str, words: str = "list") -> None:
    """Let each person send the bot a direct message, and check that the events are acknowledged."""
    before = len((await ours.world.get("events"))["events"])
    for person in people:
        await ours.world.act("say", user=person, dm=True, text=words)
    events = (await ours.world.get("events", wait=10))["events"]
    assert [event["state"] for event in events[before:]] == ["acknowledged"] * len(people)
    await ours.deliver()


async def answer_count(ours: Team, person: str) -> int:
    """Return how many answers a person got, or gets once Slack's pace allows it."""
    read = await ours.world.reads(person, channel=f"D{person[1:]}")
    queued = [message for message in await ours.queued() if message.to.value == person]
    return read.count("Type /gpu list") + len(queued)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("list", "Type /gpu list"),
        ("what do I have", "Type /gpu list"),
        ("/gpu status all", "Type /gpu list all"),
        ("2x h100 eu", "Type /gpu get 2x H100 EU"),
        ("destroy k7mq2", "Type /gpu destroy k7mq2"),
        ("extend k7mq2 2h", "Type /gpu extend k7mq2 2h"),
        ("key ssh-ed25519 AAAA", "Type /gpu key"),
        ("hello <!channel> <@UBEN>", "/gpu help"),
        ("thanks", "/gpu help"),
    ],
)
async def test_a_direct_message_is_answered_with_the_command_for_its_words_and_does_nothing(
    tmp_path: Path, words: str, answer: str
) -> None:
    async with team(tmp_path) as ours:
        await write_to_bot(ours, ANA, words=words)
        (*_, newest) = await ours.world.reads(ANA, channel=f"D{ANA[1:]}")
        assert newest.removesuffix("\n") == answer or (answer == "/gpu help" and answer in newest)
        assert (await ours.quotes(ANA), await ours.rentals()) == ([], [])


async def test_a_private_key_in_a_direct_message_is_answered_as_one_in_a_command(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await write_to_bot(ours, ANA, words="-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXktdjEAAAAA")
        (*_, newest) = await ours.world.reads(ANA, channel=f"D{ANA[1:]}")
        assert newest.startswith("That was a private key.")
        assert "b3Blbn" not in newest


async def test_every_direct_message_is_answered_within_six_a_minute_for_each_person(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.context.hints._direct = Pace(at_once=6, per_second=0.0001)
        await write_to_bot(ours, *[ANA] * 7, BEN)
        assert (await answer_count(ours, ANA), await answer_count(ours, BEN)) == (6, 1)


async def test_a_direct_message_whose_event_comes_twice_is_answered_once(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await write_to_bot(ours, ANA)
        event = {"type": "message", "channel_type": "im", "user": ANA, "text": "list", "ts": "1.000001"}
        for _ in range(2):
            await message_posted(ours.context, event, None)
        await ours.deliver()
        assert await answer_count(ours, ANA) == 2


@pytest.mark.parametrize("rules", [RULES, changed(RULES, use=Access(groups=(APPROVERS,)))])
async def test_a_person_who_may_not_use_the_bot_gets_no_answer(tmp_path: Path, rules: Rules) -> None:
    """One is a guest, one a member whom the rules leave out."""
    async with team(tmp_path, rules=rules) as ours:
        nobody = GUS if rules is RULES else ANA
        await write_to_bot(ours, *[nobody] * 9)
        assert await answer_count(ours, nobody) == 0
        assert await ours.queued() == []
        asked = (await ours.world.get("traffic", endpoint="users.info"))["requests"]
        assert len(asked) <= 6, "of the rest it is not even asked who they are"


async def test_at_most_20_answers_are_given_in_a_minute(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        people = [(await ours.world.act("people", name=f"Person {n}"))["id"] for n in range(PER_MINUTE + 10)]
        await write_to_bot(ours, *people)
        assert [await answer_count(ours, person) for person in people].count(1) == PER_MINUTE


async def test_hints_wait_as_other_posts_do_if_slack_asks_to_wait(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.fault("chat.postMessage", "status", status=429, retry_after=30, times=None)
        await write_to_bot(ours, ANA, BEN)
        await ours.deliver()
        await write_to_bot(ours, CLEO)
        asked = (await ours.world.get("traffic", endpoint="chat.postMessage"))["requests"]
        assert len(asked) <= 2  # those that were already on the way


MENTION = "I read commands, not mentions. Type in a channel: /gpu get H100 EU, or /gpu help"


async def mention(ours: Team, person: str, channel: str, thread_ts: str | None = None) -> None:
    """Let a person mention the bot, and wait until it has handled that."""
    await ours.world.act("say", user=person, channel=channel, text="@gpubot get H100", thread_ts=thread_ts)
    await ours.world.get("events", wait=10)
    await ours.context.gate.idle()


async def test_a_person_who_mentions_the_bot_alone_sees_a_hint_where_they_wrote(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        card = (await ours.world.post(TRAINING))["ts"]
        await ours.world.act("say", user=BEN, channel=TRAINING, text="done?", thread_ts=card)
        await mention(ours, ANA, TRAINING, thread_ts=card)
        hint = await ours.look(ANA, TRAINING, MENTION)
        assert (hint["only_you"], hint["thread_ts"]) == (True, card)
        assert MENTION not in await ours.world.reads(BEN, channel=TRAINING)
        await mention(ours, CLEO, TRAINING)
        assert (await ours.look(CLEO, TRAINING, MENTION))["thread_ts"] is None


async def test_a_person_who_mentions_the_bot_gets_one_hint_an_hour_and_a_guest_none(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.refuse("chat.postEphemeral", "internal_error")
        for person in (ANA, ANA, ANA, GUS):  # the first of Ana's hints is lost
            await mention(ours, person, GPUS)
        assert (await ours.world.reads(ANA, channel=GPUS)).count(MENTION) == 1
        assert MENTION not in await ours.world.reads(GUS, channel=GPUS)
