"""Direct messages: one for each event that concerns its reader, edited until there is nothing left to decide."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.model.event import Event, EventKind
from bot.model.money import cost
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import AccruedCost, RentalDetails
from bot.policy.rules import Rules
from handlers.ids import Action, ExtendValue, HoursValue, QuoteValue, RentalValue, VersionValue
from handlers.views import blocks
from handlers.views.approval import later
from handlers.views.blocks import Json, Rendered, button
from handlers.views.event_text import Said, said, sentence_case
from handlers.views.format import (
    Times,
    about,
    dollars,
    dollars_at_most,
    escape,
    machines,
    per_hour,
    person,
    span,
    ssh_command,
    what,
)
from handlers.views.rental_text import ended, machine, outcome, owner, receipt, settled, so_far, times, whose

K = EventKind
KEEP_HOURS = (1, 4)
EXTEND_BY = timedelta(hours=2)
AGAIN = "Ask again: /gpu get"


def direct(
    event: Event, details: RentalDetails, *, reader: str, rules: Rules, now: datetime, zone: str | None = None
) -> Rendered:
    """What `reader` is told of `event`, as of now."""
    at = times(rules, now, zone)
    match event.kind:
        case EventKind.READY:
            return _ready(event, details, reader, rules, at)
        case EventKind.STILL_NEEDED:
            return _still_needed(event, details, reader, rules, at)
        case EventKind.ENDING:
            return _ending(event, details, rules, at)
        case EventKind.ASKED_AGAIN:
            return _asked_again(event, details, reader, at)
        case EventKind.NOT_CONFIRMED:
            return _not_confirmed(event, details, reader, at)
        case EventKind.EXPIRED:
            return _expired(event, details, reader, at)
    words = said(event, details, at)
    name = f"{whose(details, reader)} {what(details.rental.request)}, {details.rental.id}"
    text = words.of(name) if words else name
    return blocks.message(f"{text} {AGAIN}" if _came_to_nothing(event) else text)


def _expired(event: Event, details: RentalDetails, reader: str, at: Times) -> Rendered:
    rental = details.rental
    words = said(event, details, at) or Said("")
    name = f"{whose(details, reader)} {machines(rental.request.count, rental.request.gpu)}, {rental.id}"
    text = words._replace(lead=f"Nobody decided by {at.at(event.at)}").of(name)
    again = button("Ask again", Action.TRY_AGAIN, QuoteValue(quote_id=rental.quote_id))
    return blocks.message(text, blocks.section(text), blocks.actions(again), closed=False)


def _came_to_nothing(event: Event) -> bool:
    """Whether the owner is left without what they asked for, and nobody decided that."""
    return event.kind is K.LOST or (
        event.kind is K.ENDED and event.facts.end in {State.FAILED, State.LOST, State.EXPIRED}
    )


def ssh_lines(details: RentalDetails, reader: str) -> list[str]:
    """The command that opens it and the key it takes; for its owner alone."""
    command = ssh_command(details.rental.host, details.rental.port)
    if reader != details.rental.owner:
        return []
    if command is None:
        return ["It has no address yet."]
    comment = escape(details.current.key_comment, 100) if details.current else ""
    key = f'Your key "{comment}"' if comment else "Your key"
    return [f"`{command}`", f"{key} opens it. First look: nvidia-smi. Its disk goes when it goes."]


def extend_button(
    rental: Rental, rules: Rules, longer: timedelta = EXTEND_BY, *, again: bool = False
) -> Json | None:
    """`Extend 2 h, about $4.84`, or `Extend 2 h more, ...` if it was extended just now. None if the rules allow no
    more, or more is asked for already."""
    lease = rental.lease
    if lease is None or rental.extension is not None or lease.ends_at + longer - lease.ready_at > rules.lease.max:
        return None
    money = f", about {dollars(cost(rental.rate, longer))}" if rental.rate is not None else ""
    value = ExtendValue.of(rental.id, longer, lease.ends_at)
    return button(f"Extend {span(longer)}{' more' if again else ''}{money}", Action.EXTEND, value)


def stop_asking_button(rental: Rental) -> Json | None:
    """`Take the request back`, while more time is asked for."""
    if rental.extension is None:
        return None
    value = VersionValue(rental_id=rental.id, version=rental.extension.envelope.version)
    return button("Take the request back", Action.WITHDRAW, value)


def destroy_button(rental: Rental) -> Json:
    """`Destroy k7mq2`."""
    return button(f"Destroy {rental.id}", Action.DESTROY, RentalValue(rental_id=rental.id), style="danger")


def _first(details: RentalDetails, event: Event, kinds: Iterable[EventKind]) -> Event | None:
    """The first event after `event` of one of the kinds."""
    wanted = frozenset(kinds)
    return next((other for other in later(event, details) if other.kind in wanted), None)


def _ready(event: Event, details: RentalDetails, reader: str, rules: Rules, at: Times) -> Rendered:
    rental = details.rental
    name = sentence_case(f"{whose(details, reader)} {machine(details)}")
    if rental.state is not State.READY:
        return blocks.message(
            ended(details, f"{whose(details, reader)} {machine(details)}", at), closed=rental.state.over
        )
    until = f" until {at.at(rental.running.ends_at, event.at)}"
    money = f", at {per_hour(rental.rate)}" if rental.rate is not None else ""
    lines = [f"{name} is ready{until}{money}.{_shorter(rental)}", *ssh_lines(details, reader)]
    if any(other.kind is K.SILENT and other.at == event.at for other in details.events):
        lines.append("Nothing answers on its SSH port yet; it may need another minute.")
    if rental.extension is not None:
        lines.append(f"More time is asked for, until {at.at(rental.extension.ends_at, event.at)}.")
    again = f"/gpu ssh {rental.id} shows this again" if reader == rental.owner else ""
    this = RentalValue(rental_id=rental.id)
    extend = stop_asking_button(rental) or button("Extend", Action.EXTEND_FORM, this)
    return blocks.message(
        "\n".join([*lines, *([f"{again}."] if again else [])]),
        blocks.section("\n".join(lines)),
        blocks.actions(extend, destroy_button(rental)),
        blocks.context(again) if again else None,
        closed=False,
    )


def _shorter(rental: Rental) -> str:
    """Why its lease is shorter than what was asked for."""
    if rental.running.ends_at - rental.running.ready_at >= rental.envelope.lease:
        return ""
    most = dollars_at_most(rental.envelope.total)
    return f" That is sooner than asked: it bills more than planned, and at most {most} was accepted."


def _still_needed(event: Event, details: RentalDetails, reader: str, rules: Rules, at: Times) -> Rendered:
    rental, facts = details.rental, event.facts
    ask = f"Still needed? {rental.id}: "
    answer = _first(details, event, {K.KEPT, K.EXTENDED, K.EXTENSION_ASKED, K.STILL_NEEDED})
    if rental.state is not State.READY:
        return blocks.message(ended(details, machine(details), at), closed=rental.state.over)
    if answer is not None:
        if answer.kind is EventKind.STILL_NEEDED:
            return blocks.message(f"{ask}no answer. I asked again {at.when(answer.at)}.")
        words = said(answer, details, at) or Said("answered")
        if answer.kind is K.KEPT:
            return _kept(answer, words, details, at, reader=reader, rules=rules)
        if answer.actor == reader:
            yes = "more time is asked for" if answer.kind is K.EXTENSION_ASKED else "yes"
            return blocks.message(f"{ask}{yes}. {sentence_case(words.rest)}".rstrip())
        return blocks.message(f"{ask}{words.text}")
    quiet = f"nothing here for {about(facts.span)}" if facts.span else "nothing here for a while"
    spent = (
        details.spent
        if facts.amount is None
        else AccruedCost(amount=facts.amount, estimated=bool(facts.estimated))
    )
    keep = [
        button(f"Still needed, ask in {hours} h", Action.KEEP, HoursValue(rental_id=rental.id, hours=hours))
        for hours in KEEP_HOURS
    ]
    text = f"{ask}{quiet}. I can't see inside; it may be busy or idle. {so_far(spent)}."
    return blocks.message(text, blocks.section(text), blocks.actions(destroy_button(rental), *keep), closed=False)


def _kept(answer: Event, words: Said, details: RentalDetails, at: Times, *, reader: str, rules: Rules) -> Rendered:
    """Say when the question comes again and when the lease ends. Offer to extend until one of these changes."""
    rental = details.rental
    start = f"Still needed? {rental.id}: "
    text = start + (f"yes. {sentence_case(words.rest)}" if answer.actor == reader else words.text)
    if rental.extension is not None:
        return blocks.message(f"{text} More time is asked for; an approver decides.", closed=False)
    if answer.facts.since not in {None, rental.running.ends_at}:
        return blocks.message(f"{start}yes. It ends {at.at(rental.running.ends_at)} now.")
    if _first(details, answer, {K.STILL_NEEDED, K.KEPT}) is not None:
        return blocks.message(text)
    more = extend_button(rental, rules)
    return blocks.message(text, blocks.section(text), blocks.actions(more), closed=more is None)


def _ending(event: Event, details: RentalDetails, rules: Rules, at: Times) -> Rendered:
    rental = details.rental
    if rental.state is not State.READY:
        return blocks.message(ended(details, machine(details), at), closed=rental.state.over)
    again = _first(details, event, {K.ENDING})
    ends_at = rental.running.ends_at
    until = event.facts.until or ends_at
    if until < ends_at:
        return blocks.message(f"Extended: {machine(details)}. It ends {at.at(ends_at)} now.")
    if again is not None:
        return blocks.message(f"Ends {at.at(until)}: {machine(details)}. I told you again {at.when(again.at)}.")
    text = f"Ends {at.at(until, event.at)}, in {about(until - event.at)}: {machine(details)}. "
    text += "Copy results off: the disk goes too."
    if rental.extension is not None:
        text += " More time is asked for; an approver decides."
    return blocks.message(
        text,
        blocks.section(text),
        blocks.actions(extend_button(rental, rules), destroy_button(rental)),
        closed=False,
    )


def _asked_again(event: Event, details: RentalDetails, reader: str, at: Times) -> Rendered:
    rental, words = details.rental, said(event, details, at)
    live = rental.state is State.AWAITING_APPROVAL and event.facts.envelope in {None, rental.envelope.version}
    name = f"{whose(details, reader)} {what(rental.request)}, {rental.id}"
    if not live or words is None:
        answer = _first(
            details, event, {K.APPROVED, K.DENIED, K.EXPIRED, K.WITHDRAWN, K.CHANGED, K.DESTROYING, K.ENDED}
        )
        how = said(answer, details, at) if answer else None
        return blocks.message(how.of(name) if how else f"Decided: {name}. {outcome(details, at)}")
    own = rental.owner_decides
    who = ("you" if reader == rental.owner else owner(details)) if own else "an approver"
    total = f"At most {dollars_at_most(rental.envelope.total)} in all."
    text = f"{words._replace(lead=f'Waiting for {who}').of(name)} {total}"
    version = VersionValue(rental_id=rental.id, version=rental.envelope.version)
    accept = button(f"Go on up to {per_hour(rental.envelope.max_rate)}", Action.ACCEPT, version, style="primary")
    return blocks.message(
        text,
        blocks.section(text),
        blocks.actions(accept if own else None, button("Withdraw", Action.WITHDRAW, version))
        if reader == rental.owner
        else None,
        closed=False,
    )


def _not_confirmed(event: Event, details: RentalDetails, reader: str, at: Times) -> Rendered:
    rental, words = details.rental, said(event, details, at)
    if rental.state.over and settled(details):
        gone = f"Confirmed gone: {machine(details)}, {owner(details)}. {outcome(details, at)}"
        return blocks.message(f"{gone} {receipt(details)}")
    text = words.text if words else "Not confirmed gone."
    taken_on_by = rental.alarm.taken_on_by if rental.alarm else None
    if taken_on_by is not None:
        who = "You are" if taken_on_by == reader else f"{person(details.names, taken_on_by)} is"
        return blocks.message(f"{text} {who} on it.", closed=False)
    again = _first(details, event, {K.NOT_CONFIRMED})
    if again is not None:
        return blocks.message(f"{text} I told you again {at.when(again.at)}.")
    take = button("I'm on it", Action.TAKEN_ON, RentalValue(rental_id=rental.id))
    return blocks.message(text, blocks.section(text), blocks.actions(take), closed=False)
