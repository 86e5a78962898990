"""Waiting for a decision, and destroying to the end: what happens next in the states between the others."""

from __future__ import annotations

from bot.lifecycle.case import Case
from bot.lifecycle.desk import Works
from bot.lifecycle.finish import finish
from bot.lifecycle.machine import move
from bot.lifecycle.money import cost_something
from bot.model.event import Event, EventKind, Facts
from bot.model.money import cost
from bot.model.state import State


async def wait(works: Works, case: Case) -> Case:
    """A request that nobody decides lapses."""
    now, rental = works.clock.now(), case.rental
    if rental.lapses_at is not None and now < rental.lapses_at:
        return case.now_is(rental.model_copy(update={"due_at": rental.lapses_at}))
    after, (event,) = finish(rental, State.LAPSED, attempts=case.attempts, at=now, bill=case.spent(now))
    return case.now_is(after, event.model_copy(update={"kind": EventKind.LAPSED}))


async def destroy(works: Works, case: Case) -> Case:
    """Ends it once every attempt is gone; deletions were tended before this step."""
    now, rental = works.clock.now(), case.rental
    if not all(attempt.settled for attempt in case.attempts):
        return case.now_is(rental.model_copy(update={"due_at": None}))
    bill = case.spent(now)
    end = rental.end or State.DESTROYED
    starts = [row.started_at for row in case.ledger]
    ends = [row.ended_at for row in case.ledger]
    facts = Facts(
        end=end,
        why=rental.end_why,
        amount=bill.amount,
        estimated=bill.estimated,
        rate=rental.rate,
        span=max(ends) - min(starts) if starts else None,
        paid=cost_something(bill),
        estimate=cost(rental.rate, rental.envelope.lease) if rental.ready_at and rental.rate else None,
    )
    after = move(rental, end, over_at=now, due_at=None)
    return case.now_is(after, Event(rental_id=rental.id, kind=EventKind.ENDED, at=now, facts=facts))


async def stay_over(works: Works, case: Case) -> Case:
    """An over rental is only due while something that turned up late is being deleted. Its end stands."""
    return case.now_is(case.rental.model_copy(update={"due_at": None}))
