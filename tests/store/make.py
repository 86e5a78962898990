"""Builds models with typical values, and stores them in a database."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from bot.model.attempt import Attempt, AttemptState, LedgerRow, Resource
from bot.model.base import changed
from bot.model.budget import Charge
from bot.model.event import Event, EventKind
from bot.model.message import Message, MessageKind, stored_destination, to_response_url
from bot.model.offer import Offer
from bot.model.quote import Quote, QuoteState
from bot.model.records import Change
from bot.model.rental import Decider, Lease, PendingDecision, Question, Rental
from bot.model.request import Contract, Request, Terms
from bot.model.state import State
from bot.model.token import Program
from store.db import Database
from tests.databases import START
from tests.events import facts_for

HOME = "C0HOME"
ANA = "U0ANA"
REPLY_TO = to_response_url("https://slack.test/reply")
BEN = "U0BEN"


def request(**fields: Any) -> Request:
    return Request(**{"gpu": "H100", "region": "EU", "lease": timedelta(hours=4), **fields})


def offer(offer_id: str = "offer-1", **fields: Any) -> Offer:
    return Offer(
        **{
            "offer_id": offer_id,
            "gpu": "nvidia-h100-sxm5-80gb",
            "family": "H100",
            "count": 1,
            "vendor": "nebius",
            "region": "EU",
            "contract": "ondemand",
            "rate": Decimal("2.15"),
            "expires_at": START + timedelta(minutes=30),
            **fields,
        }
    )


def quote(quote_id: str = "q1", **fields: Any) -> Quote:
    return Quote(
        **{
            "id": quote_id,
            "state": QuoteState.FOUND,
            "owner": ANA,
            "asked_in": HOME,
            "request": request(),
            "created_at": START,
            "offers": (offer(),),
            **fields,
        }
    )


def terms(**fields: Any) -> Terms:
    return Terms(
        **{
            "version": 1,
            "gpu": "nvidia-h100-sxm5-80gb",
            "count": 1,
            "region": "EU",
            "contract": Contract.ONDEMAND,
            "vendor": None,
            "price": Decimal("2.15"),
            "max_rate": Decimal("2.47"),
            "lease": timedelta(hours=4),
            "total": 11_115_000,
            **fields,
        }
    )


def rental(rental_id: str = "k7mq2", **fields: Any) -> Rental:
    return Rental(
        **{
            "id": rental_id,
            "state": State.PROCURING,
            "quote_id": f"q-{rental_id}",
            "owner": ANA,
            "card_channel": HOME,
            "request": request(),
            "clicked_offer": "offer-1",
            "terms": terms(),
            "created_at": START,
            "due_at": START,
            "lease": lease() if fields.get("state") is State.READY else None,
            **fields,
        }
    )


def attempt(rental_id: str = "k7mq2", n: int = 1, **fields: Any) -> Attempt:
    return Attempt(
        **{
            "rental_id": rental_id,
            "n": n,
            "state": AttemptState.INTENDED,
            "offer": offer(f"offer-{rental_id}-{n}"),
            "resource_name": f"gpubot-{rental_id}-{n}",
            "public_key": "ssh-ed25519 AAAA",
            "key_comment": "ana@laptop",
            "intended_at": START,
            **fields,
        }
    )


def resource(resource_id: str = "res-1", rental_id: str = "k7mq2", n: int = 1, **fields: Any) -> Resource:
    return Resource(
        **{
            "resource_id": resource_id,
            "rental_id": rental_id,
            "attempt": n,
            "status": "active",
            "first_seen": START,
            "read_at": START,
            **fields,
        }
    )


def ledger_row(resource_id: str = "res-1", rental_id: str = "k7mq2", **fields: Any) -> LedgerRow:
    return LedgerRow(
        **{
            "resource_id": resource_id,
            "rental_id": rental_id,
            "owner": ANA,
            "started_at": START,
            "ended_at": START + timedelta(hours=1),
            "rate": Decimal("2.15"),
            "amount": 2_150_000,
            "estimated": False,
            **fields,
        }
    )


def charge(resource_id: str = "res-1", rental_id: str = "k7mq2", **fields: Any) -> Charge:
    """Return the charge for all of `ledger_row`."""
    amount = fields.get("amount", 2_150_000)
    return Charge(
        **{
            "resource_id": resource_id,
            "n": 1,
            "rental_id": rental_id,
            "month": "2025-03",
            "owner": ANA,
            "project": "unassigned",
            "gpus": 1,
            "started_at": START,
            "ended_at": START + timedelta(hours=1),
            "rate": Decimal("2.15"),
            "amount": amount,
            "unknown": amount,
            **fields,
        }
    )


def event(kind: EventKind = EventKind.STARTED, rental_id: str | None = "k7mq2", **fields: Any) -> Event:
    facts = fields.pop("facts", None) or facts_for(kind)
    return Event(**{"kind": kind, "rental_id": rental_id, "at": START, "actor": ANA, "facts": facts, **fields})


def program(**fields: Any) -> Program:
    """Return the part of a rental that a program provided, with the token `nightly eval`."""
    return Program(**{"token_name": "nightly eval", "fingerprint": "0" * 64, **fields})


def message(
    kind: MessageKind = MessageKind.CARD, rental_id: str | None = "k7mq2", *, to: str = HOME, **fields: Any
) -> Message:
    """Return a message. `to` is a channel, a person or a URL in the format in which the database stores it."""
    destination = stored_destination(to)
    return Message(**{"kind": kind, "to": destination, "rental_id": rental_id, "created_at": START, **fields})


def next_of(before: Rental, **changes: Any) -> Rental:
    """Return the next version of a rental, with these changes."""
    return changed(before, version=before.version + 1, **changes)


def lease(ends_at: datetime = START + timedelta(hours=4), **fields: Any) -> Lease:
    """Return a lease that begins at START."""
    return Lease(
        **{
            "ready_at": START,
            "ends_at": ends_at,
            "notices_checked_at": START,
            "seen_at": START,
            "question": Question(),
            **fields,
        }
    )


def decision(**fields: Any) -> PendingDecision:
    """Return a decision for which an approver has been needed since START."""
    return PendingDecision(**{"decider": Decider.APPROVER, "expires_at": START + timedelta(hours=8), **fields})


class _Unchecked(Change):
    def __post_init__(self) -> None:
        """Accept changes that the transition table doesn't allow."""


