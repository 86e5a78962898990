"""Decisions about a pending request or extension. The first decision wins, and later ones raise TooLate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.errors import (
    AlreadyDecided,
    BuyingBlocked,
    Decision,
    Mistake,
    NextStep,
    OverBudget,
    Refused,
    RequestChanged,
    TooLate,
)
from bot.lifecycle.actions.action import Action, By, Direct
from bot.lifecycle.actions.queries import details_for
from bot.lifecycle.changes import lease_changes, transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.changes.snapshot import load_snapshot
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.budgets import passed_by
from bot.lifecycle.money.buying_blocks import buying_blocked
from bot.lifecycle.people.back_to_approval import allowed_by, ask_again
from bot.lifecycle.people.deciders import requesters_of, rules_now
from bot.lifecycle.people.teammates import check_startup_script
from bot.lifecycle.people.undecided import end_request
from bot.model.attempt import Why
from bot.model.base import EVER, Frozen, changed
from bot.model.budget import Demand
from bot.model.event import DECISIONS, Event, EventKind, newest_asked
from bot.model.facts import DecisionFacts
from bot.model.person import Person
from bot.model.records import Change, Usage
from bot.model.rental import Extension, Rental
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import one_line, span
from bot.policy.buying.budgets import budgets_now, rules_of_project, say_passed
from bot.policy.buying.fewer_hours import FewerHours, lengths_to_choose, shortened
from bot.policy.buying.spending import (
    LONGEST_REASON,
    ONLY_APPROVERS,
    check_approver,
    check_lease,
    check_size,
    check_usage,
    needs_approver,
    needs_confirmation,
)
from bot.policy.team.roles import check_user, is_owner, may_deny, may_withdraw, sees_money
from bot.policy.team.rules import Rules, WhenOver
from bot.policy.use.leases import LEAST_TIME, too_little_time
from store.db import Tx

_TOO_LITTLE_TIME = f"Less than {span(LEAST_TIME)} is left until the end of this request."
_ONLY_OWNER = "Only its owner and admins can withdraw this request. Nothing was changed."

_DECISIONS: dict[EventKind, Decision | None] = {
    EventKind.APPROVED: Decision.APPROVED,
    EventKind.DENIED: Decision.DENIED,
    EventKind.WITHDRAWN: Decision.WITHDREW,
    EventKind.EXTENSION_APPROVED: Decision.APPROVED,
    EventKind.EXTENDED_BY_OPERATOR: Decision.APPROVED,
    EventKind.EXTENSION_DENIED: Decision.DENIED,
    EventKind.EXTENSION_WITHDRAWN: Decision.WITHDREW,
    EventKind.EXPIRED: None,
    EventKind.EXTENSION_EXPIRED: None,
}
"""The decision that is shown to a person who clicks too late. None if the request expired undecided."""


@dataclass(frozen=True)
class ToApprove:
    """A request or an extension that waits for approval, and the result that its approval would have."""

    rental: Rental
    owner: str
    """The name of the rental's owner."""
    self_approved: bool
    """True if the person is an approver who is approving their own request."""
    fewer: FewerHours | None
    after: Rental | None
    """The rental after its approval. None if the owner named an end of the lease that is too near.

    In this case, the request goes back to the owner, because only the owner can name another end. The request of a
    program expires instead.
    """
    passed: tuple[Demand, ...] = ()
    """The budgets that would be exceeded."""
    usage: Usage | None = None
    """The rentals that count toward the limits. None if the limits don't apply now.

    The limits don't apply if nothing new is bought, or if the request is for the waitlist.
    """
    block: BuyingBlocked | None = None


