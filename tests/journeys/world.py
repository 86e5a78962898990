"""The real `gpubot run`, the sandbox round it, and the people in it: what journeys are told with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncssh

from bot.demo.outside import Json, Outside, Seen
from bot.demo.play import Missed, Play
from bot.demo.processes import Bot, NotRunning, Ready, environment, free_port, start_bot, stop
from sandbox.clock import SandboxClock
from sandbox.compute import ComputeSandbox
from sandbox.slack import SlackSandbox
from sandbox.slack.default import ANA, BEN, CLEO, GPUS
from tests.journeys.held import WAIT, Held

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PEOPLE = {"Ana": ANA, "Ben": BEN, "Cleo": CLEO}
ADMIN = "Cleo"
"""The only admin, and so the only approver."""
DAY = timedelta(days=1)
TRIES = 5
RENTAL_ID = re.compile(r"\b[a-hjkmnp-z2-9]{5}(?=[.,:\s)]|$)")


@dataclass
class World:
    """One team, one account, one bot. `checks.adds_up` ends it."""

    compute: ComputeSandbox
    slack: SlackSandbox
    clock: SandboxClock
    outside: Outside
    session: aiohttp.ClientSession
    folder: Path
    settings: dict[str, str]
    play: Play
    key: asyncssh.SSHKey
    expected_errors: set[str] = field(default_factory=set)
    """Lines of level error that this story is about."""
    lives: list[Bot] = field(default_factory=list)
    added_up: bool = False

    # --- the bot

    @property
    def bot(self) -> Bot:
        """The process that runs, or ran last."""
        return self.lives[-1]

    @property
    def people(self) -> dict[str, str]:
        """Name to Slack user id."""
        return self.play.people

    @property
    def log(self) -> Path:
        """What every life of the bot has logged."""
        return self.folder / "bot.log"

    @property
    def database(self) -> Path:
        """The bot's store."""
        return self.folder / "gpubot.sqlite"

    async def start(self, *, connections: int = 2, **settings: str) -> None:
        """Starts `gpubot run` and waits until it is connected. Raises NotRunning."""
        self.settings |= {"GPUBOT_HTTP": f"127.0.0.1:{free_port()}", **settings}
        self.lives.append(await start_bot(self.settings, self.log, connections=connections))
        self.play.bot = self.bot

    async def kill(self) -> None:
        """Ends the bot as a crash would."""
        self.bot.kill()
        await self.bot.process.wait()

    async def restart(self) -> None:
        """Starts it again and lets things settle."""
        await self.start()
        await self.play.settle()

    async def stop(self) -> int:
        """Asks it to end; answers its exit status."""
        return await stop(self.bot.process)

    # --- the outside

    async def control(
        self, server: str, method: str, path: str, body: Json | None = None, **query: object
    ) -> Json:
        """One control call to `compute` or `slack`."""
        call = self.outside.slack if server == "slack" else self.outside.compute
        return await call(method, path, body, **query)

    async def fault(self, endpoint: str, kind: str, **more: object) -> Held:
        """A fault at an operation of the API or a method of Slack's."""
        slack = "." in endpoint or endpoint in {"response_url", "socket"}
        server = "slack" if slack else "compute"
        said = await self.control(server, "POST", "faults", {"endpoint": endpoint, "kind": kind, **more})
        return Held(self.outside.slack if slack else self.outside.compute, str(said["id"]))

    async def hold(self, endpoint: str, when: str, **more: object) -> Held:
        """Holds the next request there, `before` or `after` it acts."""
        return await self.fault(endpoint, f"hold_{when}", **more)

    async def bought(self) -> list[str]:
        """The vendors that something was bought from, in order."""
        return [offer["vendor"] for offer in (await self.outside.account())["offers_bought"]]

    async def alive(self) -> list[Json]:
        """What bills now."""
        return [one for one in (await self.outside.account())["resources"] if one["alive"]]

    # --- people

    async def has_key(self, name: str = "Ana") -> None:
        """Gives someone an SSH key."""
        line = self.key.export_public_key().decode().strip()
        for _ in range(TRIES):
            answer = await self.play.types(name, "dm", f"key {line}")
            # On a busy machine Slack may not say in time who someone is; then they are told to try again.
            if "is set" in str(answer["payload"]):
                return
        raise Missed(f"{name}'s key is not taken: {answer}")

    async def offers(
        self, name: str = "Ana", text: str = "get H100 EU for 1h", *, channel: str = "#training"
    ) -> Seen:
        """Someone asks, and reads the offers."""
        answer = await self.play.types(name, channel, text)
        try:
            return self.play.sees(name, "Prices stand", only_you=True)
        except Missed as missed:
            seen = [one.text for one in await self.outside.see(PEOPLE[name])]
            raise Missed(f"{missed.words} Acknowledged with {answer['payload']}; sees {seen}") from None

    async def rents(
        self, name: str = "Ana", text: str = "get H100 EU for 1h", *, channel: str = "#training"
    ) -> str:
        """Someone rents the recommended offer; answers the rental's id."""
        offers = await self.offers(name, text, channel=channel)
        await self.play.clicks(name, offers, "Ask" if "8x" in text else "Rent")
        await self._confirms_if_asked(name)
        return await self.rental()

    async def clicks(self, name: str, message: Seen, label: str) -> Json:
        """A click that waits for its acknowledgement only, and tells how that went."""
        return await self.outside.click(PEOPLE[name], message, label)

    async def rental(self, name: str = "Ana") -> str:
        """The id of the newest rental whose card someone sees."""
        await self.play.read()
        for message in sorted(await self.outside.see(PEOPLE[name]), key=lambda one: -float(one.ts)):
            found = RENTAL_ID.search(message.text)
            if found and message.thread_ts is None and not message.only_you and not message.is_dm:
                return found[0]
        raise Missed(f"{name} sees no card.")

    async def card(self, rental_id: str, name: str = "Ana") -> Seen:
        """A rental's card as someone sees it now."""
        cards = [
            message
            for message in await self.outside.see(PEOPLE[name])
            if rental_id in message.text.split(". ")[0] and message.thread_ts is None and not message.only_you
        ]
        cards = [message for message in cards if not message.is_dm and "Approve" not in message.text]
        if not cards:
            raise Missed(f"{name} sees no card of {rental_id}.")
        return max(cards, key=lambda one: float(one.ts))

    async def thread(self, rental_id: str, name: str = "Ana") -> list[str]:
        """What the thread below the card says, in order."""
        card = await self.card(rental_id, name)
        replies = await self.outside.see(PEOPLE[name], channel=card.channel)
        return [
            one.text
            for one in sorted(replies, key=lambda one: float(one.ts))
            if one.thread_ts == card.ts != one.ts
        ]

    async def told_rental(self, name: str = "Ana") -> str:
        """The id of the rental that a click on Rent made, as soon as its card is there. Waits for nothing else."""
        card = await self.reads(name, "Starting")
        found = RENTAL_ID.search(card.text)
        if found is None:
            raise Missed(f"no rental's id in {card.text!r}")
        return found[0]

    async def commands(self, name: str, text: str, *, channel: str = "#training") -> Json:
        """Someone types `/gpu text`; waits for the acknowledgement only."""
        return await self.outside.command(PEOPLE[name], channel, text)

    async def confirms(self, name: str) -> None:
        """Someone sends off the dialog that opens; waits for the acknowledgement only. Raises Missed."""
        said = await self.outside.submit(PEOPLE[name], await self.outside.modal(PEOPLE[name]))
        if not said["ok"]:
            raise Missed(f"The dialog was not taken: {said}")

    async def cancels(self, name: str, rental_id: str) -> None:
        """Someone clicks Cancel on the card and confirms; waits for the acknowledgements only."""
        await self.clicks(name, await self.card(rental_id, name), "Cancel")
        await self.confirms(name)

    async def asks_to_destroy(self, name: str, rental_id: str, *, channel: str = "#training") -> None:
        """Someone types the command and confirms; waits for the acknowledgements only."""
        await self.commands(name, f"destroy {rental_id}", channel=channel)
        await self.confirms(name)

    async def destroys(self, name: str, rental_id: str, *, channel: str = "#training") -> None:
        """As `asks_to_destroy`, and lets it settle."""
        await self.asks_to_destroy(name, rental_id, channel=channel)
        await self.play.settle()

    async def approves(self, name: str, rental_id: str) -> None:
        """An approver clicks, and confirms where that is asked for."""
        await self.play.settle()
        await self.play.clicks(name, self.play.sees(name, "Approve up to"), "Approve")
        await self._confirms_if_asked(name)

    async def _confirms_if_asked(self, name: str) -> None:
        if (await self.outside.slack("GET", "views", user=PEOPLE[name]))["views"]:
            await self.play.confirms(name)

    async def reads(self, name: str, words: str) -> Seen:
        """What someone sees with these words in it, now or soon. Raises Missed."""
        last = 0
        while True:
            said = await self.outside.slack("GET", "see", user=PEOPLE[name], after=last, wait=WAIT)
            found = [Seen.model_validate(one) for one in said["messages"] if words in one["text"] + one["reads"]]
            if found:
                return found[-1]
            if not said["messages"]:
                raise Missed(f"{name} doesn't see {words!r}.")
            last = said["last"]

    async def handling(self) -> None:
        """Returns once the bot is in the middle of what a person did."""
        health: Json = {}
        while not health.get("handlers_in_flight"):
            async with self.session.get(self.bot.health) as answer:
                health = await answer.json()

    # --- time

    async def now(self) -> datetime:
        """The sandbox's time."""
        return (await self.outside.clock())[0]

    async def comes_due(self) -> None:
        """Moves time to when something is next due, and waits for nothing."""
        await self._jump(await self.play.settle(), await self.now())

    async def _jump(self, health: Json, now: datetime, end: datetime | None = None) -> None:
        due = datetime.fromisoformat(health["next_due"]) if health["next_due"] else end or now
        due = max(due, now + timedelta(seconds=1))
        await self.outside.jump_to(due if end is None else min(due, end))

    async def until_card(self, rental_id: str, word: str, within: timedelta = DAY) -> Seen:
        """Lets time pass until the card leads with `word`. Raises Missed."""
        return await self.until_any_card(rental_id, (word,), within)

    async def until_any_card(self, rental_id: str, words: tuple[str, ...], within: timedelta = DAY) -> Seen:
        """As `until_card`, for whichever word comes first."""
        start = await self.now()
        while True:
            health = await self.play.settle()
            card = await self.card(rental_id)
            if card.text.startswith(words):
                return card
            now = await self.now()
            if now - start > within:
                raise Missed(f"The card never said {words}: {card.text!r}; {await self.thread(rental_id)}")
            await self._jump(health, now)

    async def until_met(self, held: Held) -> None:
        """Lets time pass until a request has met the fault: then things don't settle any more. Raises Missed."""
        for _ in range(100):
            asked = asyncio.create_task(held.met())
            moves = asyncio.create_task(self.comes_due())
            await asyncio.wait({asked, moves}, return_when=asyncio.FIRST_COMPLETED)
            for task in (asked, moves):
                task.cancel()
            await asyncio.gather(asked, moves, return_exceptions=True)
            if asked.done() and not asked.cancelled() and asked.exception() is None:
                return
        raise Missed("Time passed, and no request met the fault.")

    async def next_moment(self) -> None:
        """Moves time to when something is next due, and lets it settle."""
        await self.comes_due()
        await self.play.settle()

    async def skips(self, span: timedelta) -> None:
        """Moves time by all of `span` at once, and lets it settle."""
        await self.play.settle()
        self.clock.jump(span.total_seconds())
        await self.play.settle()

    async def passes(self, span: timedelta) -> None:
        """Lets time pass, due moment by due moment."""
        end = await self.now() + span
        while (now := await self.now()) < end:
            await self._jump(await self.play.settle(), now, end)
        await self.play.settle()

    async def lets_the_lease_end(self) -> None:
        """Moves time past the lease's end, and on until nothing lives. Nothing needs to be told for it."""
        self.clock.jump(timedelta(hours=2).total_seconds())
        await self.outside.compute("GET", "traffic", endpoint="delete_resource", answered="true", wait=WAIT)
        for _ in range(TRIES):
            last = (await self.outside.compute("GET", "traffic"))["last"]
            self.clock.jump(60)
            await self.outside.compute(
                "GET", "traffic", after=last, endpoint="list_resources", answered="true", wait=WAIT
            )
            if not await self.alive():
                return
        raise Missed("Something lives on.")


