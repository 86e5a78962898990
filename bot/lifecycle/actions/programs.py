"""The actions of programs with a token: rent, extend and release machines, and send heartbeats.

The token takes the place of a click by its owner. The code and the rules are those of people's actions; only the
limits `auto_approve` and `approval.always` are replaced by the terms of the token. Rentals of other tokens and of
people can't be changed with a token: an error never says whether such a rental exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.errors import (
    BeyondTerms,
    GpubotError,
    InvalidToken,
    Mistake,
    OverBudget,
    PrivateKey,
    Refused,
    TooLate,
)
from bot.lifecycle.actions.action import Action, By, Direct, planned
from bot.lifecycle.actions.callers import Caller, caller_now
from bot.lifecycle.actions.ending import Destroy, end_after_script
from bot.lifecycle.actions.leasing import AskedLease, Extend
from bot.lifecycle.actions.program_queries import equal_rental, own_rental, terms_of
from bot.lifecycle.actions.queries import people_asked
from bot.lifecycle.actions.tokens import tell_crowded
from bot.lifecycle.changes import lease_changes, transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.deps import Deps, free_id, transact
from bot.lifecycle.money.budgets import reach_of_waitlist_entry, room_for
from bot.lifecycle.money.buying_blocks import check_buying
from bot.lifecycle.money.token_use import rentals_of, use_of
from bot.lifecycle.people.back_to_approval import terms_facts
from bot.lifecycle.people.teammates import check_key, check_startup_script
from bot.model.base import changed
from bot.model.budget import UNASSIGNED
from bot.model.event import Event, EventKind
from bot.model.facts import HeartbeatReturn
from bot.model.person import Key, Person
from bot.model.quote import Quote, QuoteState, WaitlistEntry
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.request import Request, Terms
from bot.model.state import State
from bot.model.summary import Extended, Over
from bot.model.token import BeyondTerms as WhenBeyond
from bot.model.token import Crowd, Program, SlackThread, Token, TokenTerms, WhenLost
from bot.policy.access.keys import read_key
from bot.policy.access.startup_script import check_setup
from bot.policy.buying.budgets import budgets_now, project_of, rules_of_project, say_passed
from bot.policy.buying.programs import (
    CROWDED_AFTER,
    CROWDED_AGAIN,
    CROWDED_WITHIN,
    check_request,
    entry_of_program,
    first_terms,
    key_in_use,
    pace_exceeded,
    refusal_words,
)
from bot.policy.buying.spending import (
    LongerLease,
    check_person_rentals,
    check_size,
    with_price_of_total,
    within_budgets,
)
from bot.policy.buying.waiting import search_id, shared_query
from bot.policy.team.hours import zone_of
from bot.policy.team.roles import check_user
from bot.policy.team.token_terms import Beyond, beyond, beyond_longer_lease, rules_of_token
from bot.policy.use.keeping import with_kept
from bot.policy.use.leases import check_time_left, counted_from
from store.db import Tx


async def program_key(line: str) -> Key:
    """Return the public key that a program sends, for `RentForProgram`.

    Raises:
        PrivateKey: It is a private key. Nothing of it is kept.
        Mistake: It isn't an acceptable public key.
    """
    try:
        # A large key takes long to read, and would delay acknowledgements to Slack.
        return await asyncio.to_thread(read_key, line)
    except PrivateKey:
        raise PrivateKey.sent_by_program() from None


async def _caller(tx: Tx, deps: Deps, person: Person, token_id: str) -> Caller:
    """Return the token with which a program acts for `person` now. Raises InvalidToken."""
    caller = await caller_now(tx, deps, token_id)
    if caller.person.id != person.id:
        raise InvalidToken
    return caller


# --- renting


@dataclass(frozen=True)
class ProgramPlan:
    """The effect of a program's request for a machine."""

    caller: Caller
    earlier: Rental | None = None
    """The rental that an equal request has made before. None if there is none."""
    request: Request | None = None
    entry: WaitlistEntry | None = None
    terms: Terms | None = None
    """The terms with which the rental waits for an offer."""
    refused: GpubotError | None = None
    """The reason why nothing is rented. None if a rental is made or found."""
    crowd: Crowd | None = None
    """The latest requests that were refused because the token has too many machines. None if this one wasn't."""
    asked_within: int = 0
    """The number of machines that the token asked for since the first of these requests."""
    full_with: tuple[str, ...] = ()
    """The IDs of the token's current rentals, if these are as many as its terms allow."""


