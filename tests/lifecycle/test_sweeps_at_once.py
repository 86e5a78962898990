"""Simultaneous sweeps: the admins are asked about each machine only once.

A start after a downtime sweeps twice: once because nothing is bought before the first sweep, and once because the
scheduled sweep is due. Each replica does so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from bot.errors import StoreBusy, TooLate
from bot.lifecycle.account.admin_questions import ask, new_question
from bot.lifecycle.account.sweep import first_sweep, sweep
from bot.lifecycle.account.unmanaged_machines import ask_together
from bot.lifecycle.actions import admin_questions as service
from bot.lifecycle.actions.action import carry_out
from bot.lifecycle.actions.queries import live_rentals
from bot.lifecycle.deps import Opened, StepDeps, transact
from bot.lifecycle.money.spend import unmanaged_machine_count
from bot.lifecycle.outside import Market, ResourceView
from bot.model.admin_question import AdminDecision, AdminQuestion, Purchase, Purchases
from bot.model.state import State
from bot.ops.health_report import figures_now
from store.db import Tx
from tests.databases import beside
from tests.lifecycle.adopting import add_machine
from tests.lifecycle.world import ANA, CLEO, MINUTE, World, world

UNKNOWN = "train-{}"
OF_A_LOST_HOUR = f"gpubot-k7mq{{}}-1-{ANA.id.lower()}"
"""The name of a machine that was bought after the backup."""
LETTERS = "abcdefghjk"
"""One letter for each start."""


def process(here: World, *, replica: bool = False) -> StepDeps:
    """Return the dependencies of a process that has just been started."""
    store = beside(here.database) if replica else here.database
    return replace(here.deps, store=store, opened=Opened(swept=False), sweeping=asyncio.Lock())


async def until_taken(work: Callable[[StepDeps], Awaitable[None]], deps: StepDeps) -> None:
    """Do this work, repeating it as long as the database doesn't accept the write.

    The bot repeats it a little later as well. On a busy machine, one replica may hold the lock for longer than the
    other waits.
    """
    while True:
        try:
            return await work(deps)
        except StoreBusy:
            continue


async def start(here: World, replicas: int) -> None:
    """Start this number of processes after a downtime in which the scheduled sweep became due."""
    here.jump(10 * MINUTE)
    processes = [process(here, replica=n > 0) for n in range(replicas)]
    await asyncio.gather(until_taken(sweep, processes[0]), *(until_taken(first_sweep, one) for one in processes))
    assert all(deps.opened.swept for deps in processes)
    await here.settle()


async def listed(here: World) -> tuple[int, int, int | None]:
    """Return the number of unmanaged machines in `/gpu list all`, in `/gpu spend` and in the metric."""
    everything = await live_rentals(here.deps, CLEO, everyone=True, most=10)
    async with here.deps.store.read() as tx:
        spend = await unmanaged_machine_count(tx)
    figures = await figures_now(here.deps.store, here.deps.rules, here.now)
    lines = sum(len(one.question.purchase.alive) for one in everything.unmanaged)
    return lines, spend, figures.unknown_machines if figures is not None else None


async def check_starts(url: str, replicas: int) -> None:
    """Start ten times, each time with a new unmanaged machine and a new one that was bought after the backup."""
    async with world(url) as here:
        for n, letter in enumerate(LETTERS, 1):
            await add_machine(here, UNKNOWN.format(letter))
            await add_machine(here, OF_A_LOST_HOUR.format(letter))
            await start(here, replicas)
            assert len(await here.questions(Purchase)) == n
            assert len(await here.questions(Purchases, bought_after_backup=True)) == n
            assert await listed(here) == (2 * n, 2 * n, 2 * n)
        (*_, last) = await here.questions(Purchases, bought_after_backup=True)
        await carry_out(here.deps, CLEO, service.ReadoptAll(last.question_id or ""))
        assert await listed(here) == (2 * n - 1,) * 3, "it is no longer unknown, without another sweep"
        await here.settle()


async def test_ten_starts_of_one_process_ask_once_per_machine(sqlite_url: str) -> None:
    await check_starts(sqlite_url, 1)


class ReadOnceAtATime:
    """A market that records how often the account is being read at the same time."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self.reading = self.most = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market, name)

    async def resources(self) -> tuple[ResourceView, ...]:
        self.reading += 1
        self.most = max(self.most, self.reading)
        try:
            return await self._market.resources()
        finally:
            self.reading -= 1


async def test_a_process_runs_one_sweep_at_a_time(here: World) -> None:
    market = ReadOnceAtATime(here.deps.market)
    here.restart(replace(here.deps, market=cast(Market, market)))
    await start(here, 1)
    assert market.most == 1


async def test_ten_starts_of_two_replicas_ask_once_per_machine(postgres_url: str) -> None:
    await check_starts(postgres_url, 2)