@asynccontextmanager
async def opened(folder: Path, **settings: str) -> AsyncIterator[World]:
    """The sandbox, and a bot that is not yet started. Everything ends with the block."""
    clock = SandboxClock(NOON, speed=0)
    compute, slack = ComputeSandbox(clock), SlackSandbox(clock, seed=1)
    ready = await _ready(compute, slack)
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as session:
            outside = Outside(ready, session)
            world = World(
                compute=compute,
                slack=slack,
                clock=clock,
                outside=outside,
                session=session,
                folder=folder,
                settings={**_settings(ready, folder), **settings},
                play=Play(outside=outside, bot=_nobody(folder), session=session, people=PEOPLE),
                key=asyncssh.generate_private_key("ssh-ed25519", comment="ana@laptop"),
            )
            try:
                yield world
            finally:
                for life in world.lives:
                    await stop(life.process)
    finally:
        await slack.stop()
        await compute.stop()


async def _ready(compute: ComputeSandbox, slack: SlackSandbox) -> Ready:
    compute_url, slack_url = await compute.start(), await slack.start()
    return Ready(
        compute=compute_url,
        slack=slack_url,
        api=f"{slack_url}/api/",
        clock=compute_url,
        bot_token=slack.bot_token,
        app_token=slack.app_token,
        compute_token=compute.token,
    )


def _settings(ready: Ready, folder: Path) -> Mapping[str, str]:
    return {
        **environment(ready, folder, admins=PEOPLE[ADMIN], channel=GPUS, http=f"127.0.0.1:{free_port()}"),
        "GPUBOT_LOG": "json",
    }


def _nobody(folder: Path) -> Any:
    """Stands where a bot will be once it is started."""

    class Nobody:
        health = "http://127.0.0.1:1/health"

    return Nobody()


__all__ = ["NOON", "PEOPLE", "WAIT", "Held", "Missed", "NotRunning", "World", "opened"]
