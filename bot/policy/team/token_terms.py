"""Decides what a program can do with a token: which terms are allowed, and which requests exceed them. No I/O.

The terms of a token take the place of the policy keys `auto_approve` and `approval.always`: they are compared with
these keys once, when they are set, and not again at each rental. All other rules still apply to each rental. The
sentences in this module are read by programs, so their times are in UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from zoneinfo import ZoneInfo

from bot.errors import WrongTerm
from bot.model.base import Frozen, Instant, changed
from bot.model.budget import UNASSIGNED
from bot.model.gpu import display_name, display_typed, includes, may_mean
from bot.model.money import Micros, in_dollars, micros
from bot.model.offer import Catalog
from bot.model.person import Person
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.summary import Over
from bot.model.text import listed, one_line, plural, say_at_most, say_limit, say_price, say_utc, span
from bot.model.token import (
    Access,
    BeyondTerms,
    Token,
    TokenEnd,
    TokenState,
    TokenTerms,
    TokenUse,
    WhenLost,
)
from bot.policy.buying.budgets import projects_to_name, rules_of_project
from bot.policy.buying.spending import always_needs_approval, over_limits
from bot.policy.team.hours import at_time, zone_of
from bot.policy.team.rules import LEAST_LEASE, Always, AutoApprove, Rules

LONGEST_NAME = 40
"""The maximum length of a token's name, in characters."""
MOST_MODELS = 20
"""The maximum number of GPU models that a token can name."""
MOST_PER_DAY = 1000
"""The highest number of rentals a day that a token can allow."""
DAY = timedelta(hours=24)
"""The time for which a rental counts toward `per_day`."""
UNUSED_FOR = timedelta(days=14)
"""The time without use after which a token stops working."""
SOON = timedelta(minutes=1)
"""The time after which a program asks again while one of the token's machines is being deleted."""
SHOWN = 5
"""The maximum number of keys in a sentence about a token's rentals."""
_LEAST = Decimal("0.000001")
"""The lowest limit that `AutoApprove` accepts. It is used if nothing is left, because 0 isn't accepted."""


# --- the terms themselves


def clean_name(name: str) -> str:
    """Return the name of a token as it is stored: on one line, without characters that can't be displayed."""
    return one_line(name, LONGEST_NAME)


def last_day_at_most(zone: ZoneInfo, rules: Rules, now: datetime) -> date:
    """Return the latest day that can be the last day of a token, in the owner's time zone."""
    return (now + rules.tokens.longest).astimezone(zone).date()


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the end of a day in a time zone, in UTC. `TokenTerms.until` is the end of the token's last day."""
    return at_time(day + timedelta(days=1), 0, zone)


def check_terms(
    name: str, terms: TokenTerms, owner: Person, rules: Rules, now: datetime, *, catalog: Catalog | None = None
) -> None:
    """Refuse a name or terms that the rules don't allow for this owner, not even with an approval.

    If the market's catalogue is given, models that it doesn't contain are refused too. Raises WrongTerm for the
    first term that isn't allowed.
    """
    if not clean_name(name):
        raise WrongTerm("name", "Give the token a name, so that people can recognize its machines.")
    zone = zone_of(owner.tz, rules)
    if terms.until <= now:
        raise WrongTerm("until", "The last day is over. Choose today or a later day.")
    last = last_day_at_most(zone, rules, now)
    if terms.until > end_of_day(last, zone):
        longest = span(rules.tokens.longest)
        raise WrongTerm(
            "until", f"A token can work for {longest} at most. Choose {last.day} {last:%b} or earlier."
        )
    if terms.access is Access.LOOK:
        return
    if terms.project != UNASSIGNED and terms.project not in projects_to_name(owner, rules):
        raise WrongTerm("project", f"{owner.name} can't charge project {terms.project}. Choose another project.")
    _check_models(terms.models, catalog)
    _check_amounts(terms, rules)


