"""Writes what became of a message. What the store doesn't take is remembered, and only the write is repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.errors import GpubotError
from bot.lifecycle.deps import Deps
from bot.lifecycle.ports import Tx
from bot.model.message import Message
from handlers.delivery import reposts
from handlers.delivery.fallback import redirect

log = structlog.get_logger("gpubot.delivery")

POSTED_TWICE = "count:told_perhaps_twice"
"""Posts made again in a place that could not be read back."""
GIVEN_UP = "count:given_up"
"""Messages that Slack never took: refused for good, or answers that came too late."""
FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Sent:
    """A message after it was dealt with, and what is to be written with it."""

    message: Message
    elsewhere: bool = False
    """It is to be said in another place."""
    gone: bool = False
    """The card isn't there any more; it is posted again."""
    given_up: bool = False
    again: bool = False
    """It is posted again next, and the first post may be there or still arrive."""
    perhaps_twice: bool = False
    """It is posted again although nobody could look."""


async def write(tx: Tx, sent: Sent, deps: Deps) -> None:
    """Write what became of a message, with its counts, in one transaction."""
    given_up = sent.given_up
    if sent.elsewhere or sent.gone:
        given_up = not await redirect(tx, sent.message, deps.rules, anew=sent.gone)
    else:
        await tx.messages.save(sent.message)
    if given_up:
        await tx.account.count(GIVEN_UP)
    if sent.perhaps_twice:
        await tx.account.count(POSTED_TWICE)
    if sent.again:
        await reposts.note(tx, sent.message.id, deps.clock.real())


@dataclass
class _Unsaved:
    sent: Sent
    at: datetime
    """When to try again."""
    wait: timedelta


class Keeper:
    """Remembers what was sent until the store has it. Nothing remembered here is sent again meanwhile."""

    def __init__(self, deps: Deps, *, first_retry: timedelta = FIRST_RETRY) -> None:
        self._deps = deps
        self._first = first_retry
        self._unsaved: dict[int, _Unsaved] = {}
        self._saving: set[int] = set()
        self._away_until: datetime | None = None
        self._away_for = first_retry

    @property
    def ids(self) -> frozenset[int]:
        """The messages that the store doesn't have as they are."""
        return frozenset(self._unsaved)

    def open_at(self, now: datetime) -> datetime:
        """Return when the store is asked to write again: now, or later during an outage."""
        return now if self._away_until is None else max(now, self._away_until)

    def next_at(self) -> datetime | None:
        """Return when `retry` has something to do, None if nothing is left over."""
        first = min((one.at for one in self._unsaved.values()), default=None)
        return first if first is None or self._away_until is None else max(first, self._away_until)

    def outage(self) -> None:
        """The store took no write: the next one waits, twice as long each time."""
        self._away_until = self._deps.clock.real() + self._away_for
        self._away_for = min(self._away_for * 2, LONGEST_RETRY)

    def works(self) -> None:
        """The store took a write."""
        self._away_until, self._away_for = None, self._first

    async def keep(self, sent: Sent) -> None:
        """Write it now, or remember it. Never raises."""
        now = self._deps.clock.real()
        self._unsaved[sent.message.id] = _Unsaved(sent, now, self._first)
        if self.open_at(now) <= now:
            await self._save(sent.message.id)

    async def retry(self, *, at_once: bool = False) -> None:
        """Write what is left over, as far as its waits are over or `at_once`. Never raises."""
        now = self._deps.clock.real()
        for message_id, one in list(self._unsaved.items()):
            if not at_once and max(one.at, self.open_at(now)) > now:
                continue
            if not await self._save(message_id):
                return

    async def _save(self, message_id: int) -> bool:
        """Write one. Return False if the store takes nothing at the moment."""
        one = self._unsaved.get(message_id)
        if one is None or message_id in self._saving:
            return True
        self._saving.add(message_id)
        try:
            async with self._deps.store.write() as tx:
                await write(tx, one.sent, self._deps)
        except GpubotError as error:
            log.warning("delivery.not_saved", message=message_id, error=type(error).__name__)
            self.outage()
            return False
        except Exception:
            # Sent all the same: dropped here, it would be sent again at once.
            log.exception("delivery.not_saved", message=message_id)
            one.at = self._deps.clock.real() + one.wait
            one.wait = min(one.wait * 2, LONGEST_RETRY)
            return True
        finally:
            self._saving.discard(message_id)
        del self._unsaved[message_id]
        self.works()
        return True
