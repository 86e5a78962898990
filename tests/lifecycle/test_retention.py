"""Data that is no longer needed is deleted, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from bot.lifecycle.deps import Deps, Opened
from bot.lifecycle.loops.retention import AT_ONCE, LOOK_UP_AT_ONCE, drop_old, look_for_people_who_left
from bot.model.base import EVER, changed
from bot.model.message import MessageKind, to_response_url
from bot.model.person import Key, Person
from bot.model.state import State
from bot.policy.team.rules import Retention, Rules
from store.db import Database
from tests.databases import START
from tests.lifecycle.adopting import add_machine
from tests.lifecycle.world import BEN, DORA, MINUTE, Clock, world
from tests.store import make

DAY = timedelta(days=1)
URL = "https://hooks.slack.test/1"
RULES = Rules(retention=Retention(messages=30 * DAY, quotes=7 * DAY, people=30 * DAY))


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


def deps_of(database: Database, clock: Clock) -> Deps:
    return Deps(store=database, clock=clock, rules=RULES, opened=Opened(at=START, real=START))


async def kept_messages(database: Database, most: int = 40) -> list[int]:
    async with database.read() as tx:
        return [n for n in range(1, most) if await tx.messages.get(n) is not None]


async def test_closed_messages_are_deleted_long_after_their_rental_is_over(
    database: Database, clock: Clock
) -> None:
    clock.put(START + 100 * DAY)
    old, late = START, START + 80 * DAY
    for rental_id, state, over_at in (
        ("liv23", State.READY, None),
        ("ovr23", State.DESTROYED, old),
        ("jst23", State.DESTROYED, late),
    ):
        await make.store_rental(database, make.rental(rental_id, state=state, over_at=over_at, due_at=None))
    closed = {"closed": True, "created_at": old}
    async with database.write() as tx:
        cards = [await tx.messages.card(rental_id) for rental_id in ("liv23", "ovr23", "jst23")]
        for card in cards:
            assert card is not None
            await tx.messages.save(changed(card, closed=True, due_at=None))
        for message in (
            make.message(MessageKind.ALERT, None, to="U0CLEO", **closed),
            make.message(MessageKind.ALERT, None, to="U0CLEO", **{**closed, "created_at": late}),
            make.message(MessageKind.ALERT, None, to="U0CLEO", created_at=old),
            make.message(MessageKind.DIRECT, "ovr23", to="U0ANA", created_at=old),
            make.message(MessageKind.DIRECT, "liv23", to="U0ANA", **closed),
            make.message(MessageKind.ALERT, None, to="U0CLEO", **closed),
        ):
            await tx.messages.add(message)
    assert await kept_messages(database) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    await drop_old(deps_of(database, clock))
    # 2 and 4 were deleted. 9 is kept because it is the newest message: SQLite would assign its ID again.
    assert await kept_messages(database) == [1, 3, 5, 6, 7, 8, 9]


async def test_the_closed_message_of_a_question_stays_until_the_question_is_over(url: str) -> None:
    async with world(url, rules=RULES) as here:
        await add_machine(here, "somebody-elses")
        await here.sweep()
        async with here.deps.store.write() as tx:
            (question,) = await tx.questions.not_over()
            for _ in range(2):
                message = make.message(
                    MessageKind.ALERT, None, to="U0CLEO", closed=True, question_id=question.id, created_at=START
                )
                await tx.messages.add(message)
            assert await tx.messages.drop_closed(here.now, here.now, 9) == 0
            await tx.questions.save(question, changed(question, version=question.version + 1, over_at=here.now))
            assert await tx.messages.drop_closed(here.now, here.now, 9) > 0


async def test_response_urls_are_deleted_after_half_an_hour(database: Database, clock: Clock) -> None:
    answered = partial(make.message, rental_id=None, to=URL, closed=True)
    async with database.write() as tx:
        await tx.quotes.add(make.quote("q1", reply_to=to_response_url(URL)))
        await tx.quotes.add(make.quote("q2", reply_to=to_response_url(URL), due_at=START))
        await tx.messages.add(answered(MessageKind.QUOTE, quote_id="q1"))
        await tx.messages.add(make.message(MessageKind.REPLY, None, to=URL))
        await tx.messages.add(make.message(MessageKind.REPLY, None, to="U0ANA", closed=True))
        await tx.messages.add(answered(MessageKind.REPLY, created_at=START + 9 * MINUTE))
        await tx.messages.add(answered(MessageKind.REPLY))
    for minutes, kept in ((30, [1, 2, 3, 4, 5]), (31, [2, 3, 4, 5]), (40, [2, 3, 5])):
        clock.put(START + minutes * MINUTE)
        await drop_old(deps_of(database, clock))
        assert await kept_messages(database) == kept
    async with database.read() as tx:
        answers = [await tx.quotes.get(quote_id) for quote_id in ("q1", "q2")]
    assert [quote and quote.reply_to for quote in answers] == [None, to_response_url(URL)]


async def test_old_quotes_are_deleted_or_lose_their_offers(database: Database, clock: Clock) -> None:
    """A quote without a rental is deleted together with its answer.

    A quote whose rental is over only loses its offers.
    """
    clock.put(START + 8 * DAY)
    await make.store_rental(database, make.rental("liv23", due_at=None))
    await make.store_rental(database, make.rental("ovr23", state=State.CANCELLED, over_at=START, due_at=None))
    async with database.write() as tx:
        for rental_id in ("liv23", "ovr23"):
            made = await tx.quotes.get(f"q-{rental_id}")
            assert made is not None
            await tx.quotes.save(changed(made, rental_id=rental_id))
        await tx.quotes.add(make.quote("answered"))
        await tx.quotes.add(make.quote("in Slack's queue"))
        await tx.quotes.add(make.quote("due", due_at=START))
        await tx.quotes.add(make.quote("new", created_at=START + 2 * DAY))
        quoted = make.message(MessageKind.QUOTE, None, to="U0ANA")
        await tx.messages.add(changed(quoted, quote_id="answered", closed=True))
        await tx.messages.add(changed(quoted, quote_id="in Slack's queue"))
    await drop_old(deps_of(database, clock))
    async with database.read() as tx:
        left = {}
        for quote_id in ("q-liv23", "q-ovr23", "answered", "in Slack's queue", "due", "new"):
            quote = await tx.quotes.get(quote_id)
            left[quote_id] = None if quote is None else len(quote.offers)
    assert left == {"q-liv23": 1, "q-ovr23": 0, "answered": None, "in Slack's queue": 1, "due": 1, "new": 1}
    assert await kept_messages(database) == [1, 2, 4]


async def test_more_rows_than_one_transaction_deletes_are_deleted_too(database: Database, clock: Clock) -> None:
    clock.put(START + 8 * DAY)
    async with database.write() as tx:
        for n in range(AT_ONCE + 1):
            await tx.quotes.add(make.quote(f"q{n}"))
    await drop_old(deps_of(database, clock))
    async with database.read() as tx:
        assert await tx.quotes.newest(make.ANA) is None


async def test_names_and_keys_of_people_who_left_are_deleted(database: Database, clock: Clock) -> None:
    """Their Slack IDs are kept."""
    key = Key(line="ssh-ed25519 AAAA", comment="", fingerprint="F")
    await make.store_rental(database, make.rental("ovr23", owner=make.BEN, state=State.DESTROYED, over_at=START))
    await make.store_rental(database, make.rental("liv23", owner="U0ELI"))
    async with database.write() as tx:
        for user, left in ((make.ANA, False), (make.BEN, True), ("U0ELI", True)):
            await tx.people.put(Person(id=user, name=user.title(), deactivated=left), START)
            await tx.people.add_key(user, key)
        # Slack is asked again later. The day that counts is the first one on which Slack said that they had left.
        # Dora came back.
        await tx.people.put(Person(id=make.BEN, name="Ben", deactivated=True), START + 29 * DAY)
        await tx.people.put(Person(id=DORA.id, name="Dora", deactivated=True), START)
        await tx.people.put(DORA, START + DAY)
    clock.put(START + 30 * DAY)
    await drop_old(deps_of(database, clock))
    async with database.read() as tx:
        assert (await tx.people.names([make.BEN])) == {make.BEN: "Ben"}
    clock.put(START + 31 * DAY)
    await drop_old(deps_of(database, clock))
    async with database.read() as tx:
        known = {person.id for person in await tx.people.known()}
        assert known == {make.ANA, "U0ELI", DORA.id}
        assert set(await tx.people.keys_of([make.ANA, make.BEN, "U0ELI"])) == {make.ANA, "U0ELI"}
        over = await tx.rentals.get("ovr23")
        assert over is not None
        assert over.owner == make.BEN


async def test_people_not_confirmed_for_a_week_are_looked_up_in_batches(url: str) -> None:
    async with world(url) as here:
        async with here.deps.store.write() as tx:
            for n in range(LOOK_UP_AT_ONCE + 1):
                await tx.people.put(Person(id=f"U{n:03}", name="Kim"), here.now - 8 * DAY + n * MINUTE)
        ben_left = changed(BEN, id="U000", deactivated=True)
        here.people.changed = {"U000": ben_left, "U020": changed(ben_left, id="U020")}
        await look_for_people_who_left(here.deps)
        async with here.deps.store.read() as tx:
            assert await tx.people.get("U000", EVER) == ben_left
            late = await tx.people.get("U020", EVER)
            assert late is not None
            assert not late.deactivated
