"""Answers to commands that only show something: lists, a rental with its history, the catalog, and the help."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from bot.model.base import changed
from bot.model.budget import UNASSIGNED
from bot.model.event import Event, EventKind
from bot.model.money import in_cents
from bot.model.offer import Catalog
from bot.model.person import OPERATOR
from bot.model.rental import Rental
from bot.model.request import Contract
from bot.model.state import State
from bot.model.summary import AccruedCost, RentalDetails, RentalList, RentalSummary, WaitingView
from bot.model.text import plural, say_at_most
from bot.policy.buying.budgets import say_month
from bot.policy.buying.months import month_of
from bot.policy.team.roles import Roles, is_owner
from bot.policy.team.rules import Rules
from handlers.ids import NO_VALUE, Action, RentalValue
from handlers.messages import admin_questions
from handlers.messages.render import history_text
from handlers.messages.waiting import start_text, waiting_text
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Part, Rendered, button, paragraph, small, text_of
from handlers.phrases.budget_text import always_asked
from handlers.phrases.ends import ends_fact, lost_heartbeat_text, on_ending_text, until_decided
from handlers.phrases.format import (
    Reader,
    Times,
    channel,
    dollars,
    escape,
    first_few,
    highest,
    identifier,
    join,
    join_lines,
    limit,
    limit_per_hour,
    note,
    per_hour,
    sentence,
)
from handlers.phrases.health_text import health_text
from handlers.phrases.job_text import jobs_now, work_now
from handlers.phrases.lease_buttons import decision_buttons, destroy_button, extend_button, stop_button
from handlers.phrases.rental_text import (
    contract,
    describe,
    in_all,
    machine_in,
    new_one_text,
    people,
    place,
    program_name,
    receipt,
    setup_text,
    so_far,
    state_word,
    variant,
    vendor,
    wanted,
    why_ended,
)
from handlers.phrases.use_text import current_use, day_marks, status_text, use_now, use_shares

ROWS = 15
ENDED_ROWS = 5
HOME_ROWS = 5
HISTORY_LINES = 30
USE_LINES = 6
"""The maximum number of changes of the usage status that the history of a rental shows.