def _check_models(models: Sequence[str], catalog: Catalog | None) -> None:
    if not models:
        raise WrongTerm("models", "Choose at least one GPU model that the token can rent.")
    if len(models) > MOST_MODELS:
        raise WrongTerm("models", f"A token can name {MOST_MODELS} GPU models at most.")
    if catalog is None:
        return
    sold = [name for family, names in catalog.gpus.items() for name in (family, *names)]
    for model in models:
        if not any(may_mean(one, model) for one in sold):
            raise WrongTerm("models", f"Compute Clear has no GPU called {one_line(model, 40)}.")


def _check_amounts(terms: TokenTerms, rules: Rules) -> None:
    limits = rules.limits
    if terms.per_hour <= 0:
        raise WrongTerm("per_hour", "Enter an amount of more than $0.00.")
    if terms.per_hour > limits.team_per_hour:
        raise WrongTerm("per_hour", f"Your team's limit is {say_limit(limits.team_per_hour)}/h for all machines.")
    if terms.total <= 0:
        raise WrongTerm("total", "Enter an amount of more than $0.00.")
    if terms.total > micros(Decimal(1_000_000)):
        raise WrongTerm("total", "Enter at most $1,000,000.")
    if terms.at_once > limits.per_person_rentals:
        most = plural(limits.per_person_rentals, "rental")
        raise WrongTerm("at_once", f"Your team's limit is {most} per person, including those of programs.")
    if terms.per_day > MOST_PER_DAY:
        raise WrongTerm("per_day", f"Enter at most {MOST_PER_DAY:,}.")
    if terms.longest < LEAST_LEASE:
        raise WrongTerm("longest", f"The shortest lease is {span(LEAST_LEASE)}.")
    if terms.longest > rules.lease.max:
        raise WrongTerm("longest", f"The longest lease is {span(rules.lease.max)}.")


def over_limits_of(terms: TokenTerms, rules: Rules) -> tuple[Over, ...]:
    """Return the reasons why terms need an approver. Empty if they need none.

    They need one if their total or their hourly price exceeds the `auto_approve` limits of their project, or if
    they name a GPU that always needs approval. The number of GPUs isn't a term, so `approval.always.gpus_from` is
    checked at each rental instead, if no approver has seen the terms (`beyond`).
    """
    if terms.access is Access.LOOK:
        return ()
    names = rules.approval.always.models
    always = any(may_mean(model, name) for model in terms.models for name in names)
    return (
        *((Over.ALWAYS,) if always else ()),
        *over_limits(terms.per_hour, terms.total, rules_of_project(rules, terms.project)),
    )


_STRICTNESS = (None, WhenLost.TELL, WhenLost.END, WhenLost.END_IF_BUSY)
"""The consequences of a lost heartbeat, from the most generous to the strictest."""


def is_tighter(new: TokenTerms, old: TokenTerms) -> bool:
    """Return whether no term of `new` is more generous than in `old`. Such a change needs no approver.

    A change that makes some terms tighter and others more generous isn't tighter. Neither is another project,
    because other people's money is then spent.
    """
    if new.until > old.until or (new.access, old.access) == (Access.RENT, Access.LOOK):
        return False
    if new.access is Access.LOOK:
        return True
    return (
        new.project == old.project
        and all(any(includes(wide, model) for wide in old.models) for model in new.models)
        and new.per_hour <= old.per_hour
        and new.total <= old.total
        and new.at_once <= old.at_once
        and new.per_day <= old.per_day
        and new.longest <= old.longest
        and (new.beyond, old.beyond) != (BeyondTerms.ASK, BeyondTerms.REFUSE)
        and _STRICTNESS.index(new.lost) >= _STRICTNESS.index(old.lost)
    )


# --- the end of a token


def idle_since(token: Token) -> datetime:
    """Return the time since which no program has used a token.

    Before the first use, this is the time at which the token began to work.
    """
    works_since = token.decided.at if token.approved_by is not None and token.decided is not None else None
    return token.last_used_at or works_since or token.created_at


def ends_at(token: Token) -> datetime | None:
    """Return the time at which a token stops working by itself, unless it is used. None if it doesn't work now."""
    if token.state is not TokenState.LIVE or token.terms is None:
        return None
    return min(token.terms.until, idle_since(token) + UNUSED_FOR)


