"""A team in the sandbox's Slack, with real WebSockets, a real SQLite store, and the listeners on a real app.

The engine doesn't run, so that a test sees exactly what a click wrote. `deliver` sends the queued messages.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import yaml
from slack_bolt.app.async_app import AsyncApp

from bot.clock import MovedClock
from bot.lifecycle.actions.quoting import SHARED_FOR, Prices
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.transitions import alter
from bot.lifecycle.deps import Deps, Opened, random_id
from bot.lifecycle.loops.policy_versions import reload, rules_at_start
from bot.lifecycle.outside import KeySource, Market
from bot.lifecycle.steps.shared_offers import SharedOffers
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import EndFacts
from bot.model.message import Message, MessageKind, to_person
from bot.model.offer import Catalog, Offer
from bot.model.quote import Quote, QuoteState
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.request import OfferQuery
from bot.policy.team.policy_file import PolicySource
from bot.policy.team.rules import Approvers, Rules
from handlers.delivery.block_types import BlockTypes
from handlers.delivery.loop import Delivery
from handlers.delivery.pace import Pace as SlackPace
from handlers.directory import HomeWorkspace, People, SlackChannels
from handlers.listeners.context import Context, Pace
from handlers.listeners.slack_events import register
from handlers.listeners.wrapper import Handler, PayloadReader, make_listener, note_commit
from handlers.phrases.classic import SAMPLES, new_types
from sandbox.slack import AppConfig, Timing, from_manifest
from sandbox.slack.default import ANA, APPROVALS, APPROVERS, BEN, CLEO, GPUS, GUS, TRAINING
from sandbox.slack.state import BOT_USER
from soak.databases import spare_the_disk
from store.db import Database
from tests.databases import fresh_sqlite
from tests.handlers.parsing_helpers import CATALOG
from tests.handlers.transactions import CountingStore
from tests.sandbox.slack_world import World, workspace

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY_LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7wzGEyr0SKZTlZ2YkXcz0L8lDhUJZgYNVNjxfGp5xr ana@laptop"
FINGERPRINT = "SHA256:OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8"
"""The fingerprint of KEY_LINE."""
EVE = "U0NEW00001"
"""A member who isn't an approver, present after `add_eve_and_gus`."""
RULES = Rules(
    admins=(CLEO,),
    approvers=Approvers(groups=(APPROVERS,)),
    approvals_channel=APPROVALS,
    home_channel=GPUS,
)
MANIFEST = yaml.safe_load((Path(__file__).parents[2] / "manifest.yml").read_text())
Json = dict[str, Any]


def an_offer(name: str, rate: str, **changes: Any) -> Offer:
    offer = Offer(
        offer_id=name,
        gpu="nvidia-h100-sxm5-80gb",
        family="H100",
        count=1,
        vendor="hyperstack",
        region="EU",
        vendor_region="nor-1",
        contract="ondemand",
        rate=Decimal(rate),
        expires_at=NOON + timedelta(minutes=30),
    )
    return changed(offer, **changes)


