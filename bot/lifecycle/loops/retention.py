"""Removes what nobody works with any more, as the policy's `retention` says. Rentals, events and ledger stay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from bot.lifecycle.deps import Deps, StepDeps
from bot.model.message import RESPONSE_URL_LIFE
from bot.policy.use.probe_times import KEEP_SAMPLES
from store.db import Tx

AT_ONCE = 500
"""How many rows one transaction removes. A larger one would keep other writes waiting."""
ASK_AGAIN = timedelta(days=7)
"""For how long people count as members without a new answer of Slack. The event of somebody who leaves may be
missed."""
LOOK_UP_AT_ONCE = 20
"""How many people one run looks up: Slack allows about 100 look-ups a minute, and clicks need them too."""


async def drop_old(deps: Deps) -> None:
    """Remove the rows that are older than the policy allows, the oldest first. Raise StoreBusy."""
    kept, now, real = deps.rules.retention, deps.clock.now(), deps.clock.real()
    for drop in (
        lambda tx: tx.quotes.drop_reply_to(now - RESPONSE_URL_LIFE, AT_ONCE),
        lambda tx: tx.messages.drop_answers(real - RESPONSE_URL_LIFE, AT_ONCE),
        lambda tx: tx.quotes.drop_unused(now - kept.quotes, AT_ONCE),
        lambda tx: tx.quotes.drop_offers(now - kept.quotes, AT_ONCE),
        lambda tx: tx.messages.drop_closed(real - kept.messages, now - kept.messages, AT_ONCE),
        lambda tx: tx.people.drop_left(real - kept.people, AT_ONCE),
    ):
        await _drop_all(deps, drop)


async def drop_old_samples(deps: Deps) -> None:
    """Remove the samples that are older than two days. Raise StoreBusy."""
    before = deps.clock.now() - KEEP_SAMPLES
    await _drop_all(deps, lambda tx: tx.samples.drop_before(before, AT_ONCE))


async def _drop_all(deps: Deps, drop: Callable[[Tx], Awaitable[int]]) -> None:
    while True:
        # Not durable: what a power cut brings back is removed by the next run.
        async with deps.store.write(durable=False) as tx:
            dropped = await drop(tx)
        if dropped < AT_ONCE:
            return


async def look_for_people_who_left(deps: StepDeps) -> None:
    """Look up some of the people of whom Slack said nothing for ASK_AGAIN. Raise StoreBusy."""
    async with deps.store.read() as tx:
        people = await tx.people.not_asked_since(deps.clock.real() - ASK_AGAIN, LOOK_UP_AT_ONCE)
    for person in people:
        await deps.directory.refresh([person])
