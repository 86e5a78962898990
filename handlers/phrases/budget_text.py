"""Describes budgets, the money that is left in them, and limits for prices and costs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from bot.model.budget import UNASSIGNED, Demand, Month, Scope, ScopeKind
from bot.model.money import Micros, cost
from bot.model.quote import Quote
from bot.model.request import Request, Terms
from bot.model.summary import Over
from bot.model.text import say_at_most, span
from bot.model.token import Program
from bot.policy.buying.budgets import project_of_channel, say_month, say_passed
from bot.policy.buying.spending import over_total, say_always_asked
from bot.policy.team.rules import Rules
from handlers.phrases.blocks import Fact
from handlers.phrases.format import (
    Times,
    as_written,
    channel,
    dollars,
    escape,
    join,
    join_lines,
    limit,
    limit_per_hour,
    per_hour,
    person,
    price,
    sentence,
)


def scope_name(scope: Scope, names: Mapping[str, str]) -> str:
    """Return the name of a budget's owner, for the start of a sentence: `vision`, `Ana`, `The team`."""
    match scope.kind:
        case ScopeKind.PERSON:
            return person(names, scope.name)
        case ScopeKind.PROJECT:
            return as_written(escape(scope.name, 40))
        case ScopeKind.TEAM:
            return "The team"


def whose_budget(scope: Scope, names: Mapping[str, str]) -> str:
    """Return `the budget of project vision`, `Ana's budget` or `the team's budget`."""
    match scope.kind:
        case ScopeKind.PROJECT:
            return f"the budget of project {escape(scope.name, 40)}"
        case ScopeKind.PERSON:
            return f"{person(names, scope.name)}'s budget"
        case ScopeKind.TEAM:
            return "the team's budget"


def not_of_channel(quote: Quote, rules: Rules) -> str:
    """Return sentences saying why a request isn't charged to its channel's project, and who pays instead.

    If a project has a list of members, requests in its channels use the project's budget only if they are from
    members and approvers. Empty if the request does use that budget, if the channel belongs to no project, or if
    the person named a project in the request.
    """
    of_channel = project_of_channel(quote.asked_in, rules)
    if of_channel is None or quote.project == of_channel or quote.request.project is not None:
        return ""
    instead = "no project" if quote.project == UNASSIGNED else f"project {escape(quote.project, 40)}"
    other = f"{channel(quote.asked_in)} belongs to project {escape(of_channel, 40)}, which you aren't a member of"
    return f"{other}. This request is charged to {instead}."


BUDGETS_SHOWN = 3


def used_up_text(used_up_at: Mapping[str, datetime | None], times: Times) -> str:
    """Return a sentence such as `At today's rate, the budget will be used up tomorrow at about 14:00`.

    Further budgets follow: `At today's rate, your budget will be used up tomorrow at about 14:00, and the team's
    budget on Nov 28.` A budget is left out if it has no such time, or if its time has passed because the
    message was delayed. Empty if no budget is left.

    Args:
        used_up_at: For each budget, such as `your budget`, the time at which it will be used up.
        times: Formats times for the reader.
    """
    whens = [
        (budget, times.about_when(at)) for budget, at in used_up_at.items() if at is not None and at > times.now
    ]
    if not whens:
        return ""
    (first, when), *others = whens
    more = "".join(f", and {budget} {also}" for budget, also in others)
    return f"At today's rate, {first} will be used up {when}{more}."


def budget_fact(demands: Sequence[Demand], names: Mapping[str, str], times: Times) -> Fact | None:
    """Return the money that is left in each budget now, and after the pending request.

    An example is `vision: $1,210.40 left in November, $1,072.86 after this`. If a budget will be used up this
    month at today's rate, the text also says when. None if there are no budgets.
    """
    lines, sentences = [], []
    for demand in demands[:BUDGETS_SHOWN]:
        who, month = scope_name(demand.balance.scope, names), say_month(demand.balance.month)
        left, after = say_at_most(max(demand.free, 0)), demand.free - demand.more
        then = f"{dollars(after)} after this" if after >= 0 else f"{say_at_most(-after)} too little for this"
        used_up = used_up_text({"the budget": demand.used_up_at}, times)
        lines.append(join(f"{who}: {left} left in {month}, {then}", used_up, by=". "))
        sentences.append(f"{who} has {left} of {say_at_most(demand.budget)} left in {month}, {then}.")
        sentences.append(used_up)
    return Fact("Budget", join_lines(*lines), join(*sentences)) if lines else None


def month_name(month: Month) -> str:
    return f"{say_month(month)} {month[:4]}"


def invoice_differences(estimated: Micros, unmanaged_count: int) -> str:
    """Return sentences saying why the vendor's invoice can differ from the bot's report.

    Args:
        estimated: The estimated part of the total.
        unmanaged_count: The number of running machines that weren't rented through the bot.
    """
    running = f" ({unmanaged_count} running now)" if unmanaged_count else ""
    differs = f"The invoice may differ by tax and by machines not rented through me{running}."
    return join(estimated_text(estimated), differs)


def estimated_text(estimated: Micros) -> str:
    return f"{dollars(estimated)} of the total is estimated." if estimated else ""


# --- texts about limits: the highest price that a person accepts, and the team's limits for rentals without
# approval


