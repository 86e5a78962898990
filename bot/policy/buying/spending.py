"""The money rules, without I/O: what may be bought, who decides it, and up to which price and total."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from bot.errors import BuyingBlocked, GpubotError, Mistake, NextStep, OverBudget, Refused
from bot.model.base import Frozen, Instant, changed
from bot.model.budget import Demand
from bot.model.facts import OtherOffer
from bot.model.money import MICROS_PER_DOLLAR, Micros, cost, cost_at_most, micros, rate_for, whole_cents_below
from bot.model.offer import Offer
from bot.model.person import Person
from bot.model.records import Usage
from bot.model.rental import Rental
from bot.model.request import Request, Terms
from bot.model.summary import OfferChoice, Over, Proposal
from bot.model.text import plural, say_at_most, say_limit, span
from bot.policy.buying.budgets import Room, say_passed
from bot.policy.team.roles import roles_of
from bot.policy.team.rules import Rules, WhenOver
from bot.policy.use.flexible_end import already_allowed

_HOUR = timedelta(hours=1)
_LEAST_GPU_RATE = Decimal("0.0001")
"""USD per GPU-hour: the lowest price that the market can be asked for."""
CONFIRM_ABOVE: Micros = 50_000_000
"""A rent or an approval is confirmed in a dialog first if its total may be higher than this, and an extension if
it may add more than this."""

BLOCKED_AT_MOST = timedelta(minutes=15)
"""If buying is blocked for longer, the request waits for a decision again: nobody expects a purchase that late."""
LONGEST_REASON = 200
"""How many characters of the reason for a denial are kept."""
UNRESOLVED_COUNTS_FOR = timedelta(minutes=5)
"""An unproven attempt is counted as if it billed for this long: a lookup finds its machine within about a minute,
and its deletion takes the rest."""

ONLY_APPROVERS = "Only approvers can decide about requests. Nothing was changed."
"""The whole answer to people who may not decide a request, so that they learn nothing about it."""

NOT_RENTED = (
    "Nothing was rented or changed. Ask for less time or a cheaper machine, or ask an admin to raise the budget."
)
"""What follows if a budget doesn't hold what somebody wanted to rent, and the rules refuse that."""


class LongerLease(Frozen):
    """A longer lease that a person asks for."""

    rental: Rental
    """The rental before the lease becomes longer."""
    ends_at: Instant
    span: timedelta
    """By how much the lease becomes longer: from its end, or from now if the end has passed."""
    proposal: Proposal


def needs_confirmation(terms: Terms) -> bool:
    """Return whether a rent or an approval of this envelope is confirmed in a dialog first."""
    return terms.total > CONFIRM_ABOVE


# --- lengths of time that money pays for


def billed_span(lease: timedelta, rules: Rules) -> timedelta:
    """Return the longest time that a lease can bill, from procurement to deletion."""
    return lease + rules.procure.provision_timeout + rules.lease.grace


def with_price_of_total(request: Request, rules: Rules) -> Request:
    """Return a request whose highest price keeps "at most" within the total that the person typed.

    The price is the total divided by the GPUs and by the hours that "at most" counts, rounded down. Call this
    whenever the length of a request may have changed. A request without a total is returned unchanged.
    """
    if request.max_total is None:
        return request
    hours = _hours(billed_span(request.longest, rules))
    gpu_rate = Fraction(request.max_total, MICROS_PER_DOLLAR) / request.count / hours
    return changed(request, max_gpu_rate=max(Decimal(math.floor(gpu_rate * 10_000)).scaleb(-4), _LEAST_GPU_RATE))


def over_total(request: Request, total: Micros) -> bool:
    """Return whether a total is more than the one that the person typed."""
    return request.max_total is not None and total > request.max_total


def provisioning_budget(total: Micros, billed: Micros, rate: Decimal, lease: timedelta, rules: Rules) -> timedelta:
    """Return how long a machine at `rate` may take to get ready, so that what is `billed`, that time, the whole
    lease and the grace after it fit into `total`. The result is at most the rules' time-out. It is negative if not
    even the lease fits.
    """
    longest = rules.procure.provision_timeout
    left = Fraction(total - billed, MICROS_PER_DOLLAR) - Fraction(rate) * _hours(lease + rules.lease.grace)
    return _paid_span(left, rate, -longest, longest)


def affordable_lease(total: Micros, billed: Micros, rate: Decimal, lease: timedelta, rules: Rules) -> timedelta:
    """Return how much of a `lease` at `rate` fits into `total` after `billed`, with the grace at its end.

    The result is at least one grace, or the lease if that is shorter: the owner must be notified before the end.
    """
    if not rate:
        return lease
    left = Fraction(total - billed, MICROS_PER_DOLLAR) - Fraction(rate) * _hours(rules.lease.grace)
    return _paid_span(left, rate, min(lease, rules.lease.grace), lease)