Some machines are busy only now and then, so their status changes often. All these changes would hide the rest of
the history.
"""
VARIANTS_SHOWN = 6
_NEVER_ALLOWED = frozenset({State.AWAITING_APPROVAL, State.DENIED, State.EXPIRED, State.WITHDRAWN})


def _totals_text(live: RentalList, *, own: bool = True) -> str:
    """Return the cost of the running machines. Empty if none is running.

    An example is `Your running machine costs $2.15/h, $3.05 so far. The team's running machines cost $18.40/h in
    all.` Without `own`, only the team's cost is returned.
    """
    unmanaged = live.unmanaged_total
    if not live.team.count and not unmanaged.count:
        return ""
    yours = "Your running machine costs" if live.own.count == 1 else "Your running machines cost"
    mine = f"{yours} {per_hour(live.own.rate)}, {dollars(live.own_amount)} so far."
    team = f"The team's running machines cost {per_hour(live.team.rate + unmanaged.rate)} in all"
    priced, without = unmanaged.count - unmanaged.unpriced, ""
    if priced:
        team += f", {per_hour(unmanaged.rate)} of it for {_unrented(priced)}"
    if unmanaged.unpriced:
        more = plural(unmanaged.unpriced, "more machine") if priced else _unrented(unmanaged.unpriced)
        isnt, price = ("isn't", "its price") if unmanaged.unpriced == 1 else ("aren't", "their prices")
        without = f"{more} {isnt} included, because I don't know {price}."
    return join(mine if own and live.own.count else "", f"{team}.", without)


def _unrented(count: int) -> str:
    return f"{plural(count, 'machine')} that {'wasn' if count == 1 else 'weren'}'t rented through me"


def listing(live: RentalList, reader: Reader, *, everyone: bool, waits: Sequence[WaitingView] = ()) -> Rendered:
    """Render the answer to `/gpu list`, or to `/gpu list all` if `everyone` is true.

    For `/gpu list`, `waits` contains the reader's own waitlist entries. For `/gpu list all`, `waits` contains the
    requests of all people that have a start time.
    """
    parts = list_parts(live, reader, everyone=everyone, waits=waits)
    if live.shown or waits:
        return blocks.of_parts(*parts)
    return blocks.message(text_of(parts))


def list_parts(
    live: RentalList, reader: Reader, *, everyone: bool, waits: Sequence[WaitingView] = ()
) -> list[Part | Json | None]:
    """Return the parts of the answer that `listing` renders."""
    times = reader.times
    empty = ""
    if not (live.shown or waits):
        example = "" if live.reader == OPERATOR.id else "Try: /gpu get H100 EU"
        empty = join("Nobody has a machine right now." if everyone else "You have no machines right now.", example)
    to_decide, more_to_decide = (live.to_decide, live.more_to_decide) if live.shown else ((), 0)
    more_wait = plural(more_to_decide, "more request is waiting", "more requests are waiting")
    ids_to_decide = {one.rental.id for one in live.to_decide}
    queued = {one.rental.id for one in waits if one.rental is not None and one.rental.state is State.QUEUED}
    shown = [
        summary
        for summary in live.shown
        if summary.rental.id not in queued
        and not (summary.rental.decision is not None and summary.rental.id in ids_to_decide)
    ]
    unmanaged = [admin_questions.line(one.question, one.spent, times) for one in live.unmanaged]
    more = plural(live.more, "more rental isn't shown.", "more rentals aren't shown.") if live.more else ""
    total = _totals_text(live, own=live.reader != OPERATOR.id)
    if total:
        total += f" /gpu spend shows {say_month(month_of(reader.now, reader.rules.billing_zone))}."
    return [
        paragraph(empty),
        *chain.from_iterable(
            (paragraph(_waits(summary, times)), blocks.actions(*decision_buttons(summary.rental, reader.now)))
            for summary in to_decide
        ),
        small(f"{more_wait} for you." if more_to_decide else ""),
        *(
            paragraph(
                line(
                    _to_reader(summary, live.reader),
                    owned=not everyone and summary.rental.owner == live.reader,
                    times=times,
                ),
                button("Details", Action.DETAILS, RentalValue(rental_id=summary.rental.id)),
            )
            for summary in shown
        ),
        paragraph("\n".join(first_few(unmanaged, ROWS, "{} more that weren't rented through me."))),
        Part(join_lines(more, total), blocks.context(join(more, total))),
        small(_ended(live)),
        *(
            paragraph(
                start_text(one, times) if everyone else waiting_text(one, times),
                stop_button(one.quote.id, describe(one.request)) if one.quote.owner == live.reader else None,
            )
            for one in waits
        ),
    ]


def _to_reader(details: RentalSummary, reader: str) -> RentalSummary:
    """Replace the reader's name with `you` if the reader is the owner or a teammate of the rental."""
    return changed(details, names={**details.names, reader: "you"}) if reader in details.names else details


def _waits(details: RentalSummary, times: Times) -> str:
    """Return a line about a request that waits for the reader's decision.

    An example is `Waiting for you: 8x H100 (p4wd9) in EU for Ana. Expires at 14:00`.
    """
    rental, extension = details.rental, details.rental.extension
    what = f"{_name(rental)} for {people(details)}"
    if extension is not None:
        what = f"more time for {what}, until {times.date_and_time(extension.ends_at)}"
    return join(f"Waiting for you: {what}.", until_decided(rental, times))


def _name(rental: Rental) -> str:
    return machine_in(rental) + (", spot" if rental.request.contract is Contract.SPOT else "")


def _ended(live: RentalList) -> str:
    """Return a line about the rentals that have ended in the last 7 days.

    An example is `Ended in the last 7 days, for $26.79 in all: 1x H100 (k7mq2), $14.68; ...`. The total is left
    out if the reader isn't allowed to see all costs.
    """
    if not live.ended:
        return ""
    seen = [one.spent for one in live.ended if one.spent is not None]
    whole = AccruedCost(
        amount=sum(spent.amount for spent in seen), estimated=any(spent.estimated for spent in seen)
    )
    amounts = iter(in_cents([spent.amount for spent in seen]))
    costs = [f", {in_all(changed(one.spent, amount=next(amounts)))}" if one.spent else "" for one in live.ended]
    parts = [f"{wanted(one.request)} ({one.rental_id}){cost}" for one, cost in zip(live.ended, costs, strict=True)]
    money = f", for {in_all(whole)} in all" if len(seen) == len(live.ended) else ""
    return f"Ended in the last 7 days{money}: {'; '.join(first_few(parts, ENDED_ROWS))}."


