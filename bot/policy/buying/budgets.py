"""Projects and budgets: the project of a rental, and whether the budgets can cover the rental. No I/O."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from pydantic import Field

from bot.errors import Mistake, Refused
from bot.model.base import Frozen, changed
from bot.model.budget import UNASSIGNED, Balance, Demand, Month, Scope, ScopeKind, scopes_of
from bot.model.money import MICROS_PER_DOLLAR, Micros, in_cents, micros
from bot.model.person import Person
from bot.model.text import say_at_most
from bot.policy.buying.months import month_end, month_of
from bot.policy.team.roles import roles_of
from bot.policy.team.rules import Rules

# --- projects


def projects_to_name(person: Person, rules: Rules) -> tuple[str, ...]:
    """Return the projects that a person can charge.

    An approver can charge all projects. Anyone else can charge a project if its `people` include them, or if it
    has no `people`.
    """
    approver = roles_of(person, rules).approver
    projects = rules.projects.items()
    return tuple(
        name for name, project in projects if approver or not project.people or person.id in project.people
    )


def project_of(person: Person, named: str | None, channel: str, rules: Rules) -> str:
    """Return the project that a request is charged to.

    The first project in this list that applies is used:

    - the project that the person named
    - the project of the channel in which they asked, provided that they can charge it
    - the only project that names them in `people`
    - UNASSIGNED

    Args:
        named: The name that the person typed. None if they named no project.
        channel: The Slack ID of the channel in which they asked.

    Raises:
        Mistake: There is no project of that name.
        Refused: The person isn't allowed to charge the project that they named.
    """
    allowed = projects_to_name(person, rules)
    if named is not None:
        name = next((one for one in rules.projects if one.lower() == named.lower()), None)
        if name is None:
            known = ", ".join(rules.projects)
            raise Mistake(
                f"I don't know that project. Your team's projects are: {known}."
                if known
                else "Your team has no projects."
            )
        if name not in allowed:
            raise Refused(
                f"Only people of project {name} and approvers can charge that project. An admin can add you."
            )
        return name
    of_channel = project_of_channel(channel, rules)
    if of_channel in allowed:
        return of_channel
    own = [name for name, project in rules.projects.items() if person.id in project.people]
    return own[0] if len(own) == 1 else UNASSIGNED


def project_of_channel(channel: str, rules: Rules) -> str | None:
    """Return the project to which a channel belongs, regardless of who asks there.

    None if the channel belongs to no project.
    """
    return next((name for name, project in rules.projects.items() if channel in project.channels), None)


def channels_of_named_people(rules: Rules) -> dict[str, str]:
    """Return the channels of the projects that list `people`, each channel with its project.

    Only the listed people and approvers can charge such a project. If somebody else makes a request in one of its
    channels, the request isn't charged to the project.
    """
    return {one: name for name, project in rules.projects.items() if project.people for one in project.channels}


def rules_of_project(rules: Rules, project: str) -> Rules:
    """Return the team's rules, with the project's `auto_approve` limits if it has its own."""
    own = rules.projects[project].auto_approve if project in rules.projects else None
    return rules if own is None else changed(rules, auto_approve=own)


def rules_of_owner(rules: Rules, project: str, owner: Person) -> Rules:
    """Return the rules that apply when `owner` extends a project's machine or takes it over.

    The project's own `auto_approve` limits apply only if the owner can charge the project. Otherwise, the team's
    limits apply. An owner might be unable to charge the project of a machine for two reasons: somebody else rented
    the machine, or the rules have changed since it was rented.
    """
    return rules_of_project(rules, project) if project in projects_to_name(owner, rules) else rules


# --- budgets


def budget_of(scope: Scope, rules: Rules) -> Micros | None:
    """Return the monthly budget of a scope, or None if it has none."""
    match scope.kind:
        case ScopeKind.TEAM:
            dollars = rules.budgets.team
        case ScopeKind.PERSON:
            dollars = rules.budgets.person
        case ScopeKind.PROJECT:
            dollars = rules.projects[scope.name].budget if scope.name in rules.projects else None
    return None if dollars is None else micros(dollars)


def say_month(month: Month) -> str:
    """Return the name of a month, such as `November`."""
    return month_name[int(month.split("-")[1])]


def say_passed(passed: Demand, owner: str | None = None, what: str = "The request") -> str:
    """Return a sentence about a request that a budget can't cover: the cost, and the money that is left.

    For example: `The request could cost $16.06, and you have only $11.00 left in November ($9.00 spent, $0.00
    reserved ..).`

    Args:
        passed: The budget that can't cover the request.
        owner: The name of the request's owner, if somebody else reads the sentence. None if the owner reads it.
        what: The subject of the sentence, such as `The machine`.
    """
    scope = passed.balance.scope
    person = "you have" if owner is None else f"{owner} has"
    who = {ScopeKind.PERSON: person, ScopeKind.TEAM: "your team has"}.get(scope.kind, f"project {scope.name} has")
    left = say_left(passed, f" in {say_month(passed.balance.month)}")
    return f"{what} could cost {say_at_most(passed.more)}, and {who} only {left}."


def say_left(demand: Demand, month: str = "", *, of_budget: bool = False) -> str:
    """Return the remaining amount of a budget, as text.

    For example: `$30.97 left ($22.00 spent, $57.03 reserved for running machines)`. The three amounts add up to
    the budget. If more than the budget is spent and reserved, nothing is left, and the amounts add up to more.

    Args:
        month: Text after "left", such as ` in November`.
        of_budget: True to begin the text with `$30.97 of $110.00 left`.
    """
    spent, reserved, left = split_budget(demand.balance, demand.budget)
    text = say_at_most(left) + (f" of {say_at_most(demand.budget)}" if of_budget else "") + f" left{month}"
    if not spent and not reserved:
        return text
    return f"{text} ({say_at_most(spent)} spent, {say_at_most(reserved)} reserved for running machines)"


def split_budget(balance: Balance, budget: Micros) -> tuple[Micros, Micros, Micros]:
    """Return the amounts of a budget that are spent, reserved and left, in this order.

    The amounts are rounded to whole cents so that they add up to the budget. If more than the budget is spent and
    reserved, zero is left.
    """
    left = max(budget - balance.spent - balance.reserved, 0)
    spent, reserved, left = in_cents([balance.spent, balance.reserved, left])
    return spent, reserved, left


def demands(more: Mapping[Month, Micros], balances: Collection[Balance], rules: Rules) -> tuple[Demand, ...]:
    """Return the effect of additional costs on each budget, in ascending order of headroom.

    A person, project or team without a budget is left out.

    Args:
        more: The additional costs by month.
        balances: The balances of the person, the project and the team in these months.
    """
    found = []
    for balance in balances:
        budget = budget_of(balance.scope, rules)
        if budget is not None:
            found.append(Demand(balance=balance, budget=budget, more=more.get(balance.month, 0)))
    return tuple(sorted(found, key=lambda one: (one.free - one.more, one.balance.month)))


def budgets_now(owner: str, project: str, rules: Rules) -> dict[ScopeKind, Micros]:
    """Return the current budgets of a rental's owner, its project and the team.

    A person, project or team without a budget is left out.
    """
    budgets = {scope.kind: budget_of(scope, rules) for scope in scopes_of(owner, project)}
    return {kind: budget for kind, budget in budgets.items() if budget is not None}


def is_lowered(demand: Demand, before: Mapping[ScopeKind, Micros] | None) -> bool:
    """Return whether a budget is lower than it was before.

    Args:
        before: The earlier budgets. None if they are unknown. The result is then False.
    """
    if before is None:
        return False
    then = before.get(demand.balance.scope.kind)
    return then is None or demand.budget < then


class Room(Frozen):
    """The headroom that the budgets have for a request."""

    balances: tuple[Balance, ...] = ()
    """The balances of the request's owner, its project and the team.

    Only the months in which the rental can cost money are included.
    """
    months: tuple[Month, ...] = ()
    """The months in which the request's rental can cost money."""
    settled: Micros = 0
    """The cost of the rental's terminated machines. The total of the terms includes this cost."""
    held: Mapping[Month, Micros] = Field(default_factory=dict)
    """The amounts that the rental has already reserved, by month."""

    def passed(self, total: Micros, rules: Rules) -> tuple[Demand, ...]:
        """Return the budgets whose headroom is too small for this total, the smallest headroom first."""
        more = {month: total - self.settled - self.held.get(month, 0) for month in self.months}
        return tuple(demand for demand in demands(more, self.balances, rules) if demand.passes)


