"""Reads rentals for lists, `/gpu show`, messages, and commands without an ID."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto

from bot.errors import Mistake, NextStep, OwnerOnly, Refused, TooLate
from bot.lifecycle.account.adoption import cost_so_far
from bot.lifecycle.changes.snapshot import RentalSnapshot, cost_by_use, load_many, load_snapshot
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.billing import accrued
from bot.lifecycle.people.deciders import requesters_of, rules_now, team_of
from bot.lifecycle.people.teammates import keys_that_get_in, names_of
from bot.model.admin_question import AdminQuestion
from bot.model.base import EVER, changed
from bot.model.budget import UseCosts
from bot.model.event import Event, EventKind, deciders_in, facts_in
from bot.model.facts import DecidersFacts, OwnerChangedFacts, PeopleFacts, UseFacts
from bot.model.machine_use import RecentUse
from bot.model.person import Person
from bot.model.quote import Quote
from bot.model.records import EndedCost, LiveCost
from bot.model.rental import Rental
from bot.model.state import UNBOUGHT, State
from bot.model.summary import (
    AccruedCost,
    CostTotals,
    EndedSummary,
    OwnRentals,
    PeopleAsked,
    RentalDetails,
    RentalList,
    RentalSummary,
    UnmanagedSummary,
    UnmanagedTotal,
)
from bot.model.token import SlackThread, Token
from bot.policy.buying.spending import may_approve
from bot.policy.team.roles import (
    Team,
    check_user,
    is_approver_or_admin,
    is_owner,
    is_teammate,
    may_be_let_in,
    may_look,
    may_read_direct_message,
    may_see_ssh_command,
    may_use,
    roles_of,
    rules_for,
    sees_money,
    sees_use,
)
from bot.policy.team.rules import Rules
from bot.policy.use.probing import runs_scripts
from bot.policy.use.usage_status import recent_span, recent_use
from store.db import Tx

MOST_TO_DECIDE = 5
"""The maximum number of pending requests that are listed. Further requests are only counted."""

ENDED_SHOWN = timedelta(days=7)
"""The time for which a list still shows a rental that is over."""


async def details_for(tx: Tx, deps: Deps, person: Person, rental: Rental) -> RentalDetails:
    """Return a rental, reduced to what this person is allowed to see.

    The caller has already checked that the person can see the rental at all.
    """
    use = sees_use(person, rental, deps.rules)
    money = sees_money(person, rental.owner, deps.rules)
    details = await _details(tx, rental, deps.clock.now(), money=money, use=use)
    details = changed(details, rental=readable_by(person, rental, deps.rules))
    if rental.state.over or not may_see_ssh_command(person, rental, deps.rules):
        return details
    keys = await keys_that_get_in(tx, rental, deps.rules)
    return changed(details, keys_now={user_id: tuple(own) for user_id, own in keys.items()})


async def details_for_message(tx: Tx, rental: Rental, now: datetime) -> RentalDetails:
    """Return a rental for a message that several people can read.

    The cost is included, because everyone who gets this message is allowed to see the cost. The details of the
    machine's use are left out, except for the usage status and its start time.
    """
    return await _details(tx, rental, now, money=True, use=False)


async def waiting_for_approver(
    tx: Tx, deps: Deps, reader: Person, rental_ids: Collection[str]
) -> list[RentalDetails] | None:
    """Return these rentals for a message that reminds an approver of them, oldest first.

    None if the recipient isn't an approver any more.
    """
    if not roles_of(reader, await rules_now(tx, deps.rules)).approver:
        return None
    rentals = await tx.rentals.get_many(rental_ids)
    found = [await details_for_message(tx, rental, deps.clock.now()) for rental in rentals.values()]
    return sorted(found, key=lambda details: (details.rental.created_at, details.rental.id))


async def details_for_direct_message(
    tx: Tx, deps: Deps, reader: Person, rental: Rental, event: Event | None = None
) -> RentalDetails | None:
    """Return a rental for a direct message about an event. None if the reader can no longer see it.

    A teammate who has left or become a guest isn't allowed to see the rental. Two groups of people can see it
    although they are neither its owner nor a teammate:

    - A former owner sees who owns the rental now, and which SSH keys the new owner needs on the machine.
    - People who asked for a machine, and people to whom a machine is offered, see the message about the request
      or the offer.
    """
    details = await details_for(tx, deps, reader, rental)
    may_read = may_read_direct_message(reader, rental, deps.rules) or reader.id in details.former_owners
    if event is not None and isinstance(event.facts, PeopleFacts) and reader.id in event.facts.people:
        may_read = may_read or (event.kind in {EventKind.KEPT, EventKind.GIVEN} and may_use(reader, deps.rules))
        if event.kind is EventKind.OWNER_CHANGED and event.facts.people == (reader.id, rental.owner):
            keys = await tx.people.keys_of((rental.owner,))
            return changed(details, keys_now={rental.owner: tuple(keys.get(rental.owner, ()))})
    return details if may_read else None


async def _details(tx: Tx, rental: Rental, now: datetime, *, money: bool, use: bool) -> RentalDetails:
    snapshot = await load_snapshot(tx, rental)
    waits = rental.undecided_terms is not None
    events = tuple(await tx.events.of(rental.id))
    usual = await tx.rentals.median_time_to_ready(rental.vendor, rental.model) if rental.vendor else None
    token = await tx.tokens.get(rental.token_id) if rental.program is not None and rental.token_id else None
    return RentalDetails(
        rental=rental if use else readable_by_all(rental),
        attempts=snapshot.attempts,
        resources=snapshot.resources,
        ledger=snapshot.ledger,
        events=readable_events(events, everything=use),
        spent=snapshot.spent(now),
        use_costs=cost_by_use(snapshot, events, now) if money else UseCosts(),
        runs_script=await _runs_script(tx, rental),
        usual=None if usual is None else timedelta(seconds=round(usual)),
        names=await tx.people.names(_people_in(snapshot, events, token)),
        replaced=await _replaced_by(tx, rental),
        token=token,
        left=await _who_left(tx, snapshot, events),
        owner=await tx.people.get(rental.owner, EVER) if waits else None,
        owners_live=tuple(readable_by_all(other) for other in await tx.rentals.live(rental.owner))
        if waits
        else (),
        sees_money=money,
    )


async def _who_left(tx: Tx, snapshot: RentalSnapshot, events: Iterable[Event]) -> frozenset[str]:
    """Return the people who have had access to a rental's machine and have left the workspace.

    Empty if the rental was never transferred, because the result is only needed after a transfer.
    """
    former = {facts.people[0] for facts in facts_in(events, OwnerChangedFacts)}
    if not former:
        return frozenset()
    former |= {key.person for attempt in snapshot.attempts for key in attempt.script_keys}
    known = [await tx.people.get(one, EVER) for one in sorted(former)]
    return frozenset(person.id for person in known if person is not None and person.deactivated)


async def _replaced_by(tx: Tx, rental: Rental) -> Rental | None:
    replaced = await tx.rentals.get(rental.replaces) if rental.replaces is not None else None
    return None if replaced is None else readable_by_all(replaced)


async def _runs_script(tx: Tx, rental: Rental) -> bool:
    if rental.vendor is None or rental.state is not State.READY:
        return True
    return runs_scripts((await tx.probe_answers.of_vendors([rental.vendor])).get(rental.vendor))


def _people_in(snapshot: RentalSnapshot, events: Iterable[Event], token: Token | None) -> set[str]:
    """Return the Slack IDs of all people who appear in a rental and its history, and of who stopped its token."""
    rental = snapshot.rental
    people = {rental.owner, rental.approved_by, *rental.teammates} | {event.actor for event in events}
    people |= {person for facts in facts_in(events, PeopleFacts) for person in facts.people}
    people |= {person for facts in facts_in(events, DecidersFacts) for person in facts.away}
    scripts = [attempt.script for attempt in snapshot.attempts if attempt.script is not None]
    people |= {key.person for script in scripts for key in script.keys}
    people.add(rental.ending.by if rental.ending else None)
    people.add(rental.alarm.acknowledged_by if rental.alarm else None)
    people.add(token.over_by if token else None)
    return {person for person in people if person is not None}


async def show(deps: Deps, person: Person, rental_id: str) -> RentalDetails:
    """Return a rental with its history, and with its recent use if the person is allowed to see the use.

    Raises Mistake if the ID is unknown or the person isn't allowed to see the rental, and Refused if they aren't
    allowed to use the bot.
    """
    async with deps.store.read() as tx:
        rental = await _visible(tx, deps, person, rental_id)
        details = await details_for(tx, deps, person, rental)
        if not sees_use(person, rental, deps.rules):
            return details
        return changed(details, recent_use=await use_of_last_day(tx, rental, deps.clock.now(), deps.rules))


async def ssh_details(deps: Deps, person: Person, rental_id: str) -> RentalDetails:
    """Return a rental whose SSH command the person is allowed to see.

    Raises the same errors as `show`, and OwnerOnly if the person is neither the owner nor a teammate.
    """
    async with deps.store.read() as tx:
        rental = await _visible(tx, deps, person, rental_id)
        if not may_see_ssh_command(person, rental, deps.rules):
            raise OwnerOnly(rental.id, (await tx.people.names([rental.owner])).get(rental.owner))
        return await details_for(tx, deps, person, rental)


async def _visible(tx: Tx, deps: Deps, person: Person, rental_id: str) -> Rental:
    """Return a rental that the person is allowed to look at.

    The same Mistake is raised for an unknown ID and for a rental that the person isn't allowed to see, so that
    the error doesn't reveal which IDs exist.
    """
    rental = await tx.rentals.get(rental_id)
    if rental is None or not may_look(person, rental.owner, deps.rules):
        # First refuse people who may not use the bot at all, whether or not the ID exists. Otherwise, they would
        # learn from the reply which IDs exist.
        check_user(person, deps.rules)
        raise Mistake(f"I don't know {rental_id}.", next_step=NextStep.LIST_YOURS)
    return rental


async def owner_here(tx: Tx, rental: Rental, nothing: str = "Nothing was changed.") -> Person | None:
    """Return the owner of a rental, or None if the store doesn't know them.

    Raises TooLate if the owner has left the workspace. `nothing` is the last sentence of the error's message, such
    as "Nothing was changed."
    """
    owner = await tx.people.get(rental.owner, EVER)
    if owner is not None and owner.deactivated:
        raise TooLate(f"{owner.name} left the workspace, so admins decide about {rental.id}. {nothing}", rental.id)
    return owner


async def own_quote(tx: Tx, person: Person, quote_id: str) -> Quote:
    """Return a person's own quote.

    Raises TooLate if the store no longer has it, and Refused if it belongs to somebody else.
    """
    quote = await tx.quotes.get(quote_id)
    if quote is None:
        raise unknown_search()
    if not is_owner(person.id, quote.owner):
        raise Refused("This search belongs to someone else.", next_step=NextStep.ASK_FOR_YOUR_OWN)
    return quote


def unknown_search() -> TooLate:
    """Return the error for a click on the results of a search that the store no longer has."""
    return TooLate("This search no longer exists. Nothing was rented.", next_step=NextStep.ASK_AGAIN)


async def live_rentals(
    deps: Deps,
    person: Person,
    *,
    everyone: bool,
    most: int,
    skip: int = 0,
    without: Collection[str] = (),
    with_waiting: bool = False,
) -> RentalList:
    """Return a page of the rentals that are not over, with totals over all pages.

    By default, the page contains the person's own rentals and those shared with them. With `everyone`, the page
    contains the rentals of the whole team. The page is read with few database queries, because Slack is waiting
    for the response. Raises Refused if the person isn't allowed to use the bot.

    Args:
        most: The maximum number of rentals on a page.
        skip: The number of rentals on earlier pages.
        without: The IDs of rentals to leave out.
        with_waiting: True to include requests that wait for the person's decision. `everyone` always includes
            them.
    """
    check_user(person, deps.rules)
    async with deps.store.read() as tx:
        now = deps.clock.now()
        live = await tx.rentals.live_costs(None if everyone else person.id)
        running = await tx.rentals.running()
        own = [cost for cost in live if cost.owner == person.id]
        shared = [cost for cost in live if cost.owner != person.id and may_be_let_in(person, deps.rules)]
        wanted = [cost for cost in (live if everyone else [*own, *shared]) if cost.rental_id not in without]
        page = wanted[skip : skip + most]
        spent = {cost.rental_id: _spent(cost, now) for cost in page}
        shown = list(spent)
        rentals = await tx.rentals.get_many(shown)
        to_decide = await _waiting_for(tx, deps, person) if everyone or with_waiting else []
        listed = to_decide[:MOST_TO_DECIDE]
        waiting = await load_many(tx, [one.id for one in listed])
        named = [*rentals.values(), *listed]
        people = {user for rental in named for user in (*requesters_of(rental), *rental.teammates)}
        names = await tx.people.names(people)
        unmanaged = await tx.questions.purchases()
        ended = [
            one for one in await tx.rentals.ended_costs(now - ENDED_SHOWN) if everyone or person.id in one.billed
        ]
    sees_unmanaged = everyone and is_approver_or_admin(person, deps.rules)
    return RentalList(
        reader=person.id,
        shown=tuple(
            RentalSummary(
                rental=readable_by(person, rental, deps.rules),
                spent=spent[rental.id],
                names=names,
                sees_money=sees_money(person, rental.owner, deps.rules),
            )
            for rental in (rentals[rental_id] for rental_id in shown)
        ),
        more=max(len(wanted) - skip - len(shown), 0),
        own=_totals((cost.state, cost.rate, 1) for cost in own),
        own_amount=sum(_spent(cost, now).amount for cost in own),
        team=_totals((one.state, one.rate, one.number) for one in running),
        idle=sum(one.number for one in running if one.idle),
        to_decide=tuple(
            RentalSummary(
                rental=readable_by_all(rental), spent=waiting[rental.id].spent(now), names=names, sees_money=True
            )
            for rental in listed
        ),
        more_to_decide=max(len(to_decide) - MOST_TO_DECIDE, 0),
        unmanaged_total=_unmanaged_total(unmanaged),
        unmanaged=tuple(
            UnmanagedSummary(question=one, spent=cost_so_far(one.purchase.machines, now)) for one in unmanaged
        )
        if sees_unmanaged
        else (),
        ended=tuple(_ended(one, person, deps.rules, everyone=everyone) for one in ended),
    )


def _ended(cost: EndedCost, person: Person, rules: Rules, *, everyone: bool) -> EndedSummary:
    """Return a rental that is over, with the amount that this person was charged for it."""
    billed = cost.billed if everyone else {person.id: cost.billed[person.id]}
    sees = all(sees_money(person, owner, rules) for owner in billed)
    return EndedSummary(
        rental_id=cost.rental_id,
        request=changed(cost.request, gpu=cost.gpu, features=()) if cost.gpu else cost.request,
        spent=AccruedCost(amount=sum(billed.values()), estimated=cost.estimated) if sees else None,
    )


def _unmanaged_total(questions: Iterable[AdminQuestion]) -> UnmanagedTotal:
    alive = [machine for one in questions if one.open for machine in one.purchase.alive]
    rates = [machine.rate for machine in alive if machine.rate is not None]
    return UnmanagedTotal(count=len(alive), rate=sum(rates, start=Decimal(0)), unpriced=len(alive) - len(rates))


async def _waiting_for(tx: Tx, deps: Deps, person: Person) -> list[Rental]:
    """Return the rentals with a pending request or extension that this person can approve, oldest first."""
    waiting = await tx.rentals.undecided()
    team = await team_of(tx, deps.rules) if waiting else Team()
    return [
        rental
        for rental in waiting
        if may_approve(person, requesters_of(rental), rules_for(deps.rules, team, requesters_of(rental)))
    ]


def _totals(alike: Iterable[tuple[State, Decimal | None, int]]) -> CostTotals:
    """Return the number and hourly cost of rentals. Rentals for which nothing has been bought are left out."""
    buying = [(rate or Decimal(0), count) for state, rate, count in alike if state not in UNBOUGHT]
    return CostTotals(
        count=sum(count for _, count in buying),
        rate=sum((rate * count for rate, count in buying), start=Decimal(0)),
    )


def _spent(cost: LiveCost, now: datetime) -> AccruedCost:
    return accrued(cost.billed, cost.alive, now, estimated=cost.estimated)


async def rental_of_thread(deps: Deps, channel: str, ts: str) -> str | None:
    """Return the ID of the rental that a thread in Slack is about. None if there is none.

    Either the thread begins with a message of the bot about the rental, or a Slack app asked for the rental there.

    Raises Mistake if apps asked for several rentals there that aren't over.
    """
    async with deps.store.read() as tx:
        about = await tx.messages.rental_at(channel, ts)
        if about is not None:
            return about
        asked = await tx.rentals.asked_in(SlackThread(channel=channel, ts=ts))
    if len(asked) > 1:
        ids = ", ".join(one.id for one in asked)
        raise Mistake(
            f"Several machines were requested in this thread. Add the ID of the one that you mean: {ids}"
        )
    return asked[0].id if asked else None


async def people_asked(tx: Tx, rental: Rental) -> PeopleAsked | None:
    """Return the people who are asked to approve a rental or its extension. None if no approver has to decide."""
    if rental.undecided_terms is None or rental.owner_decides:
        return None
    events = await tx.events.of(rental.id)
    facts = deciders_in(events)
    if facts is None:
        return None
    return PeopleAsked(
        names=await names_of(tx, facts.people),
        admins_decide=bool(facts.admins_decide),
        away=await names_of(tx, facts.away),
        asked_at=next(event.at for event in events if event.facts is facts),
    )


# --- what each person may see about the use of a machine


DAY = timedelta(days=1)


def readable_by(person: Person, rental: Rental, rules: Rules) -> Rental:
    """Return the rental, with only those details of its machine's use that a person is allowed to see.

    The owner and teammates see everything. Admins see everything except the names of jobs. All others see only
    the usage status and its start time.

    While there are too few samples to determine the status, it is left out for everybody.
    """
    if not sees_use(person, rental, rules):
        return changed(readable_by_all(rental), progress=None)
    use = rental.use
    shown = changed(rental, use=None) if use is not None and use.undecided else rental
    return shown if rental.lets_in(person.id) else changed(shown, jobs=None)


def readable_by_all(rental: Rental) -> Rental:
    """Return a copy of the rental that a message in a channel is allowed to show.

    The copy contains the usage status of the machine, the time at which this status began, and the newest
    progress. All other details of the machine's use are left out. If there are too few samples to determine the
    status, it is left out as well.
    """
    use = rental.use
    return changed(rental, use=None if use is None or use.undecided else use.bare, jobs=None)


def readable_events(events: Iterable[Event], *, everything: bool) -> tuple[Event, ...]:
    """Return the events that a person is allowed to read, without details that they must not see."""
    return tuple(
        readable_event(event, everything=everything) for event in events if _is_readable(event, everything)
    )


def readable_event(event: Event, *, everything: bool) -> Event:
    """Return an event with the details of the machine's use that a person is allowed to see.

    With `everything`, the person is allowed to see all details; otherwise, only the usage status and its start
    time.
    """
    if everything or not isinstance(event.facts, UseFacts) or event.facts.use is None:
        return event
    return changed(event, facts=changed(event.facts, use=event.facts.use.bare))


def _is_readable(event: Event, everything: bool) -> bool:
    if event.kind is not EventKind.USE_CHANGED or not isinstance(event.facts, UseFacts):
        return True
    return everything and (event.facts.use is None or not event.facts.use.undecided)


async def use_of_last_day(tx: Tx, rental: Rental, now: datetime, rules: Rules) -> RecentUse | None:
    """Return the use of a ready machine in the last day. None if it isn't ready or was never probed."""
    if rental.state is not State.READY or rental.use is None:
        return None
    samples = await tx.samples.since(rental.id, now - recent_span(rules.idle))
    return recent_use(samples, await tx.samples.highest(rental.id, now - DAY), now, rules.idle)