@dataclass(frozen=True)
class ProgramRented:
    """The rental of a program's request."""

    rental: Rental
    made: bool
    """False if an equal request had made the rental before."""


class RentForProgram(Action[ProgramPlan, ProgramPlan, ProgramRented], id="rent_for_program", notes_seen=False):
    """Rent a machine for a program.

    The rental waits for an offer like a person's "Rent it for me". Nobody's working hours and no limit on waiting
    apply. Without `wait_for`, a single search decides. Its price is bounded by the total that the request names
    and by the rest of the token's terms.

    A request with the key of an earlier, equal request returns the rental of that request, whatever has become
    of it, so a rental is never made twice. A request that is refused makes no rental, and its key isn't used up.

    Args:
        token_id: The token. The person who acts is its owner.
        request: The request. It names no start time and no teammates.
        key: The idempotency key. None only if `reuse` is set.
        reuse: True to return the token's current rental with an equal request, or else to make a rental with a
            generated key.
        wait_for: The time to wait for an offer. None if a single search decides.
        ssh_public_key: The key that becomes the machine's default key, from `program_key`. None for the owner's.
        heartbeat: True if the program will send heartbeats.
        fingerprint: A hash of the request. Equal requests have equal hashes.
        reuse_fingerprint: A hash of the part that must be equal to reuse a rental for a request without a key.
        thread: The thread in which a Slack app asked. The replies about the rental are posted there.

    Raises:
        InvalidToken: The token doesn't work.
        KeyInUse: The key belongs to another request.
        BeyondTerms: The request exceeds the terms of the token.
        Mistake: A value of the request is wrong, the lease is too long, or the keys and the setup script don't fit
            into a startup script.
        Refused: A limit, a budget or a pause doesn't allow the request, or the owner has no SSH key and the
            request contains none.
    """

    token_id: str
    request: Request
    key: str | None
    reuse: bool = False
    wait_for: timedelta | None = None
    ssh_public_key: Key | None = None
    heartbeat: bool = False
    fingerprint: str = ""
    reuse_fingerprint: str = ""
    thread: SlackThread | None = None

    async def load(self, tx: Tx, deps: Deps, person: Person) -> ProgramPlan:
        caller = await _caller(tx, deps, person, self.token_id)
        if (self.key is None) is not self.reuse:
            raise Mistake("Send either an idempotency key or reuse. Nothing was rented.")
        plan = ProgramPlan(caller)
        try:
            earlier = await self._earlier(tx, caller)
            return replace(plan, earlier=earlier) if earlier is not None else await self._judge(tx, deps, plan)
        except (Mistake, Refused, TooLate) as error:
            return replace(plan, refused=error.with_traceback(None))

    def plan(self, loaded: ProgramPlan, by: By) -> ProgramPlan:
        return loaded

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: ProgramPlan) -> ProgramRented | GpubotError:
        token = plan.caller.token
        if plan.refused is not None:
            return await _refuse(tx, deps, plan, plan.refused)
        await tx.tokens.note_refusal(token.id, "")
        if plan.earlier is not None:
            return ProgramRented(plan.earlier, made=False)
        return ProgramRented(await self._make(tx, deps, person, plan), made=True)

    async def _earlier(self, tx: Tx, caller: Caller) -> Rental | None:
        """Return the rental that an equal request has made before. Raises KeyInUse."""
        if self.key is None:
            return await equal_rental(tx, caller.token, {self.fingerprint, self.reuse_fingerprint})
        earlier = await tx.rentals.of_key(self.token_id, self.key)
        if earlier is not None and _fingerprint(earlier) != self.fingerprint:
            raise key_in_use(earlier)
        return earlier

    async def _judge(self, tx: Tx, deps: Deps, plan: ProgramPlan) -> ProgramPlan:
        """Return the plan for a new rental. Raises Mistake, Refused or TooLate if it isn't allowed.

        A request that approvers can allow isn't refused here, because they are asked only when the price is known.
        For the same reason, a budget matters here only if nothing is left in it.
        """
        token, person, now = plan.caller.token, plan.caller.person, deps.clock.now()
        terms = terms_of(token)
        check_user(person, deps.rules)
        check_request(self.request, terms)
        if terms.project != UNASSIGNED:
            project_of(person, terms.project, deps.rules.home_channel, deps.rules)
        request = changed(self.request, project=None)
        request = counted_from(request, now)
        request = with_kept(request, now, zone_of(person.tz, deps.rules), deps.rules, begins_later=True)
        request = with_price_of_total(request, deps.rules)
        check_time_left(request, now)
        check_size(request, deps.rules)
        check_setup(request.setup, deps.rules)
        use = await use_of(tx, token, now)
        rentals = await rentals_of(tx, token)
        if len(use.live) >= terms.at_once:
            plan = replace(plan, full_with=use.live)
        exceeded = beyond(token, person.name, use, request, now=now, rules=deps.rules, rentals=rentals)
        if exceeded is not None and not (exceeded.can_ask and terms.beyond is WhenBeyond.ASK):
            return _refused_plan(plan, _refused(exceeded), use.begun, now, crowded=exceeded.crowded)
        made = await tx.rentals.made_with(token.id, now - CROWDED_WITHIN)
        if too_fast := pace_exceeded(token, made):
            return _refused_plan(plan, too_fast, made, now, crowded=True)
        if self.wait_for is None:
            await check_buying(tx)
            check_person_rentals(await tx.rentals.usage(person.id), deps.rules, person.name)
        key = self.ssh_public_key
        program = _program(self, token, terms)
        await check_key(tx, deps.rules, person, program)
        await check_startup_script(
            *(tx, deps, person.id, (), request), reader=person.id, first=None if key is None else key.line
        )
        rules = rules_of_project(deps.rules, terms.project)
        own = rules_of_token(rules, terms, use)
        proposal = first_terms(request, own)
        entry = entry_of_program(request, self.wait_for, terms, now, deps.rules)
        reach = reach_of_waitlist_entry(request, entry, now, deps.rules)
        room = await room_for(tx, deps.rules, owner=person.id, project=terms.project, reach=reach)
        passed = room.passed(proposal.terms.total, rules)
        if passed and not passed[0].free:
            # Nothing is left at all. If the policy refuses such requests, refuse this one before the search.
            within_budgets(
                proposal, passed, rules, refusal=say_passed(passed[0], person.name), instead=_OVER_BUDGET
            )
        if passed:
            proposal = first_terms(request, own, passed[0].free)
        return replace(plan, request=request, entry=entry, terms=proposal.terms)

    async def _make(self, tx: Tx, deps: Deps, person: Person, plan: ProgramPlan) -> Rental:
        token, now = plan.caller.token, deps.clock.now()
        request, entry = plan.request, plan.entry
        if request is None or entry is None or plan.terms is None:
            raise ValueError("nothing to make")
        terms = terms_of(token)
        query = shared_query(request)
        quote = Quote(
            id=deps.new_id(12),
            state=QuoteState.WAITING,
            owner=person.id,
            asked_in=deps.rules.home_channel,
            project=terms.project,
            card_channel=deps.rules.home_channel,
            request=request,
            created_at=now,
            waitlist_entry=entry,
            token_id=token.id,
            waits_for=search_id(query),
        )
        await tx.quotes.add(quote)
        await tx.searches.open(search_id(query), query, now)
        rental = transitions.new_rental(
            quote,
            None,
            rental_id=await free_id(tx, deps),
            card_channel=deps.rules.home_channel,
            terms=plan.terms,
            decision=None,
            waitlist_entry=changed(entry, budgets=budgets_now(person.id, terms.project, deps.rules)),
            idempotency_key=self.key or f"{_GENERATED}{deps.new_id(12)}",
            program=_program(self, token, terms),
            now=now,
        )
        facts = changed(terms_facts(rental), until=entry.until)
        event = Event(rental_id=rental.id, kind=EventKind.QUEUED, at=now, actor=person.id, facts=facts)
        await apply(tx, deps, Change(None, rental, (event,), within_budgets=True))
        await tx.quotes.save(changed(quote, rental_id=rental.id))
        return rental


