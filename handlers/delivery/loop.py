"""What is due to be said, in which order, side by side as far as Slack's pace allows."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import GpubotError
from bot.lifecycle.desk import Desk
from bot.model.message import Message, MessageKind
from handlers.delivery.content import content
from handlers.delivery.elsewhere import redirect
from handlers.delivery.pace import Pace
from handlers.delivery.posting import Poster, Sent
from handlers.views.blocks import Rendered

log = structlog.get_logger("gpubot.delivery")

LOOKED_AT = 200
"""How many due messages one pass looks at."""
AT_ONCE = 16
PAUSE_AFTER_OUTAGE = 1.0
AFTER_A_BUG = timedelta(minutes=1)
ANSWERS = frozenset({MessageKind.QUOTE, MessageKind.LOOKING, MessageKind.REPLY})


class Delivery:
    """The one loop that posts and edits."""

    def __init__(self, desk: Desk, client: AsyncWebClient, session: aiohttp.ClientSession) -> None:
        self._desk = desk
        self._pace = Pace()
        self.poster = Poster(desk, client, self._pace, session)
        self._wake = asyncio.Event()
        self._busy: dict[int, asyncio.Task[None]] = {}
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

    async def drain(self) -> None:
        """Waits for what is being sent."""
        while self._busy:
            await asyncio.wait(set(self._busy.values()))

    async def turn(self) -> datetime | None:
        """Starts what may be sent now. Answers when, in real time, to look again."""
        now = self._desk.clock.real()
        again: list[datetime] = []
        reserved: set[str] = set()
        async with self._desk.store.read() as tx:
            due = await tx.messages.due(now, LOOKED_AT)
            for message in due:
                if message.id in self._busy or len(self._busy) >= AT_ONCE:
                    continue
                place = self._place(message)
                if place in reserved:
                    continue
                at = self._may_go(message, now)
                if at > now:
                    again.append(at)
                    continue
                if message.kind is MessageKind.THREAD and await tx.messages.ahead(message):
                    continue
                if message.kind not in ANSWERS and message.ts is None:
                    reserved.add(place)
                self._start(message)
            next_due = await tx.messages.next_due()
        if next_due is not None and next_due > now:
            again.append(next_due)
        return min(again, default=None)

    def _place(self, message: Message) -> str:
        return message.to if message.ts is None else message.to + " edit"

    def _may_go(self, message: Message, now: datetime) -> datetime:
        if message.kind in ANSWERS:
            return self._pace.answer_at(now)
        return self._pace.post_at(message.to, now) if message.ts is None else self._pace.edit_at(now)

    def _start(self, message: Message) -> None:
        task = asyncio.create_task(self._deliver(message))
        self._busy[message.id] = task

        def done(_: asyncio.Task[None]) -> None:
            self._busy.pop(message.id, None)
            self._wake.set()

        task.add_done_callback(done)

    async def _deliver(self, message: Message) -> None:
        try:
            sent = await self._send(message)
            async with self._desk.store.write() as tx:
                if sent.elsewhere:
                    await redirect(tx, sent.message, self._desk.rules)
                else:
                    await tx.messages.save(sent.message)
        except GpubotError as error:
            log.warning("delivery.outage", message=message.id, error=type(error).__name__)
            await self._desk.clock.pause(PAUSE_AFTER_OUTAGE)
        except Exception:
            log.exception("delivery.failed", message=message.id, kind=message.kind)
            await self._shelve(message)

    async def _send(self, message: Message) -> Sent:
        if message.kind is MessageKind.REPLY:
            return await self._reply(message)
        shown = await content(self._desk, message)
        if shown is None:
            return Sent(message.model_copy(update={"closed": True, "due_at": None, "shown": message.wanted}))
        if message.kind in ANSWERS:
            body = {"text": shown.text, "blocks": list(shown.blocks), "response_type": "ephemeral"}
            async with self._desk.store.read() as tx:
                quote = await tx.quotes.get(message.quote_id or "")
            replaces = quote is not None and quote.replaces and message.kind is MessageKind.QUOTE
            return await self.poster.answer(message, {**body, "replace_original": replaces})
        if message.ts is not None:
            return await self.poster.edit(message, shown)
        async with self._desk.store.read() as tx:
            card = await tx.messages.card(message.rental_id) if message.rental_id else None
        return await self.poster.post(message, shown, card)

    async def _reply(self, message: Message) -> Sent:
        """As rendered when it was written: to a `response_url`, or to the direct message where someone wrote."""
        body = message.body or {}
        if message.to.startswith("D"):
            shown = Rendered(text=body.get("text", ""), blocks=tuple(body.get("blocks", ())))
            return await self.poster.post(message, shown, None)
        return await self.poster.answer(message, body)

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