def due_at(token: Token) -> datetime | None:
    """Return the next time at which a token or a request for its terms can expire. None if the token is over."""
    if token.state.over:
        return None
    expires_at = token.requested.expires_at if token.requested is not None else None
    return min(filter(None, (expires_at, ends_at(token))), default=None)


def works(token: Token, now: datetime) -> bool:
    """Return whether programs can use a token now."""
    end = ends_at(token)
    return end is not None and now < end


def end_of(token: Token, now: datetime) -> TokenEnd | None:
    """Return the reason why a token has ended, even if this isn't stored yet. None if it hasn't ended.

    Also None if the end is already stored.
    """
    if token.state is TokenState.ASKED:
        expired = token.requested is None or token.requested.expires_at <= now
        return TokenEnd.UNDECIDED if expired else None
    if token.state.over or works(token, now):
        return None
    return TokenEnd.LAST_DAY if token.terms is None or token.terms.until <= now else TokenEnd.UNUSED


# --- what is left of the terms


def total_left(terms: TokenTerms, use: TokenUse) -> Micros:
    """Return the amount that new rentals of the token can still cost. Never negative."""
    return max(terms.total - use.spent, 0)


def per_hour_left(terms: TokenTerms, use: TokenUse) -> Decimal:
    """Return the hourly price that new rentals of the token can still have, in USD. Never negative."""
    return max(terms.per_hour - use.per_hour, Decimal(0))


def rules_of_token(rules: Rules, terms: TokenTerms, use: TokenUse) -> Rules:
    """Return the team's rules for a rental of a token.

    What is left of the token's terms takes the place of `auto_approve`, and `approval.always` is left out. With
    these rules, the code that decides about people's rentals also decides about the rentals of the token.
    """
    per_hour = per_hour_left(terms, use).quantize(_LEAST, rounding=ROUND_FLOOR)
    left = AutoApprove(per_hour=max(per_hour, _LEAST), total=max(in_dollars(total_left(terms, use)), _LEAST))
    return changed(rules, auto_approve=left, approval=changed(rules.approval, always=Always()))


# --- requests beyond the terms


class Beyond(Frozen):
    """A request that exceeds the terms of a token."""

    reason: str
    """A sentence with the term that is exceeded, such as `8x H100 costs at least $18.40/h, and ..`."""
    next_step: str
    """The sentences that say what the program can do."""
    can_ask: bool = False
    """True if an approver can allow this one request, provided that the terms say so (`TokenTerms.beyond`)."""
    may_pass: bool = False
    """True if the same request can be within the terms later."""
    crowded: bool = False
    """True if the token already has as many rentals as its terms allow."""
    again_at: Instant | None = None
    """The time from which the request will be within the terms. None if waiting doesn't help or isn't enough."""

    @property
    def words(self) -> str:
        """The whole answer to the program if the request is refused."""
        repeating = "" if self.may_pass else ", and repeating this won't help"
        return f"{self.reason} Nothing was rented{repeating}. {self.next_step}"


def covers(terms: TokenTerms, gpu: str) -> bool:
    """Return whether the terms name this GPU. `gpu` is a canonical name, a family, or either with features."""
    return any(may_mean(gpu, model) for model in terms.models)