_OVER_BUDGET = "Nothing was rented. Ask for less time, name a lower total, or ask an admin to raise the budget."
_GENERATED = "reuse-"
"""The beginning of a generated idempotency key."""


def _fingerprint(rental: Rental) -> str | None:
    return rental.program.fingerprint if rental.program is not None else None


def _program(rent: RentForProgram, token: Token, terms: TokenTerms) -> Program:
    lost = terms.lost
    if lost is None and rent.heartbeat:
        lost = WhenLost.TELL
    return Program(
        token_name=token.name,
        fingerprint=rent.fingerprint,
        reuse_fingerprint=rent.reuse_fingerprint,
        ssh_public_key=None if rent.ssh_public_key is None else rent.ssh_public_key.line,
        lost=lost,
        thread=rent.thread,
    )


def _refused(exceeded: Beyond, nothing: str | None = None) -> BeyondTerms:
    """Return the error for a request beyond the terms. `nothing` says what wasn't done, if it isn't a rental."""
    words = exceeded.words if nothing is None else f"{exceeded.reason} {nothing} {exceeded.next_step}"
    return BeyondTerms(words, again_at=exceeded.again_at)


def _refused_plan(
    plan: ProgramPlan, refused: GpubotError, made: Sequence[datetime], now: datetime, *, crowded: bool
) -> ProgramPlan:
    """Return the plan for a refused request.

    If it is `crowded`, because the token asks for too many machines, the refusal is counted. `made` are the times
    at which the token made rentals.
    """
    plan, crowd = replace(plan, refused=refused), plan.caller.token.crowd
    if not crowded:
        return plan
    if crowd is None or now - crowd.since >= CROWDED_WITHIN:
        crowd = Crowd(since=now, count=0)
    crowd = changed(crowd, count=crowd.count + 1)
    asked = crowd.count + sum(crowd.since - CROWDED_WITHIN < at for at in made)
    return replace(plan, crowd=crowd, asked_within=asked)


