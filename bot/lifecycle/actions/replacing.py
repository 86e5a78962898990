"""Rents a machine in the place of one that was lost, that doesn't work, or that is not what was sold."""

from __future__ import annotations

from dataclasses import dataclass

from bot.lifecycle.actions.action import Direct
from bot.lifecycle.actions.leasing import said_just_now
from bot.lifecycle.actions.quoting import check_pace, new_quote
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.buying_blocks import check_buying
from bot.lifecycle.people.teammates import check_key
from bot.lifecycle.steps.replacing import checked_request, load_replaceable
from bot.model.event import Event, EventKind
from bot.model.facts import SaidFacts
from bot.model.message import Destination
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import Remainder
from bot.model.text import one_line
from bot.policy.buying.spending import CONFIRM_ABOVE
from store.db import Tx

LONGEST_REASON = 200
"""Characters of what an owner says about a machine that doesn't work."""


@dataclass(frozen=True)
class ReplacePlan:
    """A rental that a person may replace now, and what it leaves for its replacement."""

    rental: Rental
    left: Remainder


class Replace(Direct[ReplacePlan, Quote], id="replace"):
    """Look for another machine, which is rented as soon as it is found (`rent_replacement`). Return the search,
    whose answer goes to `reply_to`.

    It is confirmed if the old machine still runs, which is destroyed once another one is bought, or if it can cost
    much. `reason` is what the person says about a machine that still runs. Raise Mistake if the id is unknown or
    the keys don't fit into the boot script, Refused if the rental is somebody else's, if the rules no longer allow
    it or if buying is blocked, TooLate if the rental was replaced before or can't be, NeedsKey without a key.
    """

    rental_id: str
    reply_to: Destination
    reason: str = ""

    async def load(self, tx: Tx, deps: Deps, person: Person) -> ReplacePlan:
        return ReplacePlan(*await load_replaceable(tx, deps, person, self.rental_id))

    def confirms(self, plan: ReplacePlan) -> bool:
        return plan.rental.state is State.READY or plan.left.total > CONFIRM_ABOVE

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: ReplacePlan) -> Quote:
        rental, reason, now = plan.rental, self.reason, deps.clock.now()
        await check_pace(tx, deps, person)
        await check_buying(tx)
        await check_key(tx, deps.rules, person)
        request = await checked_request(tx, deps, rental, plan.left, now)
        earlier = await tx.quotes.get(rental.quote_id or "")
        quote = new_quote(
            deps,
            person,
            request,
            asked_in=earlier.asked_in if earlier is not None else rental.card_channel,
            project=rental.project,
            reply_to=self.reply_to,
            replaces_rental=rental.id,
        )
        await tx.quotes.add(quote)
        detail = one_line(reason, LONGEST_REASON)
        events = await tx.events.of(rental.id)
        said_before = said_just_now(events, person, {EventKind.NOT_WORKING}, now, detail=detail) is not None
        if reason and not said_before and rental.state is State.READY:
            facts = SaidFacts(detail=detail)
            said = Event(rental_id=rental.id, kind=EventKind.NOT_WORKING, at=now, actor=person.id, facts=facts)
            await apply(tx, deps, Change(rental, transitions.alter(rental), (said,)))
        return quote
