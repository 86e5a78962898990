"""The message that asks approvers about one version of an envelope, and then shows the decision."""

from __future__ import annotations

from bot.model.event import Event, EventKind, newest_version, settled_by
from bot.model.machine_use import Verdict
from bot.model.money import cost
from bot.model.person import Person
from bot.model.rental import Extension, Rental, Waiting
from bot.model.request import Envelope
from bot.model.state import UNBOUGHT
from bot.model.summary import RentalDetails
from bot.model.text import plural, say_at_most, span
from bot.policy.buying.budgets import rules_of_owner
from bot.policy.buying.spending import over_limits
from bot.policy.team.asking import Mentions
from handlers.ids import Action, RentalValue
from handlers.messages.event_text import event_text
from handlers.phrases import blocks
from handlers.phrases.asked_text import asked_by_event, mentions
from handlers.phrases.blocks import Json, Rendered, button
from handlers.phrases.budget_text import standing
from handlers.phrases.ends import hours_text, how_long, without_a_yes
from handlers.phrases.format import (
    Reader,
    Times,
    dollars,
    join,
    limit_per_hour,
    note,
    per_hour,
    person,
    price,
)
from handlers.phrases.lease_buttons import decision_buttons
from handlers.phrases.limits_text import over_limits_of_envelope, over_limits_text, over_total_text
from handlers.phrases.machine_text import describe, machines_of, place
from handlers.phrases.rental_text import (
    current_state,
    first_after,
    has_left,
    machine,
    owner,
    people,
    so_far,
    why_waiting,
)
from handlers.phrases.use_text import current_use, verdict_text

OTHERS_SHOWN = 3
BUDGETS_SHOWN = 3


def approval(details: RentalDetails, reader: Reader, *, asked: Event, asks: Mentions | None = None) -> Rendered:
    """Return the question while it waits for an answer. Later, return the answer.

    `asked` is the event that made the message. If the owner changed the request since, the message shows the
    newest version. `asks` is set for the post, which mentions these approvers; its edits mention nobody.
    """
    rental, asked = details.rental, newest_version(asked, details.events)
    version = asked.facts.envelope
    if rental.extension is not None and rental.extension.envelope.version == version:
        lines = _extension(details, rental.extension, reader)
    elif rental.waiting is not None and rental.approver_decides and rental.envelope.version == version:
        lines = _request(details, rental.waiting, asked, reader)
    else:
        return _answer(details, asked, reader.times)
    left = has_left(details)
    if left:
        lines.append(f"{owner(details)} left the workspace. Admins decide what becomes of it.")
    else:
        lines.append(_others_asked(details, asked, reader.times))
        lines.append(mentions(details, asked, asks, reader.rules) if asks is not None else "")
    lines = [line for line in lines if line]
    return blocks.message(
        "\n".join(lines),
        *(blocks.section(line) if n == 0 else blocks.context(line) for n, line in enumerate(lines)),
        # An approval would rent for somebody who left, and the admins are already asked.
        None if left else blocks.actions(*decision_buttons(rental, reader.now), _spend_button(rental)),
        closed=False,
    )


def _spend_button(rental: Rental) -> Json:
    """Return the button that shows an approver or an admin privately what the owner spent this month."""
    return button("Owner's spend this month", Action.OWNER_SPEND, RentalValue(rental_id=rental.id))


def _what_for_whom(details: RentalDetails, length: str) -> str:
    words = note(details.rental.request.note)
    return f"{describe(details.rental.envelope)}, {length}, for {people(details)}" + (
        f": {words}" if words else ""
    )


def _request(details: RentalDetails, waiting: Waiting, asked: Event, reader: Reader) -> list[str]:
    rental, envelope, times = details.rental, details.rental.envelope, reader.times
    return [
        f"Approve up to {say_at_most(envelope.total)}? "
        f"{_what_for_whom(details, _length(rental, times))} ({rental.id})",
        join(
            why_waiting(details),
            over_limits_of_envelope(envelope, reader.rules, rental.project),
            over_total_text(rental.request, envelope.total),
            _once_it_fits(rental) or _prices(envelope, asked, times),
            _who_changed(asked, details, times),
        ),
        _budgets(details),
        join(_others(details, times), f"Expires {times.date_and_time(waiting.expires_at)}."),
    ]


def _others_asked(details: RentalDetails, asked: Event, times: Times) -> str:
    """Return that other people are asked, and why: all approvers are away, or nobody decided for a while."""
    later = first_after(details, asked, EventKind.OTHERS_ASKED)
    if later is None:
        return asked_by_event(asked.facts, details) if asked.facts.away else ""
    words = event_text(later, details, times)
    return words.text if words is not None else ""


def _who_changed(asked: Event, details: RentalDetails, times: Times) -> str:
    if asked.kind is not EventKind.CHANGED:
        return ""
    return f"Changed by {person(details.names, asked.actor)} {times.at_time(asked.at)}."


def _once_it_fits(rental: Rental) -> str:
    """Return at which price a rental is bought that waits for an offer. Return an empty text for others."""
    if rental.wish is None or rental.wish.gpu is not None:
        return ""
    return f"Bought once there is one at {limit_per_hour(rental.envelope.max_rate)} or less."


def _prices(envelope: Envelope, asked: Event, times: Times) -> str:
    """Return the price that was clicked and that of the cheapest other offer, with the time at which both were
    read."""
    facts = asked.facts
    each = f"{price(envelope.price / envelope.count)} per GPU, " if envelope.count > 1 else ""
    read = f"read {times.time(facts.read_at or asked.at)}"
    more = (
        f"; allows {limit_per_hour(envelope.max_rate)} if it sells out"
        if envelope.max_rate > envelope.price
        else ""
    )
    return join(f"{per_hour(envelope.price)} ({each}{read}){more}.", _other_offer(asked))


def _other_offer(asked: Event) -> str:
    other = asked.facts.other
    if other is not None:
        return f"Cheapest other then: {per_hour(other.rate)} from {place(other.vendor, other.vendor_region)}."
    clicked = asked.kind in {EventKind.ASKED, EventKind.CHANGED} and asked.facts.read_at is not None
    return "No other offer then." if clicked else ""


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
        f"{owner(details)}'s {machine(details)}, then up to {say_at_most(envelope.total)} in all.",
        join(
            over_limits_text(over_limits(envelope.price, envelope.total, limits), limits),
            f"{asker} asks for it until {times.date_and_time(extension.ends_at)}, at {per_hour(rate)}; "
            f"{so_far(details.spent)}.",
            note(rental.request.note),
        ),
        _budgets(details),
        join(_others(details, times), without_a_yes(rental, times)),
    ]


def _budgets(details: RentalDetails) -> str:
    """Return what is left of each budget now and after this."""
    return join(*(standing(demand, details.names) for demand in details.demands[:BUDGETS_SHOWN]))


def _others(details: RentalDetails, times: Times) -> str:
    """Return what else the owner runs."""
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


def _answer(details: RentalDetails, asked: Event, times: Times) -> Rendered:
    decided = settled_by(asked, details.events)
    subject = (
        f"{describe(details.rental)} for {person(details.names, details.owner_at(asked))}, {details.rental.id}."
    )
    if decided is None:
        return blocks.message(f"No longer asked: {subject} {current_state(details, times)}", closed=True)
    if decided.kind is EventKind.CHANGED:
        who = person(details.names, decided.actor)
        return blocks.message(
            f"Changed by {who} {times.at_time(decided.at)}: {subject} Nothing is left to decide here."
        )
    words = event_text(decided, details, times)
    return blocks.message(join(words.text if words else "", subject))
