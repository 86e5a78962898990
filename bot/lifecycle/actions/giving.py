"""Actions on idle machines of the team: people ask an owner for one, or the owner offers it to somebody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.errors import Mistake, NeedsKey, NextStep, NoTeammate, OverBudget, Refused, TooLate
from bot.lifecycle.actions.action import Action, By, Direct, Done
from bot.lifecycle.actions.queries import owner_here, readable_by_all
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.deps import Deps, known_rental
from bot.lifecycle.money.budgets import demands_on_new_owner
from bot.model.base import EVER
from bot.model.budget import Demand
from bot.model.event import Event, EventKind
from bot.model.facts import OwnerChangedFacts, PersonFacts, UseFacts
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.records import Change, Usage
from bot.model.rental import Rental
from bot.model.summary import IdleMachine, Over, RentalDetails
from bot.model.text import say_limit
from bot.policy.buying.budgets import rules_of_owner, say_passed
from bot.policy.buying.spending import CONFIRM_ABOVE, check_person_rentals, say_always_asked
from bot.policy.team.roles import check_user, is_owner, may_be_let_in, may_use
from bot.policy.team.rules import Rules
from bot.policy.use.giving import (
    Left,
    asked_last,
    check_givable,
    fits_request,
    given_to,
    is_given,
    is_idle,
    left_of,
)
from bot.policy.use.jobs import resumed
from bot.policy.use.questions import EXTENSION_SILENCE
from store.db import Tx

MOST_SHOWN = 2
"""The maximum number of idle machines that are shown above the offers."""

# --- asking for a machine


async def idle_machines(tx: Tx, deps: Deps, quote: Quote) -> tuple[IdleMachine, ...]:
    """Return other people's idle machines that match a quote's request, longest idle first.

    A quote is a search for offers. The result is empty if the person is not allowed to use other people's
    machines. It is also empty if the quote is for a replacement, for a change of a pending request, or for a
    later start time.
    """
    now, person = deps.clock.now(), await tx.people.get(quote.owner, EVER)
    wants_now = not (quote.changes or quote.replaces_rental or quote.request.starts_at)
    if not wants_now or person is None or not may_be_let_in(person, deps.rules):
        return ()
    idle = {one.id: one for one in await tx.rentals.idle() if is_idle(one, now) and not one.lets_in(person.id)}
    if not idle:
        return ()
    facts = await tx.rentals.facts_of(idle)
    events = await tx.events.of_many(idle, (EventKind.ASKED_FOR,))
    names = await tx.people.names({one.owner for one in idle.values()})
    found = []
    for rental in idle.values():
        if rental.use is not None and any(
            fits_request(one, quote.request) for one in facts[rental.id].attempts[-1:]
        ):
            asked = asked_last(events[rental.id], now)
            machine = IdleMachine(
                rental=readable_by_all(rental),
                owner=names.get(rental.owner, rental.owner),
                since=rental.use.since,
                asked_at=asked.at if asked is not None else None,
            )
            found.append(machine)
    return tuple(sorted(found, key=lambda one: (one.since, one.rental.id))[:MOST_SHOWN])


class OnRental(Direct[Rental, Done]):
    """An action on a rental by a person who is allowed to use the bot. Raises Mistake if the ID is unknown."""

    rental_id: str

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Rental:
        check_user(person, deps.rules)
        return await known_rental(tx, self.rental_id, NextStep.LIST_ALL)


class AskFor(OnRental[IdleMachine], id="ask_for"):
    """Ask the owner of an idle machine to give it to the person who runs this action.

    Returns a description of the machine.

    Raises:
        Mistake: The ID is unknown, or the person already has access to the machine.
        Refused: The person is a guest. Other people's machines can't be shared with guests.
        TooLate: The machine is no longer idle or ends soon, its owner has left, or somebody has already asked for
            it within the last hour.
    """

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> IdleMachine:
        rental, now = plan, deps.clock.now()
        if rental.lets_in(person.id):
            raise Mistake(f"You can already log in to {rental.id}.", next_step=NextStep.LOG_IN)
        if not may_be_let_in(person, deps.rules):
            raise Refused("Other people's machines can't be shared with guests. Nobody was asked.")
        if not is_idle(rental, now):
            raise TooLate(f"{rental.id} is no longer idle, or it ends soon. Nobody was asked.", rental.id)
        owner = await owner_here(tx, rental, "Nobody was asked.")
        name = owner.name if owner is not None else rental.owner
        asked = asked_last(await tx.events.of(rental.id), now)
        if asked is not None:
            message = f"{name} was already asked for {rental.id} less than an hour ago. I ask only once an hour."
            raise TooLate(message, rental.id)
        event = Event(
            rental_id=rental.id,
            kind=EventKind.ASKED_FOR,
            at=now,
            actor=person.id,
            facts=UseFacts(use=rental.use.bare if rental.use else None, until=rental.running_lease.ends_at),
        )
        after = transitions.alter(rental)
        await apply(tx, deps, Change(rental, after, (event,)))
        since = rental.use.since if rental.use is not None else now
        return IdleMachine(rental=readable_by_all(after), owner=name, since=since, asked_at=now)


# --- offering a machine


class Give(OnRental[tuple[Rental, str]], id="give"):
    """Offer a machine to another person, who has an hour to accept it.

    Returns the rental and that person's name. The caller has looked the person up in Slack.

    Raises:
        Mistake: The ID is unknown, or the machine already belongs to the person.
        Refused: The rental is somebody else's, or a new owner would need approval.
        NoTeammate: The person isn't allowed to use the bot.
        TooLate: The machine can't be transferred now; see `check_givable`.
    """

    to: str

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> tuple[Rental, str]:
        rental, to, now = plan, self.to, deps.clock.now()
        if not is_owner(person.id, rental.owner):
            raise Refused(f"Only the owner of {rental.id} can give it away. Nothing was changed.")
        if to == rental.owner:
            raise Mistake(f"{rental.id} is already yours. Nothing was changed.")
        taker = await tx.people.get(to, EVER)
        if taker is None or not may_use(taker, deps.rules):
            name = taker.name if taker is not None else "That person"
            raise NoTeammate(f"{name} may not use me, so {rental.id} stays yours.")
        check_givable(rental, await tx.rentals.attempts(rental.id), now)
        rules = rules_of_owner(deps.rules, rental.project, taker)
        _check_limits(
            rental,
            left_of(rental, now, rules),
            rules,
            alternative=f"share it with {taker.name}",
            next_step=NextStep.NAME_TEAMMATES,
        )
        if given_to(to, await tx.events.of(rental.id), now) is not None:
            return rental, taker.name
        facts = PersonFacts(people=(to,), until=rental.running_lease.ends_at, rate=rental.rate)
        event = Event(rental_id=rental.id, kind=EventKind.GIVEN, at=now, actor=person.id, facts=facts)
        after = transitions.alter(rental)
        await apply(tx, deps, Change(rental, after, (event,)))
        return after, taker.name


# --- accepting a machine


@dataclass(frozen=True)
class Offered:
    """An offer to transfer a machine to a person, and everything that the person's acceptance depends on."""

    rental: Rental
    left: Left
    """The remaining time and cost of the rental."""
    owner: str
    """The name of the present owner."""
    rules: Rules
    """The rules for the rental's project and for the person who accepts the machine."""
    usage: Usage
    has_key: bool
    demands: tuple[Demand, ...]
    """The amounts that the machine would need from the person's budget in each month.

    The month with the least headroom comes first.
    """


