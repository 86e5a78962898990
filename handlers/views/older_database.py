"""The message to each admin about machines that were bought after the database was saved."""

from __future__ import annotations

from decimal import Decimal

from bot.model.summary import OlderDatabaseView
from bot.model.unknown import UnknownPurchase
from bot.policy.resource_names import named_owner, names_of
from handlers.ids import Action
from handlers.values import TogetherValue
from handlers.views import blocks
from handlers.views.blocks import Rendered, button
from handlers.views.format import Times, escape, identifier, per_hour, person, plural, span
from handlers.views.machine_text import machines
from handlers.views.rental_text import so_far

MOST_SHOWN = 12
"""How many machines are listed that wait, and how many that are decided: a paragraph holds 3,000 bytes."""


def asked_together(view: OlderDatabaseView, first_id: str, times: Times) -> Rendered:
    """Return the message about all machines of one question, as of now."""
    waiting = [one for one in view.purchases if one.open]
    decided = [one for one in view.purchases if not one.open]
    done = _lines([_decided(one, view, times) for one in decided])
    if not waiting:
        lead = _lead(view) if decided else f"{_lead(view)} Each has a message of its own now."
        paused = "Buying is still paused: /gpu resume" if view.paused else ""
        return blocks.message("\n".join(filter(None, [lead, *done, _moved(view), paused])), closed=False)
    lines = _lines([_waiting(one, view, times) for one in waiting])
    paused = "Buying is paused, and nothing that waits can be approved until /gpu resume." if view.paused else ""
    parts = ["\n".join([_lead(view), *lines]), "\n".join(done)]
    parts.append("\n".join(filter(None, [paused, _what_follows(view, waiting)])))
    value = TogetherValue(purchase_id=first_id)
    count = len(view.restorable)
    whole = "all " if count == len(waiting) else ""
    label = "Put it back" if count == len(waiting) == 1 else f"Put {whole}{count} back"
    return blocks.message(
        "\n".join(filter(None, parts)),
        *(blocks.section(part) for part in parts if part),
        blocks.actions(
            button(label, Action.PUT_ALL_BACK, value, style="primary") if count else None,
            button("One by one", Action.ONE_BY_ONE, value),
        ),
        closed=False,
    )


def _lines(lines: list[str]) -> list[str]:
    """Return the lines that are shown, and how many more there are."""
    more = len(lines) - MOST_SHOWN
    return lines if more <= 0 else [*lines[:MOST_SHOWN], f"And {more} more."]


def _lead(view: OlderDatabaseView) -> str:
    waiting = [one for one in view.purchases if one.open]
    count = sum(len(one.alive) for one in waiting) or view.event.facts.count or 1
    verb = "is" if waiting or not view.purchases else "was"
    which = "empty, but" if view.event.facts.detail == "empty" else "older than the account:"
    if verb == "was":
        runs = f"{plural(count, 'machine')} of mine ran that it didn't know"
    else:
        runs = f"{plural(count, 'machine')} of mine {'runs' if count == 1 else 'run'} that it doesn't know"
    return f"My database {verb} {which} {runs}."


def _moved(view: OlderDatabaseView) -> str:
    """Return how many machines have messages of their own, besides those that are decided here. Return an empty
    text if none has, or if all have."""
    here = sum(len(one.machines) for one in view.purchases)
    count = (view.event.facts.count or 0) - here
    if not here or count <= 0:
        return ""
    have = "has a message of its own" if count == 1 else "have messages of their own"
    return f"{count} more {have}."


def _waiting(purchase: UnknownPurchase, view: OlderDatabaseView, times: Times) -> str:
    """Return `f6rat: 8x H100, $18.40/h, since 09:14, $27.60 so far, Ana's.`"""
    shown = purchase.alive
    owner = named_owner(shown)
    rates = [machine.rate for machine in shown if machine.rate is not None]
    unpriced = len(rates) < len(shown)
    parts = [
        machines(sum(machine.count for machine in shown), shown[0].gpu) if shown[0].gpu else "",
        "price unknown" if unpriced else per_hour(sum(rates, start=Decimal(0))),
        f"since {times.time(min(machine.since for machine in shown))}",
        "" if unpriced else so_far(view.spent[purchase.id]),
        f"{person(view.names, owner)}'s" if owner else "no owner in its name",
        "" if purchase.runs else f"doesn't run ({escape(shown[0].status)})",
    ]
    return f"{_id(purchase)}: {', '.join(part for part in parts if part)}."


def _id(purchase: UnknownPurchase) -> str:
    names = names_of(purchase.machines)
    return names[0].rental_id if names else identifier(purchase.machines[0].resource_id[:8])


def _decided(purchase: UnknownPurchase, view: OlderDatabaseView, times: Times) -> str:
    rental = view.rentals.get(purchase.rental_id or "")
    decided = purchase.decided
    if decided is None and rental is None:
        ended = f" {times.time(purchase.over_at)}" if purchase.over_at else ""
        return f"{_id(purchase)}: ended{ended}."
    if decided is None or rental is None:
        return f"{_id(purchase)}: decided."
    new_id = "" if rental.id == _id(purchase) else f" as {rental.id}"
    until = f" until {times.time(rental.lease.ends_at)}" if rental.lease else ""
    who = f"{person(view.names, decided.by)} put it back {times.at_time(decided.at)}"
    return f"{_id(purchase)}: {who}{new_id}, {person(view.names, rental.owner)}'s{until}."


def _what_follows(view: OlderDatabaseView, waiting: list[UnknownPurchase]) -> str:
    if not view.restorable:
        return "None can be put back: they don't run, or have no owner who may use me. Decide one by one."
    left = len(waiting) - len(view.restorable)
    rest = " For the rest, decide one by one." if left else ""
    return f"Once put back, a machine runs for {span(view.put_back_for)}; its owner can extend it.{rest}"
