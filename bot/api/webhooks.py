"""Sends the events of rentals to the receivers that the policy names (webhooks).

The outbox has a row for each event and receiver. An event is sent at least once: if the process crashes after a
receiver has accepted the event and before this is stored, the event is sent again, with the same ID and number.
`webhook_outages.drop_events` drops events that nobody accepted within a day.

Each request is signed as Standard Webhooks 1.0.0 defines it (github.com/standard-webhooks/standard-webhooks,
spec/standard-webhooks.md), so that receivers can use the libraries for that format.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog
from pydantic import SecretStr

from bot.api.answers import rental_answer
from bot.config.settings import webhook_key
from bot.errors import ClaimLost, GpubotError
from bot.lifecycle.actions.program_queries import rental_for_webhook
from bot.lifecycle.deps import Deps, check_job, with_newest_rules
from bot.lifecycle.loops.running import PAUSE_AFTER_OUTAGE, ignore, keep_running
from bot.lifecycle.loops.webhook_outages import note_failing, note_works
from bot.model import api
from bot.model.webhook import QueuedEvent
from bot.net.webhook_session import Outcome, WebhookSession
from bot.policy.team.rules import Webhook
from store.db import Tx, Written

log = structlog.get_logger("gpubot.webhooks")

IN_FLIGHT = 2
"""The maximum number of events that are being sent at the same time, each to a different receiver."""
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=10), timedelta(minutes=15)
"""The wall-clock time from the first failure to the next try, and the longest time between two tries.

Each further failure doubles the time.
"""
DRAIN = 2.0
"""The time in seconds (wall clock) that running calls have to finish when the process stops.

It is shorter than a call can take, because people in Slack wait until the next process has started.
"""
GATHER = 0.05
"""The pause between two turns of the loop, in wall-clock seconds."""
OWN_ERROR = "an error of mine"
"""The reason for a failure that a bug caused, in words for admins."""
_WITHOUT_SECRET = Outcome(problem="GPUBOT_WEBHOOK_SECRET isn't set")


def delay(failures: int) -> timedelta:
    """Return the time until the next try after this number of consecutive failures, which is at least 1."""
    return min(FIRST_RETRY * (1 << min(failures - 1, 10)), LONGEST_RETRY)


def signed(key: bytes, event_id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the headers that contain the signature of a request.

    Args:
        key: The key of the signature.
        event_id: The ID of the event. It contains no dot.
        at: The time at which the request is sent.
        body: The body of the request.
    """
    seconds = str(int(at.timestamp()))
    content = b".".join((event_id.encode(), seconds.encode(), body))
    signature = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    return {"webhook-id": event_id, "webhook-timestamp": seconds, "webhook-signature": f"v1,{signature}"}


async def body_of(deps: Deps, event: QueuedEvent) -> bytes:
    """Return the body of a request: the event, with its rental as it is now. Raises StoreBusy."""
    view = await rental_for_webhook(deps, event.rental_id)
    body = api.RentalEvent(
        id=event.public_id,
        number=event.number,
        time=event.at,
        name=event.name,
        rental=rental_answer(view, deps.clock.now(), deps.listens_since),
    )
    return body.model_dump_json().encode()