@dataclass
class Team:
    """Acts as the people of the team, and returns what they see."""

    world: World
    context: Context
    deps: Deps
    delivery: Delivery
    clock: MovedClock
    database: Path
    catalog: Catalog | None
    """The catalog that the listeners know."""

    # --- acting

    async def run_command(self, user: str, text: str, channel: str | None = TRAINING, **more: Any) -> Json:
        """Type `/gpu TEXT`, and return the outcome that the sandbox recorded."""
        command = {"user": user, "channel": channel, "command": "/gpu", "text": text, **more}
        return await self._handled(await self.world.act("command", **command))

    async def command(self, user: str, text: str, channel: str | None = TRAINING, **more: Any) -> str:
        """Type `/gpu TEXT`, and return the text of its acknowledgement, which may be empty."""
        outcome = await self.run_command(user, text, channel, **more)
        assert outcome["error"] is None, outcome
        return str((outcome["payload"] or {}).get("text", ""))

    async def click(self, user: str, message: Json, label: str, *, n: int = 0, **more: Any) -> Json:
        """Click the n-th button, from 0, whose label begins with `label` on a message that `look` returned."""
        button = [button for button in message["buttons"] if button["text"].startswith(label)][n]
        return await self._handled(
            await self.world.act(
                "click",
                user=user,
                channel=message["channel"],
                ts=message["ts"],
                action_id=button["action_id"],
                value=button.get("value"),
                **more,
            )
        )

    async def forge(self, user: str, action_id: str, value: str | None, channel: str = TRAINING) -> Json:
        """Click a button that the bot didn't show to this person."""
        element = {"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": "Old"}}
        if value is not None:
            element["value"] = value
        posted = await self.world.post(channel, blocks=[{"type": "actions", "elements": [element]}])
        return await self._handled(
            await self.world.act("click", user=user, channel=channel, ts=posted["ts"], action_id=action_id)
        )

    async def handle(self, read: PayloadReader, handler: Handler, body: Json) -> list[Json]:
        """Pass a payload to a listener in the same way as Bolt, and return its acknowledgements."""
        acknowledgements: list[Json] = []

        async def ack(**answer: Any) -> None:
            acknowledgements.append(answer)

        await make_listener(self.context, read, handler)(ack, body)
        return acknowledgements

    async def _handled(self, outcome: Json) -> Json:
        """Return the outcome once the listener has ended, because it continues after the acknowledgement."""
        await self.context.gate.idle()
        return outcome

    async def home(self, user: str) -> Json | None:
        """Deliver queued messages, and return the person's Home tab as Slack shows it, or None if it is empty."""
        await self.context.gate.idle()
        await self.delivery.turn()
        await self.deliver_all()
        home: Json | None = (await self.world.get("views", user=user))["home"]
        return home

    def publish_homes_at_once(self) -> None:
        """Stop waiting ten seconds between two Home tabs of the same person."""
        self.start_delivery(SlackPace(post_every=timedelta(0), speed=100_000))

    async def open_home(self, user: str, tab: str = "home") -> Json | None:
        """Open the app as a person, and return their Home tab."""
        await self.world.act("home", user=user, tab=tab)
        await self.world.get("events", wait=10)
        return await self.home(user)

    async def click_home(self, user: str, label: str) -> Json:
        """Click the button on a person's Home tab whose label for screen readers begins with this text."""
        home = (await self.world.get("views", user=user))["home"]
        (button,) = [one for one in home["buttons"] if one.get("label", one["text"]).startswith(label)]
        click = {"view_id": home["view_id"], **{name: button[name] for name in ("block_id", "action_id")}}
        return await self._handled(await self.world.act("click", user=user, **click))

    async def modal(self, user: str) -> Json | None:
        """Return the dialog that a person has open, or None if there is none."""
        modal: Json | None = (await self.world.get("views", user=user))["modal"]
        return modal

    async def submit(self, user: str, **values: str | list[str]) -> Json:
        """Fill in the open dialog and submit it."""
        view = await self.modal(user)
        assert view is not None
        filled = {field: {field: value} for field, value in values.items()}
        return await self._handled(
            await self.world.act("submit", user=user, view_id=view["view_id"], values=filled)
        )

    async def deliver(self) -> None:
        """Send the queued messages, as far as Slack's rate limits allow it immediately."""
        for _ in range(3):
            await self.delivery.turn()
            await self.delivery.drain()

    async def deliver_until(self, words: str, *, channel: str = TRAINING, edited: bool = False) -> Json:
        """Run delivery until Ana sees a message containing `words` in the channel, and return that message.

        With `edited`, a message counts only after it has been edited.
        """
        running = asyncio.create_task(self.delivery.run())
        try:
            async with asyncio.timeout(20):
                last = 0
                while True:
                    seen = await self.world.get("see", user=ANA, channel=channel, after=last, wait=10)
                    last = seen["last"]
                    for message in reversed(seen["messages"]):
                        shown = words in message["reads"] and not message["deleted"]
                        if shown and (message["edited"] or not edited):
                            await self.delivery.drain()
                            return dict(message)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the database's write lock, as another process would."""
        with closing(sqlite3.connect(self.database, timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.rollback()

    # --- restoring the database

    def copy_database(self) -> Path:
        """Copy the database in the same way as an operator, and return the path of the copy."""
        copy = self.database.with_name("copy.sqlite")
        copy.unlink(missing_ok=True)
        _copy(self.database, copy)
        return copy

    def deliver_at_once(self) -> None:
        """Stop waiting a second between two posts to the same channel."""
        self.start_delivery(SlackPace(post_every=timedelta(0)))

    def start_delivery(self, pace: SlackPace) -> None:
        """Start a delivery loop with this pace, replacing the previous one."""
        self._start_delivery(self.deps, pace)

    def _start_delivery(self, deps: Deps, pace: SlackPace) -> None:
        types = self.context.block_types
        self.delivery = Delivery(deps, self.world.client, self.world.session, pace=pace, block_types=types)

    async def restart(self, *, restored: Path | None = None, pace: SlackPace | None = None) -> None:
        """Start delivery again, as a new process does, after the database was restored from a copy.

        The steps find all machines that they look up. Delivery waits between two posts to the same channel only if
        it gets a `pace`.
        """
        if restored is not None:
            _copy(restored, self.database)
        now, real = self.clock.now(), self.clock.real()
        deps = replace(self.deps, opened=Opened(at=now, real=real))
        self._start_delivery(deps, pace or SlackPace(post_every=timedelta(0)))
        await self.delivery.begin()
        await self.deliver_all()
        for rental in await self.rentals():
            if rental.lease is not None and rental.lease.shown_later_at is not None:
                facts = EndFacts(until=rental.lease.ends_at)
                event = Event(rental_id=rental.id, kind=EventKind.ENDS_AGAIN, at=now, facts=facts)
                after = alter(rental, lease=changed(rental.lease, shown_later_at=None))
                async with self.deps.store.write() as tx:
                    await apply(tx, deps, Change(rental, after, (event,)))
        await self.deliver_all()

    async def deliver_all(self) -> None:
        """Send all queued messages, including several to the same people one after the other."""
        async with asyncio.timeout(30):
            while any(message.due_at is not None for message in await self.queued()):
                next_at = (await self.delivery.turn()).real
                if self.delivery.in_flight:
                    await self.delivery.drain()
                elif next_at is not None:  # wait for Slack's rate limit, or for a retry
                    now = self.deps.clock.real()
                    await asyncio.sleep(max((next_at - now).total_seconds(), 0))

    # --- failures of Slack

    async def fault(self, endpoint: str, kind: str, **more: Any) -> str:
        """Make the next call of an endpoint fail, or every call if `times` is None, and return the fault's ID."""
        made = await self.world.act("faults", endpoint=endpoint, kind=kind, **more)
        assert made["active"]
        return str(made["id"])

    async def refuse(self, method: str, error: str, **more: Any) -> str:
        """Make Slack answer the next call of a method with this error, and return the fault's ID."""
        return await self.fault(method, "garbage", body=json.dumps({"ok": False, "error": error}), **more)

    async def end_fault(self, fault_id: str) -> None:
        """Let the calls succeed again."""
        await self.world.act(f"faults/{fault_id}", "DELETE")

    # --- looking

    async def look(self, user: str, channel: str, words: str = "") -> Json:
        """Return the newest message containing `words` that a person sees in a channel."""
        seen = [m for m in await self.world.see(user, channel=channel) if not m["deleted"] and words in m["reads"]]
        assert seen, f"nobody said {words!r}: {await self.world.reads(user, channel=channel)}"
        return seen[-1]

    async def card(self, rental: Rental) -> Json:
        """Return a rental's card in #training, as Ana sees it."""
        seen = await self.world.see(ANA, channel=TRAINING)
        return next(m for m in seen if rental.id in m["reads"] and not m["only_you"] and m["thread_ts"] is None)

    async def replies(self) -> list[str]:
        """Return the texts of the queued replies, oldest first."""
        return [
            str((message.body or {}).get("text", ""))
            for message in await self.queued()
            if message.kind is MessageKind.REPLY
        ]

    async def queued(self) -> list[Message]:
        """Return the messages in the outbox."""
        async with self.deps.store.read() as tx:
            return await tx.messages.due(datetime.now(UTC) + timedelta(days=1), 100)

    async def rentals(self) -> list[Rental]:
        """Return the rentals that haven't ended."""
        async with self.deps.store.read() as tx:
            return await tx.rentals.live()

    async def rental(self, rental_id: str) -> Rental:
        async with self.deps.store.read() as tx:
            found = await tx.rentals.get(rental_id)
        assert found is not None
        return found

    async def quotes(self, user: str) -> list[Quote]:
        """Return a person's searches that the engine hasn't processed yet."""
        async with self.deps.store.write() as tx:
            claimed = await tx.quotes.claim(self.clock.now(), 100, 20)
            for one in claimed:
                await tx.quotes.release(one.id)
            found = [await tx.quotes.get(one.id) for one in claimed]
        return [quote for quote in found if quote is not None and quote.owner == user]

    # --- preparing

    async def add_eve_and_gus(self) -> None:
        """Add a member and a guest to the channel, neither of whom may decide anything."""
        await self.world.act("people", name="Eve")
        await self.world.act(f"channels/{TRAINING}", "PATCH", members=[ANA, BEN, CLEO, EVE, GUS])

    async def has_key(self, *users: str) -> None:
        for user in users:
            said = await self.command(user, f"key {KEY_LINE}")
            assert "SHA256:" in said, said

    async def offered(
        self,
        user: str,
        *offers: Offer,
        channel: str = TRAINING,
        with_key: bool = True,
        says: str = "Prices are valid until",
        **request: Any,
    ) -> Json:
        """Make a request as a person, answer it with these offers, and return the message with their buttons.

        The message contains the text `says`.
        """
        if with_key:
            await self.has_key(user)
        assert await self.command(user, "get H100 EU for 6h", channel) == ""
        (quote,) = await self.quotes(user)
        found = changed(
            quote,
            state=QuoteState.FOUND,
            request=changed(quote.request, **request),
            offers=offers,
            card_channel=TRAINING,
            due_at=None,
        )
        async with self.deps.store.write() as tx:
            await tx.quotes.save(found)
            await tx.messages.add(
                Message(
                    kind=MessageKind.QUOTE,
                    to=quote.reply_to or to_person(user),
                    quote_id=quote.id,
                    created_at=self.deps.clock.real(),
                )
            )
        await self.deliver()
        return await self.look(user, channel, says)

    async def rented(self) -> Rental:
        """Rent one H100 in #training as Ana, and return the rental. Nothing about it has been delivered yet."""
        await self.click(ANA, await self.offered(ANA, an_offer("o1", "2.15")), "Rent")
        (rental,) = await self.rentals()
        return rental


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as before, closing(sqlite3.connect(target)) as after:
        before.backup(after)


class GithubWithoutUsers:
    """A `bot.lifecycle.outside.KeySource` without any users."""

    async def key_lines(self, _: str) -> None:
        return None


class NothingOffered:
    """The part of `bot.lifecycle.outside.Market` that the request form uses, without any offers."""

    async def offers(self, _: OfferQuery) -> tuple[Offer, ...]:
        return ()


def all_taken() -> BlockTypes:
    """Return the knowledge that a bot has of Slack's block types soon after its start."""
    types = BlockTypes()
    for surface, blocks in SAMPLES.items():
        types.note(surface, taken=new_types(blocks), refused={})
    return types


@asynccontextmanager
async def team(
    folder: Path,
    *,
    rules: Rules = RULES,
    policy: Path | None = None,
    url: str = "",
    timing: Timing | None = None,
    app: AppConfig | None = None,
    org: str = "",
    key_source: KeySource | None = None,
    market: object | None = None,
    answer_within: float = 20,
    lookup_timeout: float = 20,
    may_claim: Callable[[], bool] = lambda: True,
    others_work: Callable[[], bool] = lambda: False,
    new_id: Callable[[int], str] = random_id,
    clock: MovedClock | None = None,
    block_types: BlockTypes | None = None,
) -> AsyncIterator[Team]:
    """Yield a team, which exists until the end of the block.

    Args:
        policy: A policy file. Its rules apply instead of `rules`, and Cleo is an admin.
        url: The address of the database, by default a SQLite file in `folder`.
        org: Makes the workspace part of an Enterprise organization.
        key_source: By default, a GitHub without users.
        market: The source of the prices in forms, by default without offers. It has a limited number of wall-clock
            seconds to answer.
        lookup_timeout: The wall-clock seconds for looking up a person. It is far longer than in production,
            because a busy machine may suspend a test for a second.
        may_claim: Returns whether the clock of the bot's machine is right.
        others_work: Returns whether another process works while this clock is wrong.
        new_id: Creates the IDs of quotes and rentals.
        clock: By default, bot time stays at NOON.
        block_types: By default, the bot knows that Slack accepts all types.
    """
    clock = clock or MovedClock(NOON)
    path = folder / "gpubot.sqlite"
    async with workspace(timing=timing, app=app or from_manifest(MANIFEST)) as world:
        if not url:
            url = f"sqlite:///{path}" if path.exists() else await fresh_sqlite(path)
        store = await Database.open(url, claimant="test", clock=clock)
        spare_the_disk(store.engines.writer)
        try:
            store.on_commit(note_commit)
            counting = CountingStore(store)
            in_force = None
            if policy is not None:
                in_force = await rules_at_start(store, PolicySource(policy, home_channel=GPUS, admins=(CLEO,)))
                rules = in_force.rules
            deps = Deps(
                store=cast(Database, counting),
                clock=clock,
                rules=rules,
                in_force=in_force,
                may_claim=may_claim,
                new_id=new_id,
            )
            uncounted = replace(deps, store=store)
            if policy is not None:
                await reload(deps)
            people = world.sandbox.workspace.people
            people[BOT_USER] = replace(people[BOT_USER], org=org)
            delivery = Delivery(deps, world.client, world.session, block_types=block_types or all_taken())
            context = Context(
                deps=deps,
                catalog=lambda: ours.catalog,
                key_source=key_source or GithubWithoutUsers(),
                prices=Prices(
                    SharedOffers(cast(Market, market or NothingOffered()), clock, SHARED_FOR), answer_within
                ),
                people=People(
                    uncounted,
                    world.client,
                    HomeWorkspace.of(await world.client.auth_test()),
                    lookup_timeout=lookup_timeout,
                ),
                channels=SlackChannels(uncounted, world.client),
                client=world.client,
                direct=delivery.direct,
                block_types=delivery.block_types,
                others_work=others_work,
                commands=Pace(at_once=1000, per_second=1000),  # tests type faster than people
            )

            def attach(app: AsyncApp) -> None:
                app.use(counting.middleware)
                register(app, context)

            await world.bolt(attach)
            ours = Team(world, context, deps, delivery, clock, path, CATALOG)
            yield ours
            assert await context.gate.drain(5)
            counting.check()
        finally:
            await store.close()