def _paid_span(dollars: Fraction, rate: Decimal, least: timedelta, most: timedelta) -> timedelta:
    """Return how long `dollars` pay for a machine at `rate`, but at least `least` and at most `most`."""
    if dollars >= Fraction(rate) * _hours(most):  # also true of a machine that costs nothing
        return most
    hours = max(dollars / Fraction(rate), _hours(least)) if rate else _hours(least)
    return timedelta(microseconds=math.floor(hours * 3_600_000_000))


def _hours(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1), 3_600_000_000)


# --- who decides


def over_limits(rate: Decimal, total: Micros, rules: Rules) -> tuple[Over, ...]:
    """Return which limits of `auto_approve` an hourly rate and a total exceed."""
    over = []
    if rate > rules.auto_approve.per_hour:
        over.append(Over.PER_HOUR)
    if total > micros(rules.auto_approve.total):
        over.append(Over.TOTAL)
    return tuple(over)


def over_at_price(terms: Terms, rules: Rules) -> tuple[Over, ...]:
    """Return the limits that made an approver decide this envelope, by its clicked price and the total at it."""
    span = billed_span(terms.lease, rules)
    # `propose` adds what earlier attempts billed to the highest cost of the span, so the difference is that bill.
    spent = max(terms.total - cost_at_most(terms.max_rate, span), 0)
    return over_limits(terms.price, spent + cost_at_most(terms.price, span), rules)


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
    """Return the envelope for a request, for the clicked GPU and price, and the limits that this price exceeds.

    `spent` is what earlier attempts billed. `team_rate_left` is what the team's limit leaves, USD per hour; the
    caller has checked that it is not below `price`.
    """
    span = billed_span(request.longest, rules)
    over = over_limits(price, spent + cost_at_most(price, span), rules)
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
    rental: Rental, ends_at: datetime, *, spent: Micros, now: datetime, rules: Rules
) -> Proposal:
    """Return the next version of the envelope of a rental that is in use, for a lease until `ends_at`.
    Its total is what was `spent` by `now`, plus the most that the time until that end and the grace can cost.

    Return the envelope unchanged if `ends_at` is not after the later of two ends, which it covers already. Raise
    ValueError if the rental was never ready.
    """
    if already_allowed(rental.running_lease, ends_at):
        return Proposal(terms=rental.terms)
    rate, before = rental.rate_at_most, rental.unextended
    total = spent + cost_at_most(rate, ends_at - now + rules.lease.grace)
    lease = ends_at - rental.running_lease.ready_at
    return Proposal(
        terms=changed(before, version=before.version + 1, lease=lease, total=total, price=rate),
        over=over_limits(rate, total, rules),
    )


def extension_needs_confirmation(rental: Rental, ends_at: datetime, span: timedelta) -> bool:
    """Return whether a dialog confirms a lease until `ends_at`, which is longer by `span`, first. Up to the later
    of two ends none does: that end was accepted before.
    """
    added = cost_at_most(rental.rate_at_most, span)
    return added > CONFIRM_ABOVE and not already_allowed(rental.running_lease, ends_at)


def receipt_estimate(
    rate: Decimal | None, lease: timedelta, amount: Micros, *, ran_its_length: bool
) -> Micros | None:
    """Return the estimate that a receipt shows beside the `amount`: the cost of a `lease` at `rate`. Return None
    unless the lease ran to its end and the estimate was off by more than a tenth.
    """
    if rate is None or not ran_its_length:
        return None
    estimate = cost(rate, lease)
    return estimate if 10 * abs(amount - estimate) > estimate else None


def may_approve(person: Person, requesters: Collection[str], rules: Rules) -> bool:
    """Return whether a person may approve a request of these people."""
    roles = roles_of(person, rules)
    return roles.approver and (person.id not in requesters or rules.self_approval or roles.sole_admin)


def check_approver(person: Person, requesters: Collection[str], rules: Rules) -> bool:
    """Return whether the person approves their own request. Raise Refused if they may not decide it."""
    if not roles_of(person, rules).approver:
        raise Refused(ONLY_APPROVERS)
    if not may_approve(person, requesters, rules):
        raise Refused("Another approver has to decide your own request. Nothing was changed.")
    return person.id in requesters


# --- limits that no approver can lift


def count_allowed(count: int, rules: Rules) -> bool:
    """Return whether one rental may have this many GPUs."""
    return count <= rules.limits.per_rental_gpus


