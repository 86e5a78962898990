"""Unmanaged machines: the admins are asked about each purchase, and decide once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from bot.errors import AlreadyDecided, Decision, Mistake, Refused, StoreBusy, TooLate
from bot.lifecycle.account.sweep import sweep
from bot.lifecycle.account.unmanaged_machines import note_unmanaged, unmanaged_machine
from bot.lifecycle.actions import admin_questions as service
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.deps import Opened
from bot.lifecycle.outside import Market, ResourceView
from bot.model.admin_question import AdminDecision, AdminQuestion, Purchase, Purchases
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.message import Message
from bot.model.state import State
from handlers.delivery import content
from store.db import Database, Tx
from tests.lifecycle.adopting import add_machine
from tests.lifecycle.checks import check, check_delivered
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, World, world

OTHER = "00000000-1111-4222-8333-444444444444"
V = AdminDecision


async def open_purchases(here: World) -> list[AdminQuestion]:
    async with here.deps.store.read() as tx:
        return await tx.questions.purchases()


async def the_purchase(here: World, name: str = "train-3") -> AdminQuestion:
    """Add an unmanaged machine, and return the question that the sweep asks about it."""
    await add_machine(here, name)
    await here.sweep()
    (purchase,) = await open_purchases(here)
    return purchase


async def stored(here: World, purchase: AdminQuestion) -> AdminQuestion:
    async with here.deps.store.read() as tx:
        found = await tx.questions.get(purchase.id)
    assert found is not None
    return found


async def cards(here: World, purchase: AdminQuestion) -> list[Message]:
    """Return the messages about a purchase, oldest first."""
    return [one for one in await here.questions(Purchase) if one.question_id == purchase.id]


async def give(here: World, purchase: AdminQuestion, **more: Any) -> Any:
    return await carry_out(
        here.deps,
        CLEO,
        service.GiveOwner(purchase.id, purchase.version, **{"owner": ANA, "span": 3 * HOUR, **more}),
    )


async def test_an_adopted_machine_is_watched_until_its_end(
    sqlite_url: str,
) -> None:
    """Each admin is asked about it once."""
    async with world(sqlite_url) as here:
        purchase = await the_purchase(here)
        await here.sweep()
        assert [message.to.value for message in await cards(here, purchase)] == [CLEO.id]
        assert await here.account_event_kinds() == [E.UNMANAGED_MACHINE]
        assert (purchase.purchase.runs, purchase.purchase.alive[0].name, purchase.purchase.alive[0].rate) == (
            True,
            "train-3",
            Decimal("2.10"),
        )
        rental = await give(here, purchase)
        await here.settle()
        after = await stored(here, purchase)
        assert (after.rental_id, after.over_at) == (rental.id, here.now)
        assert after.decided is not None
        assert (after.decided.decision, after.decided.by) == (V.GAVE_OWNER, CLEO.id)
        (card,) = await cards(here, purchase)
        assert card.shown_version == card.target_version
        await here.sweep()
        assert len(await here.questions(Purchase)) == 1
        await here.be_down(2 * HOUR)
        await here.until(rental, State.DESTROYED, within=2 * HOUR)
        assert sum(row.amount for row in await here.ledger(rental)) == await here.bill()
        await check(here)
        await check_delivered(here)


async def test_new_admins_are_asked_about_undecided_machines(here: World) -> None:
    open_one = await the_purchase(here)
    await add_machine(here, "web-1")
    await add_machine(here, "gpubot-abcd2-1")
    await here.sweep()
    other = next(one for one in await open_purchases(here) if one.purchase.alive[0].name == "web-1")
    await carry_out(here.deps, CLEO, service.NotOurs(other.id, other.version, reason="the web team's"))
    both = changed(here.deps.rules, admins=(CLEO.id, BEN.id))
    here.restart(replace(here.deps, rules=both, opened=Opened(swept=False)))
    for _ in range(2):
        await here.sweep()
        assert [message.to.value for message in await cards(here, open_one)] == [CLEO.id, BEN.id]
        assert [message.to.value for message in await cards(here, other)] == [CLEO.id]
        assert [one.to.value for one in await here.questions(Purchases, bought_after_backup=True)] == [
            CLEO.id,
            BEN.id,
        ]
    # People who are no longer admins can't read these messages.
    only_cleo = replace(here.deps, rules=changed(both, admins=(CLEO.id,)))
    for message in (*await cards(here, open_one), *await here.questions(Purchases, bought_after_backup=True)):
        assert (await content.content(only_cleo, message) is not None) is (message.to.value == CLEO.id)


async def test_a_destroyed_unmanaged_machine_is_charged_to_the_admin(here: World) -> None:
    purchase = await the_purchase(here)
    here.jump(2 * HOUR)
    with pytest.raises(Mistake, match="train-3"):
        await carry_out(here.deps, CLEO, service.DestroyUnmanaged(purchase.id, purchase.version, "train"))
    typed = service.DestroyUnmanaged(purchase.id, purchase.version, " train-3 ")
    rental = await carry_out(here.deps, CLEO, typed)
    assert (rental.state, rental.owner) == (State.DESTROYING, CLEO.id)
    await here.until(rental, State.DESTROYED)
    (row,) = await here.ledger(rental)
    assert (row.owner, row.amount) == (CLEO.id, await here.bill())
    assert await here.alive() == []
    assert await here.event_kinds(rental) == [E.ADOPTED, E.DESTROYING, E.ENDED]


async def test_a_machine_named_like_ours_is_destroyed_without_typing_its_name(here: World) -> None:
    await here.ready()  # so that the store isn't empty
    purchase = await the_purchase(here, "gpubot-bench")
    rental = await carry_out(here.deps, CLEO, service.DestroyUnmanaged(purchase.id, purchase.version, typed=""))
    await here.until(rental, State.DESTROYED)


async def test_machines_that_are_not_ours_are_never_asked_about_again(here: World) -> None:
    """These machines continue to run and to cost money."""
    purchase = await the_purchase(here)
    await carry_out(here.deps, CLEO, service.NotOurs(purchase.id, purchase.version, reason="the web team's"))
    for _ in range(3):
        await here.pass_time(24 * HOUR)
        await here.sweep()
    assert len(await here.questions(Purchase)) == 1
    (kept,) = await open_purchases(here)
    assert kept.decided is not None
    assert (kept.decided.decision, kept.decided.reason) == (V.NOT_OURS, "the web team's")
    assert await here.calls("delete_resource") == []


async def test_the_admins_are_asked_again_after_a_day_on_request(here: World) -> None:
    purchase = await the_purchase(here)
    await carry_out(here.deps, CLEO, service.AskAgain(purchase.id, purchase.version))
    await here.pass_time(23 * HOUR)
    await here.sweep()
    assert len(await cards(here, purchase)) == 1
    await here.pass_time(HOUR)
    await here.sweep()
    await here.sweep()
    assert len(await cards(here, purchase)) == 2
    assert (await stored(here, purchase)).ask_again_at is None


@pytest.mark.parametrize("how", ["deleted", "missing"])
async def test_a_machine_that_vanishes_needs_no_decision(here: World, how: str) -> None:
    purchase = await the_purchase(here)
    went_away_at = here.now
    await here.outside.control(f"resources/{purchase.purchase.alive[0].resource_id}/vanish", how=how)
    await here.sweep()
    if how == "missing":
        assert (await stored(here, purchase)).open, "a 404 counts when it is seen twice"
        await here.pass_time(5 * MINUTE)
        await here.sweep()
    after = await stored(here, purchase)
    assert (after.over_at, after.purchase.machines[0].terminated_at) == (here.now, went_away_at)
    with pytest.raises(TooLate, match="ended"):
        await give(here, after)
    assert await here.rentals() == []


async def test_one_wrong_answer_does_not_reopen_a_decided_question(here: World) -> None:
    purchase = await the_purchase(here)
    await carry_out(here.deps, CLEO, service.NotOurs(purchase.id, purchase.version, reason="the web team's"))
    lies = [await here.list_resources_as([]), await here.fault("get_resource", "status", status=404, times=None)]
    await here.sweep()
    for lie in lies:
        await here.release(lie)
    for _ in range(2):
        await here.pass_time(5 * MINUTE)
        await here.sweep()
    assert len(await here.questions(Purchase)) == 1
    (kept,) = await open_purchases(here)
    assert (kept.id, kept.purchase.alive[0].missing_since) == (purchase.id, None)


async def test_a_list_that_lacks_an_existing_machine_ends_nothing(here: World) -> None:
    purchase = await the_purchase(here)
    lie = await here.list_resources_as([])
    await here.sweep()
    await here.release(lie)
    assert await open_purchases(here) == [purchase]


class SlowMarket:
    """A market that answers only once it has been asked for `at_once` machines at the same time."""

    def __init__(self, market: Market, at_once: int) -> None:
        self._market = market
        self._all_asked = asyncio.Barrier(at_once)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market, name)

    async def resource(self, resource_id: str, *, fresh: bool = False) -> ResourceView | None:
        await self._all_asked.wait()
        return await self._market.resource(resource_id, fresh=fresh)


async def test_a_slow_vendor_is_queried_for_all_machines_at_once(here: World) -> None:
    ids = [await add_machine(here, f"train-{n}") for n in range(3)]
    await here.sweep()
    for one in ids:
        await here.outside.control(f"resources/{one}/vanish", how="missing")
    slow = replace(here.deps, market=cast(Market, SlowMarket(here.deps.market, 3)))
    await note_unmanaged(slow, [], {})
    assert {one.purchase.machines[0].missing_since for one in await open_purchases(here)} == {here.now}
    await here.settle()


async def test_there_is_one_question_per_purchase(here: World) -> None:
    ids = [OTHER[:-1] + str(n) for n in range(5)]
    lie = await here.list_resources_as(
        [
            listed(ids[0], "train", "a"),
            *(listed(ids[n], "train") for n in (1, 3)),
            listed(ids[2], "train", "b", "a"),
        ]
    )
    await here.sweep()
    found = [{machine.resource_id for machine in one.purchase.machines} for one in await open_purchases(here)]
    assert sorted(map(sorted, found)) == [[ids[0], ids[2]], [ids[1]], [ids[3]]]
    await here.release(lie)
    lie = await here.list_resources_as([listed(each, "train", "a") for each in (ids[0], ids[2], ids[4])])
    shown = await here.fault("get_resource", "garbage", times=None, body=json.dumps(listed(ids[1], "train")))
    await here.sweep()
    assert {ids[0], ids[2], ids[4]} in [
        {machine.resource_id for machine in one.purchase.machines} for one in await open_purchases(here)
    ]
    assert len(await here.questions(Purchase)) == 3
    for each in (lie, shown):
        await here.release(each)


async def test_only_admins_decide_and_the_first_decision_counts(sqlite_url: str) -> None:
    async with world(sqlite_url) as here:
        purchase = await the_purchase(here)
        for person in (ANA, BEN):
            with pytest.raises(Refused):
                await service.preview(here.deps, person, purchase.id, purchase.version)
            with pytest.raises(Refused):
                await carry_out(here.deps, person, service.NotOurs(purchase.id, purchase.version, reason="mine"))
        both = await asyncio.gather(give(here, purchase), give(here, purchase), return_exceptions=True)
        (lost,) = [result for result in both if isinstance(result, AlreadyDecided)]
        assert (lost.decision, lost.name, lost.own) == (Decision.GAVE_OWNER, "Cleo", True)
        assert len(await here.rentals()) == 1
        await here.settle()


async def test_a_decision_about_an_outdated_question_changes_nothing(here: World) -> None:
    purchase = await the_purchase(here)
    await carry_out(here.deps, CLEO, service.AskAgain(purchase.id, purchase.version))
    with pytest.raises(TooLate, match="changed just now"):
        await give(here, purchase)
    assert (await stored(here, purchase)).decided is None
    await here.settle()


def test_a_machine_whose_bill_starts_later_exists_since_it_was_seen() -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    view = ResourceView(resource_id=OTHER, status="running", valid_from=now + HOUR)
    assert unmanaged_machine(view, now).since == now


async def test_a_failed_machine_does_not_prevent_its_purchases_adoption(here: World) -> None:
    ids = [await add_machine(here), OTHER]
    bodies = [
        {"resource_id": one, "status": status, "offer_history": [{"offer_id": "a"}]}
        for one, status in zip(ids, ("running", "failed"), strict=True)
    ]
    lies = [await here.list_resources_as(bodies)]
    lies += [
        await here.fault("get_resource", "garbage", times=None, match=body["resource_id"], body=json.dumps(body))
        for body in bodies
    ]
    await here.sweep()
    (purchase,) = await open_purchases(here)
    rental = await give(here, purchase)
    await here.settle()
    assert {resource.resource_id for resource in await here.resources(rental)} == set(ids)
    for lie in lies:
        await here.release(lie)
    await here.be_down(2 * HOUR)
    await here.until(rental, State.DESTROYED, within=2 * HOUR)
    assert await here.alive() == []


async def test_the_cost_of_a_machine_without_a_price_is_estimated(here: World) -> None:
    body = {"resource_id": OTHER, "status": "running", "name": None}
    lie = await here.list_resources_as([body])
    shown = await here.fault("get_resource", "garbage", times=None, match=OTHER, body=json.dumps(body))
    await here.sweep()
    (purchase,) = await open_purchases(here)
    rental = await give(here, purchase)
    await here.pass_time(MINUTE)
    details = await here.rental(rental.id)
    assert (details.rate, details.request.gpu, details.vendor) == (Decimal(0), "unknown GPU", None)
    for each in (lie, shown):
        await here.release(each)
    await here.until(rental, State.LOST)
    (row,) = await here.ledger(rental)
    assert (row.amount, row.estimated) == (0, True)


def listed(resource_id: str, name: str, *offers: str) -> dict[str, Any]:
    """Return a resource in the form in which the account lists it."""
    history = [{"offer_id": offer} for offer in offers]
    return {"resource_id": resource_id, "status": "running", "name": name, "offer_history": history}


def many(count: int, name: str = "train", *offers: str) -> list[dict[str, Any]]:
    return [listed(f"{n:08d}-1111-4222-8333-{len(name):012d}", f"{name}-{n}", *offers) for n in range(count)]


async def test_more_than_ten_new_purchases_are_asked_about_in_one_message(
    here: World,
) -> None:
    """An admin can still have them asked one by one. Up to ten purchases are asked about separately."""
    lie = await here.list_resources_as(many(10))
    await here.sweep()
    assert len(await here.questions(Purchase)) == 10
    await here.release(lie)
    lie = await here.list_resources_as([*many(10), *many(11, "another")])
    await here.sweep()
    await here.sweep()
    assert len(await here.questions(Purchase)) == 10
    (together,) = await here.questions(Purchases, bought_after_backup=False)
    assert (together.to.value, (await here.account_event(E.UNMANAGED_MACHINE)).facts.count) == (CLEO.id, 11)
    first = together.question_id or ""
    with pytest.raises(Refused):
        await service.one_by_one(here.deps, BEN, first)
    await service.one_by_one(here.deps, CLEO, first)
    with pytest.raises(TooLate, match="message of its own"):
        await service.one_by_one(here.deps, CLEO, first)
    assert len(await here.questions(Purchase)) == 21
    await here.release(lie)
    await here.settle()


class CountingStore:
    """A store that records how many unmanaged machines each of its transactions writes."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self.written: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def write(self, **how: Any) -> AsyncIterator[Tx]:
        before = await self._machines()
        async with self._store.write(**how) as tx:
            yield tx
        after = await self._machines()
        self.written.append(sum(len(machines - before.get(one, set())) for one, machines in after.items()))

    async def _machines(self) -> dict[str, set[str]]:
        """Return the machine IDs of each purchase, by the ID and version of its question."""
        async with self._store.read() as tx:
            found = await tx.questions.purchases()
        return {f"{p.id} {p.version}": {machine.resource_id for machine in p.purchase.machines} for p in found}