def new_alert(balance: Balance, rules: Rules) -> int | None:
    """Return the alert threshold about which people must be notified now, in percent of the budget.

    This is the highest threshold that the budget has reached since the last alert. None if it has reached no
    further threshold.
    """
    budget = budget_of(balance.scope, rules)
    if budget is None:
        return None
    used = Decimal(balance.reserved + balance.spent)
    percents = (int(share * 100) for share in rules.budgets.alerts)
    reached = [percent for percent in percents if used * 100 >= Decimal(budget) * percent]
    return reached[-1] if reached and reached[-1] > balance.alerted else None


def used_up_at(budget: Micros, spent: Micros, rate: Decimal, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the time at which a budget of this month will be used up at today's rate, in UTC.

    A budget is used up when the money that is spent reaches it. Today's rate is the price of the machines that run
    now. Reserved money is ignored, because most machines cost less than was reserved for them. The function
    assumes that whenever a machine ends, somebody rents another one.

    None if the month ends first, if no machine runs, or if the budget is used up already.

    Args:
        budget: The budget of the person, the project or the team.
        spent: What they have spent this month, including the cost of running machines until now.
        rate: The sum of the hourly prices of the machines that run now and are charged to them, in USD.
        now: The current time.
        zone: The `billing.timezone`, in which the month ends.
    """
    left = budget - spent
    if left <= 0 or rate <= 0:
        return None
    hours = Fraction(left, MICROS_PER_DOLLAR) / Fraction(rate)
    end = month_end(month_of(now, zone), zone)
    # Compare the hours first. If the hourly rate is small, adding the hours to `now` could give a date after the
    # year 9999, which raises an error.
    if hours >= Fraction((end - now) // timedelta(microseconds=1), 3_600_000_000):
        return None
    return now + timedelta(microseconds=int(hours * 3_600_000_000))
