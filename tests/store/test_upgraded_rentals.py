"""Rentals from an earlier release continue after the upgrade, whatever their state is.

These stories run on SQLite only. test_upgrades.py reads and writes the rows on both kinds of database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from bot.errors import BuyingBlocked, TooLate
from bot.lifecycle.actions import account, admin_questions, replacing
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.loops.selfcheck import check_balances
from bot.lifecycle.money.budgets import count_again
from bot.model.admin_question import AdminQuestion
from bot.model.attempt import Attempt
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.machine_use import UsageStatus
from bot.model.message import Message, MessageKind
from bot.model.state import State
from bot.policy.use.leases import OVERDUE_GRACES, overdue_grace
from bot.probe.key import stored_probe_key
from handlers.delivery.content import content
from handlers.phrases.blocks import Rendered
from store.db import migrate
from store.tables import attempts, quotes, resources
from tests.lifecycle.adopting import add_machine
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, PROBE, SECOND, World, world
from tests.rentals import alarm, waiting
from tests.slack_limits import problems_of_message
from tests.store.make import REPLY_TO
from tests.store.make_dump import TEAM
from tests.store.released import Stored
from tests.store.schemas import at, contents, engine

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])


@asynccontextmanager
async def upgraded(released_url: str, stored: Stored, *, probe_line: str = "") -> AsyncIterator[World]:
    """Create a world with the upgraded database, at the time of the dump.

    The market has the machines of the dump. New machines are probed if there is a `probe_line`.
    """
    await migrate(released_url)
    async with world(released_url, rules=TEAM, probe_line=probe_line) as here:
        starting: list[Attempt] = []
        earlier: list[Attempt] = []
        for rental in await here.rentals():
            starts = rental.state in {State.PROCURING, State.PROVISIONING}
            (starting if starts else earlier).extend(a for a in await here.attempts(rental) if not a.closed)
        here.jump(stored.rented - here.now)
        await _buy_again(here, released_url, earlier)
        here.jump(stored.dumped - MINUTE - here.now)
        await _buy_again(here, released_url, starting)
        here.jump(stored.dumped - here.now)
        await first_start(here)
        yield here


async def first_start(here: World) -> None:
    """Calculate the reservations and charges of the rentals, as the first start of this version does.

    The daily check of balances, which also runs at the start, may come first. It then finds no bug.
    """
    wrong: list[int] = []
    await check_balances(here.deps, on_wrong=wrong.append)
    assert wrong == []
    async with here.deps.store.write() as tx:
        await count_again(tx, here.deps.rules, here.now)


async def _buy_again(here: World, url: str, bought: Collection[Attempt]) -> None:
    """Buy the machines of these attempts in this world's market, and store their new IDs."""
    database = engine(url)
    async with database.begin() as conn:
        # The new market doesn't sell the offers that were found in the old one.
        await conn.execute(update(quotes).values(offers=()))
    for attempt in bought:
        of_attempt = (attempts.c.rental_id == attempt.rental_id, attempts.c.n == attempt.n)
        new: dict[str, Any] = {}
        if attempt.offer is None:
            resource_id = await add_machine(here)
        else:
            offer = await here.outside.offer(attempt.vendor)
            new = {"offer": changed(attempt.offer, offer_id=offer["offer_id"]), "offer_id": offer["offer_id"]}
            await here.outside.post_procure(offer["offer_id"], attempt.resource_name or "")
            (machine,) = await here.outside.resources(offer["offer_id"])
            resource_id = machine["resource_id"]
        async with database.begin() as conn:
            if new:
                await conn.execute(update(attempts).where(*of_attempt).values(**new))
            await conn.execute(
                update(resources)
                .where(resources.c.rental_id == attempt.rental_id, resources.c.attempt == attempt.n)
                .values(resource_id=resource_id)
            )
    await database.dispose()


async def count(here: World, rental_id: str, kind: EventKind) -> int:
    return (await here.event_kinds(rental_id)).count(kind)


async def jump_to(here: World, moment: datetime) -> None:
    await here.be_down(moment - here.now)


