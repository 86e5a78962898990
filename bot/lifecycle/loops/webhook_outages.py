"""Alerts the admins if a receiver of webhooks doesn't accept events, and again once it does.

The outage of a receiver is stored. Therefore the alerts aren't repeated after a restart or by another process.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from bot.lifecycle.changes.send import send_of_account
from bot.lifecycle.deps import Deps
from bot.model.account_facts import WEBHOOK_OUTAGES, WebhookOutage
from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.facts import WebhookFacts
from bot.model.webhook import DROPPED_AFTER, QueuedEvent, host_of
from store.db import Tx

log = structlog.get_logger("gpubot.webhooks")

NOTIFY_AFTER = timedelta(minutes=15)
"""The time from the first failure of an outage until the admins are notified."""


async def note_failing(tx: Tx, deps: Deps, event: QueuedEvent, why: str, *, unavailable: bool) -> None:
    """Store that a receiver hasn't accepted an event, and notify the admins if this has lasted for a while.

    Args:
        event: The event. It is still waiting.
        why: The reason in words that contain no part of the URL, such as `status 503`.
        unavailable: True if the receiver accepts no events at the moment. Otherwise, it has refused this one.
    """
    now, url = deps.clock.now(), event.url
    outage = await tx.account.get(WEBHOOK_OUTAGES, url)
    if outage is None:
        outage = WebhookOutage(since=now, refused=None if unavailable else event.message_id)
    if not outage.notified and now - outage.since >= NOTIFY_AFTER:
        outage = changed(outage, notified=True)
        facts = WebhookFacts(host=host_of(url), since=outage.since, until=outage.since + DROPPED_AFTER, detail=why)
        await send_of_account(tx, deps, EventKind.WEBHOOK_FAILS, facts)
    await tx.account.set(WEBHOOK_OUTAGES, outage, url)


async def note_works(tx: Tx, deps: Deps, url: str) -> None:
    """Store that a receiver has accepted an event, and notify the admins if they know of its outage.

    The outage isn't over while the event that the receiver refused is still waiting. Otherwise, the admins would
    get two alerts for each other event that the receiver accepts, or would never learn of the refused event.
    """
    outage = await tx.account.get(WEBHOOK_OUTAGES, url)
    if outage is None:
        return
    refused = None if outage.refused is None else await tx.messages.get(outage.refused)
    if refused is not None and refused.webhook_due_at is not None:
        return
    await tx.account.set(WEBHOOK_OUTAGES, None, url)
    if outage.notified:
        facts = WebhookFacts(host=host_of(url), since=outage.since)
        await send_of_account(tx, deps, EventKind.WEBHOOK_WORKS, facts)


async def drop_events(tx: Tx, deps: Deps, limit: int = 500) -> int:
    """Drop at most `limit` events that are too old, or whose receiver the rules no longer name.

    The outages of receivers that the rules no longer name are forgotten. Returns the number of dropped events.
    """
    urls = {webhook.url for webhook in deps.rules.webhooks}
    for url in (await tx.account.all(WEBHOOK_OUTAGES)).keys() - urls:
        await tx.account.set(WEBHOOK_OUTAGES, None, url)
    dropped = await tx.webhooks.drop(deps.clock.real() - DROPPED_AFTER, urls, limit)
    if dropped:
        log.warning("webhooks.dropped", events=dropped)
    return dropped
