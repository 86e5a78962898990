"""Stores the result of each call to Slack in the message's row.

If the store is unavailable, the write is repeated later. The call to Slack isn't repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bot.errors import ClaimLost, GpubotError
from bot.lifecycle.deps import Deps, check_job, with_newest_rules
from bot.lifecycle.people.deciders import ask_each_directly, requesters_of
from bot.lifecycle.restored.messages import ask_again
from bot.model.account_facts import Counter
from bot.model.base import changed
from bot.model.message import Destination, DestinationKind, Message, MessageKind, to_channel, to_person
from bot.policy.team.rules import Rules
from store.db import Tx

log = structlog.get_logger("gpubot.delivery")

FIRST_RETRY, LONGEST_RETRY = timedelta(seconds=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Result:
    """The new state of a message after a call to Slack, and further changes to store with it."""

    message: Message
    refused: bool = False
    """Slack refuses the message at its destination, so the message is sent to its next destination."""
    card_missing: bool = False
    """The card of the rental is no longer in Slack, so the card is posted again with its thread."""
    given_up: bool = False
    unverified: bool = False
    """The message is posted again although an earlier post may exist, because the conversation can't be searched.
    """
    compared: bool = False
    """The message was compared with its post in Slack. After each start, this is done before the first edit."""
    shows_later: bool = False
    """Slack shows a later version than the database contains, so the database was restored from a backup."""


async def write(tx: Tx, result: Result, deps: Deps) -> None:
    """Store the result of a call to Slack.

    Also counts the messages that the bot stopped trying to send, and the posts that it may have made twice.

    Raises:
        ClaimLost: Another process delivers messages now.
    """
    await check_job(tx, deps)
    message, given_up = result.message, result.given_up
    if result.refused:
        given_up = not await fall_back(tx, message, deps)
    elif result.card_missing and message.rental_id is not None:
        await tx.messages.redirect(message.rental_id, message.to)
    else:
        await tx.messages.save(message)
    if result.shows_later and message.rental_id is not None:
        await ask_again(tx, deps, message.rental_id)
    if given_up:
        await tx.account.increment(Counter.GIVEN_UP)
    if result.unverified:
        await tx.account.increment(Counter.POSTED_TWICE)


@dataclass
class _PendingSave:
    result: Result
    retry_at: datetime
    wait: timedelta


class PendingSaves:
    """The results that haven't been stored yet. While a result is pending, its message must not be sent again."""

    def __init__(self, deps: Deps, *, first_retry: timedelta = FIRST_RETRY) -> None:
        self._deps = deps
        self._first_retry = first_retry
        self._pending: dict[int, _PendingSave] = {}
        self._saving: set[int] = set()
        self._outage_until: datetime | None = None
        self._outage_wait = first_retry

    @property
    def ids(self) -> frozenset[int]:
        return frozenset(self._pending)

    def drop(self) -> None:
        """Forget all pending results.

        Use this when the database has been replaced with a backup. In the backup, the same ID can belong to a
        different message.
        """
        self._pending.clear()

    def open_at(self, now: datetime) -> datetime:
        """Return the earliest time for the next write. This is now, unless the store is unavailable."""
        return now if self._outage_until is None else max(now, self._outage_until)

    def next_at(self) -> datetime | None:
        """Return the next time at which `retry` should be called. None if no result is pending."""
        first = min((pending.retry_at for pending in self._pending.values()), default=None)
        return first if first is None or self._outage_until is None else max(first, self._outage_until)

    def note_outage(self) -> None:
        """Delay the next write, because the last one failed. Each further failure doubles the delay."""
        self._outage_until = self._deps.clock.real() + self._outage_wait
        self._outage_wait = min(self._outage_wait * 2, LONGEST_RETRY)

    def note_write(self) -> None:
        """End the delay after an outage, because a write succeeded."""
        self._outage_until, self._outage_wait = None, self._first_retry

    async def save(self, result: Result) -> None:
        """Store a result now. If that fails, keep the result, so that `retry` can store it later. Never raises."""
        now = self._deps.clock.real()
        self._pending[result.message.id] = _PendingSave(result, now, self._first_retry)
        if self.open_at(now) <= now:
            await self._save(result.message.id)

    async def retry(self, *, at_once: bool = False) -> None:
        """Store the pending results whose delay is over. With `at_once`, store all of them. Never raises."""
        now = self._deps.clock.real()
        for message_id, pending in list(self._pending.items()):
            if not at_once and max(pending.retry_at, self.open_at(now)) > now:
                continue
            if not await self._save(message_id):
                return

    async def _save(self, message_id: int) -> bool:
        """Store one result. Return False if the store takes no writes."""
        pending = self._pending.get(message_id)
        if pending is None or message_id in self._saving:
            return True
        self._saving.add(message_id)
        try:
            # If a write isn't durable, that is, if the database doesn't wait for the disk, a crash may lose the
            # result of a call to Slack. For most calls, the loss does no harm. If the call was a post, the
            # database durably says that the post had begun, so the bot searches Slack for the post. Other calls
            # are simply repeated.
            #
            # A comparison of a message with Slack is different, because the bot edits the message right after the
            # comparison. If a crash lost the result, the message would be compared again. The bot's own edit would
            # then look like a sign that the database was restored from a backup.
            async with self._deps.store.write(durable=pending.result.compared) as tx:
                await write(tx, pending.result, with_newest_rules(self._deps))
        except ClaimLost:
            # Another process delivers messages now, so drop this result. If the call was a post, the other process
            # finds the post in Slack by its message ID. It simply repeats any other call.
            log.warning("delivery.claim_lost", message=message_id)
        except GpubotError as error:
            log.warning("delivery.not_saved", message=message_id, error=type(error).__name__)
            self.note_outage()
            return False
        except Exception:
            # A bug prevents storing the result of this call. Keep the result and try again later. If it were
            # dropped, the database would still say that the message has to be sent, and the bot would send it
            # again at once.
            log.exception("delivery.not_saved", message=message_id)
            pending.retry_at = self._deps.clock.real() + pending.wait
            pending.wait = min(pending.wait * 2, LONGEST_RETRY)
            return True
        finally:
            self._saving.discard(message_id)
        self._pending.pop(message_id, None)
        self.note_write()
        return True


