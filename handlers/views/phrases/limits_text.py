"""The team's limits that a price or a total exceeds, as text."""

from __future__ import annotations

from collections.abc import Collection

from bot.model.request import Envelope
from bot.model.summary import Over
from bot.policy.buying.budgets import rules_of_project
from bot.policy.buying.spending import over_at_price
from bot.policy.team.rules import Rules
from handlers.views.phrases.format import per_hour, price


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
    amounts = {Over.PER_HOUR: per_hour(rules.auto_approve.per_hour), Over.TOTAL: price(rules.auto_approve.total)}
    names = [amount for limit, amount in amounts.items() if limit in over]
    if not names:
        return ""
    return f"{join.join(names)} limit{'s' if len(names) > 1 and join == ' and ' else ''}"