def check_lease(lease: timedelta, rules: Rules) -> None:
    """Raise Mistake if a lease is longer than the rules allow."""
    if lease > rules.lease.max:
        raise Mistake(f"The longest lease is {span(rules.lease.max)}. Ask for that or less.")


def most_gpus(rules: Rules) -> str:
    """Return how many GPUs one rental may have, such as `8 GPUs`."""
    return plural(rules.limits.per_rental_gpus, "GPU")


def check_size(request: Request, rules: Rules) -> None:
    """Raise Refused if a request has too many GPUs, and Mistake if its lease is too long."""
    if not count_allowed(request.count, rules):
        raise Refused(
            f"Your team's limit is {most_gpus(rules)} per rental. Ask for {rules.limits.per_rental_gpus} or fewer."
        )
    check_lease(request.longest, rules)


def check_total(request: Request, terms: Terms) -> None:
    """Raise Refused if an envelope allows more than the total that the person typed.

    The search leaves out offers that are too expensive for the total. This happens if the rules have changed since
    then, or if earlier attempts have used up a part of the total.
    """
    if request.max_total is not None and over_total(request, terms.total):
        raise Refused(
            f"The request could cost up to {say_at_most(terms.total)}, which is more than the "
            f"{say_at_most(request.max_total)} in all that you asked for."
        )


def check_person_rentals(usage: Usage, rules: Rules) -> None:
    """Raise Refused if one more rental exceeds the limit of a person."""
    if usage.person_rentals >= rules.limits.per_person_rentals:
        raise Refused(
            f"You have {plural(usage.person_rentals, 'rental')}, and your team's limit is "
            f"{rules.limits.per_person_rentals} per person.",
            next_step=NextStep.DESTROY_ONE,
        )


def check_usage(price: Decimal, usage: Usage, rules: Rules) -> Decimal:
    """Return what is left of the team's limit, USD per hour. Raise Refused if one more rental at `price` exceeds
    the limit of the person or of the team.
    """
    check_person_rentals(usage, rules)
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
    """Return a proposal that an approver decides if it passes budgets.

    Raise OverBudget if the rules refuse that, with the words of `refusal` and `instead`. If `refusal` is None, the
    words are the numbers, to the owner.
    """
    if not passed:
        return proposal
    if rules.budgets.over is WhenOver.REFUSE:
        raise OverBudget(refusal or say_passed(passed[0]), instead=instead)
    return changed(proposal, over=(*proposal.over, Over.BUDGET), passed=passed)


@dataclass(frozen=True)
class Limits:
    """What is left of the limits and budgets for a request, and whether anything is bought at all now."""

    rules: Rules
    """Those of its project."""
    usage: Usage
    room: Room
    block: BuyingBlocked | None = None
    version: int = 1
    """The version that its envelope gets."""
    spent: Micros = 0
    """The most that earlier attempts have cost, which the envelope's total includes."""

    def choice(self, request: Request, offer: Offer, block: BuyingBlocked | None = None) -> OfferChoice:
        """Return what renting this offer allows, or why it can't be rented, even with an approval. `block` is a
        reason that comes before any other.
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
        """Return the longest lease in whole hours, shorter than the request's, that the budgets hold for an offer.
        Return None if they hold none.
        """
        fits, too_long = 0, math.ceil(request.longest / _HOUR)
        while too_long - fits > 1:
            hours = (fits + too_long) // 2
            shorter = changed(request, lease=hours * _HOUR, until=None, up_to=None)
            total = self._proposal(shorter, offer).terms.total
            fits, too_long = (fits, hours) if self.room.passed(total, self.rules) else (hours, too_long)
        return fits * _HOUR or None


def cheapest_other(clicked: Offer, offers: Iterable[Offer]) -> OtherOffer | None:
    """Return the cheapest of the other offers, for the approvers. Return None if there is no other."""
    others = (offer for offer in offers if offer.offer_id != clicked.offer_id)
    best = min(others, key=lambda offer: offer.rate, default=None)
    if best is None:
        return None
    return OtherOffer(vendor=best.vendor, vendor_region=best.vendor_region, rate=best.rate)


def recommended(choices: Sequence[OfferChoice]) -> OfferChoice | None:
    """Return the cheapest choice that may be rented and doesn't lack a boot script. If each lacks one, return the
    cheapest that may be rented. Return None if none may. `choices` have the cheapest first.
    """
    rentable = [choice for choice in choices if choice.refused is None]
    return next((choice for choice in rentable if not choice.lacks_script), next(iter(rentable), None))