async def test_requests_and_deletions_of_an_earlier_release_continue(released_url: str, stored: Stored) -> None:
    """Purchases do too."""
    async with upgraded(released_url, stored) as here:
        over = [rental for rental in await here.rentals() if rental.state.over]
        assert (await here.rental(stored.blocked)).blocked is not None
        assert alarm(await here.rental(stored.alarmed)).acknowledged_by == CLEO.id
        await carry_out(here.deps, CLEO, account.Resume())
        await here.deny(await here.rental(stored.changed))
        await here.approve(await here.rental(stored.for_approver), BEN)
        await here.approve(await here.rental(stored.for_owner), ANA)
        for rental_id in (
            stored.for_approver,
            stored.for_owner,
            stored.blocked,
            stored.unanswered,
            stored.starting,
        ):
            await here.until(rental_id, State.READY)
        assert len(await here.attempts(await here.rental(stored.unanswered))) == 1
        await here.until(stored.cancelled, State.CANCELLED)
        await here.until(stored.alarmed, State.DESTROYED)
        assert (await here.rental(stored.changed)).state is State.DENIED
        await jump_to(here, waiting(await here.rental(stored.after_failures)).expires_at)
        assert (await here.rental(stored.after_failures)).state is State.EXPIRED
        assert [await here.rental(rental.id) for rental in over] == over
        await here.be_down(48 * HOUR)
        await here.pass_time(HOUR)
        assert [rental for rental in await here.rentals() if not rental.state.over] == []
        assert await here.alive() == []


async def test_leases_of_an_earlier_release_are_extended_and_ended(released_url: str, stored: Stored) -> None:
    async with upgraded(released_url, stored) as here:
        promised = (await here.rental(stored.kept)).running_lease.question
        assert promised.promised
        assert promised.quiet_until is not None
        await jump_to(here, promised.quiet_until - SECOND)
        # After a sign of life, only the question whose time the owner already knows is still asked.
        longer = (await here.rental(stored.extension_waits)).extension
        extended = await here.approve(await here.rental(stored.extension_waits), BEN)
        async with here.deps.store.write() as tx:
            await tx.people.note_seen(ANA.id, here.now)
        asked = {
            rental_id: await count(here, rental_id, EventKind.STILL_NEEDED)
            for rental_id in (stored.kept, stored.in_use)
        }
        await here.pass_time(10 * MINUTE)
        assert await count(here, stored.kept, EventKind.STILL_NEEDED) == asked[stored.kept] + 1
        assert await count(here, stored.in_use, EventKind.STILL_NEEDED) == asked[stored.in_use]
        assert extended.extension is None
        assert longer is not None
        assert extended.running_lease.ends_at == longer.ends_at

        await here.destroy(await here.rental(stored.in_use))
        ends_at = (await here.rental(stored.extended)).running_lease.ends_at
        await jump_to(here, ends_at - 30 * MINUTE)
        assert await count(here, stored.extended, EventKind.ENDING) == 1
        await jump_to(here, ends_at - SECOND)
        await here.until(stored.extended, State.DESTROYED)
        states = {
            rental_id: (await here.rental(rental_id)).state
            for rental_id in (stored.in_use, stored.kept, stored.extension_waits)
        }
        assert states == {
            stored.in_use: State.DESTROYED,
            stored.kept: State.DESTROYED,
            stored.extension_waits: State.READY,
        }


async def check_rendered(here: World, message: Message) -> None:
    """Check that Slack accepts the current content of a message, if there is any."""
    # The first post of an approval mentions the approvers. In an edit, an unintended mention couldn't be told from
    # an intended one.
    shown = await content(here.deps, changed(message, shown_version=message.target_version))
    if isinstance(shown, Rendered) and message.kind is not MessageKind.HOME:
        assert problems_of_message(shown.text, shown.blocks) == []


async def test_messages_of_an_earlier_release_are_edited_or_sent(released_url: str, stored: Stored) -> None:
    async with upgraded(released_url, stored) as here:
        async with here.deps.store.read() as tx:
            queued = await tx.messages.due(here.now, 1000)
            found = [await tx.messages.get(message_id) for message_id in range(1, max(m.id for m in queued) + 1)]
        assert {message.kind for message in queued} >= {MessageKind.CARD, MessageKind.THREAD, MessageKind.QUOTE}
        for message in found:
            assert message is not None
            await check_rendered(here, message)
        await here.settle()
        async with here.deps.store.read() as tx:
            assert await tx.messages.due(here.now, 1000) == []