@pytest.mark.parametrize("name", ["train", "gpubot-k7mq2"])
async def test_two_replicas_ask_about_many_machines_in_one_message(postgres_url: str, name: str) -> None:
    """More than fifty machines are written in several transactions. Between these, the other replica may write."""
    async with world(postgres_url) as here:
        machines = [
            {"resource_id": f"{n:08d}-1111-4222-8333-444444444444", "status": "running", "name": f"{name}-{n}"}
            for n in range(1, 121)
        ]
        lie = await here.list_resources_as(machines)
        await start(here, 2)
        (together,) = await here.questions(Purchases)
        async with here.deps.store.read() as tx:
            parts = await tx.questions.parts(together.question_id or "")
        assert len(parts) == 120
        assert await listed(here) == (120, 120, 120)
        await here.release(lie)


async def test_a_machine_is_added_to_a_known_purchase_only_once(postgres_url: str) -> None:
    async with world(postgres_url) as here:
        ids = [f"0000000{n}-1111-4222-8333-444444444444" for n in range(2)]
        offer = [{"offer_id": "a"}]
        machines = [{"resource_id": one, "status": "running", "offer_history": offer} for one in ids]
        lie = await here.list_resources_as(machines[:1])
        await start(here, 1)
        await here.release(lie)
        lie = await here.list_resources_as(machines)
        await start(here, 2)
        assert await listed(here) == (2, 2, 2)
        await here.release(lie)


# --- questions that earlier versions asked twice


async def repeat(here: World, question: AdminQuestion) -> AdminQuestion:
    """Ask the admins about the machines of a question for a second time, like earlier versions did."""
    here.jump(MINUTE)
    again = new_question(here.deps, question.about)

    async def decision(tx: Tx) -> None:
        await ask(tx, here.deps, again, new=True)

    await transact(here.deps, decision)
    return await stored(here, again.id)


async def stored(here: World, question_id: str) -> AdminQuestion:
    async with here.deps.store.read() as tx:
        found = await tx.questions.get(question_id)
    assert found is not None
    return found


async def the_question(here: World, name: str) -> AdminQuestion:
    await add_machine(here, name)
    await here.sweep()
    async with here.deps.store.read() as tx:
        (question,) = await tx.questions.purchases()
    return question


@pytest.mark.parametrize("decided", [None, "first", "second"])
async def test_a_question_that_was_asked_twice_is_resolved_as_one(here: World, decided: str | None) -> None:
    first = await the_question(here, "train-a")
    second = await repeat(here, first)
    if decided is not None:
        one = first if decided == "first" else second
        await carry_out(here.deps, CLEO, service.NotOurs(one.id, one.version, reason="the web team's"))
    await here.sweep()
    stays, over = (second, first) if decided == "second" else (first, second)
    assert (await stored(here, stays.id)).over_at is None
    ended = await stored(here, over.id)
    assert (ended.over_at, ended.purchase.same_as) == (here.now, stays.id)
    assert await listed(here) == (1, 1, 1)
    await here.sweep()
    assert await stored(here, over.id) == ended
    with pytest.raises(TooLate, match="asked about this machine twice"):
        await service.preview(here.deps, CLEO, ended.id, ended.version)


async def test_a_message_about_many_machines_sent_twice_is_resolved_as_one(here: World) -> None:
    await here.ready()  # so that the store isn't empty
    for letter in LETTERS[:3]:
        await add_machine(here, OF_A_LOST_HOUR.format(letter))
    await here.sweep()
    async with here.deps.store.read() as tx:
        parts = await tx.questions.purchases()
    here.jump(MINUTE)

    async def again(tx: Tx) -> None:
        copies = [new_question(here.deps, one.about) for one in parts]
        await ask_together(tx, here.deps, copies, count=3, later=True)

    await transact(here.deps, again)
    first, second = [one.question_id or "" for one in await here.questions(Purchases, bought_after_backup=True)]
    await here.sweep()
    assert (await stored(here, second)).over_at == here.now
    assert await listed(here) == (3, 3, 3)
    await carry_out(here.deps, CLEO, service.ReadoptAll(first))
    assert await listed(here) == (0, 0, 0)
    await here.settle()


async def test_a_request_continues_even_if_the_admins_were_asked_twice(
    here: World,
) -> None:
    """The admin answers that the machine isn't ours, before the sweep finds the second question."""
    asked = await here.get(count=8)
    first = await the_question(here, f"gpubot-{asked.id}-1")
    await repeat(here, first)
    await carry_out(here.deps, CLEO, service.NotOurs(first.id, first.version, reason="not ours"))
    assert (await here.rental(asked.id)).bought_after_backup
    await here.sweep()
    request = await here.rental(asked.id)
    assert (request.bought_after_backup, request.state) == (False, State.AWAITING_APPROVAL)
    kept = await stored(here, first.id)
    assert kept.decided is not None
    assert kept.decided.decision is AdminDecision.NOT_OURS