async def _refuse(tx: Tx, deps: Deps, plan: ProgramPlan, refused: GpubotError) -> GpubotError:
    """Note that a request was refused, and return the error with its message for the program.

    The transaction is committed although nothing was rented. If the token asks for far more machines than its
    terms allow, its owner is notified, at most once an hour.
    """
    token, now = plan.caller.token, deps.clock.now()
    if isinstance(refused, OverBudget):
        deps.on_over_budget()
    await tx.tokens.note_refusal(token.id, refusal_words(refused, plan.caller.person.name))
    if plan.crowd is not None:
        await tx.tokens.note_crowd(token.id, plan.crowd)
        told = token.crowded_at is not None and now - token.crowded_at < CROWDED_AGAIN
        if plan.crowd.count >= CROWDED_AFTER and not told:
            await tell_crowded(tx, deps, token, plan.asked_within, plan.full_with)
    return refused


# --- extending


class ExtendForProgram(
    Action[AskedLease | Rental, LongerLease | Rental, Extended], id="extend_for_program", notes_seen=False
):
    """Extend a machine of a program.

    The program names the new end, or the whole length of the lease, so that a repeated request adds nothing. If
    the lease already ends then or later, nothing is changed. The longer lease must be within the terms of the
    token. If it isn't, it is refused, or an approver is asked, as the terms say. A machine that is ending already
    can't be extended.

    Args:
        token_id: The token. The person who acts is its owner.
        rental_id: A rental of the token.
        until: The new end of the lease. None if `lease` is given.
        lease: The whole length of the lease, from the time at which the machine became ready.

    Raises:
        InvalidToken: The token doesn't work.
        UnknownRental: The token has no such rental.
        BeyondTerms: The longer lease exceeds the terms of the token.
        TooLate, Mistake, Refused: As for `Extend`.
    """

    token_id: str
    rental_id: str
    until: datetime | None = None
    lease: timedelta | None = None

    async def load(self, tx: Tx, deps: Deps, person: Person) -> AskedLease | Rental:
        caller = await _caller(tx, deps, person, self.token_id)
        rental = await own_rental(tx, caller, self.rental_id)
        if (self.until is None) == (self.lease is None):
            raise Mistake("Name either the new end or the whole length of the lease. Nothing was changed.")
        if rental.lease is None or rental.state is not State.READY:
            # Refuse in the words of a person's extension.
            return await Extend(rental.id, timedelta(0)).load(tx, deps, person)
        if rental.lease.graceful_destroy is not None:
            # A person's extension cancels a graceful destroy. A program's must not: a person may have destroyed
            # the machine, and a request that arrives late must not undo the program's own release.
            raise TooLate(
                f"{rental.id} is already ending, so its lease can't get longer. Nothing was changed.", rental.id
            )
        ends_at = self.until or rental.lease.ready_at + (self.lease or timedelta(0))
        asked = rental.extension.ends_at if rental.extension is not None else None
        # A flexible lease can end before its latest end. The extension then makes sure of the end that it names.
        ends_by_then = rental.lease.last_end if rental.lease.ends_early else rental.lease.ends_at
        if ends_at <= ends_by_then or ends_at == asked:
            return rental
        loaded = await Extend(rental.id, ends_at).load(tx, deps, person)
        return await _within_terms(tx, deps, caller, loaded)

    def plan(self, loaded: AskedLease | Rental, by: By) -> LongerLease | Rental:
        if isinstance(loaded, Rental):
            return loaded
        return Extend(self.rental_id, loaded.ends_at).plan(loaded, by)

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: LongerLease | Rental) -> Extended | GpubotError:
        if isinstance(plan, Rental):
            waits = plan.extension is not None
            return Extended(
                rental=plan,
                span=timedelta(0),
                until_done=False,
                waits=waits,
                asked=await people_asked(tx, plan) if waits else None,
                sees_money=True,
            )
        return await Extend(self.rental_id, plan.ends_at).do(tx, deps, person, plan)