class WebhookSender:
    """The loop that sends events when they are due: two at a time, and to each receiver one at a time."""

    def __init__(
        self,
        deps: Deps,
        session: WebhookSession,
        *,
        secret: Callable[[], SecretStr | None],
        may_send: Callable[[], bool] = lambda: True,
        look_again: float | None = None,
        on_result: Callable[[str], None] = ignore,
    ) -> None:
        """Create the loop.

        Args:
            deps: The dependencies, with the store and the clock.
            session: Makes the calls.
            secret: Returns GPUBOT_WEBHOOK_SECRET, or None if it isn't set.
            may_send: Returns whether this process is certainly the only one that sends webhooks.
            look_again: The maximum number of wall-clock seconds between two reads of the store. Only needed if
                other processes write to the store too, because their commits don't wake this loop.
            on_result: Called after each call with its result: `accepted`, `refused` or `no_answer`.
        """
        self._deps = deps
        self._session = session
        self._secret = secret
        self._may_send = may_send
        self._look_again = look_again
        self._on_result = on_result
        self._wake = asyncio.Event()
        self._sending: dict[str, asyncio.Task[None]] = {}
        """By the receiver's URL, the calls that are being made, or whose results haven't been stored yet."""
        self._pauses: dict[str, datetime] = {}
        """By the URL of a receiver that is unavailable, the wall-clock time of its next call."""
        self._failures: dict[str, int] = {}
        """By the URL of a receiver that is unavailable, the number of consecutive calls that failed."""
        self._calls = 0
        self._last_calls: dict[str, int] = {}
        """By the receiver's URL, the value of `_calls` at its last call. The receiver with the lowest is next."""
        deps.store.on_commit(self._wake.set, Written.MESSAGES)

    @property
    def in_flight(self) -> int:
        """The number of calls that are being made, or whose results haven't been stored yet."""
        return len(self._sending)

    def wake(self) -> None:
        """Look for work again now, because the rules have changed."""
        self._wake.set()

    def end_pauses(self) -> None:
        """Call all receivers again now, because the secret has changed."""
        self._pauses.clear()
        self._wake.set()

    async def run(self) -> None:
        """Run until cancelled.

        A cancellation doesn't interrupt running calls. `drain` ends them.
        """
        await keep_running("webhooks", self._send_what_is_due, self._deps.clock)

    async def finish(self) -> None:
        """Wait until no call is running, and all results are stored."""
        while self._sending:
            await asyncio.wait(self._sending.values())

    async def drain(self, seconds: float = DRAIN) -> None:
        """Wait until no call is running, for at most this time (wall clock). Then abandon the calls.

        Their events are sent again after the next start, even if the receivers have accepted them.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.finish()
        for task in self._sending.values():
            task.cancel()
        await self.finish()

    async def _send_what_is_due(self) -> None:
        self._wake.clear()
        await self._sleep(await self.turn())
        await self._deps.clock.pause(GATHER)

    async def _sleep(self, until: datetime | None) -> None:
        waits = [] if self._look_again is None else [self._look_again]
        if until is not None:
            waits.append(max((until - self._deps.clock.real()).total_seconds(), 0.0))
        with suppress(TimeoutError):
            async with asyncio.timeout(min(waits, default=None)):
                await self._wake.wait()

    async def turn(self) -> datetime | None:
        """Start all calls that can be made now. Return the next wall-clock time at which to look for work.

        None if nothing becomes due without a commit or the end of a running call. Both wake the loop.

        Raises:
            StoreBusy: The store is unavailable.
        """
        deps, now = with_newest_rules(self._deps), self._deps.clock.real()
        self._pauses = {url: until for url, until in self._pauses.items() if until > now}
        next_due = await self._start_due(deps, now)
        return min(filter(None, (next_due, *self._pauses.values())), default=None)

    async def _start_due(self, deps: Deps, now: datetime) -> datetime | None:
        """Start the calls that are due. Return the time at which the next event is due.

        Receivers that are being called or paused are left out. None if no further call can start now.
        """
        free = {webhook.url: webhook for webhook in deps.rules.webhooks if self._is_free(webhook.url)}
        if not free or len(self._sending) >= IN_FLIGHT:
            return None
        async with deps.store.read() as tx:
            found = [await tx.webhooks.next(url) for url in free]
        waiting = [event for event in found if event is not None]
        due = [event for event in waiting if event.due_at <= now]
        due.sort(key=lambda event: self._last_calls.get(event.url, 0))
        for event in due[: IN_FLIGHT - len(self._sending)]:
            self._start(event, free[event.url])
        if len(self._sending) >= IN_FLIGHT:
            return None
        return min((event.due_at for event in waiting if event.due_at > now), default=None)

    def _is_free(self, url: str) -> bool:
        return url not in self._sending and url not in self._pauses

    def _start(self, event: QueuedEvent, webhook: Webhook) -> None:
        task = asyncio.create_task(self._deliver(event, webhook))
        self._sending[event.url] = task
        self._calls += 1
        self._last_calls[event.url] = self._calls

        def done(task: asyncio.Task[None]) -> None:
            self._sending.pop(event.url, None)
            if not task.cancelled() and (error := task.exception()) is not None:
                # A bug prevents storing the result. Without a pause, the event would be sent again at once.
                log.error("webhooks.not_saved", message=event.message_id, exc_info=error)
                self._pauses[event.url] = self._deps.clock.real() + LONGEST_RETRY
            self._wake.set()

        task.add_done_callback(done)

    async def _deliver(self, event: QueuedEvent, webhook: Webhook) -> None:
        deps = with_newest_rules(self._deps)
        opened = deps.opened.real
        try:
            outcome = await self._call(deps, event, webhook)
        except GpubotError as error:  # The database failed before the call, or another process sends webhooks now.
            log.warning("webhooks.outage", message=event.message_id, error=type(error).__name__)
            await deps.clock.pause(PAUSE_AFTER_OUTAGE)
            return
        except Exception:
            log.exception("webhooks.failed", message=event.message_id)
            outcome = None
        unavailable = outcome is not None and outcome.unavailable
        if not unavailable:
            self._failures.pop(event.url, None)
        if outcome is not None and outcome.accepted:
            await self._save(partial(_note_accepted, deps=deps, event=event), opened)
            return
        why = OWN_ERROR if outcome is None else outcome.words
        log.warning("webhooks.not_accepted", message=event.message_id, host=webhook.host, why=why)
        failures = event.tries + 1
        if unavailable:
            self._failures[event.url] = failures = max(failures, self._failures.get(event.url, 0) + 1)
        next_try = deps.clock.real() + (LONGEST_RETRY if outcome is _WITHOUT_SECRET else delay(failures))
        if unavailable:
            self._pauses[event.url] = next_try

        async def note_failure(tx: Tx) -> None:
            if outcome is not _WITHOUT_SECRET:  # The event is then sent as soon as there is a secret.
                await tx.webhooks.note_failed(event, next_try)
            await note_failing(tx, deps, event, why, unavailable=unavailable)

        await self._save(note_failure, opened)

    async def _call(self, deps: Deps, event: QueuedEvent, webhook: Webhook) -> Outcome:
        """Send an event, and return the outcome.

        Raises:
            ClaimLost: Another process may be sending webhooks too.
            StoreBusy: The store is unavailable.
        """
        secret = self._secret()
        if secret is None:
            return _WITHOUT_SECRET
        body = await body_of(deps, event)
        if not self._may_send():
            raise ClaimLost
        headers = signed(webhook_key(secret), event.public_id, deps.clock.real(), body)
        outcome = await self._session.post(event.url, headers, body, private=webhook.private)
        self._on_result("accepted" if outcome.accepted else "no_answer" if outcome.status is None else "refused")
        return outcome

    async def _save(self, note: Callable[[Tx], Awaitable[object]], opened: datetime) -> None:
        """Store the result of a call, and try again until this succeeds.

        If the result were lost, the event would be sent again. The result is dropped if another process sends
        webhooks now. It is also dropped if the database was lost and reopened since `opened`, because the database
        may then be an older backup.
        """
        while self._deps.opened.real == opened:
            try:
                # The database doesn't have to wait for the disk: after a power cut, the event is just sent again.
                async with self._deps.store.write(durable=False) as tx:
                    await check_job(tx, self._deps)
                    await note(tx)
            except ClaimLost:
                log.warning("webhooks.claim_lost")
            except GpubotError as error:
                log.warning("webhooks.not_saved", error=type(error).__name__)
                await self._deps.clock.pause(PAUSE_AFTER_OUTAGE)
                continue
            return


async def _note_accepted(tx: Tx, *, deps: Deps, event: QueuedEvent) -> None:
    await tx.webhooks.note_accepted(event.message_id)
    await note_works(tx, deps, event.url)
