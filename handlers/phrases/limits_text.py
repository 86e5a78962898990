"""The highest price or total that a person named, and the team's limits that an offer exceeds, as text."""

from __future__ import annotations

from collections.abc import Collection

from bot.model.money import Micros, cost
from bot.model.request import Envelope, Request
from bot.model.summary import Over
from bot.model.text import say_at_most, span
from bot.policy.buying.budgets import rules_of_project
from bot.policy.buying.spending import over_at_price, over_total
from bot.policy.team.rules import Rules
from handlers.phrases.format import dollars, limit, limit_per_hour


def cap_text(request: Request) -> str:
    """Return the highest price that a person named: `$8.00 in all`, or `under $8.00 per GPU`.

    The price of all GPUs, or of the whole time, follows a price per GPU if the person said that or may have
    meant it. Return an empty text if the person named none.
    """
    if request.max_total is not None:
        return f"{dollars(request.max_total)} in all"
    if request.max_gpu_rate is None:
        return ""
    each, in_all = f"under {limit(request.max_gpu_rate)} per GPU", request.max_gpu_rate * request.count
    hourly = f", {limit(in_all)}/h in all" if request.count > 1 and not request.cap_said_per_gpu else ""
    total = f", {dollars(cost(in_all, request.longest))} for {span(request.longest)}"
    return each + hourly + (total if request.cap_for_all_time else "")


def over_total_text(request: Request, total: Micros) -> str:
    """Return `At most $9.20 in all, over the $8.00 asked for.`

    Each question whose answer may exceed the total that the person typed says so. Return an empty text if `total`
    is within it, or if no total was typed.
    """
    if request.max_total is None or not over_total(request, total):
        return ""
    return f"At most {say_at_most(total)} in all, over the {dollars(request.max_total)} asked for."


def over_limits_of_envelope(envelope: Envelope, rules: Rules, project: str) -> str:
    """Return `Over the $10.00/h and $100.00 limits.` for an envelope at its clicked price, or an empty text. A
    project can have its own limits."""
    rules = rules_of_project(rules, project)
    return over_limits_text(over_at_price(envelope, rules), rules)


def over_limits_text(over: tuple[Over, ...], rules: Rules) -> str:
    """Return `Over the $10.00/h and $100.00 limits.`, or an empty text if it is over neither. `rules` are those of
    the project."""
    names = limit_names(over, rules)
    return f"Over the {names}." if names else ""


def limit_names(over: Collection[Over], rules: Rules, join: str = " and ") -> str:
    """Return `$10.00/h and $100.00 limits`, or with `join` " or " `$10.00/h or $100.00 limit`. Return an empty
    text if it is over neither."""
    alone = rules.auto_approve
    amounts = {Over.PER_HOUR: limit_per_hour(alone.per_hour), Over.TOTAL: limit(alone.total)}
    names = [amount for which, amount in amounts.items() if which in over]
    if not names:
        return ""
    return f"{join.join(names)} limit{'s' if len(names) > 1 and join == ' and ' else ''}"