async def _within_terms(tx: Tx, deps: Deps, caller: Caller, asked: AskedLease) -> AskedLease:
    """Return a longer lease with the terms of the token in place of the limits for people. Raises BeyondTerms."""
    token, rental, now = caller.token, asked.rental, deps.clock.now()
    use = await use_of(tx, token, now)
    # A ready machine counts with what it can still cost, which is less than the total of its terms.
    counted = [one.amount for one in await tx.budgets.reservations(rental.id)]
    counted += [one.amount for one in await tx.budgets.charges_of(rental.id)]
    allowed = asked.proposal.terms == rental.terms  # up to the latest end of a flexible lease
    more = 0 if allowed else max(asked.proposal.terms.total - sum(counted), 0)
    exceeded = beyond_longer_lease(token, caller.person.name, use, rental, asked.ends_at, more=more, now=now)
    if exceeded is not None and not (exceeded.can_ask and terms_of(token).beyond is WhenBeyond.ASK):
        raise _refused(exceeded, "Nothing was changed.")
    over = () if exceeded is None else (Over.TOKEN,)
    return replace(asked, proposal=changed(asked.proposal, over=over))


# --- releasing


@dataclass(frozen=True)
class ToRelease:
    """A rental of a program that is to end."""

    rental: Rental
    destroy: Destroy | None
    """The action that ends it. None if it has ended or is ending already."""