def beyond(
    token: Token,
    owner: str,
    use: TokenUse,
    request: Request,
    *,
    now: datetime,
    rules: Rules,
    rentals: Collection[Rental] = (),
    gpu: str | None = None,
    rate: Decimal | None = None,
    total: Micros | None = None,
) -> Beyond | None:
    """Return the first term of a token that a request exceeds. None if the request is within the terms.

    The same function is used before the search, when no price is known, and for the cheapest offer.

    Args:
        token: The token, with approved terms.
        owner: The name of the token's owner.
        use: The parts of the terms that the token's other rentals use up.
        request: The request.
        now: The time.
        rules: The team's rules, without the token's terms.
        rentals: The token's rentals that aren't over. Their keys are named if there are too many.
        gpu: The canonical name of the offered GPU. None before the search.
        rate: The price of the offer in USD per hour. None before the search.
        total: The most that the offer can cost. None before the search.
    """
    terms = token.terms
    if terms is None or terms.access is Access.LOOK:
        return _only_looks(token, owner)
    found = (
        _too_many_at_once(token, terms, use, rentals, now),
        _too_many_a_day(token, terms, use, now),
        _after_last_day(token, terms, request, now),
        *_beyond_machine(token, terms, owner, request, rules=rules, gpu=gpu),
        *_beyond_money(token, terms, owner, use, request, rate=rate, total=total),
    )
    return next((one for one in found if one is not None), None)


def _only_looks(token: Token, owner: str) -> Beyond:
    return Beyond(
        reason=f"{token.name} can look at offers and machines, but not rent.",
        next_step=f"Ask {owner} for a token that can rent.",
    )


def _too_many_at_once(
    token: Token, terms: TokenTerms, use: TokenUse, rentals: Collection[Rental], now: datetime
) -> Beyond | None:
    count = len(use.live)
    if count < terms.at_once:
        return None
    ending = next((rental for rental in rentals if rental.being_destroyed), None)
    ends = [rental.lease.ends_at for rental in rentals if rental.lease is not None]
    again_at = now + SOON if ending is not None else min((end for end in ends if end > now), default=None)
    later = f", or ask again after {say_utc(again_at, now)}" if again_at is not None else ""
    keys = [_known_as(rental) for rental in rentals]
    named = f" ({', '.join([*keys[:SHOWN], *_more(len(keys))])})" if keys else ""
    return Beyond(
        reason=f"{token.name} has {plural(count, 'machine')}{named}, as many as its terms allow.",
        next_step=f"Release one{later}."
        if ending is None
        else f"{_known_as(ending)} is ending, so ask again in a minute.",
        may_pass=True,
        crowded=True,
        again_at=again_at,
    )


def _known_as(rental: Rental) -> str:
    """Return the name by which the program knows a rental: its key, or its ID if a Slack app asked for it."""
    by_app = rental.program is not None and rental.program.thread is not None
    return rental.id if by_app else one_line(rental.idempotency_key or rental.id, 40)


def _more(count: int) -> Iterator[str]:
    if count > SHOWN:
        yield f"{count - SHOWN} more"


def _too_many_a_day(token: Token, terms: TokenTerms, use: TokenUse, now: datetime) -> Beyond | None:
    count = len(use.begun)
    if count < terms.per_day:
        return None
    again_at = use.begun[count - terms.per_day] + DAY
    return Beyond(
        reason=f"{token.name} has rented {plural(count, 'machine')} within 24 h, as many as its terms allow.",
        next_step=f"Ask again after {say_utc(again_at, now)}.",
        may_pass=True,
        crowded=True,
        again_at=again_at,
    )


def _after_last_day(token: Token, terms: TokenTerms, request: Request, now: datetime) -> Beyond | None:
    if max(now + request.longest, request.last_end or now) <= terms.until:
        return None
    return Beyond(
        reason=f"The lease would end after {say_utc(terms.until, now)}, when {token.name} stops working.",
        next_step="Ask for a shorter lease.",
    )


def _beyond_machine(
    token: Token, terms: TokenTerms, owner: str, request: Request, *, rules: Rules, gpu: str | None
) -> Iterator[Beyond]:
    ask_owner = f"or ask {owner} to change the terms."
    wanted = gpu or " ".join((request.gpu, *request.features))
    if not covers(terms, wanted):
        allowed = listed([display_typed(model) for model in terms.models], "or")
        yield Beyond(
            reason=f"{token.name} can rent {allowed}, and not {_shown(request, gpu)}.",
            next_step=f"Ask for one of these, {ask_owner}",
            can_ask=True,
        )
    if token.approved_by is None and always_needs_approval(gpu or request.gpu, request.count, rules):
        yield Beyond(
            reason=f"{request.count}x {_shown(request, gpu)} always needs approval, and no approver has seen the "
            f"terms of {token.name}.",
            next_step=f"Ask for fewer GPUs or another model, {ask_owner}",
            can_ask=True,
        )
    if request.longest > terms.longest:
        yield Beyond(
            reason=_too_long(token, terms, request.longest),
            next_step=f"Ask for less time, {ask_owner}",
            can_ask=True,
        )