def line(details: RentalSummary, *, owned: bool, times: Times, use: bool = True) -> str:
    """Return a line about a rental.

    Args:
        details: The rental.
        owned: Whether to leave out the owner, because the reader already knows that the rental is theirs. The name
            of the token is shown even so.
        times: Formats times for the reader.
        use: Whether to include the usage status and the work of the machine.
    """
    rental = details.rental
    whom = f" for {program_name(rental.program)}" if rental.program is not None else ""
    whom = whom if owned else f" for {people(details)}"
    money = details.sees_money and not rental.state.over
    rate = per_hour(rental.rate) if rental.rate is not None else ""
    until = ""
    if rental.state is State.READY:
        until = ends_fact(rental, times).sentence
    elif rental.decision is not None:
        until = until_decided(rental, times)
    costs = f"{join(rate, so_far(details.spent), by=', ')}." if money and rental.attempts else ""
    known = current_use(rental) if use else None
    status = f"{status_text(known, times)}." if known else ""
    # The machine itself reports this text, which can be long. Put it last, so that only this text is cut if the
    # line is too long.
    work = work_now(rental, times) if use else ""
    lost = lost_heartbeat_text(rental, times) if rental.state is State.READY else ""
    return join(f"{state_word(details)}: {_name(rental)}{whom}.", lost, status, until, costs, work)


def show(details: RentalDetails, reader: Reader) -> Rendered:
    buttons = _buttons(details, reader)
    return blocks.of_parts(*show_parts(details, reader), blocks.actions(*buttons), closed=not buttons)


def show_parts(details: RentalDetails, reader: Reader) -> list[Part | Json | None]:
    """Return the answer to `/gpu show`: the state, usage, place, terms and history of a rental."""
    rental, times = details.rental, reader.times
    money = details.sees_money
    head = line(details, owned=False, times=times, use=False)
    known = current_use(rental)
    used = use_now(known, details.recent_use, reader.rules.idle, times) if known else ""
    facts = [
        why_ended(details),
        receipt(details) if money and rental.state.over else "",
        use_shares(details.use_costs),
        f"{sentence(place(rental.vendor, rental.vendor_region))}" if rental.vendor else "",
        f"Project: {escape(rental.project, 40)}." if rental.project != UNASSIGNED else "",
        _asked_by(rental),
        _allowed(details) if money else "",
        f"It replaces {rental.replaces}." if rental.replaces else "",
        new_one_text(rental),
        on_ending_text(rental, times),
        setup_text(rental) or (f"Setup: {escape(rental.request.setup)}." if rental.request.setup else ""),
        f'"{note(rental.request.note)}"' if rental.request.note else "",
    ]
    events = _shown_events(details.events)
    texts = [(event, history_text(event, details, reader, money=money)) for event in events]
    history = [f"{times.time(event.at)}  {text}" for event, text in texts if text]
    earlier = len(details.events) - len(events)
    if earlier > 0:
        history.insert(0, plural(earlier, "earlier event isn't shown.", "earlier events aren't shown."))
    marks = day_marks(details.recent_use) if used and details.recent_use else ""
    return [
        paragraph(join_lines(head, used, jobs_now(rental, times))),
        blocks.context(f"GPU load over the last day  {marks}" if marks else ""),
        small(join(*facts)),
        small(health_text(rental.gpu_health) if rental.gpu_health and rental.state is State.READY else ""),
        *(small("\n".join(history[n : n + 10])) for n in range(0, len(history), 10)),
    ]


def _shown_events(events: Sequence[Event]) -> list[Event]:
    """Return the newest events of a history. At most USE_LINES of them are changes of the usage status."""
    too_many = sum(event.kind is EventKind.USE_CHANGED for event in events) - USE_LINES
    kept = []
    for event in events:
        if event.kind is EventKind.USE_CHANGED and too_many > 0:
            too_many -= 1
        else:
            kept.append(event)
    return kept[-HISTORY_LINES:]