async def test_overdue_machines_of_an_earlier_release_are_deleted(released_url: str) -> None:
    database = engine(released_url)
    before = await at(database, contents)
    await database.dispose()
    await migrate(released_url)
    async with world(released_url) as here:
        await first_start(here)
        here.jump(3 * 24 * HOUR)  # past the end of each lease
        await here.overdue.delete_overdue()
        here.jump(OVERDUE_GRACES * overdue_grace(here.deps.rules))
        await here.overdue.delete_overdue()
        deleted = {call["path"].rpartition("/")[2] for call in await here.calls("delete_resource")}
    assert deleted == {row["resource_id"] for row in before["resources"] if row["gone_at"] is None}


async def still_unknown(here: World, question_id: str) -> AdminQuestion:
    """Add an unmanaged machine to this world's account again. Returns its purchase."""
    async with here.deps.store.read() as tx:
        before = await tx.questions.get(question_id)
    assert before is not None
    (machine,) = before.purchase.machines
    machine = changed(machine, resource_id=await add_machine(here, machine.name or ""))
    after = changed(before, about=changed(before.purchase, machines=(machine,)))
    async with here.deps.store.write() as tx:
        await tx.questions.save(before, after)
    return changed(after, version=before.version + 1)


async def test_idle_questions_and_replacements_of_an_earlier_release_continue(
    released_url: str, stored: Stored
) -> None:
    new = stored
    async with upgraded(released_url, stored, probe_line=PROBE) as here:
        assert (await stored_probe_key(here.deps)).public_line == new.probe_key
        async with here.deps.store.read() as tx:
            queued = await tx.messages.due(here.now, 1000)
        kinds = {MessageKind.QUESTION, MessageKind.APPROVAL, MessageKind.DIRECT}
        assert {message.kind for message in queued} >= kinds
        for message in queued:
            await check_rendered(here, message)

        # Nothing is bought until an admin allows it, and never for a request that already has a running machine.
        with pytest.raises(BuyingBlocked):
            await carry_out(here.deps, ANA, replacing.Replace(new.lost, reply_to=REPLY_TO))
        await carry_out(here.deps, CLEO, account.Resume())
        with pytest.raises(TooLate, match="already has a machine"):
            await here.approve(await here.rental(new.bought_later))
        with pytest.raises(TooLate, match=f"{new.replacement} already replaces"):
            await carry_out(here.deps, ANA, replacing.Replace(new.replaced, reply_to=REPLY_TO))
        await carry_out(here.deps, ANA, replacing.Replace(new.lost, reply_to=REPLY_TO))
        purchase = await still_unknown(here, new.open_purchase)
        adopted = await carry_out(
            here.deps, CLEO, admin_questions.GiveOwner(purchase.id, purchase.version, owner=BEN, span=3 * HOUR)
        )
        await here.sweep()

        used = ((new.two_ends, 98, "p1"), (new.connected, 0, "p2"), (new.unseen, 60, "p3"))
        for rental_id, percent, peer in used:
            here.machines[await here.rental(rental_id)].use(percent, peers=[peer])
        end = (await here.rental(new.two_ends)).running_lease.ends_at
        await here.pass_time(end + MINUTE - here.now)
        await here.sweep()
        assert (await here.rental(new.two_ends)).running_lease.ends_at == end + HOUR
        assert await count(here, new.two_ends, EventKind.END_MOVED) == 2
        first, second = [e.at for e in await here.events(new.asked) if e.kind is EventKind.STILL_NEEDED]
        assert timedelta(0) <= second - first - 2 * HOUR < 2 * MINUTE
        assert await count(here, new.escalated, EventKind.NOBODY_ANSWERS) == 1
        uses = [(await here.rental(rental_id)).use for rental_id, _, _ in used]
        assert [use and use.status for use in uses] == [
            UsageStatus.IN_USE,
            UsageStatus.CONNECTED,
            UsageStatus.IN_USE,
        ]
        instead = await here.rental((await here.rental(new.lost)).replaced_by or "")
        assert instead.replaces == new.lost
        ids = (instead.id, adopted.id, new.adopted, new.bought_later)
        states = [(await here.rental(rental_id)).state for rental_id in ids]
        assert states == [State.READY, State.READY, State.READY, State.CANCELLED]
