"""Requests and decisions: what an approver, or the owner again, decides before something is bought."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model.attempt import Why
from bot.model.event import DECISIONS, Event, EventKind, newest_asked, newest_version
from bot.model.facts import BillFacts, DecidersFacts, DecisionFacts, EndedFacts, ExtensionFacts, RequestFacts
from bot.model.machine_use import Verdict
from bot.model.money import cost
from bot.model.person import Person
from bot.model.rental import Extension, Rental
from bot.model.request import Envelope
from bot.model.state import UNBOUGHT, State
from bot.model.summary import RentalDetails
from bot.model.text import plural, say_at_most, span
from bot.policy.buying.budgets import rules_of_owner
from bot.policy.buying.spending import over_limits
from bot.policy.team.roles import is_owner
from handlers.ids import Action, QuoteValue, RentalValue, VersionValue
from handlers.messages.waiting import tell_button
from handlers.messages.writers import (
    EventContext,
    EventText,
    allowed_text,
    approvers,
    cost_of,
    direct,
    over_budget,
    said_once,
    sentence_case,
    thread,
    total_text,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.budget_text import over_limits_of_envelope, over_limits_text, over_total_text, standing
from handlers.phrases.ends import hours_text, how_long, until_decided
from handlers.phrases.format import (
    Reader,
    Times,
    difference,
    dollars,
    escape,
    highest,
    join,
    limit_per_hour,
    note,
    per_hour,
    person,
    price,
)
from handlers.phrases.lease_buttons import decision_buttons, withdraw_button
from handlers.phrases.rental_text import (
    asked_by_event,
    away_text,
    current_state,
    describe,
    first_after,
    first_runs_on,
    has_left,
    machine,
    machines_of,
    mentions,
    names_of,
    owner,
    people,
    people_are,
    people_text,
    place,
    possessive,
    so_far,
    why_asked_again,
    why_undecided,
)
from handlers.phrases.use_text import current_use, verdict_text

OTHERS_SHOWN = 3
BUDGETS_SHOWN = 3

# --- the thread


@thread(EventKind.ASKED)
def _asked(context: EventContext[RequestFacts]) -> EventText:
    facts, asked = context.facts, asked_by_event(context.facts, context.details)
    return EventText("Approval asked for", join(allowed_text(facts), total_text(facts), asked), colon=True)


@thread(EventKind.ASKED_AGAIN)
def _asked_again(context: EventContext[RequestFacts]) -> EventText:
    facts = context.facts
    why = why_asked_again(facts)
    expires = f"Expires {context.times.date_and_time(facts.until)}." if facts.until else None
    if facts.why is Why.TOO_LITTLE_TIME:
        rest = join(f"{why}.", _cost_by_then(facts), "It needs a later end.", expires)
        return EventText("Waiting for a decision", rest, colon=True)
    now = f"{per_hour(facts.rate)} now" if facts.rate is not None else None
    if now and facts.vendor:
        now += f" from {place(facts.vendor, facts.vendor_region)}"
    if now and facts.before is not None and facts.rate is not None and facts.rate > facts.before:
        allowed = f"the {limit_per_hour(facts.before)} that {context.owner} allowed"
        over = difference(facts.before, facts.rate, allowed)
        why, now = f"it costs {now}, {over}", None
    asked = asked_by_event(facts, context.details)
    rest = join(f"{why}.", _cost_by_then(facts), f"{now}." if now else None, asked, expires)
    return EventText("Waiting for a decision", rest, colon=True)


def _cost_by_then(facts: BillFacts) -> str | None:
    """Return what the rental has cost. Return None if the event doesn't say: an attempt may still bill, or a
    machine of the rental was bought after the database was saved.

    Without these words, people would still believe an earlier "it may be rented".
    """
    cost = cost_of(facts)
    if cost is None:
        return None
    return "Nothing is rented." if cost.amount == 0 and not cost.estimated else f"{so_far(cost)}."


@thread(EventKind.CHANGED)
def _changed(context: EventContext[RequestFacts]) -> EventText:
    facts, envelope = context.facts, context.details.rental.envelope
    now = f"now {describe(envelope)}." if envelope.version == facts.envelope else None
    allowed, asked = sentence_case(allowed_text(facts)), asked_by_event(facts, context.details)
    rest = join(now, allowed, total_text(facts), asked)
    return EventText(f"{context.actor} changed the request", rest, colon=now is not None)


@thread(EventKind.APPROVED)
def _approved(context: EventContext[DecisionFacts]) -> EventText:
    if context.event.actor == context.owner_id and context.facts.self_approved is False:
        return EventText(f"{context.actor} goes on", allowed_text(context.facts), colon=True)
    own = " (own request)" if context.facts.self_approved else ""
    over = over_budget(context)
    return EventText(f"Approved{context.by_whom_and_when}{own}{over}", allowed_text(context.facts), colon=True)


@thread(EventKind.APPROVED_NOT_READY)
def _approved_not_ready(context: EventContext) -> EventText:
    """Return who approved the request and when. The approval is the last one before this event."""
    approvals = [
        event
        for event in context.details.events
        if event.kind is EventKind.APPROVED and event.at <= context.event.at
    ]
    if not approvals:
        return EventText("Approved")
    return EventText(f"Approved{context.of(approvals[-1]).by_whom_and_when}")


@thread(EventKind.DENIED, EventKind.EXPIRED, EventKind.WITHDRAWN)
def _request_over(context: EventContext[EndedFacts]) -> EventText:
    cost = cost_of(context.facts)
    rest = ""
    if cost is not None and cost.amount == 0 and not cost.estimated:
        rest = "It cost nothing." if context.details.attempts else "Nothing was rented."
    elif cost is not None:
        rest = f"{sentence_case(so_far(cost))}."
    why, word = context.said, sentence_case(context.event.kind.value)
    return EventText(f"{word}{context.by_whom_and_when}", join(f"{why}." if why else "", rest), colon=bool(why))


@thread(EventKind.DECIDERS_CHANGED)
def _deciders_changed(context: EventContext[DecidersFacts]) -> EventText:
    people = people_text(names_of(context.details, context.facts.people))
    if context.facts.admins_decide:
        return EventText("No approver is left", f"Admins are asked: {people}." if people else "Admins decide.")
    return EventText("Approvers decide again", f"Asked: {people}." if people else "")


@thread(EventKind.APPROVERS_REMINDED)
def _approvers_reminded(context: EventContext[DecidersFacts]) -> EventText:
    names = names_of(context.details, context.facts.people)
    return EventText(f"{people_text(names) or 'Nobody'} {'was' if len(names) == 1 else 'were'} reminded")


@thread(EventKind.OTHERS_ASKED)
def _others_asked(context: EventContext[DecidersFacts]) -> EventText:
    asked, away = (names_of(context.details, ids) for ids in (context.facts.then, context.facts.away))
    return EventText(f"{away_text(away) if away else 'Nobody has decided yet'}, so {people_are(asked)} asked")


@thread(EventKind.STARTED)
def _started(context: EventContext[RequestFacts]) -> EventText:
    replaced = context.facts.name
    how = "within the limits" if replaced is None else f"it in the place of {escape(replaced, 20)}"
    return EventText(f"{context.actor} rented {how}", allowed_text(context.facts), colon=True)


# --- to the approvers


@approvers(
    EventKind.ASKED,
    EventKind.ASKED_AGAIN,
    EventKind.CHANGED,
    EventKind.OTHERS_ASKED,
    EventKind.EXTENSION_ASKED,
)
def approval(context: EventContext[DecidersFacts | ExtensionFacts | RequestFacts]) -> Rendered:
    """Return the question while it waits for an answer. Later, return the answer.

    If the owner changed the request since the event, the message shows the newest version.
    """
    details, rental, reader, asks = context.details, context.rental, context.reader, context.asks
    asked = newest_version(context.event, details.events)
    context, version = context.of(asked), asked.facts.envelope
    if rental.extension is not None and rental.extension.envelope.version == version:
        lines = _extension(details, rental.extension, reader)
    elif rental.decision is not None and rental.approver_decides and rental.envelope.version == version:
        lines = _request(details, asked, reader)
    else:
        return _answer(context)
    lines += [_budgets(details), join(_others(details, reader.times), until_decided(rental, reader.times))]
    left = has_left(details)
    if left:
        lines.append(f"{owner(details)} left the workspace. Admins decide what becomes of it.")
    else:
        lines.append(_who_else_is_asked(context))
        lines.append(mentions(details, asked, asks, reader.rules) if asks is not None else "")
    spend = button("Owner's spend this month", Action.OWNER_SPEND, RentalValue(rental_id=rental.id))
    return blocks.of_parts(
        blocks.paragraph(lines[0]),
        *map(blocks.small, lines[1:]),
        # An approval would rent for somebody who left, and the admins are already asked.
        None if left else blocks.actions(*decision_buttons(rental, reader.now), spend),
    )


def _request(details: RentalDetails, asked: Event[DecidersFacts], reader: Reader) -> list[str]:
    rental, envelope, times = details.rental, details.rental.envelope, reader.times
    request = f"{describe(envelope)}, {_length(rental, times)}, for {people(details)}"
    what = join(request, note(rental.request.note), by=": ")
    changed_by = ""
    if asked.kind is EventKind.CHANGED:
        changed_by = f"Changed by {person(details.names, asked.actor)} {times.at_time(asked.at)}."
    prices = _prices(envelope, asked, times)
    if rental.wish is not None and rental.wish.gpu is None:
        prices = f"Bought once there is one at {limit_per_hour(envelope.max_rate)} or less."
    return [
        f"Approve up to {say_at_most(envelope.total)}? {what} ({rental.id})",
        join(
            why_undecided(details),
            over_limits_of_envelope(envelope, reader.rules, rental.project),
            over_total_text(rental.request, envelope.total),
            prices,
            changed_by,
        ),
    ]


def _who_else_is_asked(context: EventContext[DecidersFacts]) -> str:
    """Return a sentence saying who else was asked to decide, and why.

    Others are asked if all approvers are away, or if nobody has decided for a while.
    """
    later = first_after(context.details, context.event, EventKind.OTHERS_ASKED)
    if later is None:
        return asked_by_event(context.facts, context.details) if context.facts.away else ""
    return context.text_of(later).text


def _prices(envelope: Envelope, asked: Event[DecidersFacts], times: Times) -> str:
    """Return the clicked price and that of the cheapest other offer, with the time at which both were read."""
    facts = asked.facts
    read_at, other = (facts.read_at, facts.other) if isinstance(facts, RequestFacts) else (None, None)
    each = f"{price(envelope.price / envelope.count)} per GPU, " if envelope.count > 1 else ""
    read = f"read {times.time(read_at or asked.at)}"
    more = ""
    if envelope.max_rate > envelope.price:
        more = f"; allows {limit_per_hour(envelope.max_rate)} if it sells out"
    text = f"{per_hour(envelope.price)} ({each}{read}){more}."
    if other is not None:
        where = place(other.vendor, other.vendor_region)
        return f"{text} Cheapest other then: {per_hour(other.rate)} from {where}."
    clicked = asked.kind in {EventKind.ASKED, EventKind.CHANGED} and read_at is not None
    return f"{text} No other offer then." if clicked else text


def _length(rental: Rental, times: Times) -> str:
    if rental.request.until is not None:
        return how_long(rental.request, times)
    return span(rental.envelope.lease) if rental.request.up_to is None else hours_text(rental.request)


def _extension(details: RentalDetails, extension: Extension, reader: Reader) -> list[str]:
    rental, envelope, times = details.rental, extension.envelope, reader.times
    owned_by = details.owner or Person(id=rental.owner, name="")
    limits = rules_of_owner(reader.rules, rental.project, owned_by)
    ends_at = rental.running_lease.ends_at
    longer = extension.ends_at - ends_at
    rate = rental.rate if rental.rate is not None else envelope.price
    asker = person(details.names, extension.asked_by)
    return [
        f"Approve {span(longer)} more, about {dollars(cost(rate, longer))}? "
        f"{owner(details)}'s {machine(details.rental)}, then up to {say_at_most(envelope.total)} in all.",
        join(
            over_limits_text(over_limits(envelope.price, envelope.total, limits), limits),
            f"{asker} asks for it until {times.date_and_time(extension.ends_at)}, at {per_hour(rate)}; "
            f"{so_far(details.spent)}.",
            note(rental.request.note),
        ),
    ]


def _budgets(details: RentalDetails) -> str:
    """Return what is left of each budget now and after this."""
    return join(*(standing(demand, details.names) for demand in details.demands[:BUDGETS_SHOWN]))


def _others(details: RentalDetails, times: Times) -> str:
    others = [
        rental for rental in details.owners_live if rental.id != details.rental.id and rental.state not in UNBOUGHT
    ]
    if not others:
        return f"{owner(details)} runs nothing else."
    shown = [_running(rental, times) for rental in others[:OTHERS_SHOWN]]
    more = f"; {plural(len(others) - OTHERS_SHOWN, 'other')}" if len(others) > OTHERS_SHOWN else ""
    return f"{owner(details)} runs now: {'; '.join(shown)}{more}."


def _running(rental: Rental, times: Times) -> str:
    """Return `1x A100 (k7mq2), idle for 50 min`, or since when it is rented if nobody sees how it is used."""
    use = current_use(rental)
    seen = use is not None and use.verdict is not Verdict.UNKNOWN
    since = f"since {times.time(rental.procuring_since or rental.created_at)}"
    return f"{machines_of(rental)} ({rental.id}), {verdict_text(use, times).lower() if use and seen else since}"


def _answer(context: EventContext) -> Rendered:
    details, times, decided = context.details, context.times, context.outcome
    name = person(details.names, context.owner_id)
    subject = f"{describe(details.rental)} for {name}, {details.rental.id}."
    if decided is None:
        return blocks.message(f"No longer asked: {subject} {current_state(details, times)}", closed=True)
    if decided.kind is EventKind.CHANGED:
        who = person(details.names, decided.actor)
        return blocks.message(
            f"Changed by {who} {times.at_time(decided.at)}: {subject} Nothing is left to decide here."
        )
    return blocks.message(join(context.text_of(decided).text, subject))


# --- to the owner


@direct(EventKind.ASKED_AGAIN)
def _decide_again(context: EventContext[RequestFacts]) -> Rendered:
    details, rental, event, reader = context.details, context.rental, context.event, context.reader
    undecided = rental.state is State.AWAITING_APPROVAL and event.facts.envelope == rental.envelope.version
    if not undecided:
        answer = context.outcome
        state = f"Decided: {context.request}. {current_state(details, context.times)}"
        return blocks.message(context.text_of(answer).about(context.request) if answer else state)
    who = "an approver"
    if rental.owner_decides:
        who = "you" if context.by_owner else owner(details)
    most = rental.envelope.total
    total = over_total_text(rental.request, most) or f"At most {say_at_most(most)} in all."
    total = "" if rental.needs_later_end else total
    text = join(
        context.text._replace(lead=f"Waiting for {who}").about(context.request), total, first_runs_on(details)
    )
    version = VersionValue(rental_id=rental.id, version=rental.envelope.version)
    decide = tell = None
    if rental.needs_later_end:
        decide = button("Change", Action.CHANGE_RENTAL, version)
    elif rental.owner_decides:
        decide = button(f"Go on up to {highest(rental.envelope)}", Action.ACCEPT, version, style="primary")
        if rental.quote_id is not None and rental.replaces is None:
            tell = tell_button(rental.quote_id, rental.request)
    buttons = (decide, tell, withdraw_button(rental)) if is_owner(reader.id, rental.owner) else ()
    return blocks.with_buttons(text, *buttons)


@direct(EventKind.DENIED, EventKind.EXPIRED)
def _ask_again(context: EventContext) -> Rendered:
    rental, event, words = context.rental, context.event, context.text
    if event.kind is EventKind.DENIED:
        whose = describe(rental) if context.by_owner else f"{owner(context.details)}'s {describe(rental)}"
        text = words._replace(lead=f"{context.actor} said no to {whose}").text
    else:
        name = f"{possessive(context.details, context.reader)} {machines_of(rental)}, {rental.id}"
        text = words._replace(lead=f"Nobody decided by {context.times.time(event.at)}").about(name)
    again = button(
        "Ask again", Action.TRY_AGAIN, QuoteValue(quote_id=rental.quote_id or ""), about=describe(rental.request)
    )
    return blocks.with_buttons(join(text, first_runs_on(context.details)), again)


@direct(EventKind.APPROVED_NOT_READY)
def _approved_but_not_ready(context: EventContext) -> Rendered:
    starting = context.rental.state in {State.PROCURING, State.PROVISIONING}
    state = current_state(context.details, context.times)
    return blocks.message(f"{context.text.about(context.request)} {state}", closed=not starting)


direct(EventKind.APPROVED, EventKind.WITHDRAWN, EventKind.DECIDERS_CHANGED)(said_once)

# --- the reminder of an approver, edited as requests are decided


def reminder(listed: Sequence[RentalDetails], reader: Reader) -> Rendered:
    """Return what still waits of the rentals that a reminder lists, and how the others were decided."""
    waiting = [details for details in listed if _waits(details)]
    decided = [text for details in listed if not _waits(details) and (text := _decided(details, reader))]
    heading = "Nothing of this waits any more."
    if waiting:
        heading = f"{plural(len(waiting), 'request waits', 'requests wait')} for you:"
    lines = [*(_reminder_line(details, reader.times) for details in waiting), *decided]
    first = [RentalValue(rental_id=details.rental.id) for details in waiting[:1]]
    buttons = [button("Open the first", Action.OPEN_REQUEST, value) for value in first]
    return blocks.of_parts(*map(blocks.paragraph, [heading, *lines]), blocks.actions(*buttons), closed=not waiting)


def _waits(details: RentalDetails) -> bool:
    return details.rental.extension is not None or details.rental.approver_decides


def _reminder_line(details: RentalDetails, times: Times) -> str:
    """Return `Ana, 8x H100 EU, up to $137.54. Expires tomorrow at 10:05.`"""
    rental = details.rental
    what = f"{describe(rental.envelope)} ({rental.id})"
    if rental.extension is not None:
        longer = span(rental.extension.ends_at - rental.running_lease.ends_at)
        what = f"{longer} more for {machine(details.rental)}"
    total = say_at_most(rental.newest_envelope.total)
    return join(f"{owner(details)}, {what}, up to {total}.", until_decided(rental, times))


def _decided(details: RentalDetails, reader: Reader) -> str:
    """Return how a request was decided, as the message to all approvers says it."""
    asked = newest_asked(details.events, DECISIONS)
    return approval(EventContext(asked, details, reader)).text if asked is not None else ""