def _too_long(token: Token, terms: TokenTerms, lease: timedelta) -> str:
    return f"{token.name} can rent for {span(terms.longest)} at most, and not for {span(lease)}."


def _beyond_money(
    token: Token,
    terms: TokenTerms,
    owner: str,
    use: TokenUse,
    request: Request,
    *,
    rate: Decimal | None,
    total: Micros | None,
) -> Iterator[Beyond]:
    per_hour, left = per_hour_left(terms, use), total_left(terms, use)
    what = f"{request.count}x {_shown(request, None)}"
    if rate is not None and rate > terms.per_hour:
        fewer = "fewer GPUs" if request.count > 1 else "a cheaper GPU"
        yield Beyond(
            reason=f"{what} costs at least {say_price(rate)}/h, and {token.name} may spend "
            f"{say_limit(terms.per_hour)}/h.",
            next_step=f"Ask for {fewer}, or ask {owner} to change the terms.",
            can_ask=True,
        )
    elif per_hour <= 0 or (rate is not None and rate > per_hour):
        price = f"{what} costs at least {say_price(rate)}/h, and " if rate is not None else ""
        yield Beyond(
            reason=f"{price}{token.name} has {say_limit(per_hour)}/h of its {say_limit(terms.per_hour)}/h left.",
            next_step="Release a machine, or ask again when one has ended.",
            can_ask=True,
            may_pass=True,
        )
    if left <= 0 or (total is not None and total > left):
        price = f"{what} can cost up to {say_at_most(total)}, and " if total is not None else ""
        yield Beyond(
            reason=f"{price}{token.name} has {_at_least(left)} of its {say_at_most(terms.total)} left.",
            next_step=f"Ask for less time, or ask {owner} to change the terms."
            if left > 0
            else f"Ask {owner} to change the terms.",
            can_ask=True,
        )


def _at_least(amount: Micros) -> str:
    """Return an amount rounded down to the cent, for money that is left."""
    return say_limit(in_dollars(amount))


def _shown(request: Request, gpu: str | None) -> str:
    return display_name(gpu) if gpu is not None else display_name(request.gpu, request.features)


def beyond_longer_lease(
    token: Token,
    owner: str,
    use: TokenUse,
    rental: Rental,
    ends_at: datetime,
    *,
    more: Micros,
    now: datetime,
) -> Beyond | None:
    """Return the first term of a token that a longer lease of its rental exceeds. None if it exceeds none.

    Args:
        token: The token, with approved terms.
        owner: The name of the token's owner.
        use: What the token's rentals use up, including this one.
        rental: The rental, before it is extended.
        ends_at: The new end of the lease.
        more: The amount by which the rental then costs more, at most.
        now: The time.
    """
    terms = token.terms
    if terms is None or terms.access is Access.LOOK:
        return _only_looks(token, owner)
    if ends_at > terms.until:
        return Beyond(
            reason=f"The lease would end after {say_utc(terms.until, now)}, when {token.name} stops working.",
            next_step="Ask for a shorter extension.",
        )
    length = ends_at - rental.running_lease.ready_at
    if length > terms.longest:
        return Beyond(
            reason=_too_long(token, terms, length),
            next_step=f"Ask for less time, or ask {owner} to change the terms.",
            can_ask=True,
        )
    left = total_left(terms, use)
    if more > left:
        return Beyond(
            reason=f"The longer lease can cost up to {say_at_most(more)} more, and {token.name} has "
            f"{_at_least(left)} of its {say_at_most(terms.total)} left.",
            next_step=f"Ask for less time, or ask {owner} to change the terms.",
            can_ask=True,
        )
    return None
