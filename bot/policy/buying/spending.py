"""Limits on spending: which offers can be bought, who has to approve them, and on what terms. No I/O."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from bot.errors import BuyingBlocked, GpubotError, Mistake, NextStep, OverBudget, Refused
from bot.model.attempt import Why
from bot.model.base import Frozen, Instant, changed
from bot.model.budget import Demand
from bot.model.facts import OtherOffer
from bot.model.gpu import display_typed, fits_model, may_mean
from bot.model.money import MICROS_PER_DOLLAR, Micros, cost, cost_at_most, micros, rate_for, whole_cents_below
from bot.model.offer import Catalog, Offer
from bot.model.person import Person
from bot.model.records import Usage
from bot.model.rental import Rental
from bot.model.request import Request, Terms
from bot.model.summary import OfferChoice, Over, Proposal
from bot.model.text import listed, plural, say_at_most, say_limit, span
from bot.policy.buying.budgets import Room, say_passed
from bot.policy.team.roles import roles_of
from bot.policy.team.rules import Rules, WhenOver
from bot.policy.use.flexible_end import already_allowed
from bot.policy.use.keeping import shorter

_HOUR = timedelta(hours=1)
_LEAST_GPU_RATE = Decimal("0.0001")
"""The lowest price that can be sent to the market, in USD per GPU-hour."""
CONFIRM_ABOVE: Micros = 50_000_000
"""The amount above which a dialog asks for confirmation, in micro-dollars.

For a rental or an approval, the total of the terms is compared with this amount. For an extension, the additional
cost is compared.
"""

BLOCKED_AT_MOST = timedelta(minutes=15)
"""The time for which a purchase can be blocked before the request needs another decision.

After that time, nobody would expect the purchase any more.
"""
LONGEST_REASON = 200
"""The maximum length of the stored reason for a denial, in characters."""
UNRESOLVED_COUNTS_FOR = timedelta(minutes=5)
"""The time for which an unresolved attempt is assumed to cost money.

An attempt is unresolved while the bot doesn't know yet what it bought. A lookup finds a bought machine
within about a minute, and the deletion of the machine takes the rest of this time.
"""

ONLY_APPROVERS = "Only approvers can decide about requests. Nothing was changed."
"""The complete answer to people who aren't allowed to approve or deny a request.

The answer reveals nothing about the request.
"""

NOT_RENTED = (
    "Nothing was rented or changed. Ask for less time or a cheaper machine, or ask an admin to raise the budget."
)
"""The advice at the end of the error message for a rental that exceeds a budget.

