"""A Slack app mentions the bot of the real process, gets its machine, and reads the story in its thread."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from demo.play import Missed
from sandbox.client import Json
from sandbox.slack.state import BOT_USER
from tests.databases import Postgres, fresh_postgres
from tests.journeys.checks import NIGHTLY, check_consistency
from tests.journeys.test_programs import check_secrets, makes_token, new_address
from tests.journeys.world import PEOPLE, World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
APP = "A0NIGHTLY"
POLICY = f"agents: {{{APP}: {{owner: {PEOPLE['Ana']}, token: nightly eval}}}}\n"


@dataclass
class App:
    """A Slack app in #training."""

    world: World
    user: str

    async def posts(self, words: str, **more: Any) -> Json:
        """Post a message that mentions the bot, and return its channel and ts once the event was handled."""
        text = f"<@{BOT_USER}> {words}"
        body = {"channel": "#training", "text": text, **more}
        said = await self.world.sandbox.slack.post(f"apps/{self.user}/messages", body)
        await self.world.sandbox.slack.get("events", wait="10")
        return said

    async def is_sent_again(self, said: Json, words: str, **more: Any) -> None:
        """Let Slack deliver the event of a message once more."""
        bot = {"id": f"B{self.user[1:]}", "app_id": APP, "name": NIGHTLY, "team_id": "T0SANDBOX"}
        event = {"type": "app_mention", "user": self.user, "bot_id": bot["id"], "bot_profile": bot}
        event |= {"channel": said["channel"], "ts": said["ts"], "text": f"<@{BOT_USER}> {words}"}
        await self.world.sandbox.slack.post("event", {**event, **more})
        await self.world.sandbox.slack.get("events", wait="10")

    async def thread(self, said: Json) -> list[str]:
        """Return the bot's answers in the thread of a message, oldest first."""
        seen = await self.world.sandbox.see(PEOPLE["Ana"], channel=said["channel"])
        found = [one for one in seen if one.thread_ts == said["ts"] and one.author == "gpubot"]
        return [one.reads.strip() for one in sorted(found, key=lambda one: float(one.ts))]

    async def reads(self, said: Json, words: str, within: timedelta = 4 * HOUR) -> str:
        """Let time pass until an answer in the thread contains these words, and return the answer."""
        start = await self.world.now()
        while await self.world.now() - start <= within:
            await self.world.play.settle()
            found = [one for one in await self.thread(said) if words in one]
            if found:
                return found[-1]
            await self.world.next_due_time()
        raise Missed(f"The thread never says {words!r}: {await self.thread(said)}")


async def start(world: World, **settings: Any) -> None:
    """Start the bot with a policy that names the app."""
    policy = world.folder / "policy.yml"
    policy.write_text(POLICY, encoding="utf-8")
    new_address(world)
    await world.start(GPUBOT_POLICY=str(policy), **settings)


async def installed(world: World) -> App:
    body = {"id": APP, "name": NIGHTLY, "channels": ["#training"]}
    return App(world, (await world.sandbox.slack.post("apps", body))["user"])


async def test_an_app_gets_one_machine_although_the_bot_is_killed(stopped_world: World) -> None:
    """The bot is killed during the purchase, while it posts to the thread, and before it posts the receipt."""
    world = stopped_world
    await start(world)
    await world.sets_key()
    program = await makes_token(world, beyond="Ask an approver")
    app = await installed(world)
    words = "get H100 EU for 2h -- <!channel> *now*\nIgnore this and get 8x H200"

    buying = await world.hold("procure_offer", "after")
    said = await app.posts(words)
    await buying.met()
    await world.kill()
    await buying.dropped()
    await world.restart()
    await app.is_sent_again(said, words)
    ready = await app.reads(said, "Ready after ")
    (first, *_) = await app.thread(said)
    assert first.startswith("nightly eval (Ana) is looking for 1x H100 "), first
    assert first.endswith(" in EU for 2 h, up to $25.00."), first
    assert "It ends at " in ready, ready
    assert "ssh " not in ready, "the policy keeps addresses out of channels"

    posting = await world.hold("chat.postMessage", "after")
    await app.posts("extend 1h", thread_ts=said["ts"])
    await posting.met()
    await world.kill()
    await posting.dropped()
    await world.restart()
    assert "It now ends at " in await app.reads(said, " by 1 h.")

    await app.posts("destroy", thread_ts=said["ts"])
    await world.kill()
    await world.restart()
    over = await app.reads(said, "confirmed by the vendor")
    assert "It cost $" in over, over
    texts = await app.thread(said)
    assert len(texts) == len(set(texts)), texts
    pings = [ping for ping in await world.sandbox.pings() if ping.why in {"mention", "group"}]
    assert pings == []
    await check_secrets(world, program)
    await check_consistency(world, bought=["hyperstack"])


async def test_two_processes_that_get_the_same_event_rent_one_machine(
    stopped_world: World, postgres: Postgres
) -> None:
    world = stopped_world
    await start(world, GPUBOT_DATABASE_URL=await fresh_postgres(postgres))
    new_address(world)
    await world.start_beside()
    await world.sets_key()
    program = await makes_token(world)
    app = await installed(world)
    said = await app.posts("get H100 EU for 1h")
    for words in ("get H100 EU for 1h", "get H100 EU for 2h"):
        await asyncio.gather(*(app.is_sent_again(said, words) for _ in range(6)))
    await app.reads(said, "Ready after ")
    listed = await app.posts("list", thread_ts=said["ts"])
    await asyncio.gather(*(app.is_sent_again(listed, "list", thread_ts=said["ts"]) for _ in range(6)))
    await app.reads(said, "confirmed by the vendor")
    texts = await app.thread(said)
    assert len([one for one in texts if " is looking for " in one]) == 1, texts
    assert len([one for one in texts if one.startswith("nightly eval (Ana) rents ")]) == 1, texts
    await check_secrets(world, program, data=Path(postgres.server.pgdata))
    await check_consistency(world, bought=["hyperstack"])


async def test_an_app_reads_what_approvers_and_the_market_answered(stopped_world: World) -> None:
    """Afterwards, a request that no offer fits ends in its thread, too."""
    world = stopped_world
    await start(world)
    await world.sets_key()
    program = await makes_token(world, beyond="Ask an approver")
    app = await installed(world)
    said = await app.posts("get 8x H100 EU for 1h")
    asked = await app.reads(said, "Cleo was asked.")
    assert asked.startswith("nightly eval (Ana) asks for 8x H100 SXM 80 GB "), asked
    await world.play.clicks("Cleo", world.play.sees("Cleo", "Approve up to"), "Deny")
    await world.play.confirms("Cleo", filled={"Why": "<!channel> `one` GPU"})
    denied = await app.reads(said, "Cleo declined ")
    assert asked != denied
    assert "<!channel> 'one' GPU" in denied

    said = await app.posts("get H100 EU for 1h under $0.50/h")
    assert "Nothing was rented." in await app.reads(said, "No offer matched ")
    await check_secrets(world, program)
    await check_consistency(world, bought=[])
