"""What is due to be said, in which order, side by side as far as Slack's pace allows."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import GpubotError
from bot.lifecycle.deps import Deps
from bot.lifecycle.ports import Held
from bot.model.base import changed
from bot.model.message import Message, NextCall
from handlers.delivery import reposts
from handlers.delivery.content import answer, content, told_since
from handlers.delivery.direct_posts import Outcome, direct_post
from handlers.delivery.duplicates import Twins
from handlers.delivery.pace import Pace
from handlers.delivery.posting import Poster
from handlers.delivery.unsaved import FIRST_RETRY, Keeper, Sent
from handlers.views.blocks import Json, Rendered

log = structlog.get_logger("gpubot.delivery")

LOOKED_AT = 20
"""How many messages that may be sent one look finds at most."""
BREATH = 0.05
"""Real seconds between two passes, in which what comes is gathered: nobody sees them, and the passes stay few."""
AT_ONCE = 16
FINDS_AT_ONCE = 4
"""Of these, searches for posts whose outcome is unknown: while Slack is slow they take up to its time-out each."""
PAUSE_AFTER_OUTAGE = 1.0
AFTER_A_BUG = timedelta(minutes=1)


class Delivery:
    """The one loop that posts and edits."""

    def __init__(
        self,
        deps: Deps,
        client: AsyncWebClient,
        session: aiohttp.ClientSession,
        *,
        pace: Pace | None = None,
        save_retry: timedelta = FIRST_RETRY,
    ) -> None:
        """`save_retry` is the real time after which a write that the store didn't take is tried again."""
        self._deps = deps
        self._client = client
        self._pace = pace or Pace()
        self._wake = asyncio.Event()
        self.refused = asyncio.Event()
        """Set if Slack refuses our token."""
        self.keeper = Keeper(deps, first_retry=save_retry)
        self.poster = Poster(deps, client, self._pace, session, self.refused.set)
        self.twins = Twins(deps, client, self._pace, self.poster.finder)
        self._busy: dict[int, tuple[Message, asyncio.Task[None]]] = {}
        deps.store.on_commit(self._wake.set)

    @property
    def in_flight(self) -> int:
        """How many messages are being sent, or are sent and not yet written down."""
        return len(self._busy.keys() | self.keeper.ids)

    async def post(self, to: str, text: str, blocks: Sequence[Json] = ()) -> bool:
        """Post to a channel or a person without the outbox, as soon as the pace allows it. Return whether Slack
        took it. Only for what must be said while the store takes nothing: it is not remembered."""
        said = Rendered(text=text, blocks=tuple(blocks))
        return await direct_post(self._client, self._deps.clock, self._pace, to, said) is Outcome.TAKEN

    def renewed(self) -> None:
        """Slack takes our token again: send at once what waits."""
        self.refused.clear()
        self._pace.unblock_all()
        self._wake.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._send_what_is_due())
            both.create_task(self.twins.run())

    async def _send_what_is_due(self) -> None:
        while True:
            self._wake.clear()
            try:
                again = await self.turn()
            except GpubotError as error:
                log.warning("delivery.outage", error=type(error).__name__)
                again = self._deps.clock.real() + timedelta(seconds=PAUSE_AFTER_OUTAGE)
            await self._sleep(again)
            await self._deps.clock.pause(BREATH)

    async def drain(self) -> None:
        """Waits for what is being sent, and tries once more to write down what was."""
        while self._busy:
            await asyncio.wait({task for _, task in self._busy.values()})
        await self.keeper.retry(at_once=True)

    async def turn(self) -> datetime | None:
        """Starts what may be sent now. Answers when, in real time, to look again."""
        await self.keeper.retry()
        now = self._deps.clock.real()
        async with self._deps.store.read() as tx:
            while len(self._busy) < AT_ONCE:
                held = self._held(now)
                due = await tx.messages.due(now, LOOKED_AT, held)
                for message in due:
                    if len(self._busy) < AT_ONCE and not _is_held(message, held):
                        self._start(message)
                        held = self._held(now)
                if len(due) < LOOKED_AT:
                    break
            next_due = await tx.messages.next_due(now)
        return min((at for at in (next_due, *self._open_at(now)) if at is not None and at > now), default=None)

    def _held(self, now: datetime) -> Held:
        """What can't be sent now: because it is under way or something else is to its place, because Slack's pace
        doesn't allow it, or because the store takes no note that it is under way."""
        busy = Counter(message.next_call for message, _ in self._busy.values())
        places = {m.to.value for m, _ in self._busy.values() if m.next_call is NextCall.POST}
        store_away = self.keeper.open_at(now) > now
        return Held(
            ids=frozenset(self._busy) | self.keeper.ids,
            finds=store_away or busy[NextCall.FIND] >= FINDS_AT_ONCE or self._pace.read_at(now) > now,
            posts=store_away or self._pace.posts_at(now, busy[NextCall.POST]) > now,
            places=frozenset(self._pace.resting(now)) | places,
            edits=self._pace.edit_at(now, busy[NextCall.EDIT]) > now,
            answers=self._pace.answer_at(now) > now,
        )

    def _open_at(self, now: datetime) -> list[datetime | None]:
        """When more may be sent than now. What is under way wakes us by itself."""
        pace, keeper = self._pace, self.keeper
        opens = [pace.posts_at(now), pace.edit_at(now), pace.answer_at(now), pace.read_at(now)]
        return [*pace.resting(now).values(), *opens, keeper.open_at(now), keeper.next_at()]

    def _start(self, message: Message) -> None:
        task = asyncio.create_task(self._deliver(message))
        self._busy[message.id] = message, task

        def done(_: asyncio.Task[None]) -> None:
            self._busy.pop(message.id, None)
            self._wake.set()

        task.add_done_callback(done)

    async def _deliver(self, message: Message) -> None:
        try:
            sent = await self._send(message)
        except GpubotError as error:
            # Nothing was sent: the store is asked before, and never between sending and `keep`.
            log.warning("delivery.outage", message=message.id, error=type(error).__name__)
            self.keeper.outage()
            await self._deps.clock.pause(PAUSE_AFTER_OUTAGE)
            return
        except Exception:
            log.exception("delivery.failed", message=message.id, kind=message.kind)
            # Looked at again later, so that the others go on.
            sent = Sent(changed(message, due_at=self._deps.clock.real() + AFTER_A_BUG))
        await self.keeper.keep(sent)

    async def _send(self, message: Message) -> Sent:
        if message.next_call is NextCall.FIND:
            return await self._find(message)
        if message.kind.answer:
            body = await answer(self._deps, message)
            if body is None:
                return Sent(_done(message))
            if message.next_call is NextCall.ANSWER:
                return await self.poster.answer(message, body)
            return await self._post(message, Rendered(text=body["text"], blocks=tuple(body["blocks"])))
        shown = await content(self._deps, message)
        if shown is None:
            return Sent(_done(message))
        if message.next_call is NextCall.EDIT:
            return await self.poster.edit(message, shown)
        return await self._post(message, shown)

    async def _find(self, message: Message) -> Sent:
        async with self._deps.store.read() as tx:
            card = await tx.messages.card(message.rental_id) if message.rental_id else None
            since = await told_since(tx, message)
            repost = await reposts.read(tx, message.id)
        return await self.poster.find(message, card, since, repost)

    async def _post(self, message: Message, shown: Rendered) -> Sent:
        """Posts what was never posted. That it is under way is written first, so that after a crash it is looked
        for instead of posted again."""
        under_way = changed(message, sending=True)
        async with self._deps.store.write() as tx:
            card = await tx.messages.card(message.rental_id) if message.rental_id else None
            await tx.messages.save(under_way)
        self.keeper.works()
        return await self.poster.post(under_way, shown, card)

    async def _sleep(self, until: datetime | None) -> None:
        seconds = None if until is None else max((until - self._deps.clock.real()).total_seconds(), 0.0)
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return


def _done(message: Message) -> Message:
    """There is nothing to say any more."""
    return changed(message, closed=True, due_at=None, shown=message.wanted)


def _is_held(message: Message, held: Held) -> bool:
    """As Messages.due finds it, for what has changed since."""
    match message.next_call:
        case NextCall.ANSWER:
            return held.answers
        case NextCall.EDIT:
            return held.edits
        case NextCall.FIND:
            return held.finds
        case NextCall.POST:
            return held.posts or message.to.value in held.places
