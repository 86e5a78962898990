"""Reads the store and the account of a world, and the calls that the marketplace received."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bot.lifecycle.deps import StepDeps
from bot.model.admin_question import Subject
from bot.model.attempt import Attempt, LedgerRow, Resource
from bot.model.event import Event, EventKind
from bot.model.machine_use import Sample
from bot.model.message import Message, MessageKind
from bot.model.quote import Quote
from bot.model.rental import Rental
from store.db import Database
from store.mapping import to_model
from store.tables import events, rentals
from tests.outbox import stored_messages
from tests.sandbox.compute_world import ComputeWorld

_IDS = select(rentals.c.id).order_by(rentals.c.created_at, rentals.c.id)
_EVENTS = select(events).order_by(events.c.id)


class WorldReader:
    """Reads the store, and the state of the outside."""

    deps: StepDeps
    database: Database
    outside: ComputeWorld

    async def rental(self, rental_id: str) -> Rental:
        async with self.deps.store.read() as tx:
            found = await tx.rentals.get(rental_id)
        assert found is not None
        return found

    async def rentals(self) -> list[Rental]:
        """Return all rentals, oldest first."""
        async with self.database.engines.reader.connect() as conn:
            ids = (await conn.scalars(_IDS)).all()
        async with self.deps.store.read() as tx:
            found = await tx.rentals.get_many(list(ids))
        return [found[rental_id] for rental_id in ids]

    async def quote(self, quote_id: str) -> Quote:
        async with self.deps.store.read() as tx:
            found = await tx.quotes.get(quote_id)
        assert found is not None
        return found

    async def events(self, rental: Rental | str) -> list[Event[Any]]:
        async with self.deps.store.read() as tx:
            return await tx.events.of(rental if isinstance(rental, str) else rental.id)

    async def event_kinds(self, rental: Rental | str) -> list[EventKind]:
        """Return the kinds of the rental's events, in order."""
        return [event.kind for event in await self.events(rental)]

    async def history(self) -> list[Event[Any]]:
        """Return every event, in order."""
        async with self.database.engines.reader.connect() as conn:
            return [to_model(Event, row) for row in await conn.execute(_EVENTS)]

    async def account_history(self) -> list[Event[Any]]:
        """Return the events of the account as a whole."""
        return [event for event in await self.history() if event.rental_id is None]

    async def account_event_kinds(self) -> list[EventKind]:
        """Return the kinds of the events of the account, in order."""
        return [event.kind for event in await self.account_history()]

    async def account_event(self, kind: EventKind) -> Event[Any]:
        """Return the last account event of this kind."""
        return [event for event in await self.account_history() if event.kind is kind][-1]

    async def last_event(self, rental: Rental | str, kind: EventKind) -> Event[Any]:
        """Return the last event of this kind of a rental."""
        return [event for event in await self.events(rental) if event.kind is kind][-1]

    async def attempts(self, rental: Rental) -> list[Attempt]:
        async with self.deps.store.read() as tx:
            return await tx.rentals.attempts(rental.id)

    async def resources(self, rental: Rental) -> list[Resource]:
        async with self.deps.store.read() as tx:
            return await tx.rentals.resources(rental.id)

    async def ledger(self, rental: Rental) -> list[LedgerRow]:
        async with self.deps.store.read() as tx:
            return await tx.rentals.ledger(rental.id)

    async def direct(self, rental: Rental) -> list[tuple[str, EventKind]]:
        """Return the recipients of direct messages, and the events that they were notified of, in order."""
        async with self.deps.store.read() as tx:
            sent: list[Message] = await tx.messages.direct_of(rental.id)
        sent += [one for one in await self.messages(MessageKind.QUESTION) if one.rental_id == rental.id]
        kinds = {event.id: event.kind for event in await self.history()}
        return [(one.to.value, kinds[one.event_id or 0]) for one in sorted(sent, key=lambda one: one.id)]

    async def notices(self, kind: EventKind) -> list[tuple[str, Event[Any]]]:
        """Return the recipients of notices of this kind, with the events, in order."""
        found = {event.id: event for event in await self.history() if event.kind is kind}
        alerts = await self.messages(MessageKind.ALERT)
        return [(one.to.value, found[one.event_id]) for one in alerts if one.event_id in found]

    async def messages(self, *kinds: MessageKind) -> list[Message]:
        """Return the messages of these kinds, or of all kinds, oldest first."""
        async with self.database.engines.reader.connect() as conn:
            found = await stored_messages(conn)
        return [one for one in found if not kinds or one.kind in kinds]

    async def questions(self, about: type[Subject], **fields: Any) -> list[Message]:
        """Return the messages of questions to the admins, oldest first.

        Only questions about this kind of subject, with these field values, are included.
        """
        async with self.deps.store.read() as tx:
            asked = {
                one.id: await tx.questions.get(one.question_id or "")
                for one in await self.messages(MessageKind.QUESTION)
            }
        found = {one: question.about for one, question in asked.items() if question is not None}
        fitting = {
            one
            for one, subject in found.items()
            if isinstance(subject, about) and fields.items() <= dict(subject).items()
        }
        return [one for one in await self.messages(MessageKind.QUESTION) if one.id in fitting]

    async def samples(self, rental: Rental) -> list[Sample]:
        """Return the samples of a rental's machine, oldest first."""
        async with self.deps.store.read() as tx:
            return await tx.samples.since(rental.id, rental.created_at)

    async def alive(self) -> list[dict[str, Any]]:
        """Return the account's resources that are still being billed."""
        account = await self.outside.look("account")
        return [resource for resource in account["resources"] if resource["alive"]]

    async def bought(self) -> list[str]:
        """Return the vendors of all purchases, in order."""
        return [offer["vendor"] for offer in (await self.outside.look("account"))["offers_bought"]]

    async def bill(self) -> int:
        """Return the vendors' bill in micro-dollars."""
        return int((await self.outside.look("bill"))["total_micros"])

    async def calls(self, endpoint: str) -> list[dict[str, Any]]:
        """Return the calls to an endpoint of the marketplace."""
        found: list[dict[str, Any]] = (await self.outside.look(f"traffic?after=0&endpoint={endpoint}"))["requests"]
        return found
