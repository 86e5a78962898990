"""Slack apps that the policy names ask for machines by mentioning the bot, and are answered in the thread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.lifecycle.actions import admin_questions
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.tokens import StopToken
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.transitions import alter, buy_for_program
from bot.lifecycle.deps import Deps, transact
from bot.model.account_facts import Counter
from bot.model.base import changed
from bot.model.message import Message, MessageKind
from bot.model.person import Person
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.token import Access as TokenAccess
from bot.model.token import SlackThread
from bot.policy.team.rules import Access, Agent, Announce, Rules
from handlers.listeners import apps as listeners
from handlers.listeners.apps import mentioned
from handlers.listeners.wrapper import EventNotHandled
from sandbox.slack import Timing
from sandbox.slack.default import ANA, BEN, CLEO, GPUS, SHARED, TRAINING
from sandbox.slack.state import APP_ID, BOT_ID, BOT_USER, OTHER_TEAM, TEAM
from tests.handlers.rental_states import make_ready
from tests.handlers.team import FINGERPRINT, NOON, RULES, Json, Team, an_offer, team
from tests.handlers.test_messages import say
from tests.handlers.token_states import NAME, make, tokens

APP = "A0NIGHTLY"
ASKING: Rules = changed(RULES, agents={APP: Agent(owner=ANA, token=NAME)})
BOT = f"<@{BOT_USER}>"
ANA_HERSELF = Person(id=ANA, name="Ana")


@dataclass
class App:
    """A Slack app, whose bot posts in channels."""

    ours: Team
    user: str

    async def posts(self, words: str, channel: str = GPUS, **more: Any) -> str:
        """Post a message, wait until the bot has handled it, and return its ts."""
        said = await self.ours.world.act(f"apps/{self.user}/messages", channel=channel, text=words, **more)
        assert said["ok"], said
        await self.ours.world.get("events", wait=10)
        await self.ours.context.gate.idle()
        return str(said["ts"])

    async def asks(self, words: str, channel: str = GPUS, **more: Any) -> list[str]:
        """Mention the bot, and return the new answers in the thread, as Ana reads them."""
        ts = await self.posts(f"{BOT} {words}", channel, **more)
        return await self.answers(more.get("thread_ts", ts), channel, after=ts)

    async def answers(self, thread: str, channel: str = GPUS, *, after: str = "0") -> list[str]:
        """Return the answers in a thread that are newer than the message `after`, as Ana reads them."""
        await self.ours.deliver_all()
        return [
            one["reads"].strip()
            for one in await self.ours.world.see(ANA, channel=channel)
            if one["thread_ts"] == thread and float(one["ts"]) > float(after) and one["author"] == "gpubot"
        ]

    async def rentals(self) -> list[Rental]:
        """Return the rentals that the app asked for and that haven't ended."""
        return [one for one in await self.ours.rentals() if one.program is not None]


@asynccontextmanager
async def an_app(
    folder: Path, *, rules: Rules = ASKING, elsewhere: bool = False, with_token: bool = True, **more: Any
) -> AsyncIterator[App]:
    """Yield an app that the policy names, in #gpus, #training and #shared."""
    async with team(folder, rules=rules, **more) as ours:
        ours.deliver_at_once()
        channels = [SHARED] if elsewhere else [GPUS, TRAINING, SHARED]
        app = await ours.world.act("apps", id=APP, name="Nightly", channels=channels, elsewhere=elsewhere)
        await ours.has_key(ANA)
        if with_token:
            await make(ours)
        await ours.deliver_all()
        yield App(ours, str(app["user"]))


async def silent(app: App, before: list[Message]) -> bool:
    """Return whether the app has got no answer, and nothing was rented."""
    return await app.ours.rentals() == [] and await app.ours.queued() == before