It is used if the policy refuses such rentals.
"""


class LongerLease(Frozen):
    """A longer lease that a person has requested."""

    rental: Rental
    """The rental before the extension."""
    ends_at: Instant
    span: timedelta
    """The length of the extension, counted from the end of the lease, or from now if the end has passed."""
    proposal: Proposal
    until_done: bool = False
    """True if the machine then also ends when its jobs are done."""


def needs_confirmation(terms: Terms) -> bool:
    """Return whether a dialog asks for confirmation before renting or approving on these terms."""
    return terms.total > CONFIRM_ABOVE


# --- times that an amount pays for


def billed_span(lease: timedelta, kept: timedelta, rules: Rules) -> timedelta:
    """Return the longest time for which a rental with this lease can cost money.

    This time begins with the purchase and ends with the deletion.

    Args:
        lease: The length of the lease.
        kept: The time for which the machine is kept if the owner's `/root/on-ending.sh` fails, as in `Terms.kept`.
        rules: The rules, with the provisioning timeout and the grace period.
    """
    return lease + kept + rules.procure.provision_timeout + rules.lease.grace


def with_price_of_total(request: Request, rules: Rules) -> Request:
    """Return a request with a highest price, computed from the total that the person typed.

    The highest price is the total divided by the number of GPUs and by the longest time that can be billed,
    rounded down. The "at most" amount of an offer at this price is therefore within the total.

    Call this whenever the length of a request might have changed. A request without a total is returned unchanged.
    """
    if request.max_total is None:
        return request
    hours = _hours(billed_span(request.longest, request.kept, rules))
    gpu_rate = Fraction(request.max_total, MICROS_PER_DOLLAR) / request.count / hours
    return changed(request, max_gpu_rate=max(Decimal(math.floor(gpu_rate * 10_000)).scaleb(-4), _LEAST_GPU_RATE))


def over_total(request: Request, total: Micros) -> bool:
    """Return whether `total` is more than the total that the person typed."""
    return request.max_total is not None and total > request.max_total


def provisioning_budget(total: Micros, billed: Micros, rate: Decimal, lease: timedelta, rules: Rules) -> timedelta:
    """Return the longest time that a machine can take to get ready without costing more than `total`.

    The total must also pay for earlier attempts, for `lease`, and for the grace period after it. The result is at
    most the provisioning timeout in the rules. If the total doesn't even pay for the lease, the result is
    negative.

    Args:
        total: The total of the approved terms.
        billed: The cost of earlier attempts.
        rate: The machine's price in USD per hour.
        lease: The length of the lease. If the machine is kept after a failure of the owner's `/root/on-ending.sh`,
            that time is included.
    """
    longest = rules.procure.provision_timeout
    left = Fraction(total - billed, MICROS_PER_DOLLAR) - Fraction(rate) * _hours(lease + rules.lease.grace)
    return _paid_span(left, rate, -longest, longest)


def affordable_lease(total: Micros, billed: Micros, rate: Decimal, lease: timedelta, rules: Rules) -> timedelta:
    """Return the length of a lease that `total` can pay for, at most `lease`.

    The amount that was billed earlier (`billed`) is subtracted from `total` first. The grace period after the
    lease also has to be paid for.

    The result is at least one grace period, because the owner must be notified before the machine is destroyed. If
    the whole lease is shorter than a grace period, the result is the whole lease.

    Args:
        rate: The machine's price in USD per hour.
    """
    if not rate:
        return lease
    left = Fraction(total - billed, MICROS_PER_DOLLAR) - Fraction(rate) * _hours(rules.lease.grace)
    return _paid_span(left, rate, min(lease, rules.lease.grace), lease)


def _paid_span(dollars: Fraction, rate: Decimal, least: timedelta, most: timedelta) -> timedelta:
    """Return the time that `dollars` pay for at `rate`, limited to the range from `least` to `most`."""
    # Multiply instead of dividing by the rate, because the rate can be 0. With a rate of 0, any amount that isn't
    # negative pays for the whole time, `most`.
    if dollars >= Fraction(rate) * _hours(most):
        return most
    hours = max(dollars / Fraction(rate), _hours(least)) if rate else _hours(least)
    return timedelta(microseconds=math.floor(hours * 3_600_000_000))


def _hours(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1), 3_600_000_000)


# --- terms, and who decides about them


def over_limits(rate: Decimal, total: Micros, rules: Rules) -> tuple[Over, ...]:
    """Return the `auto_approve` limits that an hourly rate or a total exceeds."""
    over = []
    if rate > rules.auto_approve.per_hour:
        over.append(Over.PER_HOUR)
    if total > micros(rules.auto_approve.total):
        over.append(Over.TOTAL)
    return tuple(over)


def always_needs_approval(gpu: str, count: int, rules: Rules) -> bool:
    """Return whether requests for these GPUs need an approver whatever they cost (policy key `approval.always`).

    Args:
        gpu: A canonical name. For a request on the waitlist, this can also be a family.
        count: The number of GPUs.
        rules: The team's rules.
    """
    always = rules.approval.always
    many = always.gpus_from is not None and count >= always.gpus_from
    return many or any(may_mean(gpu, name) for name in always.models)


def unknown_models(rules: Rules, catalog: Catalog) -> tuple[str, ...]:
    """Return the names in `approval.always.models` that match no GPU in the market's catalogue.

    The rule would never apply to them. A name might still be right, if the market doesn't sell that GPU yet.
    """
    sold = [name for family, names in catalog.gpus.items() for name in names or (family,)]
    return tuple(name for name in rules.approval.always.models if not any(may_mean(one, name) for one in sold))


def say_always_asked(rules: Rules) -> str:
    """Return the requests that always need approval, such as `requests for B200, H200 or 8 GPUs`.

    Empty if there are none.
    """
    always, most = rules.approval.always, rules.limits.per_rental_gpus
    named = [display_typed(name) for name in always.models]
    if always.gpus_from is not None:
        # Nobody can request more GPUs than the team's limit. If the limit is 8, write "8 GPUs", because "8 or more
        # GPUs" would be misleading.
        more = " or more" if always.gpus_from < most else ""
        named.append(f"{always.gpus_from}{more} GPU{'s' if more or always.gpus_from > 1 else ''}")
    return f"requests for {listed(named, 'or')}" if named else ""


def needs_approver(gpu: str, count: int, rate: Decimal, total: Micros, rules: Rules) -> tuple[Over, ...]:
    """Return the reasons why a request for a machine needs an approver. Empty if it needs none.

    The budgets are checked elsewhere (`within_budgets`). For a longer lease of a machine that the person already
    has, use only `over_limits`.

    Args:
        gpu: The GPU, as in `always_needs_approval`.
        count: The number of GPUs.
        rate: USD per hour for all GPUs.
        total: The most that the machine can cost.
        rules: The rules of the request's project.
    """
    always = (Over.ALWAYS,) if always_needs_approval(gpu, count, rules) else ()
    return (*always, *over_limits(rate, total, rules))


def may_substitute(gpu: str, clicked: str, rules: Rules) -> bool:
    """Return whether a GPU can be bought as a substitute for the clicked GPU, without asking anybody.

    The model must fit the clicked model (`fits_model`). If the clicked model doesn't always need an approval, the
    substitute must not always need one either.
    """
    if not fits_model(gpu, clicked):
        return False
    models = rules.approval.always.models
    return any(may_mean(clicked, name) for name in models) or not any(may_mean(gpu, name) for name in models)


def over_at_price(terms: Terms, rules: Rules) -> tuple[Over, ...]:
    """Return the reasons why a request needs an approver at the price of the clicked offer.

    The terms allow a somewhat higher rate than the price of the clicked offer. The limits are compared with the
    price of the clicked offer, and with the total at that price.
    """
    span = billed_span(terms.lease, terms.kept, rules)
    # The approved total consists of the cost of earlier purchases and the cost of the lease at the highest rate.
    # Subtract the latter to get the cost of the earlier purchases. Then add the cost of the lease at the price of
    # the clicked offer.
    spent = max(terms.total - cost_at_most(terms.max_rate, span), 0)
    total = spent + cost_at_most(terms.price, span)
    return needs_approver(terms.gpu, terms.count, terms.price, total, rules)


def reasons_for_decision(rental: Rental, rules: Rules) -> tuple[Over, ...]:
    """Return the reasons why a pending request needs an approver, apart from its budgets.

    The request of a program needs one if it exceeds the terms of its token. The limits for people don't matter.
    """
    if rental.program is None:
        return over_at_price(rental.terms, rules)
    beyond = rental.decision is not None and rental.decision.why is Why.BEYOND_TERMS
    return (Over.TOKEN,) if beyond else ()


def propose(
    request: Request,
    gpu: str,
    price: Decimal,
    rules: Rules,
    *,
    version: int = 1,
    spent: Micros = 0,
    team_rate_left: Decimal | None = None,
) -> Proposal:
    """Return the terms for renting the clicked offer, and the reasons why they need an approver.

    The terms allow a somewhat higher rate than the price of the clicked offer. If the clicked offer fails, another
    offer can then be bought. If the clicked offer needs no approval, the higher rate is limited so that the terms
    need no approval.

    Args:
        gpu: The canonical name of the clicked GPU.
        price: The price of the clicked offer, in USD per hour.
        spent: The cost of earlier attempts.
        team_rate_left: What is left of the team's limit, in USD per hour. The caller has checked that it isn't
            below `price`.
    """
    span = billed_span(request.longest, request.kept, rules)
    over = needs_approver(gpu, request.count, price, spent + cost_at_most(price, span), rules)
    caps = [price * (1 + rules.procure.dearer)]
    if request.max_gpu_rate is not None:
        caps.append(request.max_gpu_rate * request.count)
    if request.max_total is not None:
        caps.append(rate_for(request.max_total - spent, span))
    if not over:
        caps.append(rules.auto_approve.per_hour)
        caps.append(rate_for(micros(rules.auto_approve.total) - spent, span))
    if team_rate_left is not None:
        caps.append(team_rate_left)
    max_rate = max(whole_cents_below(min(caps)), price)
    total = spent + cost_at_most(max_rate, span)
    terms = Terms.of(request, gpu, price=price, max_rate=max_rate, total=total, version=version)
    return Proposal(terms=terms, over=over)


def propose_longer_lease(
    rental: Rental, ends_at: datetime, *, kept: timedelta, spent: Micros, now: datetime, rules: Rules
) -> Proposal:
    """Return the next version of a running rental's terms, for a lease until `ends_at`.

    If the longer lease exceeds the `auto_approve` limits, it needs an approver. The rule `approval.always` doesn't
    apply, because the person already has the machine.

    The total is the cost so far, plus the highest possible cost until the machine is destroyed. This includes the
    grace period and the time `kept`.

    If the end is flexible, the terms already allow the machine to run until the latest time at which the lease can
    end. If `ends_at` isn't after that time, the terms are returned unchanged.

    Args:
        kept: The time for which the machine is kept after `ends_at` if the owner's `/root/on-ending.sh` fails
            (`kept_for_longer_lease`).
        spent: The highest possible cost of the rental by `now`.

    Raises:
        ValueError: The rental was never ready. This is a bug in the caller.
    """
    if already_allowed(rental.running_lease, ends_at):
        return Proposal(terms=rental.terms)
    rate, before = rental.rate_at_most, rental.unextended
    total = spent + cost_at_most(rate, ends_at - now + kept + rules.lease.grace)
    lease = ends_at - rental.running_lease.ready_at
    return Proposal(
        terms=changed(before, version=before.version + 1, lease=lease, kept=kept, total=total, price=rate),
        over=over_limits(rate, total, rules),
    )


def extension_needs_confirmation(rental: Rental, ends_at: datetime, span: timedelta, kept: timedelta) -> bool:
    """Return whether a dialog asks for confirmation before extending the lease to `ends_at`.

    If the end is flexible, the owner has already accepted the latest time at which the lease can end. Up to that
    time, no confirmation is needed.

    Args:
        rental: The rental before the extension.
        ends_at: The new end of the lease.
        span: The time by which the lease is extended.
        kept: The time for which the machine is kept after the new end if the owner's `/root/on-ending.sh` fails.
    """
    lease = rental.running_lease
    longest = max(span, ends_at + kept - lease.paid_until) if kept else span
    added = cost_at_most(rental.rate_at_most, longest)
    return added > CONFIRM_ABOVE and not already_allowed(lease, ends_at)


def receipt_estimate(
    rate: Decimal | None, lease: timedelta, amount: Micros, *, ran_its_length: bool
) -> Micros | None:
    """Return the estimated cost that a receipt shows next to the actual `amount`.

    The estimate is the cost of the whole `lease` at `rate`. None if the rate is unknown, if the machine ended
    before its lease, or if the amount differs from the estimate by at most a tenth.
    """
    if rate is None or not ran_its_length:
        return None
    estimate = cost(rate, lease)
    return estimate if 10 * abs(amount - estimate) > estimate else None


def may_approve(person: Person, requesters: Collection[str], rules: Rules) -> bool:
    """Return whether a person can approve a request that was made by `requesters`."""
    roles = roles_of(person, rules)
    return roles.approver and (person.id not in requesters or rules.self_approval or roles.sole_admin)


def check_approver(person: Person, requesters: Collection[str], rules: Rules) -> bool:
    """Check that a person is allowed to approve or deny a request, and return whether it is their own.

    Raises Refused if the person isn't allowed to.
    """
    if not roles_of(person, rules).approver:
        raise Refused(ONLY_APPROVERS)
    if not may_approve(person, requesters, rules):
        raise Refused("Another approver has to decide your own request. Nothing was changed.")
    return person.id in requesters


# --- limits that no approver can lift


def count_allowed(count: int, rules: Rules) -> bool:
    """Return whether a single rental can have this many GPUs."""
    return count <= rules.limits.per_rental_gpus


def check_lease(lease: timedelta, rules: Rules) -> None:
    """Refuse a lease that is longer than the rules allow.

    Raises Mistake.
    """
    if lease > rules.lease.max:
        raise Mistake(f"The longest lease is {span(rules.lease.max)}. Ask for that or less.")


def most_gpus(rules: Rules) -> str:
    """Return the team's limit on the number of GPUs per rental as text, such as `8 GPUs`."""
    return plural(rules.limits.per_rental_gpus, "GPU")


