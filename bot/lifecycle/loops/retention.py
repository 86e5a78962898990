"""Deletes data that is no longer needed: according to the policy's `retention`, and the logins that have expired.

Rentals, events and the ledger are kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from bot.lifecycle.deps import Deps, StepDeps
from bot.lifecycle.loops.webhook_outages import drop_events
from bot.model.message import RESPONSE_URL_LIFE
from bot.policy.use.probe_times import KEEP_SAMPLES
from store.db import Tx

AT_ONCE = 500
"""The number of rows that one transaction deletes. A larger transaction would keep other writes waiting."""
KEEP_LOGINS = timedelta(hours=1)
"""The time for which an expired login is kept, so that its program can read that the login has expired."""
ASK_AGAIN = timedelta(days=7)
"""The time after which Slack is asked again whether a person is still a member of the workspace.

Slack sends an event when a person leaves, but the bot may have missed it.
"""
LOOK_UP_AT_ONCE = 20
"""The number of people that one run looks up.

Slack allows about 100 look-ups a minute, and clicks need some of them.
"""


async def drop_old(deps: Deps) -> None:
    """Delete the rows that are older than the policy allows, oldest first.

    Events for webhooks are first dropped, and deleted like messages once their rental has been over for a while.
    Raises StoreBusy.
    """
    kept, now, real = deps.rules.retention, deps.clock.now(), deps.clock.real()
    for drop in (
        lambda tx: drop_events(tx, deps, AT_ONCE),
        lambda tx: tx.quotes.drop_reply_to(now - RESPONSE_URL_LIFE, AT_ONCE),
        lambda tx: tx.messages.drop_answers(real - RESPONSE_URL_LIFE, AT_ONCE),
        lambda tx: tx.quotes.drop_unused(now - kept.quotes, AT_ONCE),
        lambda tx: tx.quotes.drop_offers(now - kept.quotes, AT_ONCE),
        lambda tx: tx.messages.drop_closed(real - kept.messages, now - kept.messages, AT_ONCE),
        lambda tx: tx.people.drop_left(real - kept.people, AT_ONCE),
        lambda tx: tx.logins.drop_expired(now - KEEP_LOGINS, AT_ONCE),
    ):
        await _drop_all(deps, drop)


async def drop_old_samples(deps: Deps) -> None:
    """Delete the samples that are older than two days.

    Raises StoreBusy.
    """
    before = deps.clock.now() - KEEP_SAMPLES
    await _drop_all(deps, lambda tx: tx.samples.drop_before(before, AT_ONCE))


async def _drop_all(deps: Deps, drop: Callable[[Tx], Awaitable[int]]) -> None:
    while True:
        # The database needn't wait until this write is on the disk. If a power cut undoes the deletion of these
        # rows, the next run deletes them again.
        async with deps.store.write(durable=False) as tx:
            dropped = await drop(tx)
        if dropped < AT_ONCE:
            return


async def look_for_people_who_left(deps: StepDeps) -> None:
    """Find out who has left the workspace, by looking some people up in Slack.

    A person is looked up if Slack last confirmed their membership longer than ASK_AGAIN ago. Raises StoreBusy.
    """
    async with deps.store.read() as tx:
        people = await tx.people.not_asked_since(deps.clock.real() - ASK_AGAIN, LOOK_UP_AT_ONCE)
    for person in people:
        await deps.directory.refresh([person])
