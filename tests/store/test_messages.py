"""Messages say what is wanted and what is shown, each once, in their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.lifecycle.ports import Change, Held
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.message import Message, MessageKind, NextCall, to_channel
from bot.model.rental import Rental
from bot.model.state import State
from store.db import Database
from tests.store import make

FAR = datetime(2200, 1, 1, tzinfo=UTC)
CARD, THREAD, APPROVAL, DIRECT = MessageKind.CARD, MessageKind.THREAD, MessageKind.APPROVAL, MessageKind.DIRECT


async def due(database: Database, real_now: datetime = FAR, limit: int = 99) -> list[Message]:
    async with database.read() as tx:
        return await tx.messages.due(real_now, limit)


async def sendable(database: Database, **held: object) -> list[Message]:
    async with database.read() as tx:
        return await tx.messages.due(FAR, 99, Held.model_validate(held))


async def store_change(
    database: Database,
    before: Rental,
    *kinds: MessageKind,
    event: EventKind = EventKind.APPROVED,
    **fields: object,
) -> Rental:
    """The rental after a change with one event, told in messages of these kinds."""
    after = make.next_of(before, **fields)
    told = tuple((0, make.message(kind)) for kind in kinds)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=before, after=after, events=(make.event(event),), messages=told))
    return after


async def show(database: Database, message: Message, **fields: object) -> None:
    """Slack took it: it shows what is wanted."""
    shown = {"shown": message.wanted, "channel": make.HOME, "ts": f"{message.id}.0", "due_at": None, **fields}
    async with database.write() as tx:
        await tx.messages.save(changed(message, **shown))


async def card_of(database: Database) -> Message:
    async with database.read() as tx:
        card = await tx.messages.card("k7mq2")
    assert card is not None
    return card


async def test_every_open_surface_is_to_show_each_change(database: Database) -> None:
    rental = await store_change(database, await make.begun(database), APPROVAL, DIRECT, THREAD)
    for message in await due(database):
        await show(database, message, closed=message.kind is APPROVAL)
    assert await due(database) == []
    await store_change(database, rental, state=State.PROVISIONING)
    waiting = await due(database)
    assert {(m.kind, m.wanted, m.shown) for m in waiting} == {(CARD, 3, 2), (DIRECT, 3, 2)}


async def test_ten_quick_changes_are_one_edit(database: Database) -> None:
    rental = await make.begun(database)
    await show(database, await card_of(database))
    for _ in range(10):
        rental = await store_change(database, rental, event=EventKind.PROGRESS)
    assert [(m.kind, m.wanted) for m in await due(database)] == [(CARD, 11)]


async def test_nothing_is_queued_where_a_change_only_defers(database: Database) -> None:
    rental = await make.begun(database)
    await show(database, await card_of(database))
    async with database.write() as tx:
        await tx.rentals.defer(rental, None)
        await tx.rentals.nudge([rental.id], rental.created_at)
    assert await due(database) == []


async def test_a_change_while_an_edit_was_under_way_keeps_it_due(database: Database) -> None:
    rental = await make.begun(database)
    read = await card_of(database)
    await store_change(database, rental, state=State.PROVISIONING)
    await show(database, read, closed=True, digest="d1")
    now = await card_of(database)
    assert (now.wanted, now.shown, now.digest, now.closed) == (2, 1, "d1", False)
    assert now.due_at is not None
    await show(database, now, closed=True)
    assert (await card_of(database)).closed
    assert await due(database) == []


async def test_a_wait_that_slack_asked_for_holds_also_after_a_change(database: Database) -> None:
    rental = await make.begun(database)
    read = await card_of(database)
    await store_change(database, rental, state=State.PROVISIONING)
    async with database.write() as tx:
        await tx.messages.save(changed(read, due_at=FAR, tries=1))
    now = await card_of(database)
    assert (now.wanted, now.due_at, now.tries) == (2, FAR, 1)


async def test_posts_come_before_edits_and_transitions_before_progress(database: Database) -> None:
    names = ["moves", "works", "fresh"]
    rentals = {name: await make.begun(database, make.rental(name)) for name in names}
    for message in await due(database):
        if message.rental_id != "fresh":
            await show(database, message)
    await changed_named(database, rentals["works"], EventKind.PROGRESS)
    moved = await changed_named(database, rentals["moves"], EventKind.READY, state=State.READY)
    # A later change that is only progress leaves it a transition that waits to be shown.
    await changed_named(database, moved, EventKind.PROGRESS)
    assert [m.rental_id for m in await due(database)] == ["fresh", "moves", "works"]
    assert [m.rental_id for m in await due(database, limit=1)] == ["fresh"]
    for message in await due(database):
        await show(database, message)
    await changed_named(database, make.next_of(moved), EventKind.PROGRESS)
    assert [m.rental_id for m in await due(database)] == ["moves"]


async def changed_named(database: Database, before: Rental, kind: EventKind, **fields: object) -> Rental:
    after = make.next_of(before, **fields)
    told = make.event(kind, rental_id=before.id)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=before, after=after, events=(told,)))
    return after


async def test_what_is_due_later_is_not_due_now(database: Database) -> None:
    soon = datetime(2190, 1, 1, tzinfo=UTC)
    async with database.write() as tx:
        await tx.messages.add(make.message(MessageKind.REPLY, None, due_at=FAR))
        await tx.messages.add(make.message(MessageKind.REPLY, None, due_at=soon))
    assert [m.due_at for m in await due(database, soon)] == [soon]
    async with database.read() as tx:
        assert await tx.messages.next_due() == soon
        assert await tx.messages.next_due(soon) == FAR
        assert await tx.messages.next_due(FAR) is None
        assert await tx.messages.undelivered() == 2


async def test_one_event_is_said_once_to_one_place(database: Database) -> None:
    rental = await make.begun(database)
    said = (0, make.message(DIRECT, to=make.ANA))
    twice = (said, said, (0, make.message(DIRECT, to=make.BEN)), (None, make.message(CARD)))
    async with database.write() as tx:
        await tx.rentals.apply(
            Change(before=rental, after=make.next_of(rental), events=(make.event(),), messages=twice)
        )
    assert [(m.kind, m.to.value) for m in await due(database)] == [
        (CARD, make.HOME),
        (DIRECT, make.ANA),
        (DIRECT, make.BEN),
    ]
    async with database.read() as tx:
        assert [m.to.value for m in await tx.messages.direct_of("k7mq2")] == [make.ANA, make.BEN]


async def test_an_event_of_the_account_can_be_told(database: Database) -> None:
    async with database.write() as tx:
        event_id = await tx.events.add(make.event(EventKind.PAUSED, rental_id=None))
        for admin in (make.ANA, make.BEN, make.ANA):
            notice = make.message(MessageKind.NOTICE, None, to=admin, event_id=event_id)
            await tx.messages.add(notice)
    waiting = await due(database)
    assert [(m.to.value, m.event_id) for m in waiting] == [(make.ANA, event_id), (make.BEN, event_id)]
    async with database.read() as tx:
        assert await tx.messages.get(waiting[0].id) == waiting[0]
        assert await tx.messages.get(10_000) is None


async def test_a_thread_waits_for_its_card_and_keeps_its_order(database: Database) -> None:
    rental = await make.begun(database)
    rental = await store_change(database, rental, THREAD, DIRECT)
    await store_change(database, rental, THREAD)

    async def may_be_sent() -> list[MessageKind]:
        return [m.kind for m in await sendable(database)]

    assert await may_be_sent() == [CARD, DIRECT]
    await show(database, await card_of(database))
    assert await may_be_sent() == [THREAD, DIRECT]
    await show(database, (await due(database))[0])
    assert await may_be_sent() == [DIRECT, THREAD]


async def test_what_is_held_lets_by_what_is_behind_it(database: Database) -> None:
    rental = await store_change(database, await make.begun(database), DIRECT)
    await show(database, await card_of(database))
    await store_change(database, rental)
    async with database.write() as tx:
        await tx.messages.add(make.message(MessageKind.REPLY, None, to="https://hooks"))

    async def may_be_sent(**held: object) -> list[MessageKind]:
        return [m.kind for m in await sendable(database, **held)]

    assert await may_be_sent() == [DIRECT, MessageKind.REPLY, CARD]
    assert await may_be_sent(posts=True) == [MessageKind.REPLY, CARD]
    assert await may_be_sent(places={make.HOME}) == [MessageKind.REPLY, CARD]
    assert await may_be_sent(places={"C0OTHER"}) == [DIRECT, MessageKind.REPLY, CARD]
    assert await may_be_sent(edits=True) == [DIRECT, MessageKind.REPLY]
    assert await may_be_sent(answers=True) == [DIRECT, CARD]
    assert await may_be_sent(ids={(await card_of(database)).id}) == [DIRECT, MessageKind.REPLY]


async def test_each_message_is_held_by_the_call_that_it_needs_next(database: Database) -> None:
    """A private answer without a `response_url` is a post like any other."""
    async with database.write() as tx:
        await tx.messages.add(make.message(MessageKind.REPLY, None, to="https://hooks"))
        await tx.messages.add(make.message(MessageKind.REPLY, None, to=make.ANA))
        await tx.messages.add(make.message(MessageKind.REPLY, None, to=make.BEN, sending=True))
        await tx.messages.add(make.message(MessageKind.NOTICE, None, to=make.ANA, channel="D1", ts="1.0"))
    calls = {"answers": NextCall.ANSWER, "posts": NextCall.POST, "finds": NextCall.FIND, "edits": NextCall.EDIT}
    for held, call in calls.items():
        left = {m.next_call for m in await sendable(database, **{held: True})}
        assert left == set(NextCall) - {call}
    assert make.ANA not in {m.to.value for m in await sendable(database, edits=True, places={make.ANA})}


@pytest.mark.parametrize("kind", [CARD, THREAD])
async def test_what_was_given_up_is_waited_for_no_more(database: Database, kind: MessageKind) -> None:
    rental = await store_change(database, await make.begun(database), THREAD)
    await store_change(database, rental, THREAD)
    for message in (await due(database))[:2]:
        if message.kind is kind:
            async with database.write() as tx:
                await tx.messages.save(changed(message, closed=True, due_at=None))
        else:
            await show(database, message)
    assert (await due(database))[-1] in await sendable(database)


async def test_a_card_that_moves_is_posted_anew_with_what_was_not_said(database: Database) -> None:
    rental = await store_change(database, await make.begun(database), THREAD)
    for message in await due(database):
        await show(database, message, closed=message.kind is CARD)
    rental = await store_change(database, rental, THREAD, DIRECT)
    async with database.write() as tx:
        await tx.messages.redirect("k7mq2", to_channel("C0OTHER"))
    waiting = await due(database)
    assert [(m.kind, m.to.value, m.shown, m.ts) for m in waiting] == [
        (CARD, "C0OTHER", 0, None),
        (THREAD, "C0OTHER", 0, None),
        (DIRECT, make.HOME, 0, None),
    ]
    await store_change(database, rental, state=State.PROVISIONING)
    async with database.read() as tx:
        now = await tx.rentals.get("k7mq2")
    assert now is not None
    # A change that was read before the move doesn't undo it.
    assert (now.card_channel, now.state) == ("C0OTHER", State.PROVISIONING)


async def test_a_reply_keeps_its_body(database: Database) -> None:
    body = {"text": "Your key is set.", "blocks": [{"type": "section", "n": 1}], "replace_original": True}
    async with database.write() as tx:
        await tx.quotes.add(make.quote("q1"))
        await tx.messages.add(make.message(MessageKind.REPLY, None, to="https://hooks", body=body, quote_id="q1"))
    [reply] = await due(database)
    assert (reply.body, reply.quote_id) == (body, "q1")
    await show(database, reply, tries=2, sending=False, due_at=reply.created_at + timedelta(days=1))
    [again] = await due(database)
    assert (again.body, again.tries) == (body, 2)
