"""The check at the end of every journey: the database, the bill and the messages agree."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import psutil
from sqlalchemy import select

from bot.clock import SystemClock
from bot.model.attempt import LedgerRow
from bot.model.event import Event
from bot.model.message import DestinationKind
from bot.model.rental import Rental
from handlers.phrases.rental_text import STATES
from store import tables
from store.db import Database
from tests.budgets import check_settled
from tests.forking import server_pid
from tests.journeys.world import PEOPLE, World

WITHOUT_PLACE = {"quote", "looking", "reply", "file", "webhook"}
"""The kinds of messages whose position in a channel the bot doesn't know.

These are answers, files, which Slack shares later, and the events for webhooks, which aren't sent to Slack.
"""


NIGHTLY = "Nightly"
"""The name of another Slack app, which posts messages of its own."""
OTHER_BOTS = frozenset({"Slackbot", NIGHTLY})


async def check_consistency(
    world: World,
    *,
    bought: Sequence[str],
    twice: int = 0,
    outside_outbox: int = 0,
    rate_limited: int = 0,
    moved: bool = False,
    gone: str | None = None,
) -> None:
    """Stop the bot, and compare its database with the vendors' bill and the messages that people saw.

    Args:
        bought: The vendors that offers were bought from.
        twice: The number of posts that were repeated because nobody could tell whether the first one exists.
        outside_outbox: The number of posts that aren't in the outbox.
        rate_limited: The number of times that Slack answered 429.
        moved: True if a card was posted again in another channel, so that the old one stays visible.
        gone: The person who left the workspace. No direct message could be posted to them since then.
    """
    health = await world.play.settle()
    assert health["perhaps_posted_twice"] >= twice
    assert await world.stop() == 0
    world.checked = True
    assert sorted(await world.bought()) == sorted(bought)
    assert await world.alive() == []
    stored = await _Stored.read(world)
    bill = {line.resource_id: line.micros for line in await world.sandbox.bill()}
    ledger = {row.resource_id: row.amount for row in stored.ledger}
    assert len(stored.ledger) == len(ledger)
    assert not any(row.estimated for row in stored.ledger)
    assert bill == ledger
    for rental in stored.rentals:
        assert rental.state.over, f"{rental.id} is still {rental.state}"
        _each_event_has_one_reply(rental, stored.events[rental.id], stored.messages)
    seen = await _seen(world)
    never_posted = [m for m in stored.messages if m["kind"] == "thread" and m["closed"] and m["ts"] is None]
    assert not never_posted
    if gone is not None:
        stored.messages = [one for one in stored.messages if not _is_undeliverable(one, PEOPLE[gone])]
    _messages_are_shown_once(stored, seen, twice=twice + outside_outbox, moved=moved)
    for rental in stored.rentals:
        card = next((m for m in stored.messages if m["rental_id"] == rental.id and m["kind"] == "card"), None)
        if card is None:
            # A program's request is shown once its search has led to something.
            assert rental.program is not None
            assert rental.attempts == 0
            continue
        shown = seen[card["channel"], card["ts"]]
        stopped = rental.program is not None and f" stopped {rental.program.token_name} (" in shown.text
        assert stopped or shown.text.startswith((STATES[rental.state], "Ended before ")), shown.text
        assert shown.buttons == ()
    log_is_clean(world)
    assert await _answers_429(world) == rate_limited
    children = psutil.Process().children(recursive=True)
    left = [child for child in children if child.pid not in {*world.earlier, server_pid()}]
    assert left == [], left


class _Stored:
    """The content of the bot's database."""

    def __init__(self) -> None:
        self.rentals: list[Rental] = []
        self.events: dict[str, list[Event]] = {}
        self.ledger: list[LedgerRow] = []
        self.messages: list[dict[str, Any]] = []

    @classmethod
    async def read(cls, world: World) -> _Stored:
        stored = cls()
        store = await Database.open(world.settings["GPUBOT_DATABASE_URL"], claimant="check", clock=SystemClock())
        try:
            async with store.engines.reader.connect() as plain:
                ids = (await plain.execute(select(tables.rentals.c.id))).scalars().all()
                rows = await plain.execute(select(tables.messages).order_by(tables.messages.c.id))
                stored.messages = [dict(row) for row in rows.mappings()]
            async with store.read() as tx:
                for rental_id in ids:
                    rental = await tx.rentals.get(rental_id)
                    assert rental is not None
                    stored.rentals.append(rental)
                    stored.events[rental_id] = await tx.events.of(rental_id)
                    stored.ledger += await tx.rentals.ledger(rental_id)
            await check_settled(store)
        finally:
            await store.close()
        return stored