def _asked_by(rental: Rental) -> str:
    """Return the sentence about the program or the Slack app that asked for a machine. Empty for people."""
    if rental.program is None or rental.idempotency_key is None:
        return ""
    if rental.program.thread is not None:
        return f"A Slack app asked for it in {channel(rental.program.thread.channel)}."
    return f"The program's key: {identifier(rental.idempotency_key)}."


def _allowed(details: RentalDetails) -> str:
    """Return a rental's cost limits: `Cost limits: $2.47/h and $16.06 in total`.

    Until somebody has accepted these limits, the sentence begins with `Requested limits`.
    """
    terms = details.rental.terms
    word = "Requested" if details.rental.state in _NEVER_ALLOWED else "Cost"
    return f"{word} limits: {highest(terms)} and {say_at_most(terms.total)} in total."


def _buttons(details: RentalDetails, reader: Reader) -> list[Json | None]:
    rental = details.rental
    if rental.state is not State.READY or reader.id not in details.keys_now:
        return []
    extend = extend_button(rental, reader, spent=details.spent.amount, money=details.sees_money)
    return [extend, destroy_button(rental) if is_owner(reader.id, rental.owner) else None]


def catalog(known: Catalog, reader: Reader) -> Rendered:
    """Render the answer to `/gpu catalog`, which lists everything that people can request."""
    lines = [
        f"{escape(family, 40)}: {_variants(family, names)}" for family, names in list(known.gpus.items())[:40]
    ]
    facts = [
        f"Regions: {', '.join(escape(region, 20) for region in known.regions[:20])}.",
        f"Contracts: {', '.join(_contract(name) for name in known.contracts[:10])}.",
        f"Vendors: {', '.join(vendor(name) for name in known.vendors[:60])}.",
        f"Projects: {', '.join(sorted(reader.rules.projects)[:60])}." if reader.rules.projects else "",
        f"Setups: {', '.join(sorted(reader.rules.setup)[:60])}." if reader.rules.setup else "",
        f"As of {reader.times.time(known.read_at)}. Try: /gpu get H100 EU",
    ]
    return blocks.of_parts(paragraph("\n".join(lines) or "No GPUs."), *map(small, facts), closed=True)


def _contract(name: str) -> str:
    return contract(Contract(name)) if name in set(Contract) else escape(name, 20)


def _variants(family: str, names: Sequence[str]) -> str:
    more = f" and {len(names) - VARIANTS_SHOWN} more" if len(names) > VARIANTS_SHOWN else ""
    return ", ".join(variant(name, family) for name in names[:VARIANTS_SHOWN]) + more


ELSEWHERE = (
    "The same words work after @gpubot in a channel or in a card's thread, and alone in a direct message to me."
)


def help_(commands: Sequence[tuple[str, str]], roles: Roles, *, rules: Rules) -> Rendered:
    """Render the answer to `/gpu help`.

    The answer has a line about each of the given commands. It also says up to which cost a rental needs no
    approval.
    """
    lines = [f"{command}: {meaning}" for command, meaning in commands]
    limits = rules.auto_approve
    most = f"{limit_per_hour(limits.per_hour)} or {limit(limits.total)} per rental"
    ask = f"Above {most}, your request needs approval." if roles.user else ""
    always = always_asked(rules) if roles.user else ""
    ask = join(ask, sentence(f"{always} always do") if always else "")
    return blocks.of_parts(paragraph("\n".join(lines)), small(ELSEWHERE, ask), closed=True)


def home(live: RentalList, reader: Reader) -> Rendered:
    """Render the answer to `/gpu` without arguments: the reader's rentals, and suggestions for commands."""
    lines = [
        line(_to_reader(summary, live.reader), owned=summary.rental.owner == live.reader, times=reader.times)
        for summary in live.shown
    ]
    lines = lines or ["You have no machines right now."]
    more = f"{live.more} more: /gpu list" if live.more else ""
    tips = "/gpu get H100 EU shows offers. /gpu help shows all commands."
    total = _totals_text(live, own=False)
    return blocks.of_parts(
        paragraph(join_lines(*lines, more)),
        small(total, tips),
        blocks.actions(button("Choose from a list", Action.CHOOSE_FROM_LIST, NO_VALUE)),
    )