class Take(Action[Offered, Offered, Rental], id="take"):
    """Accept a machine that its owner wants to transfer to the person, and return the rental.

    The person needs the right to rent and an SSH key. The limits and budgets for people apply to the remaining
    time. The team's limit isn't checked, because nothing is bought. For the same reason, a transfer is possible
    while buying is paused. From now on, the rental is paid from the new owner's budget.

    `shown_end` is the end of the lease that the message showed, in whole seconds.

    Raises:
        TooLate: The machine is no longer offered to the person, its lease doesn't end at `shown_end`, or it can't
            be transferred (see `check_givable`).
        Refused: The rules or limits don't allow it.
        OverBudget: The remaining cost exceeds the person's budget.
        NeedsKey: The person has no SSH key.
    """

    rental_id: str
    shown_end: datetime

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Offered:
        check_user(person, deps.rules)
        rental, now = await known_rental(tx, self.rental_id, NextStep.LIST_ALL), deps.clock.now()
        if rental.owner == person.id:
            raise TooLate(f"{rental.id} is already yours.", rental.id)
        if given_to(person.id, await tx.events.of(rental.id), now) is None:
            raise TooLate(f"{rental.id} is no longer offered to you. Nothing was changed.", rental.id)
        owner = await owner_here(tx, rental)
        check_givable(rental, await tx.rentals.attempts(rental.id), now)
        if rental.running_lease.ends_at.replace(microsecond=0) != self.shown_end:
            message = f"{rental.id} has a new end, which my message shows. Nothing was changed. Click there again."
            raise TooLate(message, rental.id)
        rules = rules_of_owner(deps.rules, rental.project, person)
        return Offered(
            rental=rental,
            left=left_of(rental, now, rules),
            owner=owner.name if owner is not None else "its owner",
            rules=rules,
            usage=await tx.rentals.usage(person.id, without=rental.id),
            has_key=bool(await tx.people.keys(person.id)),
            demands=await demands_if_taken(tx, deps.rules, rental, person.id, now),
        )

    def plan(self, loaded: Offered, by: By) -> Offered:
        rules = loaded.rules
        _check_limits(loaded.rental, loaded.left, rules, alternative=f"ask {loaded.owner} to share it with you")
        check_person_rentals(loaded.usage, rules)
        if not loaded.has_key:
            raise NeedsKey(github=by.rules.keys.github, so_far="nothing has been changed yet")
        passed = next((demand for demand in loaded.demands if demand.passes), None)
        if passed is not None:
            instead = f"Nothing was changed. Instead, ask {loaded.owner} to share it with you."
            raise OverBudget(say_passed(passed, what="The machine"), instead=instead)
        return loaded

    def confirms(self, plan: Offered) -> bool:
        return plan.left.total > CONFIRM_ABOVE

    def shown(self, plan: Offered) -> Rental:
        return plan.rental

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Offered) -> Rental:
        now = deps.clock.now()
        quiet_until = now + (deps.rules.check_in.after or EXTENSION_SILENCE)
        after = transitions.change_owner(plan.rental, person.id, now, quiet_until=quiet_until)
        event = _acceptance(plan.rental, person.id, now)
        return await apply(tx, deps, Change(plan.rental, after, (event,), within_budgets=True))


