"""Messages about requests, and about the decisions of approvers and owners before anything is bought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.model.attempt import Why
from bot.model.event import DECISIONS, EventKind, newest_asked, newest_version
from bot.model.facts import BillFacts, DecidersFacts, DecisionFacts, EndedFacts, ExtensionFacts, RequestFacts
from bot.model.machine_use import UsageStatus
from bot.model.money import cost
from bot.model.person import Person
from bot.model.rental import Extension, Rental
from bot.model.request import Contract
from bot.model.state import UNBOUGHT, State
from bot.model.summary import Over, RentalDetails
from bot.model.text import plural, say_at_most, span
from bot.policy.buying.budgets import rules_of_owner, rules_of_project
from bot.policy.buying.spending import over_limits, reasons_for_decision
from bot.policy.team.roles import is_owner
from handlers.ids import Action, QuoteValue, RentalValue, VersionValue
from handlers.messages.waiting import tell_button
from handlers.messages.writers import (
    EventContext,
    approvers,
    cost_of,
    direct,
    over_budget,
    said_once,
    sentence_case,
    terms_text,
    thread,
    total_text,
)
from handlers.phrases import blocks
from handlers.phrases.blocks import Fact, Part, Rendered, button
from handlers.phrases.budget_text import budget_fact, limits_fact, over_total_text, price_fact
from handlers.phrases.ends import ITS_JOB, hours_text, how_long, keeping_text, until_decided
from handlers.phrases.format import (
    Reader,
    Times,
    difference,
    dollars,
    escape,
    first_few,
    highest,
    join,
    limit_per_hour,
    note,
    per_hour,
    person,
    sentence,
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
    machine_in,
    mentions,
    names_of,
    owner,
    people_text,
    people_were,
    place,
    renter,
    so_far,
    why_asked_again,
    why_undecided,
)
from handlers.phrases.use_text import current_use, status_text

OTHERS_SHOWN = 3

# --- the thread


@thread(EventKind.ASKED)
def _asked(context: EventContext[RequestFacts]) -> str:
    facts = context.facts
    what = f"approval of {context.this_request}" if context.named else "approval"
    what += f" to replace {escape(facts.name, 20)}" if facts.name is not None else ""
    terms = join(terms_text(facts), total_text(facts), by=", ")
    asked = f"{context.requester} asked for {what}{f': {terms}' if terms else ''}."
    return join(asked, asked_by_event(facts, context.details))


@thread(EventKind.ASKED_AGAIN)
def _asked_again(context: EventContext[RequestFacts]) -> str:
    return _undecided(context, "a new decision")


def _undecided(context: EventContext[RequestFacts], needs: str) -> str:
    """Return sentences saying that a request needs a new decision.

    `needs` is the name of the decision, such as `approval` or `Ben's decision`.
    """
    facts, who = context.facts, sentence_case(context.this_request)
    expires = f"expires {context.times.at_time(facts.until)}." if facts.until else ""
    if facts.why is Why.TOO_LITTLE_TIME:
        why = f"{who} is on hold, because the requested end is too soon for a machine to start."
        later = join("The request needs a later end", expires, by=", and ")
        return join(why, _cost_by_then(facts), sentence(later))
    now = f"a machine now costs {per_hour(facts.rate)}" if facts.rate is not None else None
    if now and facts.vendor:
        now += f" at {place(facts.vendor, facts.vendor_region)}"
    why = why_asked_again(facts)
    if now and facts.before is not None and facts.rate is not None and facts.rate > facts.before:
        allowed = f"the {limit_per_hour(facts.before)} that {context.owner} allowed"
        why, now = f"{now}, {difference(facts.before, facts.rate, allowed)}", None
    asked = asked_by_event(facts, context.details)
    return join(
        f"{who} needs {needs}, because {why}.",
        _cost_by_then(facts),
        sentence(now) if now else None,
        asked,
        f"The request {expires}" if expires else None,
    )


def _cost_by_then(facts: BillFacts) -> str | None:
    """Return a sentence with the cost at the time of the event. None if the event doesn't contain the cost.

    If the cost is zero, the sentence is `Nothing is rented.`
    """
    cost = cost_of(facts)
    if cost is None:
        return None
    return (
        "Nothing is rented."
        if cost.amount == 0 and not cost.estimated
        else f"Its machines have cost {so_far(cost)}."
    )


@thread(EventKind.CHANGED)
def _changed(context: EventContext[RequestFacts]) -> str:
    facts, terms = context.facts, context.details.rental.terms
    now = describe(terms) if terms.version == facts.terms and not context.named else ""
    new = join(terms_text(facts), total_text(facts), by=", ")
    to = f" to {join(now, new)}" if now else f": {new}" if new else ""
    return join(f"{context.actor} changed {context.this_request}{to}.", asked_by_event(facts, context.details))


@thread(EventKind.APPROVED)
def _approved(context: EventContext[DecisionFacts]) -> str:
    terms, what = terms_text(context.facts), context.request if context.named else "this request"
    if context.event.actor == context.owner_id and context.facts.self_approved is False:
        return f"{context.actor} accepted the new terms of {what}{f': {terms}' if terms else ''}."
    if context.facts.self_approved:
        what = f"their own request for {machine_in(context.rental)}" if context.named else "their own request"
    approved = f"{context.actor} approved {what}{context.when_at}"
    return join(f"{join(approved, terms, by=', ')}.", over_budget(context))


@thread(EventKind.APPROVED_NOT_READY)
def _approved_not_ready(context: EventContext) -> str:
    """Return a sentence saying who approved the request, and when."""
    what = context.request if context.named else "this request"
    approvals = [
        event
        for event in context.details.events
        if event.kind is EventKind.APPROVED and event.at <= context.event.at
    ]
    if not approvals:
        return f"{sentence_case(what)} is approved."
    approved = context.of(approvals[-1])
    return f"{approved.actor} approved {what}{approved.when_at}."


@thread(EventKind.DENIED, EventKind.EXPIRED, EventKind.WITHDRAWN)
def _request_over(context: EventContext[EndedFacts]) -> str:
    request, why, cost = context.this_request, context.said, cost_of(context.facts)
    match context.event.kind:
        case EventKind.DENIED:
            over = f"{context.actor} declined {request}{context.when_at}"
        case EventKind.EXPIRED:
            over = f"{sentence_case(request)} expired{context.when_at} without a decision"
        case _ if context.event.actor is None:
            over = f"{sentence_case(request)} was withdrawn{context.when_at}"
        case _:
            over = f"{context.actor} withdrew {request}{context.when_at}"
    costs = ""
    if cost is not None and cost.amount == 0 and not cost.estimated:
        costs = "It cost nothing." if context.details.attempts else "Nothing was rented."
    elif cost is not None:
        costs = f"Its machines have cost {so_far(cost)}."
    return join(f"{over}{f': {why}' if why else ''}.", costs)


@thread(EventKind.DECIDERS_CHANGED)
def _deciders_changed(context: EventContext[DecidersFacts]) -> str:
    names, about = names_of(context.details, context.facts.people), f" about {context.this_request}"
    if context.facts.admins_decide:
        asked = f"the admins ({people_text(names)}) were asked{about}" if names else f"admins decide{about}"
        return f"No approver is left, so {asked}."
    return join(f"Approvers decide again{about}.", f"{people_were(names)} asked." if names else "")


@thread(EventKind.APPROVERS_REMINDED)
def _approvers_reminded(context: EventContext[DecidersFacts]) -> str:
    names = names_of(context.details, context.facts.people)
    return f"{people_were(names)} reminded of {context.this_request}."


@thread(EventKind.OTHERS_ASKED)
def _others_asked(context: EventContext[DecidersFacts]) -> str:
    asked, away = (names_of(context.details, ids) for ids in (context.facts.then, context.facts.away))
    about = f" about {context.this_request}" if context.named else ""
    why = away_text(away) if away else "Nobody has decided yet"
    return f"{why}, so {people_were(asked)} asked{about}."


@thread(EventKind.STARTED)
def _started(context: EventContext[RequestFacts]) -> str:
    replaced, terms = context.facts.name, terms_text(context.facts)
    what = (
        "a machine without needing approval" if replaced is None else f"a replacement for {escape(replaced, 20)}"
    )
    return f"{join(f'{context.requester} rented {what}', terms, by=', ')}."


# --- to the approvers


@approvers(
    EventKind.ASKED,
    EventKind.ASKED_AGAIN,
    EventKind.CHANGED,
    EventKind.OTHERS_ASKED,
    EventKind.EXTENSION_ASKED,
)
def approval(context: EventContext[DecidersFacts | ExtensionFacts | RequestFacts]) -> Rendered:
    """Render the message that asks the approvers to approve or deny a request.

    Once somebody has decided, the message shows the decision. If the owner has changed the request, the message
    shows the newest version of the request.
    """
    details, rental, asks = context.details, context.rental, context.asks
    asked = newest_version(context.event, details.events)
    context = context.of(asked)
    version = asked.facts.terms
    left = has_left(details)
    pings = mentions(details, asked, asks, context.reader.rules) if asks is not None and not left else ""
    if rental.extension is not None and rental.extension.terms.version == version:
        question = _extension(context, rental.extension, pings)
    elif rental.decision is not None and rental.approver_decides and rental.terms.version == version:
        question = _request(context, pings)
    else:
        return _answer(context)
    if left:
        # The owner of this request left the workspace, so an approval would rent a machine for nobody. Leave out
        # the buttons, because the admins have been asked to decide instead of the approvers.
        decide = f"{owner(details)} left the workspace, so the admins decide about the request below."
        return blocks.of_parts(
            blocks.paragraph(f"*{decide} Approvers don't decide about it any more.*"), *question[1:]
        )
    spending = blocks.short_label("{}'s spending", details.names.get(rental.owner, rental.owner))
    return blocks.of_parts(
        *question,
        blocks.small(_who_else_was_asked(context)),
        blocks.actions(
            *decision_buttons(rental, context.reader.now),
            button(spending, Action.OWNER_SPEND, RentalValue(rental_id=rental.id)),
        ),
    )


def _request(context: EventContext[DecidersFacts], pings: str) -> Sequence[Part]:
    details, rental, times, asked = context.details, context.rental, context.times, context.event
    terms, rules = rental.terms, rules_of_project(context.reader.rules, rental.project)
    facts, over = asked.facts, reasons_for_decision(rental, rules)
    read_at, other = (facts.read_at, facts.other) if isinstance(facts, RequestFacts) else (None, None)
    what = join(
        machine_in(rental), "(spot)" if terms.contract is Contract.SPOT else "", length_text(rental, times)
    )
    teammates = people_text(names_of(details, rental.teammates))
    what = f"*{what}*{f', shared with {teammates}' if teammates else ''}"
    changed = f"{context.actor} changed the request {times.at_time(asked.at)}."
    changed = changed if asked.kind is EventKind.CHANGED else ""
    then = f" {times.at_time(read_at)}" if read_at is not None else ""
    others = (
        f"No other offer matched{then}." if then and asked.kind in {EventKind.ASKED, EventKind.CHANGED} else ""
    )
    if other is not None:
        others = f"Next cheapest{then}: {per_hour(other.rate)}, {place(other.vendor, other.vendor_region)}."
    return (
        blocks.header(f"Approve up to {say_at_most(terms.total)}?"),
        blocks.paragraph(
            join(
                wants(details, rental.owner, what),
                f"It would replace {rental.replaces}." if rental.replaces is not None else "",
                why_undecided(details) if Over.TOKEN not in over else "",
                over_total_text(rental.request, terms.total),
                pings,
            )
        ),
        blocks.facts(
            _price(rental),
            limits_fact(over, rules, rental.program),
            budget_fact(details.demands, details.names, times),
            _also_running(details, times),
        ),
        blocks.small(join(keeping_text(terms), changed, others, until_decided(rental, times))),
    )


def wants(details: RentalDetails, asker: str, what: str) -> str:
    """Return a sentence with the request and its note.

    An example is `Ana wants 8x H100 (p4wd9) for 6 h: "fine-tune run 7"`. If a program asked, the sentence begins
    with `nightly eval (Ana)`.
    """
    text = note(details.rental.request.note)
    who = renter(details) if asker == details.rental.owner else person(details.names, asker)
    return f"{who} wants {what}" + (f': "{text}".' if text else ".")


def length_text(rental: Rental, times: Times) -> str:
    """Return the length of a request, such as `for 6 h` or `until today at 18:00 (5 h 55 min)`."""
    if rental.request.until is not None:
        return how_long(rental.request, times, ITS_JOB)
    if rental.request.until_done:
        return hours_text(rental.request, ITS_JOB)
    return f"for {span(rental.terms.lease) if rental.request.up_to is None else hours_text(rental.request)}"


def _price(rental: Rental) -> Fact:
    """Return the price of the clicked offer, and the highest price that the bot is allowed to pay.

    If the offer is gone, the bot can rent another one up to the highest price. For a request on the waitlist,
    return only the highest price, because no offer was clicked.
    """
    terms = rental.terms
    if rental.waitlist_entry is not None and rental.waitlist_entry.gpu is None:
        most = f"{limit_per_hour(terms.max_rate)} or less"
        return Fact("Price", most, f"It will be rented once an offer costs {most}.")
    return price_fact(terms)


def _extension(context: EventContext[Any], extension: Extension, pings: str) -> Sequence[Part]:
    details, rental, times = context.details, context.rental, context.times
    terms, ends_at = extension.terms, rental.running_lease.ends_at
    owned_by = details.owner or Person(id=rental.owner, name="")
    limits = rules_of_owner(context.reader.rules, rental.project, owned_by)
    over = over_limits(terms.price, terms.total, limits)
    if not over and rental.program is not None:
        over = (Over.TOKEN,)
    longer = extension.ends_at - ends_at
    rate = rental.rate if rental.rate is not None else terms.price
    total = say_at_most(terms.total)
    whose = "" if extension.asked_by == rental.owner else f"{owner(details)}'s "
    what, until = f"more time for {whose}*{machine(rental)}*", times.date_and_time(extension.ends_at)
    if extension.until_done:
        what, until = f"{what}, until {ITS_JOB} is done", f"when {ITS_JOB} is done, {until} at the latest"
    until = f"It would then end {until}."
    spent = so_far(details.spent)
    return (
        blocks.header(f"Approve {span(longer)} more, about {dollars(cost(rate, longer))}?"),
        blocks.paragraph(join(wants(details, extension.asked_by, what), until_decided(rental, times), pings)),
        blocks.facts(
            Fact(
                "Cost",
                f"{per_hour(rate)}, {spent}, up to {total} in all",
                f"It costs {per_hour(rate)}, {spent}, and then up to {total} in all. {until}",
            ),
            limits_fact(over, limits, rental.program),
            budget_fact(details.demands, details.names, times),
            _also_running(details, times),
        ),
        blocks.small(keeping_text(terms)),
    )


def _who_else_was_asked(context: EventContext[DecidersFacts]) -> str:
    """Return a sentence saying who else was asked to decide, and why. Empty if nobody else was asked."""
    later = first_after(context.details, context.event, EventKind.OTHERS_ASKED)
    if later is None:
        return asked_by_event(context.facts, context.details) if context.facts.away else ""
    return context.of(later).text


def _also_running(details: RentalDetails, times: Times) -> Fact | None:
    others = [
        rental for rental in details.owners_live if rental.id != details.rental.id and rental.state not in UNBOUGHT
    ]
    if not others:
        return None
    shown = "; ".join(first_few([_running(rental, times) for rental in others], OTHERS_SHOWN))
    return Fact("Also running", shown, f"{owner(details)} also has {shown}.")


def _running(rental: Rental, times: Times) -> str:
    """Return a running machine and its usage: `1x A100 (k7mq2), idle for 50 min`."""
    use = current_use(rental)
    seen = use is not None and use.status is not UsageStatus.UNKNOWN
    return join(machine(rental), status_text(use, times).lower() if use and seen else "", by=", ")


def _answer(context: EventContext) -> Rendered:
    details, times, decided = context.details, context.times, context.outcome
    name = person(details.names, context.owner_id)
    if decided is None:
        text = f"{name}'s {machine_in(details.rental)} no longer needs approval."
        return blocks.message(join(text, current_state(details, times)), closed=True)
    if decided.kind is EventKind.CHANGED:
        who = person(details.names, decided.actor)
        changed = f"{who} changed the request for {machine_in(details.rental)} {times.at_time(decided.at)}"
        return blocks.message(f"{changed}. Nothing is left to decide here.")
    return blocks.message(context.of(decided).named_text)


# --- to the owner


@direct(EventKind.ASKED_AGAIN)
def _decide_again(context: EventContext[RequestFacts]) -> Rendered:
    details, rental, event, reader = context.details, context.rental, context.event, context.reader
    undecided = rental.state is State.AWAITING_APPROVAL and event.facts.terms == rental.terms.version
    if not undecided:
        answer = context.outcome
        request = context._replace(named=True).this_request
        state = f"{sentence_case(request)} no longer needs a decision. {current_state(details, context.times)}"
        return blocks.message(context.of(answer).named_text if answer else state)
    needs = "approval"
    if rental.owner_decides:
        needs = "your decision" if context.by_owner else f"{owner(details)}'s decision"
    most = rental.terms.total
    total = (
        over_total_text(rental.request, most)
        or f"It can cost up to {highest(rental.terms)} and {say_at_most(most)} in all."
    )
    total = "" if rental.needs_later_end else total
    text = join(_undecided(context._replace(named=True), needs), total, first_runs_on(details))
    version = VersionValue(rental_id=rental.id, version=rental.terms.version)
    decide = tell = None
    if rental.needs_later_end:
        decide = button("Change", Action.CHANGE_RENTAL, version)
    elif rental.owner_decides:
        decide = button(f"Accept up to {highest(rental.terms)}", Action.ACCEPT, version, style="primary")
        if rental.quote_id is not None and rental.replaces is None:
            tell = tell_button(rental.quote_id, rental.request, "Tell me about the next offer")
    buttons = (decide, tell, withdraw_button(rental)) if is_owner(reader.id, rental.owner) else ()
    return blocks.with_buttons(text, *buttons)


@direct(EventKind.DENIED, EventKind.EXPIRED)
def _ask_again(context: EventContext) -> Rendered:
    rental = context.rental
    again = button(
        "Ask again", Action.TRY_AGAIN, QuoteValue(quote_id=rental.quote_id or ""), about=describe(rental.request)
    )
    return blocks.with_buttons(join(context.named_text, first_runs_on(context.details)), again)


@direct(EventKind.APPROVED_NOT_READY)
def _approved_but_not_ready(context: EventContext) -> Rendered:
    starting = context.rental.state in {State.PROCURING, State.PROVISIONING}
    state = current_state(context.details, context.times)
    return blocks.message(join(context.named_text, state), closed=not starting)


direct(EventKind.APPROVED, EventKind.WITHDRAWN, EventKind.DECIDERS_CHANGED)(said_once)

# --- the reminder to an approver


def reminder(listed: Sequence[RentalDetails], reader: Reader) -> Rendered:
    """Render a reminder to an approver.

    It first lists the requests that still wait, and then the requests that have been decided.
    """
    waiting = [details for details in listed if _waits(details)]
    decided = [text for details in listed if not _waits(details) and (text := _decided(details, reader))]
    heading = "None of these requests is waiting any more."
    if waiting:
        heading = f"{plural(len(waiting), 'request is', 'requests are')} waiting for you:"
    lines = [*(_reminder_line(details, reader.times) for details in waiting), *decided]
    first = [RentalValue(rental_id=details.rental.id) for details in waiting[:1]]
    buttons = [button("Open the first", Action.OPEN_REQUEST, value) for value in first]
    return blocks.of_parts(*map(blocks.paragraph, [heading, *lines]), blocks.actions(*buttons), closed=not waiting)


def _waits(details: RentalDetails) -> bool:
    return details.rental.extension is not None or details.rental.approver_decides


def _reminder_line(details: RentalDetails, times: Times) -> str:
    """Return the line about a pending request.

    An example is `Ana: 8x H100 SXM 80 GB (p4wd9) in EU, up to $137.54. Expires tomorrow at 10:05.`
    """
    rental = details.rental
    what = machine_in(rental)
    if rental.extension is not None:
        what = f"{span(rental.extension.ends_at - rental.running_lease.ends_at)} more for {machine(rental)}"
    total = say_at_most(rental.newest_terms.total)
    return join(f"{renter(details)}: {what}, up to {total}.", until_decided(rental, times))


def _decided(details: RentalDetails, reader: Reader) -> str:
    """Return the decision about a request. Empty if nobody had to approve the request."""
    asked = newest_asked(details.events, DECISIONS)
    return approval(EventContext(asked, details, reader)).text if asked is not None else ""
