"""Rents a machine in place of another machine that was lost, doesn't work, or isn't what was sold."""

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
"""The maximum number of characters kept of an owner's description of what doesn't work."""


@dataclass(frozen=True)
class ReplacePlan:
    """A rental that can be replaced now, with the time and budget that remain for the replacement."""

    rental: Rental
    left: Remainder


class Replace(Direct[ReplacePlan, Quote], id="replace"):
    """Start a search for another machine, which is rented as soon as it is found.

    Returns the search. If the old machine is still running, it is destroyed once the new one has been bought. The
    person has to confirm the replacement in a dialog if the old machine is still running, or if the new one can
    cost a lot.

    Args:
        reply_to: The destination of the search's results.
        reason: The person's description of what doesn't work, if the machine is still running.

    Raises:
        Mistake: The ID is unknown, or the keys don't fit into the startup script.
        Refused: The rental is somebody else's, the rules no longer allow it, or buying is blocked.
        TooLate: The rental has already been replaced, or can't be replaced.
        NeedsKey: The person has no SSH key.
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