class Approve(Action[ToApprove, ToApprove, Rental], id="approve"):
    """Approve a request, or the extension of a rental.

    Args:
        version: The version of the pending terms that the person has seen.
        length: The length of a shorter lease to approve instead (`FewerHours.length`). None approves the
            requested lease.
        why: The operator's reason.

    Raises:
        Refused: The person isn't allowed to decide about it, limits or budgets don't allow it, or buying is
            blocked.
        Mistake: The keys and the setup script don't fit into a startup script.
        RequestChanged: Another version is pending.
        TooLate: Nothing is pending any more, the request now waits for its owner, the owner has left, or `length`
            isn't shorter than the pending lease.
    """

    rental_id: str
    version: int
    length: timedelta | None = None
    why: str = ""

    async def load(self, tx: Tx, deps: Deps, person: Person) -> ToApprove:
        rental, owner, self_approved = await load_approvable(tx, deps, person, self.rental_id, self.version)
        now, fewer = deps.clock.now(), None
        if self.length is not None:
            spent = (await load_snapshot(tx, rental)).spent_at_most(now)
            fewer = shortened(rental, self.length, spent=spent, now=now, rules=deps.rules)
        found = ToApprove(rental, owner, self_approved, fewer, None)
        if rental.extension is not None:
            after = lease_changes.approve_extension(
                rental, _extension_approved(rental.extension, fewer), approver=person.id, now=now
            )
            return replace(found, after=after, passed=await passed_by(tx, deps.rules, after, now))
        if too_little_time(rental.request, now):
            return found
        if rental.bought_after_backup:
            message = f"{rental.id} already has a machine, which was rented after my database was backed up."
            raise TooLate(f"{message} An admin decides about that one first. Nothing was rented.", rental.id)
        await check_startup_script(tx, deps, rental.owner, rental.teammates, rental.request, reader=person.id)
        after = transitions.approve(rental, now, approver=None if rental.owner_decides else person.id, fewer=fewer)
        if after.waitlist_entry is not None:
            budgets = budgets_now(rental.owner, rental.project, deps.rules)
            after = changed(after, waitlist_entry=changed(after.waitlist_entry, budgets=budgets))
        return replace(
            found,
            after=after,
            passed=await passed_by(tx, deps.rules, after, now),
            # A waitlist entry is a request that waits for a cheaper offer. It uses no machine yet, so the limits
            # on running rentals are checked only when an offer is found.
            usage=None
            if rental.waitlist_entry is not None
            else await tx.rentals.usage(rental.owner, without=rental.id),
            block=await buying_blocked(tx),
        )

    def plan(self, loaded: ToApprove, by: By) -> ToApprove:
        rental, extension, usage = loaded.rental, loaded.rental.extension, loaded.usage
        if loaded.after is None:
            return loaded
        try:
            if extension is not None:
                check_lease(_extension_approved(extension, loaded.fewer).terms.lease, by.rules)
            else:
                check_size(rental.request, by.rules)
            if usage is not None:
                check_usage(rental.terms.max_rate, usage, by.rules)
            _check_budgets(loaded, by)
        except (Refused, Mistake) as refusal:
            raise loaded.block or refusal from None
        return loaded

    def confirms(self, plan: ToApprove) -> bool:
        return plan.after is not None and needs_confirmation(plan.rental.newest_terms)

    def shown(self, plan: ToApprove) -> Rental:
        return plan.rental

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: ToApprove) -> Rental | TooLate:
        rental, after, now = plan.rental, plan.after, deps.clock.now()
        if after is None and rental.program is not None:
            await end_request(tx, deps, rental, State.EXPIRED)
            return TooLate(f"{_TOO_LITTLE_TIME} Nothing was rented.", rental.id)
        if after is None:
            await _wait_for_later_end(tx, deps, rental, now)
            who = "You" if person.id == rental.owner else plan.owner
            return TooLate(f"{_TOO_LITTLE_TIME} {who} can name a later end. Nothing was rented.", rental.id)
        if plan.block is not None:
            raise plan.block
        extension = rental.extension and _extension_approved(rental.extension, plan.fewer)
        facts = DecisionFacts(
            **allowed_by(after.terms if extension is None else extension.terms),
            people=() if extension is None else (extension.asked_by,),
            until=None if extension is None else extension.ends_at,
            span=plan.fewer.length if plan.fewer else None,
            asked_span=plan.fewer.asked if plan.fewer else None,
            self_approved=plan.self_approved,
            passed=plan.passed,
            detail=self.why or None,
        )
        kind = EventKind.APPROVED if extension is None else EventKind.EXTENSION_APPROVED
        event = Event(rental_id=rental.id, kind=kind, at=now, actor=person.id, facts=facts)
        return await apply(tx, deps, Change(rental, after, (event,)))


def _extension_approved(extension: Extension, fewer: FewerHours | None) -> Extension:
    if fewer is None or fewer.ends_at is None:
        return extension
    return changed(extension, terms=fewer.terms, ends_at=fewer.ends_at)


def _check_budgets(approval: ToApprove, by: By) -> None:
    """Refuse an approval that would exceed a budget.

    Raises:
        OverBudget: The policy refuses such requests instead of asking an approver.
        Refused: The owner decides alone, and owners aren't allowed to exceed a budget.
    """
    rental, passed = approval.rental, approval.passed
    if passed and by.rules.budgets.over is WhenOver.REFUSE:
        owner = None if by.person.id == rental.owner else approval.owner
        instead = "Nothing was approved. Approve fewer hours, deny it, or ask an admin to raise the budget."
        raise OverBudget(say_passed(passed[0], owner), instead=instead)
    if passed and rental.owner_decides and rental.extension is None:
        message = f"{say_passed(passed[0])} This request now needs approval."
        raise Refused(message, next_step=NextStep.WITHDRAW_AND_ASK_AGAIN)