def _each_event_has_one_reply(rental: Rental, events: list[Event], messages: list[dict[str, Any]]) -> None:
    """A program's rental is one line, so its thread has only facts that no other message states."""
    replies = Counter(m["event_id"] for m in messages if m["kind"] == "thread" and m["rental_id"] == rental.id)
    told = [one for one in events if rental.program is None or one.effects.only_in_thread]
    assert replies == Counter(event.id for event in told if event.effects.thread(event))


async def _seen(world: World) -> dict[tuple[str, str], Any]:
    """Return the bot's messages that aren't ephemeral, by channel and ts."""
    seen = {}
    for user in PEOPLE.values():
        for message in await world.sandbox.see(user):
            if message.author not in PEOPLE and not message.only_you:
                seen[message.channel, message.ts] = message
    return {place: message for place, message in seen.items() if message.author not in OTHER_BOTS}


def _messages_are_shown_once(
    stored: _Stored, seen: dict[tuple[str, str], Any], *, twice: int, moved: bool
) -> None:
    """Check that people see each message of the outbox once, in its newest version, and no other messages."""
    messages = [m for m in stored.messages if _has_place(m) and not _is_told_with_its_end(m)]
    for message in messages:
        assert message["due_at"] is None, message
        assert message["ts"] is not None, message
        assert message["shown_version"] == message["target_version"], message
    places = Counter((m["channel"], m["ts"]) for m in messages)
    assert max(places.values(), default=0) <= 1
    missing = set(places) - set(seen)
    assert not missing, f"in the outbox but not seen: {missing}"
    more = [seen[place].text for place in set(seen) - set(places) if not seen[place].files]
    if moved:
        return
    assert len(more) == twice, f"seen but not in the outbox: {more}"


def _has_place(message: dict[str, Any]) -> bool:
    """Return whether the bot knows the channel and `ts` of such a message once the message is posted."""
    for_app = message["kind"] == "reply" and message["to"].kind is DestinationKind.CHANNEL
    return for_app or message["kind"] not in WITHOUT_PLACE


def _is_told_with_its_end(message: dict[str, Any]) -> bool:
    """Return whether a message is the alert of a pause that was over before Slack could accept the alert."""
    nothing_to_say = message["closed"] and message["shown_version"] == message["target_version"]
    return message["kind"] == "alert" and message["ts"] is None and nothing_to_say


def _is_undeliverable(message: dict[str, Any], user: str) -> bool:
    """Return whether a direct message to this user was given up without being posted."""
    return message["kind"] == "direct" and message["to"].value == user and message["closed"] and not message["ts"]


async def _answers_429(world: World) -> int:
    return sum(request.status == 429 for request in await world.sandbox.slack.traffic())


def log_is_clean(world: World) -> None:
    """Check that the log contains no unexpected errors, and that only its owner can read it."""
    assert world.log.stat().st_mode & 0o777 == 0o600
    entries = [(line, json.loads(line)) for line in world.log.read_text(encoding="utf-8").splitlines()]
    starts = [entry for _, entry in entries if entry["event"] == "gpubot.starts"]
    assert len(starts) <= len(world.processes)
    assert all(entry.keys() >= {"version", "schema", "policy", "database", "rentals"} for entry in starts)
    for line, entry in entries:
        wrong = entry["level"] in {"error", "critical"} and entry["event"] not in world.expected_errors
        assert not wrong, line