class ReleaseForProgram(Direct[ToRelease, Rental], id="release_for_program", notes_seen=False):
    """End a rental of a program, in any state.

    A ready machine first runs its `/root/on-ending.sh`, for ten minutes at most, unless the script can't run now
    or `now` is set. A repeated request changes nothing, and returns the rental with the same end.

    Args:
        token_id: The token. The person who acts is its owner.
        rental_id: A rental of the token.
        now: True to destroy the machine without its script.

    Raises InvalidToken if the token doesn't work, and UnknownRental if it has no such rental.
    """

    token_id: str
    rental_id: str
    now: bool = False

    async def load(self, tx: Tx, deps: Deps, person: Person) -> ToRelease:
        rental = await own_rental(tx, await _caller(tx, deps, person, self.token_id), self.rental_id)
        if rental.state.over or rental.state is State.DESTROYING or (rental.being_destroyed and not self.now):
            return ToRelease(rental, None)
        graceful = not self.now and await end_after_script(tx, deps, rental) is not None
        return ToRelease(rental, Destroy(rental.id, graceful_destroy=graceful))

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: ToRelease) -> Rental:
        if plan.destroy is None:
            return plan.rental
        return await plan.destroy.do(tx, deps, person, await planned(tx, deps, person, plan.destroy))


# --- heartbeats

NOTE_HEARTBEAT_EVERY = timedelta(seconds=10)
"""The precision with which heartbeats are stored.

They are never refused for their pace, so a program that sends them in a loop would otherwise cause as many writes.
"""


async def note_heartbeat(deps: Deps, caller: Caller, rental_id: str) -> Rental:
    """Store a heartbeat of a program, and return the rental. The heartbeat extends nothing.

    Usually, only the time is written, and the rental gets no new version. The rental's step reads the time when it
    would otherwise find the heartbeat lost.

    If the heartbeat was lost, this function also restores the end of the lease. The rental's next step could do
    this instead. But then, a step that is about to end the machine could still write its result.

    Raises:
        UnknownRental: The token has no such rental.
        TooLate: The rental is over, or its machine is being destroyed.
        StoreBusy: The database doesn't accept the heartbeat.
    """
    async with deps.store.read() as tx:
        rental = await _rental_with_heartbeats(tx, caller, rental_id)
    at, now = rental.heartbeat_at, deps.clock.now()
    if rental.lost_heartbeat is None and at is not None and timedelta(0) <= now - at < NOTE_HEARTBEAT_EVERY:
        return rental
    async with deps.store.write() as tx:
        rental = await _rental_with_heartbeats(tx, caller, rental_id)
        if rental.lost_heartbeat is None:
            await tx.rentals.note_heartbeat(rental.id, now)
            return changed(rental, heartbeat_at=now)
    return await transact(deps, _note_return, caller, rental_id, deps)


async def _note_return(tx: Tx, caller: Caller, rental_id: str, deps: Deps) -> Rental:
    rental, now = await _rental_with_heartbeats(tx, caller, rental_id), deps.clock.now()
    await tx.rentals.note_heartbeat(rental.id, now)
    rental = changed(rental, heartbeat_at=now)
    if rental.lost_heartbeat is None or rental.state is not State.READY:
        return rental
    after, event = lease_changes.heartbeat_back(rental, HeartbeatReturn.HEARTBEAT, now, at=now)
    return await apply(tx, deps, Change(rental, after, (event,)))


async def _rental_with_heartbeats(tx: Tx, caller: Caller, rental_id: str) -> Rental:
    rental = await own_rental(tx, caller, rental_id)
    if rental.state.over or rental.state is State.DESTROYING:
        does = "has ended" if rental.state.over else "is being destroyed"
        raise TooLate(f"{rental.id} {does}, so it needs no heartbeats.", rental.id)
    return rental