def check_size(request: Request, rules: Rules) -> None:
    """Check the number of GPUs and the length of the lease in a request against the rules.

    Raises:
        Refused: The request has too many GPUs.
        Mistake: The lease is too long.
    """
    if not count_allowed(request.count, rules):
        raise Refused(
            f"Your team's limit is {most_gpus(rules)} per rental. Ask for {rules.limits.per_rental_gpus} or fewer."
        )
    check_lease(request.longest, rules)


def check_total(request: Request, terms: Terms) -> None:
    """Refuse terms that exceed the total that the person typed.

    Usually the search has already left out offers that are too expensive for this total. The terms can still
    exceed it if the rules have changed since, or if earlier attempts have used up part of the total. Raises
    Refused.
    """
    if request.max_total is not None and over_total(request, terms.total):
        raise Refused(
            f"The request could cost up to {say_at_most(terms.total)}, which is more than the "
            f"{say_at_most(request.max_total)} in all that you asked for."
        )


def check_person_rentals(usage: Usage, rules: Rules, owner: str | None = None) -> None:
    """Refuse one more rental if the person has as many as the rules allow.

    `owner` is the person's name if a program reads the message. None if the person reads it. Raises Refused.
    """
    if usage.person_rentals >= rules.limits.per_person_rentals:
        has = "You have" if owner is None else f"{owner} has"
        raise Refused(
            f"{has} {plural(usage.person_rentals, 'rental')}, and your team's limit is "
            f"{rules.limits.per_person_rentals} per person.",
            next_step=NextStep.DESTROY_ONE,
        )