# --- fallback destinations


async def fall_back(tx: Tx, message: Message, deps: Deps) -> bool:
    """Send a message to its next destination. Return False if there is none.

    Without a next destination, the message is closed: it is never posted or edited again.

    If the message is a question to approvers in a channel, each approver gets a direct message instead, if that is
    possible.
    """
    rental = await tx.rentals.get(message.rental_id) if message.rental_id is not None else None
    token = await tx.tokens.get(message.token_id) if message.token_id is not None else None
    requesters = requesters_of(rental) if rental is not None else (token.owner,) if token is not None else ()
    asks = message.kind.asks_approvers and message.to.kind is DestinationKind.CHANNEL
    if requesters and asks and await ask_each_directly(tx, deps, message, requesters):
        log.warning("delivery.approvers_asked", message=message.id)
        await tx.messages.save(closed(message))
        return True
    to = next_destination(message, rental.owner if rental is not None else None, deps.rules)
    log.warning("delivery.fallback", message=message.id, kind=message.kind, found=to is not None)
    if to is None:
        await tx.messages.save(closed(message))
    elif message.kind in {MessageKind.CARD, MessageKind.THREAD} and message.rental_id is not None:
        await tx.messages.redirect(message.rental_id, to)
    else:
        await tx.messages.save(changed(message, to=to, tries=0))
    return to is not None


def closed(message: Message) -> Message:
    """Return a message as closed, which means that it is never posted or edited again."""
    return changed(message, closed=True, due_at=None, refresh_at=None)


def next_destination(message: Message, owner: str | None, rules: Rules) -> Destination | None:
    """Return the destination to try after `message.to`. None if there is none.

    A rental's card or a reply in its thread is sent to the bot's home channel, then to the owner, then to each
    admin. A question to approvers is sent to the home channel, then to each admin.

    Any other message has a single destination, because it may contain something that only one person is allowed to
    read.

    If an approver gets a question as a direct message, and isn't an admin, that message has a single destination
    too. The other approvers get the same question.
    """
    asks = message.kind.asks_approvers
    if message.kind not in {MessageKind.CARD, MessageKind.THREAD} and not asks:
        return None
    direct = asks and message.to.kind is DestinationKind.PERSON
    if direct and message.to.value not in rules.admins:
        return None
    people = [owner] if owner is not None and not asks else []
    chain = [to_channel(rules.home_channel), *map(to_person, dict.fromkeys([*people, *rules.admins]))]
    following = chain[chain.index(message.to) + 1 :] if message.to in chain else chain
    return following[0] if following else None