def to_take(event: Event[Any], reader: Person, details: RentalDetails, now: datetime) -> bool:
    """Return whether an event offers a machine to `reader`, and the offer can still be accepted."""
    given = event.kind is EventKind.GIVEN and reader.id in event.facts.people
    return given and is_given(event, details.events, now)


async def demands_if_taken(
    tx: Tx, rules: Rules, rental: Rental, person_id: str, now: datetime
) -> tuple[Demand, ...]:
    """Return the amounts that a person's budget would have to cover if they accepted a rental now.

    The month with the least remaining headroom comes first.
    """
    return await demands_on_new_owner(
        tx, rules, transitions.change_owner(rental, person_id, now), _acceptance(rental, person_id, now), now
    )


def _acceptance(rental: Rental, person_id: str, now: datetime) -> Event:
    people, until = (rental.owner, person_id), resumed(rental.running_lease, now).ends_at
    facts = OwnerChangedFacts(people=people, until=until, rate=rental.rate)
    return Event(rental_id=rental.id, kind=EventKind.OWNER_CHANGED, at=now, actor=person_id, facts=facts)


def _check_limits(
    rental: Rental, left: Left, rules: Rules, *, alternative: str, next_step: NextStep | None = None
) -> None:
    """Refuse a transfer if a new owner of the rental would need approval. Raises Refused.

    The message of the error suggests the `alternative`.
    """
    if not left.over:
        return
    if Over.ALWAYS in left.over:
        always = f"In your team, {say_always_asked(rules)} always need approval"
        why = f"{always}, and so would a new owner of {rental.id}."
    else:
        most = rules.auto_approve
        limits = {Over.PER_HOUR: f"{say_limit(most.per_hour)}/h", Over.TOTAL: f"{say_limit(most.total)} in all"}
        over = " and ".join(limits[one] for one in left.over)
        why = f"The time left on {rental.id} can cost more than {over}, so a new owner would need approval."
    raise Refused(f"{why} Nothing was changed. Instead, {alternative}.", next_step=next_step)