def check_usage(price: Decimal, usage: Usage, rules: Rules, owner: str | None = None) -> Decimal:
    """Check one more rental at `price` against the limits of the person and of the team.

    Args:
        price: In USD per hour.
        usage: The rentals that count.
        rules: The rules.
        owner: The person's name if a program reads the error message. None if the person reads it.

    Returns:
        What is left of the team's limit before this rental is added, in USD per hour.

    Raises:
        Refused: The rental would exceed the limit of the person or of the team.
    """
    check_person_rentals(usage, rules, owner)
    left = rules.limits.team_per_hour - usage.team_rate
    if price > left:
        raise Refused(
            f"Your team's limit is {say_limit(rules.limits.team_per_hour)}/h, of which only {say_limit(left)}/h "
            f"is left. Wait until a machine is destroyed, or look for an offer of at most {say_limit(left)}/h."
        )
    return left


def within_budgets(
    proposal: Proposal,
    passed: tuple[Demand, ...],
    rules: Rules,
    *,
    refusal: str | None = None,
    instead: str = NOT_RENTED,
) -> Proposal:
    """Return the proposal. If it exceeds a budget, return a copy that needs an approver.

    Args:
        passed: The budgets that can't cover the proposal, in ascending order of headroom.
        refusal: The error message. By default, it states the numbers and addresses the owner.
        instead: The advice after the error message.

    Raises:
        OverBudget: The proposal exceeds a budget, and the policy refuses such rentals instead of asking an
            approver.
    """
    if not passed:
        return proposal
    if rules.budgets.over is WhenOver.REFUSE:
        raise OverBudget(refusal or say_passed(passed[0]), instead=instead)
    return changed(proposal, over=(*proposal.over, Over.BUDGET), passed=passed)