def unchecked(before: Rental | None, after: Rental, **fields: Any) -> Change:
    """Return a change that the transition table needn't allow, in order to store a rental in any state."""
    return _Unchecked(before, after, **fields)


async def store_rental(
    database: Database, started: Rental | None = None, *attempts: Attempt, at: datetime = START
) -> Rental:
    """Store a rental with its quote, an event, its card and these attempts, and return the rental."""
    started = started or rental()
    async with database.write() as tx:
        if started.quote_id is not None:
            await tx.quotes.add(quote(started.quote_id, owner=started.owner, created_at=at))
        await tx.rentals.apply(
            unchecked(
                None,
                started,
                events=(event(rental_id=started.id),),
                messages=((None, message(rental_id=started.id)),),
                attempts=attempts,
            )
        )
    return started


async def store_charged(database: Database, *charged: Charge, **attempted: Any) -> None:
    """Store a rental that is over, with a resource and a ledger row, for each of these charges.

    Args:
        database: The database.
        charged: The charges.
        attempted: Fields of the rentals' attempts.
    """
    for one in charged:
        rental_id, resource_id = one.rental_id, one.resource_id
        over = rental(rental_id, owner=one.owner, project=one.project, state=State.DESTROYED, due_at=None)
        await store_rental(database, over, attempt(rental_id, **{"state": AttemptState.TERMINATED, **attempted}))
        async with database.write() as tx:
            row = ledger_row(
                resource_id,
                rental_id,
                owner=one.owner,
                started_at=one.started_at,
                ended_at=one.ended_at,
                rate=one.rate,
                amount=one.amount,
            )
            terminated = resource(resource_id, rental_id, terminated_at=one.ended_at)
            await tx.rentals.apply(Change(before=over, after=over, resources=(terminated,), ledger=(row,)))
            await tx.budgets.add_charges([one])