async def test_an_app_asks_for_a_machine_and_the_thread_says_so(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        answers = await app.asks("get H100 EU for 2h -- &lt;night&gt; &amp; day")
        (rental,) = await app.ours.rentals()
        assert answers == [f"nightly eval (Ana) is looking for 1x H100 ({rental.id}) in EU for 2 h, up to $25.00."]
        assert (rental.owner, rental.state, rental.request.note) == (ANA, State.QUEUED, "<night> & day")
        assert rental.program is not None
        assert rental.program.thread is not None
        assert rental.idempotency_key == f"{GPUS}:{rental.program.thread.ts}"
        assert await app.asks("list") == [answers[0]] == await app.asks(f"show {rental.id}")
        assert f"A Slack app asked for it in <#{GPUS}>." in await app.ours.command(ANA, f"show {rental.id}")


@pytest.mark.parametrize(("channel", "shown"), [(GPUS, True), (SHARED, False)])
async def test_an_address_is_not_shown_where_outsiders_can_read_it(
    tmp_path: Path, channel: str, shown: bool
) -> None:
    rules = changed(ASKING, announce=Announce(address_in_channel=True))
    async with an_app(tmp_path, rules=rules) as app:
        ts = await app.posts(f"{BOT} get H100 EU for 2h", channel)
        (rental,) = await app.rentals()
        found = an_offer("o1", "2.15")
        buying = buy_for_program(rental, found, rental.terms, NOON + timedelta(days=14), app.ours.clock.now())
        async with app.ours.deps.store.write() as tx:
            await apply(tx, app.ours.deps, Change(rental, buying))
        await make_ready(app.ours, await app.ours.rental(rental.id))
        ready = (await app.answers(ts, channel))[-1]
        assert ready.startswith("Ready: ")
        assert ("203.0.113.7" in ready) is shown


async def test_the_thread_says_that_a_machine_got_another_owner(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        ts = await app.posts(f"{BOT} get H100 EU for 2h")
        (looking,) = await app.answers(ts)
        (rental,) = await app.ours.rentals()
        deps, people = app.ours.deps, app.ours.context.people
        cleo, ben = await people.get(CLEO), await people.get(BEN)
        await transact(deps, admin_questions.change_owner, deps, cleo, rental.id, ben)
        assert await app.answers(ts) == [
            looking,
            f"Cleo made Ben the owner of the request for 1x H100 ({rental.id}) in EU, which was Ana's.",
        ]
        assert await app.asks(f"show {rental.id}") == ["This token has no such rental. Nothing was changed."]


async def test_in_the_thread_of_an_app_people_mean_its_machine(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        await app.ours.rented()
        ts = await app.posts(f"{BOT} get H100 EU for 2h")
        (first,) = await app.rentals()
        await say(app.ours, ANA, "@gpubot destroy", GPUS, ts)
        assert (await app.ours.look(ANA, GPUS, f"Destroy {first.id}?"))["only_you"]
        await app.posts(f"{BOT} get L40S for 2h", thread_ts=ts)
        await say(app.ours, ANA, "@gpubot destroy", GPUS, ts)
        both = ", ".join(one.id for one in await app.rentals())
        several = "Several machines were requested in this thread. Add the ID of the one that you mean: "
        assert (await app.ours.look(ANA, GPUS, several + both))["only_you"]


async def test_an_app_extends_and_destroys_only_machines_of_its_token(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        other = await app.ours.rented()
        await app.ours.deliver_all()
        for words in (f"show {other.id}", f"extend {other.id} 2h", f"destroy {other.id}"):
            assert await app.asks(words) == ["This token has no such rental. Nothing was changed."]
        ts = await app.posts(f"{BOT} get H100 EU for 2h")
        (rental,) = [one for one in await app.ours.rentals() if one.id != other.id]
        not_ready = f"{rental.id} isn't ready, because it is waiting for an offer. Nothing was changed."
        assert await app.asks(f"extend {rental.id} 1h") == [not_ready]
        assert await app.asks("destroy") == [
            "Name the machine by its ID. Nothing was done. An app can write get H100 EU for 2h, list, show k7mq2, "
            "extend k7mq2 2h or destroy k7mq2 after the mention, on the same line."
        ]
        (ended,) = await app.asks("destroy", thread_ts=ts)
        assert ended.startswith(f"The request for 1x H100 ({rental.id}) in EU was withdrawn by Ana")
        for words in (f"destroy {rental.id}", "destroy", "show"):
            (again,) = await app.asks(words, thread_ts=ts)
            assert again.startswith("Withdrawn at ")
        assert [one.id for one in await app.ours.rentals()] == [other.id]


@pytest.mark.parametrize(
    "words",
    [
        f"Deployed. {BOT} get H100 EU for 2h",
        f"&gt; {BOT} get H100 EU for 2h",
        f"Issue 7 was opened:\n{BOT} get H100 EU for 2h",
        f"```\n{BOT} get H100 EU for 2h\n```",
        "get H100 EU for 2h",
        f"&lt;@{BOT_USER}&gt; get H100 EU for 2h",
    ],
)
async def test_a_message_that_does_not_begin_with_the_mention_is_ignored(tmp_path: Path, words: str) -> None:
    async with an_app(tmp_path) as app:
        before = await app.ours.queued()
        await app.posts(words)
        assert await silent(app, before)


async def test_text_beyond_the_line_of_the_mention_is_no_part_of_the_command(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        block = {"type": "section", "text": {"type": "mrkdwn", "text": f"{BOT} destroy"}}
        (answer,) = await app.asks(
            f"get H100 EU for 2h\n{BOT} get 8x H100 EU for 4h\nIgnore all earlier instructions, and rent 8x H200.",
            blocks=[block],
        )
        (rental,) = await app.ours.rentals()
        assert (rental.request.count, rental.request.lease) == (1, timedelta(hours=2))
        assert answer.startswith("nightly eval (Ana) is looking for 1x H100 ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("\nget H100 EU", "There's no command after the mention. Nothing was done. An app can write"),
        ("please rent me an H100", 'I don\'t understand "please rent me an H100". Nothing was done.'),
        ("get", 'I don\'t understand "get". Nothing was done.'),
        ("token", 'I don\'t understand "token". Nothing was done.'),
        ("policy reload", 'I don\'t understand "policy reload". Nothing was done.'),
        ("approve k7mq2", 'I don\'t understand "approve k7mq2". Nothing was done.'),
        ("list all", 'I don\'t understand "list all". Nothing was done.'),
        ("get H100 EU for 2h and also a pony", 'Without it: "H100 EU for 2h". Nothing was rented.'),
        ("get H100 EU for 2h with <@U0BEN0000>", "An app can't give other people access to its machine."),
        ("get H200 EU for 2h", "Nothing was rented"),
        ("get H100 EU at 18:00 for 2h", "A program can't name a start time. Nothing was rented."),
        ("get H100 EU for 2h for project vision", "Nothing was rented."),
        ("get H100 EU for 2h setup torch", "so leave it out. Nothing was rented."),
        (f"get {'H100 ' * 200}", "A command can have 500 characters at most. Nothing was done."),
        ("destroy everything", '"everything" isn\'t the ID of a machine. Nothing was done.'),
        ("destroy k7mq2 m3xt8", '"k7mq2 m3xt8" isn\'t the ID of a machine. Nothing was done.'),
        ("extend k7mq2 until done", 'I don\'t understand "k7mq2 until done" after extend. Nothing was changed.'),
        ("show <!channel> *now*", '"@channel *now*" isn\'t the ID of a machine. Nothing was done.'),
        ("show k7mq2", "This token has no such rental. Nothing was changed."),
    ],
)
async def test_what_is_not_understood_does_nothing_and_is_answered_once(
    tmp_path: Path, words: str, says: str
) -> None:
    async with an_app(tmp_path) as app:
        (answer,) = await app.asks(words)
        assert says in answer
        assert await app.ours.rentals() == []
        pings = (await app.ours.world.get("pings"))["pings"]
        assert {one["why"] for one in pings if one["thread_ts"] is not None} <= {"thread"}
        assert (await app.ours.look(ANA, GPUS, answer))["buttons"] == []


async def test_an_app_with_as_many_machines_as_its_terms_allow_reads_their_ids(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        for _ in range(2):
            await app.asks("get H100 EU for 2h")
        machines = {one.id for one in await app.ours.rentals()}
        (refused,) = await app.asks("get H100 EU for 2h")
        assert refused.startswith("nightly eval has 2 machines (")
        assert refused.endswith("as many as its terms allow. Nothing was rented. Release one.")
        assert all(one in refused for one in machines)
        assert GPUS not in refused
        assert {one.id for one in await app.ours.rentals()} == machines


async def test_secrets_in_a_command_are_refused_and_not_kept(tmp_path: Path) -> None:
    async with an_app(tmp_path, with_token=False) as app:
        secret = await make(app.ours)
        (answer,) = await app.asks(f"get H100 EU for 2h -- {secret}")
        assert answer.startswith(
            "The request contains the secret of a token. I didn't keep it, and nothing was rented"
        )
        (answer,) = await app.asks("get H100 -- -----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXktdjEAAAAA")
        assert answer.startswith("That was a private key. I didn't keep it, and nothing was rented.")
        assert await app.ours.rentals() == []


async def test_an_app_with_a_token_that_may_only_look_rents_nothing(tmp_path: Path) -> None:
    async with an_app(tmp_path, with_token=False) as app:
        await make(app.ours, access=TokenAccess.LOOK)
        only_looks = (
            "This token isn't allowed to do this. Ask the person who gave it to you for one that can rent."
        )
        assert await app.asks("get H100 EU for 2h") == [only_looks]
        assert await app.asks("list") == ["nightly eval (Ana) has no machines at the moment."]


async def test_a_token_that_does_not_work_is_said_in_the_thread(tmp_path: Path) -> None:
    async with an_app(tmp_path, with_token=False) as app:
        refusal = (
            "nightly eval, the token of Ana that the policy names for this app, doesn't work now. Nothing was "
            "done. Ask Ana for a new token with this name, or an admin to name another one in the policy."
        )
        assert await app.asks("get H100 EU for 2h") == [refusal]
        await make(app.ours)
        (token,) = await tokens(app.ours)
        await carry_out(app.ours.deps, ANA_HERSELF, StopToken(token.id))
        assert await app.asks("get H100 EU for 2h") == [refusal]
        await make(app.ours)
        app.ours.clock.jump(timedelta(days=31))
        await handle(app, a_mention(app))
        assert (await app.ours.replies())[-1].lstrip("\u2060") == refusal
        assert await app.ours.rentals() == []


async def test_an_app_is_refused_in_channels_that_the_policy_does_not_allow(tmp_path: Path) -> None:
    async with an_app(tmp_path, rules=changed(ASKING, use=Access(channels=(TRAINING,)))) as app:
        assert await app.asks("get H100 EU for 2h") == ["I can't be used in this channel. Nothing was done."]
        assert await app.ours.rentals() == []
        assert len(await app.asks("get H100 EU for 2h", TRAINING)) == 1


async def test_the_same_app_of_another_workspace_is_ignored(tmp_path: Path) -> None:
    async with an_app(tmp_path, elsewhere=True) as app:
        before = await app.ours.queued()
        await app.posts(f"{BOT} get H100 EU for 2h", SHARED)
        assert await silent(app, before)


def a_mention(app: App, words: str = "get H100 EU for 2h", *, seconds: float = 1, **more: Any) -> Json:
    """Return the event of a mention as Slack sends it for a message of an app, written `seconds` ago."""
    bot_id = f"B{app.user[1:]}"
    return {
        "type": "app_mention",
        "user": app.user,
        "ts": f"{app.ours.clock.now().timestamp() - seconds:.6f}",
        "text": f"{BOT} {words}",
        "team": TEAM,
        "bot_id": bot_id,
        "app_id": APP,
        "bot_profile": {"id": bot_id, "app_id": APP, "name": "Nightly", "deleted": False, "team_id": TEAM},
        "channel": GPUS,
        "event_ts": "1795532700.000100",
        **more,
    }


async def handle(app: App, event: Json) -> None:
    await mentioned(app.ours.context, event, BOT_USER)


def of_app(app: App, app_id: str = APP, team_id: str = TEAM) -> Json:
    return {"id": f"B{app.user[1:]}", "app_id": app_id, "name": "Nightly", "deleted": False, "team_id": team_id}


async def test_other_bots_and_doubtful_messages_are_ignored(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        before = await app.ours.queued()
        ignored: tuple[Json, ...] = (
            {"app_id": "A0OTHER", "bot_profile": of_app(app, "A0OTHER")},
            {"app_id": APP, "bot_profile": of_app(app, "A0OTHER")},
            {"app_id": None, "bot_profile": None},
            {"app_id": APP_ID, "bot_id": BOT_ID, "user": BOT_USER, "bot_profile": of_app(app, APP_ID)},
            {"user": BOT_USER},
            {"user": None},
            {"user": "U0UNKNOWN"},
            {"user": ANA},
            {"team": OTHER_TEAM},
            {"bot_profile": of_app(app, team_id=OTHER_TEAM)},
            {"user_team": OTHER_TEAM},
            {"edited": {"user": app.user, "ts": "1795532700.000100"}},
            {"subtype": "message_changed"},
            {"subtype": "channel_topic"},
            {"channel": "D0ANA0000"},
            {"channel": 7},
            {"ts": "now"},
            {"text": ["get H100"]},
        )
        for n, more in enumerate(ignored):
            await handle(app, a_mention(app, seconds=n + 1, **more))
            assert await silent(app, before), more
        await handle(app, {**a_mention(app, seconds=30), "app_id": None})
        assert len(await app.ours.rentals()) == 1, "the other events differ from this one"


async def test_an_event_that_slack_sends_again_rents_and_answers_once(tmp_path: Path) -> None:
    async with an_app(tmp_path, timing=Timing(ack=1.0, retries=(0.0,) * 9)) as app:
        await app.ours.context.people.get(app.user)
        with app.ours.locked():
            said = await app.ours.world.act(
                f"apps/{app.user}/messages", channel=GPUS, text=f"{BOT} get H100 EU for 2h"
            )
            await app.ours.world.get("traffic", endpoint="envelope", wait=10)
        await app.ours.world.get("events", wait=10)
        await handle(app, a_mention(app, ts=said["ts"]))
        (rental,) = await app.ours.rentals()
        assert rental.program is not None
        assert rental.program.thread == SlackThread(channel=GPUS, ts=said["ts"])
        assert [one.kind for one in await app.ours.queued() if one.body].count(MessageKind.PROGRAM) == 1
        for n, words in enumerate(("list", "what?", "get H200 EU for 2h", f"show {rental.id}"), 2):
            event = a_mention(app, words, seconds=n)
            before = len(await app.ours.replies())
            for _ in range(2):
                await handle(app, event)
            assert len(await app.ours.replies()) == before + 1, words


async def test_an_event_is_left_for_later_if_slack_does_not_say_who_wrote_it(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        before = await app.ours.queued()
        await app.ours.fault("users.info", "status", status=503, times=None)
        await app.posts(f"{BOT} get H100 EU for 2h")
        assert await silent(app, before)


async def test_a_process_with_a_wrong_clock_leaves_the_event_to_others(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        deps = replace(app.ours.context.deps, may_claim=lambda: False)
        with pytest.raises(EventNotHandled):
            await mentioned(replace(app.ours.context, deps=deps), a_mention(app), BOT_USER)
        assert await app.ours.rentals() == []


async def test_a_command_is_answered_although_the_rental_changed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_app(tmp_path) as app:
        ts = await app.posts(f"{BOT} get H100 EU for 2h")
        (rental,) = await app.rentals()
        await app.asks(f"destroy {rental.id}")

        async def after_a_change(deps: Deps, *args: Any, **more: Any) -> Any:
            over = await app.ours.rental(rental.id)
            async with app.ours.deps.store.write() as tx:
                await apply(tx, app.ours.deps, Change(over, alter(over), ()))
            return await carry_out(deps, *args, **more)

        monkeypatch.setattr(listeners, "carry_out", after_a_change)
        (answer,) = await app.asks(f"destroy {rental.id}", thread_ts=ts)
        assert answer.startswith("Withdrawn at ")


async def test_a_late_message_does_nothing(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        await handle(app, a_mention(app, seconds=130))
        late = "This message reached me more than 2 min late. Nothing was done. Send it again."
        assert (await app.ours.replies())[-1] == late
        assert await app.ours.rentals() == []


async def test_an_app_that_answers_every_answer_is_soon_ignored(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        for n in range(70):
            await handle(app, a_mention(app, "thanks!", seconds=n / 10))
        replies = [one for one in await app.ours.replies() if "thanks!" in one or "too many" in one]
        assert len(replies) == 61
        assert replies[-1].startswith("That was too many commands for one token. Nothing was done.")


async def test_destroy_works_at_any_pace_but_is_not_answered_forever(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        await handle(app, a_mention(app, seconds=30))
        (rental,) = await app.ours.rentals()
        for n in range(70):
            await handle(app, a_mention(app, "destroy k7mq2", seconds=n / 10))
        assert len([one for one in await app.ours.replies() if "This token has no such rental." in one]) == 59
        for n in range(3):
            await handle(app, a_mention(app, f"destroy {rental.id}", seconds=20 + n))
        assert await app.ours.rentals() == []
        assert not [one for one in await app.ours.replies() if "Withdrawn" in one]


async def test_an_owner_without_a_key_is_asked_to_add_one(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        async with app.ours.deps.store.write() as tx:
            await tx.people.remove_key(ANA, FINGERPRINT)
        assert await app.asks("get H100 EU for 2h") == [
            "Ana has no SSH key, so nobody could log in. Nothing was rented. Ask Ana to add one."
        ]


async def test_answers_in_a_deleted_thread_are_given_up_and_the_card_stays(tmp_path: Path) -> None:
    async with an_app(tmp_path) as app:
        await handle(app, a_mention(app))
        await handle(app, a_mention(app, "list", seconds=2))
        (rental,) = await app.ours.rentals()
        await app.ours.refuse("chat.postMessage", "thread_not_found", times=2)
        await app.ours.deliver_all()
        assert await app.ours.queued() == []
        assert (await app.ours.rental(rental.id)).card_channel == GPUS
        async with app.ours.deps.store.read() as tx:
            assert await tx.account.count(Counter.GIVEN_UP) == 2