@dataclass(frozen=True)
class Limits:
    """The remaining limits and budgets for a request, and whether buying is blocked."""

    rules: Rules
    """The rules of the request's project."""
    usage: Usage
    room: Room
    block: BuyingBlocked | None = None
    version: int = 1
    """The version of the terms that are proposed."""
    spent: Micros = 0
    """The highest possible cost of earlier attempts, which is included in the total of the terms."""

    def choice(self, request: Request, offer: Offer, block: BuyingBlocked | None = None) -> OfferChoice:
        """Return the terms for renting this offer, or the reason why it can't be rented even with an approval.

        Args:
            block: A reason to refuse. It takes precedence over all other reasons.
        """
        refused: GpubotError | None = None
        try:
            check_size(request, self.rules)
            proposal = self._proposal(request, offer, check_usage(offer.rate, self.usage, self.rules))
            check_total(request, proposal.terms)
            passed = self.room.passed(proposal.terms.total, self.rules)
            proposal = within_budgets(proposal, passed, self.rules)
        except (Refused, Mistake) as error:
            refused = error.with_traceback(None)
            proposal = self._proposal(request, offer)
        over_budget = bool(proposal.passed) or isinstance(refused, OverBudget)
        return OfferChoice(
            offer=offer,
            **dict(proposal),
            shorter=self._shorter(request, offer) if over_budget else None,
            refused=block or refused,
        )

    def _proposal(self, request: Request, offer: Offer, rate_left: Decimal | None = None) -> Proposal:
        version, spent = self.version, self.spent
        return propose(
            request, offer.gpu, offer.rate, self.rules, version=version, spent=spent, team_rate_left=rate_left
        )

    def _shorter(self, request: Request, offer: Offer) -> timedelta | None:
        """Return the longest lease for which the budgets can pay: in whole hours, and shorter than requested.

        None if the budgets can't even pay for an hour.
        """
        fits, too_long = 0, math.ceil(request.longest / _HOUR)
        while too_long - fits > 1:
            hours = (fits + too_long) // 2
            fewer = shorter(request, lease=hours * _HOUR, until=None, up_to=None)
            total = self._proposal(fewer, offer).terms.total
            fits, too_long = (fits, hours) if self.room.passed(total, self.rules) else (hours, too_long)
        return fits * _HOUR or None


def cheapest_other(clicked: Offer, offers: Iterable[Offer]) -> OtherOffer | None:
    """Return the cheapest of the other offers, to show to the approvers. None if there is no other."""
    others = (offer for offer in offers if offer.offer_id != clicked.offer_id)
    best = min(others, key=lambda offer: offer.rate, default=None)
    if best is None:
        return None
    return OtherOffer(vendor=best.vendor, vendor_region=best.vendor_region, rate=best.rate)


def recommended(choices: Sequence[OfferChoice]) -> OfferChoice | None:
    """Return the cheapest choice that can be rented, or None if there is no such choice.

    If the request needs the startup script, vendors that probably don't run it are only recommended if no other
    vendor has an offer.

    Args:
        choices: Cheapest first.
    """
    rentable = [choice for choice in choices if choice.refused is None]
    return next((choice for choice in rentable if not choice.lacks_script), next(iter(rentable), None))