# --- the rental that a command refers to if it contains no ID


class Purpose(Enum):
    """The things that a command without an ID can do with a rental."""

    SHOW = auto()
    SSH = auto()
    EXTEND = auto()
    """Extend or keep the machine."""
    DESTROY = auto()
    SHARE = auto()
    """Share the machine with teammates."""
    GIVE = auto()
    """Offer the machine to somebody."""


OF_OWNER = frozenset({Purpose.DESTROY, Purpose.SHARE, Purpose.GIVE})
"""The purposes for which the person must own the rental. A shared rental isn't enough."""
NEEDS_MACHINE = frozenset({Purpose.SSH, Purpose.EXTEND, Purpose.GIVE})


async def own_rentals(deps: Deps, person: Person, purpose: Purpose) -> OwnRentals:
    """Return the rentals that a command without an ID can mean.

    These are the person's own rentals. Rentals that are shared with them as a teammate are also included, unless
    the command is reserved for owners. If the command needs a machine and there are several rentals, only the
    ready ones are returned.

    Raises:
        Refused: There is no such rental, and the person isn't allowed to use the bot. Or the command is reserved
            for owners, and the person is only a teammate.
        Mistake: There is no such rental, for any other reason.
        TooLate: The command needs a machine, and none of several rentals is ready.
    """
    async with deps.store.read() as tx:
        found = await tx.rentals.live(person.id)
        shared = [
            each for each in await tx.rentals.shared_with(person.id) if is_teammate(person, each, deps.rules)
        ]
        if purpose not in OF_OWNER:
            found = sorted([*found, *shared], key=lambda rental: (rental.created_at, rental.id))
        live = [rental for rental in found if purpose is Purpose.SHOW or rental.state is not State.DESTROYING]
        names = await tx.people.names({rental.owner for rental in live})
    if not live:
        check_user(person, deps.rules)
        if shared and purpose in OF_OWNER:
            only = "only the owner of a machine can destroy it, share it or give it away"
            raise Refused(f"You have no machine of your own, and {only}. Nothing was changed.")
        if purpose is Purpose.DESTROY:
            raise Mistake("You have no machine, so there's nothing to destroy.")
        raise Mistake("You have no machines right now.", next_step=NextStep.RENT_ONE)
    ready = [rental for rental in live if rental.state is State.READY]
    if purpose in NEEDS_MACHINE and len(live) > 1:
        if not ready:
            raise TooLate(
                "None of your machines is ready yet. Nothing was changed.", next_step=NextStep.LIST_YOURS
            )
        live = ready
    return OwnRentals(rentals=tuple(live), names=names)
