"""Budgets and what is left of them, as text."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bot.model.budget import UNASSIGNED, Demand, Month, Scope, ScopeKind
from bot.model.money import Micros, cost
from bot.model.quote import Quote
from bot.model.request import Envelope, Request
from bot.model.summary import Over
from bot.model.text import listed, plural, say_at_most, span
from bot.policy.buying.budgets import project_of_channel, rules_of_project, say_left, say_month, say_passed
from bot.policy.buying.spending import over_at_price, over_total
from bot.policy.team.rules import Rules
from handlers.phrases.format import as_written, channel, dollars, escape, join, limit, limit_per_hour, person


def scope_name(scope: Scope, names: Mapping[str, str]) -> str:
    """Return who or what a scope is, at the start of a sentence: `vision`, `Ana`, `The team`."""
    match scope.kind:
        case ScopeKind.PERSON:
            return person(names, scope.name)
        case ScopeKind.PROJECT:
            return as_written(escape(scope.name, 40))
        case ScopeKind.TEAM:
            return "The team"


def whose_budget(scope: Scope, names: Mapping[str, str]) -> str:
    """Return `vision's budget`, `Ana's budget` or `the team's budget`."""
    name = escape(scope.name, 40) if scope.kind is ScopeKind.PROJECT else person(names, scope.name)
    return f"{'the team' if scope.kind is ScopeKind.TEAM else name}'s budget"


def not_of_channel(quote: Quote, rules: Rules) -> str:
    """Return a sentence saying what a request is charged to if its channel's project doesn't pay for it.

    A project that names people is charged from its channels only for them and for approvers. Return an empty text
    if the channel's project pays, if the channel has none, or if the person named a project.
    """
    of_channel = project_of_channel(quote.asked_in, rules)
    if of_channel is None or quote.project == of_channel or quote.request.project is not None:
        return ""
    instead = "no project" if quote.project == UNASSIGNED else escape(quote.project, 40)
    who = f"people of {escape(of_channel, 40)} and approvers"
    return f"Only {who} can charge it from {channel(quote.asked_in)}, so this is charged to {instead}."


def standing(demand: Demand, names: Mapping[str, str]) -> str:
    """Return what is left of a budget now, and after what waits.

    Such as `vision in November: $1,210.40 of $3,000.00 left ($1,500.00 spent, $289.60 reserved for running
    machines); $1,072.86 after this.`
    """
    who = f"{scope_name(demand.balance.scope, names)} in {say_month(demand.balance.month)}"
    after = demand.free - demand.more
    then = f"{dollars(after)} after this" if after >= 0 else f"this needs {say_at_most(-after)} more"
    return f"{who}: {say_left(demand, of_budget=True)}; {then}."


def month_name(month: Month) -> str:
    return f"{say_month(month)} {month[:4]}"


def invoice_differences(estimated: Micros, unknown_count: int) -> str:
    """Return by what the invoice may differ from a report or file in which this much is `estimated`, while
    `unknown_count` machines run that no rental has."""
    parts = []
    if estimated:
        parts.append(f"what is estimated ({dollars(estimated)})")
    running = f" ({plural(unknown_count, 'runs', 'run')} now)" if unknown_count else ""
    parts += [f"machines not rented through me{running}", "tax"]
    return f"The invoice may differ by {listed(parts)}."


# --- the highest price or total that a person named, and the team's limits that an offer exceeds


def cap_text(request: Request) -> str:
    """Return the highest price that a person named: `up to $8.00 in all`, or `under $8.00 per GPU-hour`.

    The price of all GPUs, or of the whole time, follows a price per GPU if the person said that or may have
    meant it. Return an empty text if the person named none.
    """
    if request.max_total is not None:
        return f"up to {dollars(request.max_total)} in all"
    if request.max_gpu_rate is None:
        return ""
    each, in_all = f"under {limit(request.max_gpu_rate)} per GPU-hour", request.max_gpu_rate * request.count
    hourly = f"{limit(in_all)}/h in all" if request.count > 1 and not request.cap_said_per_gpu else ""
    total = f"{dollars(cost(in_all, request.longest))} for {span(request.longest)}"
    meant = join(hourly, total if request.cap_for_all_time else "", by=", ")
    return f"{each} ({meant})" if meant else each


def over_total_text(request: Request, total: Micros) -> str:
    """Return `At most $9.20 in all, over the $8.00 asked for.`

    Each question whose answer may exceed the total that the person typed says so. Return an empty text if `total`
    is within it, or if no total was typed.
    """
    if request.max_total is None or not over_total(request, total):
        return ""
    return f"At most {say_at_most(total)} in all, over the {dollars(request.max_total)} asked for."


def over_limits_of_envelope(envelope: Envelope, rules: Rules, project: str) -> str:
    """Return `Over the limits of $10.00/h and $100.00 per rental.` for an envelope at its clicked price.

    A project can have its own limits. Return an empty text if none is exceeded.
    """
    rules = rules_of_project(rules, project)
    return over_limits_text(over_at_price(envelope, rules), rules)


def over_limits_text(over: tuple[Over, ...], rules: Rules) -> str:
    """Return `Over the limits of $10.00/h and $100.00 per rental.`, by the `rules` of the project."""
    names = limit_names(over, rules)
    return f"Over the {names}." if names else ""


def limit_names(over: Collection[Over], rules: Rules, join: str = " and ") -> str:
    """Return `limits of $10.00/h and $100.00 per rental`. With `join` " or ", the first word is `limit`."""
    alone = rules.auto_approve
    amounts = {Over.PER_HOUR: limit_per_hour(alone.per_hour), Over.TOTAL: f"{limit(alone.total)} per rental"}
    names = [amount for which, amount in amounts.items() if which in over]
    several = len(names) > 1 and join == " and "
    return f"limit{'s' if several else ''} of {join.join(names)}" if names else ""


def needs_approval(limits: str, passed: Demand | None, which: str = "Needs approval", it_is: str = "it's") -> str:
    """Return `*Needs approval*: it's over the limit of $10.00/h.`, and what a budget that it passes has left.

    `limits` are those of `limit_names`. `which` and `it_is` say for which of several offers that holds.
    """
    why = f"*{which}*: {it_is} over the {limits}." if limits else f"*{which}.*"
    return join(why, say_passed(passed) if passed is not None else "")