async def load_approvable(
    tx: Tx, deps: Deps, person: Person, rental_id: str, version: int
) -> tuple[Rental, str, bool]:
    """Return a rental that the person can approve, its owner's name, and whether it's a self-approval.

    In a self-approval, an approver approves their own request. `version` must be the version of the pending
    terms. Raises Refused, RequestChanged and TooLate for the same reasons as `Approve`.
    """
    rental = await _load_waiting(tx, deps, person, rental_id, refusal=ONLY_APPROVERS)
    rules = await rules_now(tx, deps.rules, requesters_of(rental))
    self_approved = check_may_decide(person, rental, rules)
    owner = await tx.people.get(rental.owner, EVER)
    if owner is not None and owner.deactivated:
        message = f"{owner.name} left the workspace, so an admin has to assign another owner to {rental.id} first."
        raise TooLate(f"{message} Nothing was changed.", rental.id)
    _check_version(deps, rental, version)
    return rental, owner.name if owner is not None else rental.owner, self_approved


class Deny(Direct[Rental, Rental], id="deny"):
    """Deny a request or an extension. `version` must be the version of the pending terms.

    The `reason` can be empty. At most LONGEST_REASON characters of it are kept.

    Raises:
        Refused: The person isn't allowed to deny it.
        RequestChanged: Another version is pending.
        TooLate: Nothing is pending any more.
    """

    rental_id: str
    version: int
    reason: str = ""

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Rental:
        rental = await _load_waiting(tx, deps, person, self.rental_id, refusal=ONLY_APPROVERS)
        if not may_deny(person, await rules_now(tx, deps.rules, requesters_of(rental))):
            raise Refused(ONLY_APPROVERS)
        _check_version(deps, rental, self.version)
        return rental

    def confirms(self, plan: Rental) -> bool:
        return True

    def shown(self, plan: Rental) -> Rental:
        return plan

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Rental:
        reason = one_line(self.reason, LONGEST_REASON)
        if plan.extension is not None:
            return await _drop_extension(tx, deps, person, plan, EventKind.EXTENSION_DENIED, reason=reason)
        return await end_request(tx, deps, plan, State.DENIED, by=person.id, reason=reason)


class Withdraw(Direct[Rental, Rental], id="withdraw"):
    """Withdraw a request or an extension. `version` must be the version of the pending terms.

    Raises Refused if the person isn't allowed to withdraw it, and TooLate if this version is no longer pending.
    """

    rental_id: str
    version: int

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Rental:
        rental = await _load_waiting(tx, deps, person, self.rental_id, refusal=_ONLY_OWNER)
        if not may_withdraw(person, rental.owner, deps.rules):
            raise Refused(_ONLY_OWNER)
        _check_not_expired(deps, rental)
        if rental.newest_terms.version != self.version:
            message = (
                f"The request {rental.id} has changed, so nothing was withdrawn. Its card shows the new version."
            )
            raise TooLate(message, rental.id)
        return rental

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Rental:
        if plan.extension is not None:
            return await _drop_extension(tx, deps, person, plan, EventKind.EXTENSION_WITHDRAWN)
        return await end_request(tx, deps, plan, State.WITHDRAWN, by=person.id)


def check_may_decide(person: Person, rental: Rental, rules: Rules) -> bool:
    """Check that the person is allowed to decide about a rental, and return whether this is a self-approval.

    In a self-approval, an approver approves their own request. The `rules` are those that `deciders.rules_now`
    returns. Raises Refused if the person isn't allowed to decide.
    """
    if rental.extension is None and rental.owner_decides:
        if not is_owner(person.id, rental.owner):
            raise Refused(f"Only the person who asked can decide about {rental.id}. Nothing was changed.")
        check_user(person, rules)
        terms, own = rental.terms, rules_of_project(rules, rental.project)
        if needs_approver(terms.gpu, terms.count, terms.price, terms.total, own):
            raise Refused(
                f"The request {rental.id} now needs approval.", next_step=NextStep.WITHDRAW_AND_ASK_AGAIN
            )
        return False
    return check_approver(person, requesters_of(rental), rules)


# --- checks


async def _load_waiting(tx: Tx, deps: Deps, person: Person, rental_id: str, *, refusal: str) -> Rental:
    """Return a rental with a pending request or extension.

    Raises:
        TooLate: Nothing is pending. The error message says how the request was decided.
        Refused: Nothing is pending, and the person isn't allowed to see the decision. The error message is
            `refusal`.
    """
    rental = await tx.rentals.get(rental_id)
    if rental is None:
        raise TooLate(f"The request {rental_id} no longer exists.")
    if rental.undecided_terms is None:
        if not sees_money(person, rental.owner, deps.rules):
            raise Refused(refusal)
        raise await _why_nothing_waits(tx, deps, person, rental)
    return rental