def cap_text(request: Request) -> str:
    """Return the highest price in a request: `up to $8.00 in all`, or `under $8.00 per GPU-hour`.

    Empty if the request has no highest price. If the typed price is ambiguous, the text also contains the
    resulting price of all GPUs together, or of the whole rental.
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


def total_of_time(request: Request) -> str:
    """Return the price limit for the whole rental: `for 6 h at $8.00 or less in all`.

    Empty if the request has no limit for the whole rental.
    """
    if request.max_total is None:
        return ""
    return f"for {span(request.longest)} at {dollars(request.max_total)} or less in all"


def over_total_text(request: Request, total: Micros) -> str:
    """Return `It can cost up to $9.20 in all, more than the $8.00 that the request allows`.

    Empty if `total` doesn't exceed the total in the request, or if the request has none. If a person can accept a
    cost above the total, the question to them must include this sentence.
    """
    if request.max_total is None or not over_total(request, total):
        return ""
    most, named = say_at_most(total), dollars(request.max_total)
    return f"It can cost up to {most} in all, more than the {named} that the request allows."


def limits_fact(over: Collection[Over], rules: Rules, program: Program | None = None) -> Fact:
    """Return the reasons why a request needs approval, such as `the limit of $10.00/h`, as a labeled line.

    The line is empty if there are no reasons. For the request of a `program`, it names the token whose terms are
    exceeded. If the rule `approval.always` is among the reasons, the line begins
    with it: `requests for H200 always need approval`.
    """
    if Over.TOKEN in over and program is not None:
        terms = f"beyond the terms of {as_written(escape(program.token_name, 40))}"
        return Fact("Token", terms, f"The request is {terms}.")
    names = limit_names(over, rules)
    exceeds = f"exceeds the {names}" if names else ""
    if Over.ALWAYS in over:
        always = f"{always_asked(rules)} always need approval"
        rule = join(always, f"and this one {exceeds}" if names else "", by=", ")
        return Fact("Team rule", rule, sentence(rule))
    return Fact("Exceeds", f"the {names}" if names else "", f"The request {exceeds}." if names else "")


def always_asked(rules: Rules) -> str:
    """Return the requests that always need approval, such as `requests for B200, H200 or 8 GPUs`.

    Empty if there are none.
    """
    return escape(say_always_asked(rules), 300)


def price_fact(terms: Terms) -> Fact:
    """Return the price of the clicked offer, and the highest price that the bot is allowed to pay.

    If the clicked offer is gone, the bot rents another one up to the highest price. An example is `$18.40/h, or up
    to $21.16/h if the chosen offer sells out`.
    """
    rate, most = per_hour(terms.price), limit_per_hour(terms.max_rate)
    each = f" ({price(terms.price / terms.count)} per GPU-hour)" if terms.count > 1 else ""
    if terms.max_rate <= terms.price:
        return Fact("Price", rate, f"It costs {rate}{each}.")
    sold_out = f"or up to {most} if the chosen offer sells out"
    return Fact("Price", f"{rate}, {sold_out}", f"It costs {rate}{each}, {sold_out}.")


def limit_names(over: Collection[Over], rules: Rules, *, differ: bool = False) -> str:
    """Return the exceeded limits, such as `limits of $10.00/h and $100.00 per rental`. Empty if none is exceeded.

    If `differ` is true, some offers exceed one limit and some exceed the other. The text is then, for example,
    `limit of $10.00/h, the limit of $100.00 per rental, or both`.
    """
    names = _limit_amounts(over, rules)
    if differ and len(names) > 1:
        return f"limit of {', the limit of '.join(names)}, or both"
    return f"{'limits' if len(names) > 1 else 'limit'} of {' and '.join(names)}" if names else ""


def _limit_amounts(over: Collection[Over], rules: Rules) -> list[str]:
    alone = rules.auto_approve
    amounts = {Over.PER_HOUR: limit_per_hour(alone.per_hour), Over.TOTAL: f"{limit(alone.total)} per rental"}
    return [amount for which, amount in amounts.items() if which in over]


def needs_approval(
    overs: Collection[Collection[Over]],
    rules: Rules,
    passed: Demand | None,
    *,
    which: str = "Needs approval",
    it_is: str = "the price is",
) -> str:
    """Return a text with the reasons why offers need approval.

    An example is `*Needs approval*: the price is over the limit of $10.00/h.` If the request exceeds a budget, a
    sentence about the money that is left in this budget follows.

    If the rule `approval.always` applies, the text is `*Needs approval*: requests for B200, H200 or 8 GPUs always
    do.`

    Args:
        overs: The reasons for each offer that needs approval.
        rules: The rules of the request's project.
        passed: The exceeded budget, if any.
        which: The bold text at the beginning. It can name the offers that need approval.
        it_is: The subject and the verb for the limits, such as `the price is` or `they're`.
    """
    reasons = frozenset().union(*overs)
    limits = limit_names(reasons, rules, differ=len({frozenset(over) - {Over.ALWAYS} for over in overs}) > 1)
    by_rule = f"{always_asked(rules)} always do" if Over.ALWAYS in reasons else ""
    # The text names two reasons why offers need approval: a rule for certain models, and a limit that they exceed.
    # If the rule doesn't apply to all of the offers, join the reasons with "or".
    and_or = ", and " if all(Over.ALWAYS in over for over in overs) else ", or "
    why = join(by_rule, f"{it_is} over the {limits}" if limits else "", by=and_or)
    return join(f"*{which}*: {why}." if why else f"*{which}.*", say_passed(passed) if passed is not None else "")
