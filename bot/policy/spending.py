"""May this be bought, who decides, and how far may it go. Money rules without I/O."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from bot.errors import Mistake, Refused
from bot.model.base import Frozen, changed
from bot.model.money import MICROS_PER_DOLLAR, Micros, cost_at_most, micros, rate_for, whole_cents_below
from bot.model.person import Person
from bot.model.request import Envelope, Request
from bot.model.text import say_span
from bot.policy.roles import roles_of
from bot.policy.rules import Rules

CONFIRM_ABOVE: Micros = 50_000_000
"""A rent or an approval that can come to more than this is confirmed in a dialog (storyboard)."""

ONLY_APPROVERS = "Only approvers decide this. I changed nothing."
"""All that people who may not decide read of a request that they click on."""


class Over(StrEnum):
    """Which limit a request is over, so that an approver decides."""

    PER_HOUR = "per_hour"
    TOTAL = "total"


class Verdict(Frozen):
    """What the rules say of a request at a price."""

    envelope: Envelope
    over: tuple[Over, ...]
    """Empty: its owner may decide alone."""


def billed_span(lease: timedelta, rules: Rules) -> timedelta:
    """How long a lease can bill at most: from procurement to deletion."""
    return lease + rules.procure.provision_timeout + rules.lease.grace


def left_to_get_ready(total: Micros, billed: Micros, rate: Decimal, lease: timedelta, rules: Rules) -> timedelta:
    """How long a machine at `rate` may take to get ready, so that its whole lease and the grace after it still fit
    into `total` beside what was `billed` before: the rules' time-out at most. Negative where they don't fit."""
    longest = rules.procure.provision_timeout
    spare = Fraction(total - billed, MICROS_PER_DOLLAR) - Fraction(rate) * _hours(lease + rules.lease.grace)
    if spare >= Fraction(rate) * _hours(longest):  # also where a machine bills nothing
        return longest
    hours = max(spare / Fraction(rate), -_hours(longest)) if rate else -_hours(longest)
    return timedelta(microseconds=math.floor(hours * 3_600_000_000))


def paid_lease(total: Micros, billed: Micros, rate: Decimal, lease: timedelta, rules: Rules) -> timedelta:
    """How much of a `lease` at `rate` still fits into `total` beside what was `billed` and the grace at its end. A
    grace's length at least, so that its end can be told."""
    shortest = min(lease, rules.lease.grace)
    left = Fraction(total - billed, MICROS_PER_DOLLAR) - Fraction(rate) * _hours(rules.lease.grace)
    if not rate or left >= Fraction(rate) * _hours(lease):
        return lease
    hours = max(left / Fraction(rate), Fraction(0))
    return max(shortest, timedelta(microseconds=math.floor(hours * 3_600_000_000)))


def _hours(span: timedelta) -> Fraction:
    return Fraction(span // timedelta(microseconds=1), 3_600_000_000)


def over_limits(rate: Decimal, total: Micros, rules: Rules) -> tuple[Over, ...]:
    """Which limits of `auto_approve` an hourly rate and a total are over."""
    over = []
    if rate > rules.auto_approve.per_hour:
        over.append(Over.PER_HOUR)
    if total > micros(rules.auto_approve.total):
        over.append(Over.TOTAL)
    return tuple(over)


def judge(
    request: Request,
    price: Decimal,
    rules: Rules,
    *,
    version: int = 1,
    spent: Micros = 0,
    room: Decimal | None = None,
) -> Verdict:
    """Judges the clicked price and its total, then cuts the envelope to the limits.

    `spent` is what earlier attempts billed. `room` is what the team's limit leaves, USD per hour; the caller
    has made sure that it is not below `price`.
    """
    span = billed_span(request.lease, rules)
    over = over_limits(price, spent + cost_at_most(price, span), rules)
    caps = [whole_cents_below(price * (1 + rules.procure.dearer))]
    if request.max_gpu_rate is not None:
        caps.append(request.max_gpu_rate * request.count)
    if not over:
        caps.append(rules.auto_approve.per_hour)
        caps.append(rate_for(micros(rules.auto_approve.total) - spent, span))
    if room is not None:
        caps.append(room)
    max_rate = max(min(caps), price)
    return Verdict(
        envelope=Envelope(
            version=version,
            gpu=request.gpu,
            count=request.count,
            region=request.region,
            contract=request.contract,
            vendor=request.vendor,
            price=price,
            max_rate=max_rate,
            lease=request.lease,
            total=spent + cost_at_most(max_rate, span),
        ),
        over=over,
    )


def longer(
    envelope: Envelope,
    *,
    rate: Decimal,
    lease: timedelta,
    spent: Micros,
    left: timedelta,
    version: int,
    rules: Rules,
) -> Verdict:
    """Judges a longer lease of a machine that runs at `rate`: what was spent, and what `left` until the new end
    and the grace after it can come to.

    Raises Refused where the lease would be longer than the rules allow.
    """
    check_lease(lease, rules)
    total = spent + cost_at_most(rate, left + rules.lease.grace)
    return Verdict(
        envelope=changed(envelope, version=version, lease=lease, total=total, price=rate),
        over=over_limits(rate, total, rules),
    )


def check_lease(lease: timedelta, rules: Rules) -> None:
    """Raises Mistake for a lease that is longer than the rules allow."""
    if lease > rules.lease.max:
        raise Mistake(f"A lease is at most {say_span(rules.lease.max)}. Ask for that or less.")


def gpus_words(rules: Rules) -> str:
    """The most for one rental: `8 GPUs`."""
    most = rules.limits.per_rental_gpus
    return f"{most} GPU{'' if most == 1 else 's'}"


def check_size(request: Request, rules: Rules) -> None:
    """Raises Refused or Mistake for what nobody may rent, whoever approves."""
    if request.count > rules.limits.per_rental_gpus:
        raise Refused(
            f"Your team's limit is {gpus_words(rules)} a rental. Ask for {rules.limits.per_rental_gpus} or fewer."
        )
    check_lease(request.lease, rules)


def check_usage(price: Decimal, person_rentals: int, team_rate: Decimal, rules: Rules) -> Decimal:
    """What the team's limit leaves, USD per hour. Raises Refused where one more rental at `price` is too much."""
    if person_rentals >= rules.limits.per_person_rentals:
        raise Refused(
            f"You have {person_rentals} rental{'' if person_rentals == 1 else 's'}; your team's limit is "
            f"{rules.limits.per_person_rentals} a person. Destroy one first: see /gpu list."
        )
    room = rules.limits.team_per_hour - team_rate
    if price > room:
        raise Refused(
            f"That would pass your team's ${rules.limits.team_per_hour:,.2f}/h: "
            f"${max(room, Decimal(0)):,.2f}/h is left. Take a cheaper one, or wait until one is destroyed."
        )
    return room


def check_approver(person: Person, own: Collection[str], rules: Rules) -> bool:
    """Whether this approval is by someone whose own request it is. Raises Refused for who may not decide."""
    roles = roles_of(person, rules)
    if not roles.approver:
        raise Refused(ONLY_APPROVERS)
    if person.id not in own:
        return False
    if not (rules.self_approval or roles.sole_admin):
        raise Refused("Your own request needs another approver. I changed nothing.")
    return True
