"""The real `gpubot run`, the sandbox around it, and the people in it."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from demo.laptop import Laptop
from demo.play import Missed, Play, next_due, time_of
from demo.processes import Bot, environment, free_port, start_bot, stop
from sandbox.client import Addresses, Fault, Json, Machine, Outcome, SandboxClient, SeenMessage
from sandbox.clock import SandboxClock
from sandbox.compute import ComputeSandbox
from sandbox.github import GithubSandbox
from sandbox.serving import LONGEST_WAIT
from sandbox.slack import SlackSandbox
from sandbox.slack.default import ANA, BEN, CLEO, GPUS
from sandbox.slack.timing import Timing
from tests.forking import WRONG_CLOCK, ForkingPopen
from tests.programs import NEEDS

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PEOPLE = {"Ana": ANA, "Ben": BEN, "Cleo": CLEO}
ADMIN = "Cleo"
"""The only admin, who is therefore the only approver as well."""
DAY = timedelta(days=1)
TRIES = 5
WAIT = LONGEST_WAIT
"""The wall-clock seconds that a call may wait for something to happen: the maximum that the sandbox allows."""
RENTAL_ID = re.compile(r"(?<=\()[a-hjkmnp-z2-9]{5}(?=\))")


@dataclass
class World:
    """One team, one account, one bot. Each journey ends with `checks.check_consistency`."""

    compute: ComputeSandbox
    slack: SlackSandbox
    clock: SandboxClock
    sandbox: SandboxClient
    session: aiohttp.ClientSession
    folder: Path
    settings: dict[str, str]
    play: Play
    laptop: Laptop
    """Ana's laptop. Its key is the one that `sets_key` sets."""
    earlier: frozenset[int]
    """The IDs of the child processes that existed before. Other tests may leave some behind."""
    expected_errors: set[str] = field(default_factory=set)
    """The events of the error lines that this journey causes."""
    processes: list[Bot] = field(default_factory=list)
    checked: bool = False

    # --- the bot

    @property
    def bot(self) -> Bot:
        """The process that is running, or the last one that ran."""
        return self.processes[-1]

    @property
    def running(self) -> list[Bot]:
        """The processes that haven't ended."""
        return [bot for bot in self.processes if bot.process.returncode is None]

    @property
    def people(self) -> dict[str, str]:
        """Slack user IDs by name."""
        return self.play.people

    @property
    def log(self) -> Path:
        """The shared log of all processes of the bot."""
        return self.folder / "bot.log"

    @property
    def database(self) -> Path:
        """The bot's database file."""
        return self.folder / "gpubot.sqlite"

    async def start(self, *, connections: int | None = None, well: bool = True, **settings: str) -> None:
        """Start `gpubot run` and wait until it is connected. Raise NotRunning if it ends before."""
        self.settings |= {"GPUBOT_HTTP": f"127.0.0.1:{free_port()}", **settings}
        self.processes.append(await start_bot(self.settings, self.log, connections=connections, well=well))
        self.play.bot = self.bot

    async def start_beside(self) -> Bot:
        """Start another `gpubot run` on the same database, wait until it is connected, and return it."""
        await self.start(GPUBOT_SOCKET=self._socket())
        return self.bot

    async def start_with_wrong_clock(self, hours: int) -> Bot:
        """Start a `gpubot run` whose clock is this many hours ahead, alone or next to others. Return it.

        Skips the test if programs aren't forked here, because only the fork can set its clock.
        """
        if subprocess.Popen is not ForkingPopen:
            pytest.skip(f"{NEEDS}forked programs")
        connections = 0 if self.running else 2
        wrong = {WRONG_CLOCK: str(hours), "GPUBOT_SOCKET": self._socket()}
        await self.start(connections=connections, well=False, **wrong)
        del self.settings[WRONG_CLOCK]
        return self.bot

    def _socket(self) -> str:
        return str(self.folder / f"gpubot-{len(self.processes)}.sock")

    async def kill(self) -> None:
        """Kill the bot, like a crash would."""
        self.bot.kill()
        await self.bot.process.wait()

    async def restart(self) -> None:
        """Start the bot again, and settle."""
        await self.start()
        await self.play.settle()

    async def stop(self) -> int:
        """Stop each process of the bot with SIGTERM. Return the highest exit status of those that were running."""
        return max(await asyncio.gather(*(stop(bot.process) for bot in self.running)))

    # --- the account

    async def hold(self, endpoint: str, when: str, **fields: object) -> Fault:
        """Hold the next request to this endpoint, `before` or `after` it acts."""
        return await self.sandbox.add_fault(endpoint, f"hold_{when}", **fields)

    async def bought(self) -> list[str]:
        """Return the vendors that offers were bought from, in order."""
        return [purchase.vendor for purchase in (await self.sandbox.account()).offers_bought]

    async def alive(self) -> list[Machine]:
        """Return the machines that are being billed now."""
        return [machine for machine in (await self.sandbox.account()).resources if machine.alive]

    # --- people

    async def sets_key(self, name: str = "Ana") -> None:
        """Set an SSH key for someone."""
        for _ in range(TRIES):
            outcome = await self.play.types(name, "dm", f"key {self.laptop.public_key}")
            # On a busy machine, users.info may be too slow for the acknowledgement. The bot then asks people to
            # try again.
            if "SHA256:" in str(outcome.payload):
                return
        raise Missed(f"{name}'s key is not taken: {outcome}")

    async def offers(
        self, name: str = "Ana", text: str = "get H100 EU for 1h", *, channel: str = "#training"
    ) -> SeenMessage:
        """Request GPUs, and return the message with the offers."""
        outcome = await self.play.types(name, channel, text)
        try:
            return self.play.sees(name, "Prices are valid", only_you=True)
        except Missed as missed:
            seen = [message.text for message in await self.sandbox.see(PEOPLE[name])]
            raise Missed(f"{missed.words} Acknowledged with {outcome.payload}; sees {seen}") from None

    async def rents(
        self, name: str = "Ana", text: str = "get H100 EU for 1h", *, channel: str = "#training"
    ) -> str:
        """Rent the recommended offer. Return the rental's ID."""
        offers = await self.offers(name, text, channel=channel)
        await self.play.clicks(name, offers, "Ask" if "8x" in text else "Rent")
        await self._confirms_if_asked(name)
        return await self.rental()

    async def clicks(self, name: str, message: SeenMessage, label: str) -> Outcome:
        """Click a button of the message as it was read, even if the bot has edited it since.

        Wait for the acknowledgement.
        """
        return await self.sandbox.click(PEOPLE[name], message, label, as_read=True)

    async def rental(self, name: str = "Ana") -> str:
        """Return the ID of the newest rental whose card this person sees."""
        await self.play.read()
        for message in sorted(await self.sandbox.see(PEOPLE[name]), key=lambda message: -float(message.ts)):
            found = RENTAL_ID.search(message.text)
            if found and message.thread_ts is None and not message.only_you and not message.is_dm:
                return found[0]
        raise Missed(f"{name} sees no card.")

    async def card(self, rental_id: str, name: str = "Ana") -> SeenMessage:
        """Return a rental's card as this person sees it now."""
        cards = [
            message
            for message in await self.sandbox.see(PEOPLE[name])
            if re.match(rf"[A-Z][^\n]*: \d+x [^\n]*\({rental_id}\)[^\n]* for ", message.text)
            and not (message.thread_ts or message.only_you or message.is_dm)
        ]
        if not cards:
            raise Missed(f"{name} sees no card of {rental_id}.")
        return max(cards, key=lambda card: float(card.ts))

    async def thread(self, rental_id: str, name: str = "Ana") -> list[str]:
        """Return the texts of the replies below the card, in order."""
        card = await self.card(rental_id, name)
        replies = await self.sandbox.see(PEOPLE[name], channel=card.channel)
        return [
            reply.text
            for reply in sorted(replies, key=lambda reply: float(reply.ts))
            if reply.thread_ts == card.ts != reply.ts
        ]

    async def rental_of_new_card(self, name: str = "Ana") -> str:
        """Return the ID of the rental that a click on Rent created, as soon as its card is there."""
        card = await self.reads(name, "Starting")
        found = RENTAL_ID.search(card.text)
        if found is None:
            raise Missed(f"no rental's id in {card.text!r}")
        return found[0]

    async def commands(self, name: str, text: str, *, channel: str = "#training") -> Outcome:
        """Type `/gpu text`, and wait only for the acknowledgement."""
        return await self.sandbox.command(PEOPLE[name], channel, text)

    async def writes(self, name: str, text: str, **where: Any) -> Json:
        """Write a message. Return its channel and ts once the bot has acknowledged the event."""
        said = await self.sandbox.slack.post("say", {"user": PEOPLE[name], "text": text, **where})
        await self.sandbox.slack.get("events", wait="10")
        return said

    async def confirms(self, name: str) -> None:
        """Submit the modal that opens, and wait only for the acknowledgement. Raises Missed if it is refused."""
        outcome = await self.sandbox.submit(PEOPLE[name], await self.sandbox.open_modal(PEOPLE[name]))
        if not outcome.ok:
            raise Missed(f"The dialog was not taken: {outcome}")

    async def asks_to_destroy(self, name: str, rental_id: str, *, channel: str = "#training") -> None:
        """Type `/gpu destroy` and confirm, and wait only for the acknowledgements."""
        await self.commands(name, f"destroy {rental_id}", channel=channel)
        await self.confirms(name)

    async def destroys(self, name: str, rental_id: str, *, channel: str = "#training") -> None:
        """Type `/gpu destroy` and confirm, and settle."""
        await self.asks_to_destroy(name, rental_id, channel=channel)
        await self.play.settle()

    async def approves(self, name: str) -> None:
        """Click Approve, and confirm if a modal opens."""
        await self.play.settle()
        await self.play.clicks(name, self.play.sees(name, "Approve up to"), "Approve")
        await self._confirms_if_asked(name)

    async def _confirms_if_asked(self, name: str) -> None:
        if await self.sandbox.modal(PEOPLE[name]):
            await self.play.confirms(name)

    async def reads(self, name: str, words: str) -> SeenMessage:
        """Return the newest message with these words that this person sees, now or soon.

        Raises Missed if there is none.
        """
        last = 0
        while True:
            seen = await self.sandbox.see(PEOPLE[name], last, wait=WAIT)
            found = [message for message in seen if words in message.text + message.reads]
            if found:
                return found[-1]
            if not seen:
                raise Missed(f"{name} doesn't see {words!r}.")
            last = seen[-1].seq

    async def until_handling(self) -> None:
        """Wait until the bot is handling a person's action."""
        health: Json = {}
        while not health.get("handlers_in_flight"):
            async with self.session.get(self.bot.health) as answer:
                health = await answer.json()

    async def until_logged(self, event: str) -> None:
        """Wait until the bot has logged an event. The log is read after each answer of /health."""
        while f'"event": "{event}"' not in self.log.read_text(encoding="utf-8"):
            async with self.session.get(self.bot.health) as answer:
                await answer.read()

    # --- time

    async def now(self) -> datetime:
        """Return the sandbox's time."""
        return await self.sandbox.now()

    async def comes_due(self) -> None:
        """Settle, and jump to the next due time without waiting for the work that is due then."""
        health = await self.play.settle()
        now = time_of(health)
        await self.sandbox.jump_to(next_due(health, now, otherwise=now))

    async def until_card(self, rental_id: str, word: str, within: timedelta = DAY) -> SeenMessage:
        """Let time pass until the card begins with `word`. Raises Missed if it never does."""
        return await self.until_any_card(rental_id, (word,), within)

    async def until_any_card(self, rental_id: str, words: tuple[str, ...], within: timedelta = DAY) -> SeenMessage:
        """Let time pass until the card begins with one of `words`. Raises Missed if it never does."""
        start = await self.now()
        while True:
            health = await self.play.settle()
            card = await self.card(rental_id)
            if card.text.startswith(words):
                return card
            now = time_of(health)
            if now - start > within:
                raise Missed(f"The card never said {words}: {card.text!r}; {await self.thread(rental_id)}")
            # Each poll before that would only find that the machine is still starting.
            next_run = min((at for at in self._starts() if at > now), default=now)
            await self.sandbox.jump_to(max(next_due(health, now, otherwise=now), next_run))

    def _starts(self) -> list[datetime]:
        """Return the times at which the machines of the account run. Machines that never run are left out."""
        return [
            machine.runs_at for machine in self.compute.market.machines.values() if machine.runs_at is not None
        ]

    async def until_met(self, fault: Fault) -> None:
        """Let time pass until a request has met the fault. Raises Missed if none does.

        After that, the bot can't settle.
        """
        for _ in range(100):
            met = asyncio.create_task(fault.met())
            jump = asyncio.create_task(self.comes_due())
            await asyncio.wait({met, jump}, return_when=asyncio.FIRST_COMPLETED)
            for task in (met, jump):
                task.cancel()
            await asyncio.gather(met, jump, return_exceptions=True)
            if not met.cancelled() and met.exception() is None:
                return
        raise Missed("Time passed, and no request met the fault.")

    async def next_due_time(self) -> None:
        """Jump to the next due time, and settle."""
        await self.comes_due()
        await self.play.settle()

    async def skips(self, span: timedelta) -> None:
        """Jump over all of `span` at once, and settle."""
        await self.play.settle()
        self.clock.jump(span.total_seconds())
        await self.play.settle()

    async def passes(self, span: timedelta) -> None:
        """Let time pass, from one due time to the next."""
        await self.play.passes(span)

    async def lets_the_lease_end(self) -> None:
        """Let the lease end, and wait until no machine is running. Works even if the bot can't notify anybody."""
        self.clock.jump(timedelta(hours=2).total_seconds())
        await self.until_answered("delete_resource")
        for _ in range(TRIES):
            last = (await self.sandbox.compute.traffic())[-1].n
            self.clock.jump(60)
            await self.until_answered("list_resources", after=last)
            if not await self.alive():
                return
        raise Missed("A machine is still alive.")

    async def until_answered(self, endpoint: str, *, after: int = 0) -> None:
        """Wait until a request to the market with a number above `after` has been answered."""
        await self.sandbox.compute.traffic(endpoint=endpoint, after=after, answered="true", wait=WAIT)


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold the database's write lock until the end of the block."""
    other = sqlite3.connect(database, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


@asynccontextmanager
async def open_world(folder: Path, *, timing: Timing | None = None, **settings: str) -> AsyncIterator[World]:
    """Run a sandbox with a bot that isn't started yet, until the end of the block.

    Slack has no rate limits here, and the bot doesn't wait for any. The tests of delivery, the demo and the soak
    cover them.
    """
    earlier = frozenset(child.pid for child in psutil.Process().children(recursive=True))
    clock = SandboxClock(NOON, speed=0)
    compute, slack, github = (
        ComputeSandbox(clock),
        SlackSandbox(clock, seed=1, pace=False, timing=timing),
        GithubSandbox(clock),
    )
    addresses = await _start(compute, slack, github)
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=90)) as session:
            sandbox = SandboxClient(addresses, session)
            world = World(
                compute=compute,
                slack=slack,
                clock=clock,
                sandbox=sandbox,
                session=session,
                folder=folder,
                settings={**_settings(addresses, folder), **settings},
                play=Play(sandbox=sandbox, bot=_no_bot(), session=session, people=PEOPLE),
                laptop=Laptop.new(folder / "laptop", "ana@laptop"),
                earlier=earlier,
            )
            try:
                yield world
            finally:
                for bot in world.processes:
                    await stop(bot.process)
    finally:
        await github.stop()
        await slack.stop()
        await compute.stop()


async def _start(compute: ComputeSandbox, slack: SlackSandbox, github: GithubSandbox) -> Addresses:
    compute_url, slack_url = await compute.start(), await slack.start()
    return Addresses(
        compute=compute_url,
        slack=slack_url,
        api=f"{slack_url}/api/",
        github=await github.start(),
        clock=compute_url,
        bot_token=slack.bot_token,
        app_token=slack.app_token,
        compute_token=compute.token,
        signing_secret=slack.http.signing_secret,
    )


def _settings(addresses: Addresses, folder: Path) -> Mapping[str, str]:
    return {
        **environment(addresses, folder, admins=PEOPLE[ADMIN], channel=GPUS, http=f"127.0.0.1:{free_port()}"),
        "GPUBOT_LOG": "json",
        "GPUBOT_SLACK_SPEED": "1000",
    }


def _no_bot() -> Any:
    """Return a stand-in for the bot until it is started."""

    class NoBot:
        health = "http://127.0.0.1:1/health"

    return NoBot()
