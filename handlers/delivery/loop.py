"""What is due to be said, in which order, side by side as far as Slack's pace allows."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import GpubotError
from bot.lifecycle.desk import Desk
from bot.lifecycle.ports import Held
from bot.model.message import Message
from handlers.delivery.content import answer, content
from handlers.delivery.elsewhere import redirect
from handlers.delivery.pace import Pace
from handlers.delivery.posting import Poster, Sent
from handlers.views.blocks import Rendered

log = structlog.get_logger("gpubot.delivery")

LOOKED_AT = 20
"""How many messages that may be sent one look finds at most."""
BREATH = 0.05
"""Real seconds between two passes, in which what comes is gathered: nobody sees them, and the passes stay few."""
AT_ONCE = 16
PAUSE_AFTER_OUTAGE = 1.0
AFTER_A_BUG = timedelta(minutes=1)


class Delivery:
    """The one loop that posts and edits."""

    def __init__(
        self, desk: Desk, client: AsyncWebClient, session: aiohttp.ClientSession, pace: Pace | None = None
    ) -> None:
        """`pace` is shared with whatever else posts."""
        self._desk = desk
        self._pace = pace or Pace()
        self.poster = Poster(desk, client, self._pace, session)
        self._wake = asyncio.Event()
        self._busy: dict[int, tuple[Message, asyncio.Task[None]]] = {}
        desk.store.on_commit(self._wake.set)

    @property
    def in_flight(self) -> int:
        """How many messages are being sent."""
        return len(self._busy)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            self._wake.clear()
            try:
                again = await self.turn()
            except GpubotError as error:
                log.warning("delivery.outage", error=type(error).__name__)
                again = self._desk.clock.real() + timedelta(seconds=PAUSE_AFTER_OUTAGE)
            await self._sleep(again)
            await self._desk.clock.pause(BREATH)

    async def drain(self) -> None:
        """Waits for what is being sent."""
        while self._busy:
            await asyncio.wait({task for _, task in self._busy.values()})

    async def turn(self) -> datetime | None:
        """Starts what may be sent now. Answers when, in real time, to look again."""
        now = self._desk.clock.real()
        async with self._desk.store.read() as tx:
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
        """What can't be sent now: because it is under way or something else is to its place, or because Slack's
        pace doesn't allow it."""
        places = {message.to for message, _ in self._busy.values() if _is_post(message)}
        return Held(
            ids=frozenset(self._busy),
            posts=self._pace.posts_at(now) > now,
            places=frozenset(self._pace.resting(now)) | places,
            edits=self._pace.edit_at(now, self._editing()) > now,
            answers=self._pace.answer_at(now) > now,
        )

    def _open_at(self, now: datetime) -> list[datetime]:
        """When more may be sent than now. What is under way wakes us by itself."""
        pace = self._pace
        return [*pace.resting(now).values(), pace.posts_at(now), pace.edit_at(now), pace.answer_at(now)]

    def _editing(self) -> int:
        return sum(message.ts is not None and not message.kind.answer for message, _ in self._busy.values())

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
            async with self._desk.store.write() as tx:
                if not (sent.elsewhere or sent.gone):
                    await tx.messages.save(sent.message)
                elif not await redirect(tx, sent.message, self._desk.rules, anew=sent.gone):
                    self.poster.given_up += 1
        except GpubotError as error:
            log.warning("delivery.outage", message=message.id, error=type(error).__name__)
            await self._desk.clock.pause(PAUSE_AFTER_OUTAGE)
        except Exception:
            log.exception("delivery.failed", message=message.id, kind=message.kind)
            await self._shelve(message)

    async def _send(self, message: Message) -> Sent:
        if message.kind.answer:
            return await self._answer(message)
        shown = await content(self._desk, message)
        if shown is None:
            return Sent(_done(message))
        if message.ts is not None:
            return await self.poster.edit(message, shown)
        return await self._post(message, shown)

    async def _post(self, message: Message, shown: Rendered) -> Sent:
        """Posts what was never posted. That it is under way is written first, so that after a crash it is looked
        for instead of posted again."""
        async with self._desk.store.read() as tx:
            card = await tx.messages.card(message.rental_id) if message.rental_id else None
            event = await tx.events.get(message.event_id) if message.event_id is not None else None
            rental = await tx.rentals.get(message.rental_id) if message.rental_id else None
        if message.sending:
            since = event.at if event is not None else rental.created_at if rental is not None else None
            found = await self.poster.find(message, shown, card, since)
            if found is not None:
                return found
        else:
            message = message.model_copy(update={"sending": True})
            async with self._desk.store.write() as tx:
                await tx.messages.save(message)
        return await self.poster.post(message, shown, card)

    async def _answer(self, message: Message) -> Sent:
        """To a `response_url`, or as a direct message where there is none that works."""
        body = await answer(self._desk, message)
        if body is None:
            return Sent(_done(message))
        if message.to.startswith("http"):
            return await self.poster.answer(message, body)
        return await self._post(message, Rendered(text=body["text"], blocks=tuple(body["blocks"])))

    async def _shelve(self, message: Message) -> None:
        """After a bug: looked at again later, so that the others go on."""
        later = message.model_copy(update={"due_at": self._desk.clock.real() + AFTER_A_BUG})
        try:
            async with self._desk.store.write() as tx:
                await tx.messages.save(later)
        except GpubotError:
            log.warning("delivery.not_shelved", message=message.id)

    async def _sleep(self, until: datetime | None) -> None:
        seconds = None if until is None else max((until - self._desk.clock.real()).total_seconds(), 0.0)
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return


def _done(message: Message) -> Message:
    """There is nothing to say any more."""
    return message.model_copy(update={"closed": True, "due_at": None, "shown": message.wanted})


def _is_post(message: Message) -> bool:
    return message.ts is None and not message.kind.answer


def _is_held(message: Message, held: Held) -> bool:
    """As Messages.due finds it, for what has changed since."""
    if message.kind.answer:
        return held.answers
    return held.edits if message.ts is not None else held.posts or message.to in held.places