async def test_a_long_list_is_stored_in_parts_without_splitting_purchases(here: World) -> None:
    """Each part has about fifty machines."""
    counting = CountingStore(here.deps.store)
    deps = replace(here.deps, store=cast(Database, counting))
    lie = await here.list_resources_as(
        [*many(40), *many(20, "cluster", "a"), *many(70, "huge", "b"), *many(15, "x")]
    )
    await sweep(deps)
    assert sorted(filter(None, counting.written)) == [15, 20, 40, 70]
    assert sorted(len(one.purchase.machines) for one in await open_purchases(here)) == [*[1] * 55, 20, 70]
    (together,) = await here.questions(Purchases, bought_after_backup=False)
    async with here.deps.store.read() as tx:
        asked = await tx.questions.parts(together.question_id or "")
    assert len(asked) == 57
    counting.written.clear()
    await service.one_by_one(deps, CLEO, together.question_id or "")
    assert max(counting.written) == 70
    assert sum(counting.written) == 145
    await here.release(lie)
    await here.settle()


async def test_an_interrupted_sweep_is_completed_by_the_next_one(here: World) -> None:
    failing = replace(here.deps, store=cast(Database, FailingStore(here.deps.store, after=1)))
    lie = await here.list_resources_as(many(60))
    with pytest.raises(StoreBusy):
        await sweep(failing)
    assert len(await open_purchases(here)) == 50
    await here.sweep()
    assert len(await open_purchases(here)) == 60
    assert len(await here.questions(Purchases, bought_after_backup=False)) == 1
    assert len(await here.questions(Purchase)) == 10
    await here.release(lie)
    await here.settle()


class FailingStore(CountingStore):
    """A store that accepts no writes after the first `after`."""

    def __init__(self, store: Database, after: int) -> None:
        super().__init__(store)
        self._left = after

    @asynccontextmanager
    async def write(self, **how: Any) -> AsyncIterator[Tx]:
        if self._left == 0:
            raise StoreBusy("It takes no writes.")
        self._left -= 1
        async with self._store.write(**how) as tx:
            yield tx
