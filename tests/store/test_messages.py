"""The outbox stores what Slack should show and what it shows, and returns due messages in order of priority."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.message import Message, MessageKind, NextCall, to_channel
from bot.model.records import Change, Unsendable
from bot.model.rental import Rental
from bot.model.state import State
from store.db import Database
from tests.databases import START
from tests.outbox import stored_messages
from tests.store import make

MINUTE = timedelta(minutes=1)
FAR = datetime(2200, 1, 1, tzinfo=UTC)
CARD, THREAD, APPROVAL, DIRECT = MessageKind.CARD, MessageKind.THREAD, MessageKind.APPROVAL, MessageKind.DIRECT


async def due(database: Database, real_now: datetime = FAR, limit: int = 99) -> list[Message]:
    async with database.engines.reader.connect() as conn:
        await stored_messages(conn)
    async with database.read() as tx:
        return await tx.messages.due(real_now, limit)


async def sendable(database: Database, **unsendable: object) -> list[Message]:
    async with database.read() as tx:
        return await tx.messages.due(FAR, 99, Unsendable.model_validate(unsendable))


async def store_change(
    database: Database,
    before: Rental,
    *kinds: MessageKind,
    event: EventKind | None = EventKind.APPROVED,
    **fields: object,
) -> Rental:
    """Store a change of a rental, with one event and a message of each kind, and return the changed rental.

    Without an event, the change counts as progress and not as a transition.
    """
    after = make.next_of(before, **fields)
    events = () if event is None else (make.event(event, before.id),)
    messages = tuple((0, make.message(kind, before.id)) for kind in kinds)
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=before, after=after, events=events, messages=messages))
    return after


async def show(database: Database, message: Message, **fields: object) -> None:
    """Store that Slack shows the newest version of a message."""
    shown = {
        "shown_version": message.target_version,
        "channel": make.HOME,
        "ts": f"{message.id}.0",
        "due_at": None,
        **fields,
    }
    async with database.write() as tx:
        await tx.messages.save(changed(message, **shown))


async def card_of(database: Database) -> Message:
    async with database.read() as tx:
        card = await tx.messages.card("k7mq2")
    assert card is not None
    return card


async def test_a_change_of_a_rental_schedules_every_open_live_message(database: Database) -> None:
    rental = await store_change(database, await make.store_rental(database), APPROVAL, DIRECT, THREAD)
    for message in await due(database):
        await show(database, message, closed=message.kind is APPROVAL)
    assert await due(database) == []
    await store_change(database, rental, state=State.PROVISIONING)
    waiting = await due(database)
    assert {(m.kind, m.target_version > m.shown_version) for m in waiting} == {(CARD, True), (DIRECT, True)}


async def test_ten_quick_changes_need_one_edit(database: Database) -> None:
    rental = await make.store_rental(database)
    await show(database, shown := await card_of(database))
    for _ in range(10):
        rental = await store_change(database, rental)
    (waiting,) = await due(database)
    assert waiting.kind is CARD
    assert waiting.target_version >= shown.target_version + 10


async def test_nothing_is_due_after_a_rental_was_only_deferred(database: Database) -> None:
    rental = await make.store_rental(database)
    await show(database, await card_of(database))
    async with database.write() as tx:
        await tx.rentals.defer_all([(rental, None)])
        await tx.rentals.make_due([rental.id], rental.created_at)
    assert await due(database) == []


async def test_a_message_stays_due_if_its_rental_changed_during_the_edit(database: Database) -> None:
    rental = await make.store_rental(database)
    read = await card_of(database)
    await store_change(database, rental, state=State.PROVISIONING)
    await show(database, read, closed=True, digest="d1")
    now = await card_of(database)
    assert now.target_version > now.shown_version == read.target_version
    assert (now.digest, now.closed) == ("d1", False)
    assert now.due_at is not None
    await show(database, now, closed=True)
    assert (await card_of(database)).closed
    assert await due(database) == []


async def test_a_delay_requested_by_slack_still_applies_after_a_change(database: Database) -> None:
    rental = await make.store_rental(database)
    read = await card_of(database)
    await store_change(database, rental, state=State.PROVISIONING)
    async with database.write() as tx:
        await tx.messages.save(changed(read, due_at=FAR, tries=1))
    now = await card_of(database)
    assert now.target_version > read.target_version
    assert (now.due_at, now.tries) == (FAR, 1)


async def test_posts_are_due_before_edits_and_transitions_before_progress(database: Database) -> None:
    names = ["moves", "works", "fresh"]
    rentals = {
        name: await make.store_rental(database, make.rental(name, state=State.PROVISIONING)) for name in names
    }
    for message in await due(database):
        if message.rental_id != "fresh":
            await show(database, message)
    await store_change(database, rentals["works"], event=None)
    moved = await store_change(
        database, rentals["moves"], event=EventKind.READY, state=State.READY, lease=make.lease()
    )
    # Progress that happens before the transition was shown doesn't lower its priority.
    progressed = await store_change(database, moved, event=None)
    assert [m.rental_id for m in await due(database)] == ["fresh", "moves", "works"]
    assert [m.rental_id for m in await due(database, limit=1)] == ["fresh"]
    for message in await due(database):
        await show(database, message)
    await store_change(database, progressed, event=None)
    assert [m.rental_id for m in await due(database)] == ["moves"]


async def test_cards_that_a_purchase_waits_for_are_compared_before_other_edits(
    database: Database,
) -> None:
    states = {"ready": State.READY, "waits": State.QUEUED, "buys": State.PROCURING, "starts": State.PROVISIONING}
    for rental_id, state in states.items():
        lease = make.lease() if state is State.READY else None
        await make.store_rental(database, make.rental(rental_id, state=state, lease=lease))
    for message in await due(database):
        await show(database, message)
    async with database.write() as tx:
        await tx.messages.show_all_again()
    found = await due(database)
    assert [message.rental_id for message in found] == ["waits", "buys", "starts", "ready"]
    assert [message.next_call for message in found] == [*[NextCall.FIND] * 3, NextCall.EDIT]


async def test_a_message_that_is_due_later_counts_as_undelivered(database: Database) -> None:
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


async def show_until_refresh(database: Database, message: Message, refresh_at: datetime) -> None:
    """Store that Slack shows the newest version of a message, and when to refresh it."""
    await show(database, message, refresh_at=refresh_at)


async def to_refresh(database: Database, now: datetime, **more: Any) -> list[str | None]:
    async with database.read() as tx:
        return [m.rental_id for m in await tx.messages.to_refresh(now, **{"limit": 9, **more})]


async def test_a_card_waiting_for_its_refresh_is_neither_due_nor_undelivered(database: Database) -> None:
    await make.store_rental(database)
    await show_until_refresh(database, await card_of(database), START)
    assert await due(database) == []
    async with database.read() as tx:
        assert await tx.messages.next_due() is None
        assert await tx.messages.undelivered() == 0
        assert await tx.messages.next_refresh() == START
    assert await to_refresh(database, START - MINUTE) == []
    assert await to_refresh(database, START) == ["k7mq2"]


async def test_the_refresh_that_waits_longest_comes_first(database: Database) -> None:
    for minutes, name in enumerate(["late", "later", "first"]):
        await make.store_rental(database, make.rental(name))
        card = (await due(database))[0]
        await show_until_refresh(database, card, START + (minutes + 1) % 3 * MINUTE)
    now = START + 2 * MINUTE
    assert await to_refresh(database, now) == ["first", "late", "later"]
    assert await to_refresh(database, now, limit=1) == ["first"]
    async with database.read() as tx:
        first = (await tx.messages.to_refresh(now, 1))[0].id
    assert await to_refresh(database, now, without=[first]) == ["late", "later"]


async def test_a_card_whose_rental_changed_is_edited_and_not_refreshed(database: Database) -> None:
    rental = await make.store_rental(database)
    await show_until_refresh(database, await card_of(database), START)
    await store_change(database, rental, state=State.PROVISIONING)
    assert [m.kind for m in await due(database)] == [CARD]
    assert await to_refresh(database, START) == []
    async with database.read() as tx:
        assert await tx.messages.next_refresh() is None


async def test_a_card_whose_rental_changed_during_its_refresh_is_due(database: Database) -> None:
    rental = await make.store_rental(database)
    await show_until_refresh(database, await card_of(database), START)
    read = await card_of(database)
    await store_change(database, rental, state=State.PROVISIONING)
    await show_until_refresh(database, read, START + MINUTE)
    (waiting,) = await due(database)
    assert waiting.target_version > waiting.shown_version == read.target_version


async def test_an_event_is_queued_once_for_each_destination_and_kind(database: Database) -> None:
    rental = await make.store_rental(database)
    to_ana = (0, make.message(DIRECT, to=make.ANA))
    messages = (to_ana, to_ana, (0, make.message(DIRECT, to=make.BEN)), (None, make.message(CARD)))
    async with database.write() as tx:
        await tx.rentals.apply(
            Change(before=rental, after=make.next_of(rental), events=(make.event(),), messages=messages)
        )
    assert [(m.kind, m.to.value) for m in await due(database)] == [
        (CARD, make.HOME),
        (DIRECT, make.ANA),
        (DIRECT, make.BEN),
    ]
    async with database.read() as tx:
        assert [m.to.value for m in await tx.messages.direct_of("k7mq2")] == [make.ANA, make.BEN]


async def test_an_event_of_the_account_makes_one_notice_for_each_admin(database: Database) -> None:
    async with database.write() as tx:
        event_id = await tx.events.add(make.event(EventKind.PAUSED, rental_id=None))
        for admin in (make.ANA, make.BEN, make.ANA):
            notice = make.message(MessageKind.ALERT, None, to=admin, event_id=event_id)
            await tx.messages.add(notice)
    waiting = await due(database)
    assert [(m.to.value, m.event_id) for m in waiting] == [(make.ANA, event_id), (make.BEN, event_id)]
    async with database.read() as tx:
        assert await tx.messages.get(waiting[0].id) == waiting[0]
        assert await tx.messages.get(10_000) is None


async def sendable_ids(database: Database, **unsendable: object) -> set[int]:
    return {message.id for message in await sendable(database, **unsendable)}


async def test_posts_about_a_rental_stay_in_order_after_its_card(
    database: Database,
) -> None:
    rental = await make.store_rental(database)
    for to in (make.ANA, make.HOME, make.ANA, make.HOME):
        async with database.write() as tx:
            event = await tx.events.add(make.event(EventKind.APPROVED, rental.id))
            kind = THREAD if to == make.HOME else DIRECT
            await tx.messages.add(make.message(kind, rental.id, to=to, event_id=event))
    card, direct, thread, later_direct, later_thread = await due(database)
    assert await sendable_ids(database) == {card.id, direct.id}
    await show(database, card)
    assert await sendable_ids(database) == {direct.id, thread.id}
    # If it is unknown for a minute whether a post was made, later ones no longer wait for it.
    passed = {"passed": {direct.id, thread.id}}
    assert await sendable_ids(database, **passed) == {m.id for m in (direct, thread, later_direct, later_thread)}
    async with database.write() as tx:
        await tx.messages.save(changed(later_direct, sending=True))
    # A message that may already be in Slack can be read back at any time.
    assert await sendable_ids(database) == {direct.id, thread.id, later_direct.id}
    await show(database, thread)
    await show(database, direct, closed=True, ts=None)
    assert await sendable_ids(database) == {later_direct.id, later_thread.id}


async def test_alerts_about_a_pause_stay_in_order_and_delay_no_others(database: Database) -> None:
    kinds = (EventKind.PAUSED, EventKind.UNAUTHORIZED, EventKind.RESUMED, EventKind.AUTHORIZED_AGAIN)
    async with database.write() as tx:
        for kind in kinds:
            event_id = await tx.events.add(make.event(kind, rental_id=None))
            for reader in (make.ANA, make.BEN):
                await tx.messages.add(make.message(MessageKind.ALERT, None, to=reader, event_id=event_id))
    paused, _, refused, _, resumed, _, accepted, _ = await due(database)
    to_ana = {m.id for m in await sendable(database) if m.to == paused.to}
    assert to_ana == {paused.id, refused.id, accepted.id}
    await show(database, paused)
    assert resumed.id in await sendable_ids(database)
    async with database.read() as tx:
        pause, end = [await tx.events.get(m.event_id or 0) for m in (paused, resumed)]
        assert pause is not None
        assert end is not None
        assert await tx.events.other_end_of_pause(pause) == end
        assert await tx.events.other_end_of_pause(end) == pause
        assert (await tx.messages.alert_of(pause.id, paused.to) or paused).channel == make.HOME
        assert await tx.messages.alert_of(pause.id, to_channel(make.HOME)) is None


async def test_ending_the_back_off_schedules_only_messages_that_await_a_retry(database: Database) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    async with database.write() as tx:
        for tries in (0, 3):
            await tx.messages.add(make.message(MessageKind.REPLY, None, due_at=later, tries=tries))
        await tx.messages.end_back_off()
    asked_for, retried = sorted(await due(database), key=lambda message: message.id)
    assert asked_for.due_at == later
    assert retried.due_at is not None
    assert retried.due_at < later


async def test_a_message_behind_an_unsendable_one_is_found(database: Database) -> None:
    rental = await store_change(database, await make.store_rental(database), DIRECT)
    await show(database, await card_of(database))
    await store_change(database, rental)
    async with database.write() as tx:
        await tx.messages.add(make.message(MessageKind.REPLY, None, to="https://hooks"))

    async def may_be_sent(**unsendable: object) -> list[MessageKind]:
        return [m.kind for m in await sendable(database, **unsendable)]

    assert await may_be_sent() == [DIRECT, MessageKind.REPLY, CARD]
    assert await may_be_sent(calls={NextCall.POST}) == [MessageKind.REPLY, CARD]
    assert await may_be_sent(channels={make.HOME}) == [MessageKind.REPLY, CARD]
    assert await may_be_sent(channels={"C0OTHER"}) == [DIRECT, MessageKind.REPLY, CARD]
    assert await may_be_sent(calls={NextCall.EDIT}) == [DIRECT, MessageKind.REPLY]
    assert await may_be_sent(calls={NextCall.ANSWER}) == [DIRECT, CARD]
    assert await may_be_sent(ids={(await card_of(database)).id}) == [DIRECT, MessageKind.REPLY]


async def test_a_message_is_unsendable_if_its_next_call_is(database: Database) -> None:
    # A private answer to someone without a `response_url` is a post like any other.
    async with database.write() as tx:
        await tx.messages.add(make.message(MessageKind.REPLY, None, to="https://hooks"))
        await tx.messages.add(make.message(MessageKind.REPLY, None, to=f"C1/{make.ANA}/1.0"))
        await tx.messages.add(make.message(MessageKind.REPLY, None, to=make.ANA))
        await tx.messages.add(make.message(MessageKind.REPLY, None, to=make.BEN, sending=True))
        await tx.messages.add(make.message(MessageKind.ALERT, None, to=make.ANA, channel="D1", ts="1.0"))
        await tx.messages.open_home("U0CARL", "")
    for call in NextCall:
        assert {m.next_call for m in await sendable(database, calls={call})} == set(NextCall) - {call}
    assert make.ANA not in {
        m.to.value for m in await sendable(database, calls={NextCall.EDIT}, channels={make.ANA})
    }


@pytest.mark.parametrize("kind", [CARD, THREAD])
async def test_a_thread_does_not_wait_for_a_message_that_was_given_up(
    database: Database, kind: MessageKind
) -> None:
    rental = await store_change(database, await make.store_rental(database), THREAD)
    await store_change(database, rental, THREAD)
    for message in (await due(database))[:2]:
        if message.kind is kind:
            async with database.write() as tx:
                await tx.messages.save(changed(message, closed=True, due_at=None))
        else:
            await show(database, message)
    assert (await due(database))[-1] in await sendable(database)


async def test_a_redirected_card_is_posted_again_with_its_unsent_replies(
    database: Database,
) -> None:
    rental = await store_change(database, await make.store_rental(database), THREAD)
    for message in await due(database):
        await show(database, message, closed=message.kind is CARD, refresh_at=START)
    rental = await store_change(database, rental, THREAD, DIRECT)
    async with database.write() as tx:
        await tx.messages.redirect("k7mq2", to_channel("C0OTHER"))
    waiting = await due(database)
    assert [(m.kind, m.to.value, m.shown_version, m.next_call, m.refresh_at) for m in waiting] == [
        (CARD, "C0OTHER", 0, NextCall.POST, None),
        (THREAD, "C0OTHER", 0, NextCall.POST, None),
        (DIRECT, make.HOME, 0, NextCall.POST, None),
    ]
    await store_change(database, rental, state=State.PROVISIONING)
    async with database.read() as tx:
        now = await tx.rentals.get("k7mq2")
    assert now is not None
    # A change that was computed before the redirection doesn't undo the redirection.
    assert (now.card_channel, now.state) == ("C0OTHER", State.PROVISIONING)


async def test_home_tabs_come_last_except_after_an_opening_or_a_turned_page(database: Database) -> None:
    home = MessageKind.HOME
    async with database.write() as tx:
        for person in (make.ANA, make.BEN):
            await tx.messages.open_home(person, "shown before")
            await tx.messages.open_home(person, "shown")
    ana, ben = await due(database)
    assert [(m.kind, m.to.value, m.digest) for m in (ana, ben)] == [
        (home, make.ANA, "shown"),
        (home, make.BEN, "shown"),
    ]
    await show(database, ana, digest="shown")
    await show(database, ben, digest="shown")
    async with database.write() as tx:
        await tx.messages.show_homes()
        await tx.messages.add(make.message(MessageKind.ALERT, None, channel="D1", ts="1.0", shown_version=1))
    assert [m.kind for m in await due(database)] == [MessageKind.ALERT, home, home]
    async with database.write() as tx:
        await tx.messages.turn_home(make.BEN, 2)
    turned, _, last = await sendable(database)
    assert (turned.to.value, turned.body, last.to.value) == (make.BEN, {"page": 2}, make.ANA)
    # A tab whose content changed waits until ten seconds after its last update. A tab whose page was turned
    # doesn't.
    assert [m.to.value for m in await sendable(database, homes={make.ANA, make.BEN}) if m.kind is home] == [
        make.BEN
    ]
    async with database.write() as tx:
        await tx.messages.save(changed(turned, due_at=None, shown_version=turned.target_version, closed=True))
        await tx.messages.open_home(make.BEN, "")
    (opened, *_) = await sendable(database)
    assert (opened.to.value, opened.body, opened.closed) == (make.BEN, {"page": 0}, False)


async def test_a_reply_is_stored_with_its_content(database: Database) -> None:
    body = {"text": "Your key is set.", "blocks": [{"type": "section", "n": 1}], "replace_original": True}
    async with database.write() as tx:
        await tx.quotes.add(make.quote("q1"))
        await tx.messages.add(make.message(MessageKind.REPLY, None, to="https://hooks", body=body, quote_id="q1"))
    [reply] = await due(database)
    assert (reply.body, reply.quote_id) == (body, "q1")
    await show(database, reply, tries=2, sending=False, due_at=reply.created_at + timedelta(days=1))
    [again] = await due(database)
    assert (again.body, again.tries) == (body, 2)