def _check_not_expired(deps: Deps, rental: Rental) -> None:
    """Refuse a decision about an expired request. Raises TooLate."""
    if rental.extension is not None:
        expires_at = rental.running_lease.ends_at
    elif rental.decision is not None:
        expires_at = rental.decision.expires_at
    else:
        return
    if expires_at <= deps.clock.now():
        raise _expired(rental)


def _check_version(deps: Deps, rental: Rental, version: int) -> None:
    """Refuse a decision about a request that has expired or changed."""
    _check_not_expired(deps, rental)
    if rental.newest_terms.version != version:
        raise RequestChanged(
            f"The request {rental.id} has changed, so your click decided nothing. Check the new version.",
            rental.id,
        )


async def _why_nothing_waits(tx: Tx, deps: Deps, person: Person, rental: Rental) -> TooLate:
    ends = [event for event in await tx.events.of(rental.id) if event.kind in _DECISIONS]
    if not ends:
        return TooLate(f"{rental.id} isn't waiting for a decision. Nothing was changed.", rental.id)
    last = ends[-1]
    decision = _DECISIONS[last.kind]
    if decision is None or last.actor is None:
        return _expired(rental)
    return AlreadyDecided(
        rental.id,
        decision,
        name=(await tx.people.names([last.actor])).get(last.actor),
        own=last.actor == person.id,
        ago=deps.clock.now() - last.at,
    )


def _expired(rental: Rental) -> TooLate:
    return TooLate(f"The request {rental.id} expired before anyone decided. Nothing was changed.", rental.id)


# --- changes


async def _wait_for_later_end(tx: Tx, deps: Deps, rental: Rental, now: datetime) -> None:
    """Send a request back to its owner to choose a later end, because too little time is left.

    Does nothing if the request is already waiting for a later end.
    """
    if not rental.needs_later_end:
        snapshot = await load_snapshot(tx, rental)
        after = await ask_again(tx, snapshot, Why.TOO_LITTLE_TIME, now=now, rules=deps.rules)
        await apply(tx, deps, Change(rental, after.rental, after.events))


async def _drop_extension(
    tx: Tx, deps: Deps, person: Person, rental: Rental, kind: EventKind, *, reason: str = ""
) -> Rental:
    now = deps.clock.now()
    after = lease_changes.drop_extension(rental, now)
    facts = DecisionFacts(
        **allowed_by(rental.newest_terms),
        people=(rental.extension.asked_by,) if rental.extension else (),
        until=rental.running_lease.ends_at,
        self_approved=False,
        detail=reason or None,
    )
    event = Event(rental_id=rental.id, kind=kind, at=now, actor=person.id, facts=facts)
    return await apply(tx, deps, Change(rental, after, (event,)))


# --- queries before a decision


class RequestView(Frozen):
    """The newest version of a request or an extension."""

    details: RentalDetails
    asked: Event[Any]
    """The event with which the machine or the extension was requested."""


async def fewer_hours_to_choose(
    deps: Deps, person: Person, rental_id: str, version: int
) -> tuple[RentalDetails, list[FewerHours]]:
    """Return the shorter leases that an approver can choose for a pending request.

    Returns the details of the rental, and the leases, longest first. There are no leases if the pending lease is
    too short to be shortened.

    Raises Refused, RequestChanged and TooLate for the same reasons as `Approve`.
    """
    async with deps.store.read() as tx:
        rental, *_ = await load_approvable(tx, deps, person, rental_id, version)
        now = deps.clock.now()
        spent = (await load_snapshot(tx, rental)).spent_at_most(now)
        choices = [
            shortened(rental, length, spent=spent, now=now, rules=deps.rules)
            for length in lengths_to_choose(rental, now)
        ]
        return await details_for(tx, deps, person, rental), choices


async def newest_request(deps: Deps, person: Person, rental_id: str) -> RequestView:
    """Return the newest version of a request for a person who clicked on an older one.

    Raises Refused if the person isn't allowed to see the request's cost, and TooLate if the request is unknown.
    """
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
        if rental is None:
            raise TooLate(f"The request {rental_id} no longer exists.")
        if not sees_money(person, rental.owner, deps.rules):
            raise Refused(ONLY_APPROVERS)
        details = await details_for(tx, deps, person, rental)
    asked = newest_asked(details.events, DECISIONS)
    if asked is None:
        raise TooLate(f"The request {rental_id} no longer exists.")
    return RequestView(details=details, asked=asked)
