"""Mentions of the bot and direct messages to it are commands that are carried out once and answered privately."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.model.base import changed
from bot.model.message import Message, MessageKind, to_ephemeral, to_person
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import Access
from handlers.listeners.messages import posted, text_to_bot
from sandbox.slack import Timing
from sandbox.slack.default import ANA, APPROVERS, GPUS, GUS, TRAINING
from sandbox.slack.state import BOT_USER
from tests.handlers.team import EVE, FINGERPRINT, KEY_LINE, RULES, Json, Team, team

DIRECT = f"D{ANA[1:]}"
PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXktdjEAAAAA"


async def say(
    ours: Team, person: str, words: str, channel: str | None = None, thread_ts: str | None = None
) -> None:
    """Write a message as a person, in a channel or directly to the bot, and wait for the answer."""
    where = {"channel": channel} if channel else {"dm": True}
    await ours.world.act("say", user=person, text=words, thread_ts=thread_ts, **where)
    await ours.world.get("events", wait=10)
    await ours.context.gate.idle()
    await ours.deliver()


async def read_directly(ours: Team) -> str:
    """Return the newest message that Ana sees in the bot's direct messages."""
    (*_, newest) = await ours.world.reads(ANA, channel=DIRECT)
    return str(newest)


async def test_a_command_in_a_direct_message_is_carried_out(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for words, answer in (
            (f"key {KEY_LINE}", FINGERPRINT),
            ("what do I have?", "You have no machines right now."),
            ("/gpu list all", "Nobody has a machine right now."),
            (f"@gpubot: key\n> {KEY_LINE}", FINGERPRINT),
            ("hello <!channel> @ben", "I don't know the command \"hello"),
        ):
            ours.deliver_at_once()
            await say(ours, ANA, words)
            assert answer in await read_directly(ours)
        await say(ours, ANA, "2x h100 eu")
        (quote,) = await ours.quotes(ANA)
        assert (quote.request.count, quote.reply_to, quote.asked_in) == (2, to_person(ANA), DIRECT)


async def test_a_message_gets_a_button_where_a_command_would_open_a_dialog(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ours.deliver_at_once()
        for words, label, callback in (
            ("get", "Choose from a list", "form"),
            ("key from github", "Use my GitHub keys", "github_name"),
        ):
            await say(ours, ANA, words)
            await ours.click(ANA, await ours.look(ANA, DIRECT), label)
            modal = await ours.modal(ANA)
            assert modal is not None
            assert modal["callback_id"] == callback


async def add_post_about(ours: Team, rental: Rental) -> None:
    """Post to Eve directly about a rental."""
    now = ours.clock.real()
    about: dict[str, Any] = {
        "kind": MessageKind.REPLY,
        "rental_id": rental.id,
        "body": {"text": "About it.", "blocks": []},
    }
    async with ours.deps.store.write() as tx:
        await tx.messages.add(Message(to=to_person(EVE), created_at=now, due_at=now, **about))
    await ours.deliver_all()


async def test_a_mention_in_a_rentals_thread_refers_to_that_rental(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await ours.add_eve_and_gus()
        rental = await ours.rented()
        ours.deliver_at_once()
        await ours.deliver_all()
        card = (await ours.look(EVE, TRAINING, rental.id))["ts"]
        await say(ours, EVE, "@gpubot show", TRAINING, card)  # Eve has no rentals of her own
        answer = await ours.look(EVE, TRAINING, "1x H100")
        assert (answer["only_you"], answer["thread_ts"], rental.id in answer["reads"]) == (True, card, True)
        await add_post_about(ours, rental)
        direct = f"D{EVE[1:]}"
        await say(ours, EVE, "show", thread_ts=(await ours.look(EVE, direct, "About it."))["ts"])
        assert rental.id in (await ours.look(EVE, direct, "1x H100"))["reads"]
        await say(ours, EVE, "@gpubot destroy", TRAINING, card)
        refused = await ours.command(EVE, f"destroy {rental.id}")
        assert (await ours.look(EVE, TRAINING))["reads"].strip() == refused.strip() != ""
        await say(ours, ANA, "@gpubot destroy", TRAINING, card)
        await ours.click(ANA, await ours.look(ANA, TRAINING, f"Destroy {rental.id}?"), f"Destroy {rental.id}")
        assert (await ours.rental(rental.id)).state is State.PROCURING
        assert (await ours.submit(ANA))["error"] is None
        assert (await ours.rental(rental.id)).state is not State.PROCURING
        assert not [seen for seen in await ours.world.see(EVE, channel=TRAINING) if "Destroy" in seen["reads"]]


async def test_a_request_by_mention_is_answered_in_its_channel(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await say(ours, ANA, "@gpubot get H100 EU -- <night> & day", GPUS)
        (quote,) = await ours.quotes(ANA)
        assert (quote.asked_in, quote.request.note) == (GPUS, "<night> & day")
        assert quote.reply_to == to_ephemeral(GPUS, ANA)


@pytest.mark.parametrize("error", ["user_not_in_channel", "some_new_error"])
async def test_an_answer_refused_in_the_channel_is_sent_directly(tmp_path: Path, error: str) -> None:
    async with team(tmp_path) as ours:
        await ours.fault("chat.postEphemeral", "status", status=429, retry_after=0)
        await ours.refuse("chat.postEphemeral", error)
        await say(ours, ANA, "@gpubot list", GPUS)
        await ours.deliver_all()
        assert await read_directly(ours) == "You have no machines right now. Try: /gpu get H100 EU"
        assert await ours.queued() == []


async def test_an_event_that_is_sent_again_is_carried_out_once(tmp_path: Path) -> None:
    """Slack resends an event if it could not be stored, and if the acknowledgement was lost."""
    async with team(tmp_path, timing=Timing(ack=1.0, retries=(0.0,) * 9)) as ours:
        await ours.context.people.get(ANA)
        with ours.locked():
            said = await ours.world.act("say", user=ANA, channel=GPUS, text="@gpubot get H100 EU")
            await ours.world.get("traffic", endpoint="envelope", wait=10)
        (event,) = (await ours.world.get("events", wait=10))["events"]
        assert event["state"] == "acknowledged"
        again = {"type": "app_mention", "user": ANA, "channel": GPUS, "ts": said["ts"]}
        await posted(ours.context, {**again, "text": f"<@{BOT_USER}> get H100 EU"}, BOT_USER)
        assert len(await ours.quotes(ANA)) == 1
        for _ in range(2):  # a command that only writes its answer
            await posted(ours.context, a_mention("list", ts=new_ts(ours, 1)), BOT_USER)
        assert len(await ours.replies()) == 1


def new_ts(ours: Team, seconds: float) -> str:
    """Return the `ts` of a message written `seconds` ago."""
    return f"{ours.clock.now().timestamp() - seconds:.6f}"


def a_mention(words: str, ts: str, **more: object) -> Json:
    return {
        "type": "app_mention",
        "user": ANA,
        "channel": GPUS,
        "ts": ts,
        "text": f"<@{BOT_USER}> {words}",
        **more,
    }


async def test_a_late_message_does_nothing_and_must_be_typed_again(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for seconds in (130, 110):
            await posted(ours.context, a_mention("get H100 EU", new_ts(ours, seconds)), BOT_USER)
        assert len(await ours.quotes(ANA)) == 1
        assert await ours.replies() == [
            "Your message reached me more than 2 min late, so it did nothing. Type it again."
        ]


async def test_other_apps_edits_and_quotes_are_ignored(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        ignored: tuple[Json, ...] = (
            {"bot_id": "B0OTHER"},
            {"edited": {"user": ANA}},
            {"subtype": "message_changed"},
            {"subtype": "bot_message"},
            {"text": f"&gt; <@{BOT_USER}> list\nBen wrote that"},
            {"user": None},
            {"channel": 7},
            {"ts": "now"},
            {"text": ["list"]},
        )
        for n, more in enumerate(ignored):
            event = {**a_mention("list", new_ts(ours, n)), **more}
            await posted(ours.context, event, BOT_USER)
            if "text" not in more:
                await posted(ours.context, {**event, "type": "message", "channel_type": "im"}, BOT_USER)
        assert await ours.replies() == []


def test_the_mention_and_quoted_lines_are_not_part_of_the_text() -> None:
    bot = f"<@{BOT_USER}>"
    assert text_to_bot(f"{bot}, extend 2h", BOT_USER, direct=False) == ("extend 2h", True)
    assert text_to_bot(f"&gt; done?\n{bot}", BOT_USER, direct=False) == ("", True)
    assert text_to_bot(f"hey {bot} list", BOT_USER, direct=False) == ("hey list", False)
    assert text_to_bot("share <@U0BEN0000>", BOT_USER, direct=False) is None
    assert text_to_bot("share <@U0BEN0000>", BOT_USER, direct=True) == ("share <@U0BEN0000>", True)
    assert text_to_bot("&gt; list", BOT_USER, direct=True) is None


async def test_a_mention_after_other_text_gets_a_hint_once_an_hour(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        for _ in range(2):
            await say(ours, ANA, "1x h100 eu, @gpubot", GPUS)
        hint = await ours.look(ANA, GPUS, "begin with my name")
        assert (hint["reads"].strip(), hint["only_you"]) == (
            "Nothing was done. If you meant a command, begin with my name: @gpubot get H100 EU",
            True,
        )
        assert len([seen for seen in await ours.world.see(ANA, channel=GPUS) if seen["only_you"]]) == 1
        assert await ours.quotes(ANA) == []


async def test_a_message_with_a_private_key_is_dropped_with_a_warning(tmp_path: Path) -> None:
    async with team(tmp_path) as ours:
        await say(ours, ANA, f"@gpubot key {PRIVATE_KEY}", GPUS)
        answer = await ours.look(ANA, GPUS, "That was a private key.")
        assert ("delete it" in answer["reads"], answer["only_you"]) == (True, True)
        await say(ours, ANA, PRIVATE_KEY)
        assert "That was a private key." in await read_directly(ours)
        assert not [message for message in await ours.queued() if "b3Blbn" in str(message.body)]


async def test_a_person_without_access_is_refused_like_for_a_command(tmp_path: Path) -> None:
    async with team(tmp_path, rules=changed(RULES, use=Access(groups=(APPROVERS,)))) as ours:
        for person in (ANA, GUS):
            refused = await ours.command(person, "get H100 EU", GPUS)
            await say(ours, person, "@gpubot get H100 EU", GPUS)
            assert (await ours.look(person, GPUS))["reads"].strip() == refused.strip()
            assert await ours.quotes(person) == []
