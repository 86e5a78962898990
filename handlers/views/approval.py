"""What approvers are asked, and what became of it. One message for each version of an envelope."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from bot.model.event import Event, EventKind
from bot.model.money import cost
from bot.model.rental import Extension, Rental, Waiting
from bot.model.request import Envelope
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.policy.rules import Rules
from bot.policy.spending import Over, over_at_price, over_limits
from handlers.ids import Action, VersionValue
from handlers.views import blocks
from handlers.views.blocks import Rendered, button
from handlers.views.event_text import said
from handlers.views.format import (
    Times,
    dollars,
    dollars_at_most,
    machines,
    mention,
    mention_group,
    note,
    per_hour,
    person,
    plural,
    price,
    reason,
    sentence,
    span,
    what,
)
from handlers.views.rental_text import machine, outcome, owner, so_far, times

K = EventKind
ANSWERS = frozenset({K.APPROVED, K.DENIED, K.EXPIRED, K.WITHDRAWN, K.CHANGED, K.DESTROYING, K.ENDED})
EXTENSION_ANSWERS = frozenset(
    {K.EXTENSION_APPROVED, K.EXTENSION_DENIED, K.EXTENSION_WITHDRAWN, K.EXTENSION_EXPIRED, K.DESTROYING, K.ENDED}
)
OTHERS_SHOWN = 3


def approval(
    details: RentalDetails,
    *,
    version: int,
    asked: Event | None,
    first: bool,
    rules: Rules,
    now: datetime,
    zone: str | None = None,
) -> Rendered:
    """The question about version `version` while it waits, else its answer.

    `asked` is the event that made the message. `first` mentions the approvers: for the post, not for its edits.
    """
    at = times(rules, now, zone)
    rental = details.rental
    value = VersionValue(rental_id=rental.id, version=version)
    if rental.extension is not None and rental.extension.envelope.version == version:
        lines = _extension(details, rental.extension, at, rules)
        total = rental.extension.envelope.total
    elif rental.waiting is not None and not rental.owner_decides and rental.envelope.version == version:
        lines = _request(details, rental.waiting, asked, at, rules)
        total = rental.envelope.total
    else:
        return _answer(details, version, asked, at)
    if first:
        lines.append(f"Asked: {mentions(rules)}.")
    return blocks.message(
        "\n".join(lines),
        *(blocks.section(line) if n == 0 else blocks.context(line) for n, line in enumerate(lines)),
        blocks.actions(
            button(f"Approve up to {dollars_at_most(total)}", Action.APPROVE, value, style="primary"),
            button("Deny", Action.DENY, value),
        ),
        closed=False,
    )


def mentions(rules: Rules) -> str:
    """Those who approve, pinged: groups and people; the admins where nobody is named."""
    named = [mention_group(group) for group in rules.approvers.groups]
    named += [mention(user) for user in rules.approvers.people]
    return ", ".join(named or [mention(user) for user in rules.admins] or ["nobody is named"])


def over_words(envelope: Envelope, rules: Rules) -> str:
    """`Over the $10.00/h and $100.00 limits.`; empty where it is over none."""
    return limits_words(over_at_price(envelope, rules), rules)


def limits_words(over: tuple[Over, ...], rules: Rules) -> str:
    """Return `Over the $10.00/h and $100.00 limits.`, or an empty text if it is over no limit."""
    return f"Over the {limits(over, rules)}." if over else ""


def limits(over: Collection[Over], rules: Rules, join: str = " and ") -> str:
    """Return `$10.00/h and $100.00 limits`, or with " or " `$10.00/h or $100.00 limit`."""
    amounts = {Over.PER_HOUR: per_hour(rules.auto_approve.per_hour), Over.TOTAL: price(rules.auto_approve.total)}
    names = [amounts[limit] for limit in Over if limit in over]
    return f"{join.join(names)} limit{'s' if len(names) > 1 and join == ' and ' else ''}"


def _for_whom(details: RentalDetails, length: str) -> str:
    words = note(details.rental.request.note)
    return f"{what(details.rental.envelope)}, {length}, for {owner(details)}" + (f": {words}" if words else "")


def _request(details: RentalDetails, waiting: Waiting, asked: Event | None, at: Times, rules: Rules) -> list[str]:
    rental, envelope = details.rental, details.rental.envelope
    each = f"{price(envelope.price / envelope.count)} per GPU, " if envelope.count > 1 else ""
    asked_at = asked.at if asked else rental.created_at
    more = f"; allows {per_hour(envelope.max_rate)} if it sells out" if envelope.max_rate > envelope.price else ""
    money = f"{per_hour(envelope.price)} now ({each}as of {at.at(asked_at)}){more}."
    why = sentence(reason(waiting.why, rental.vendor)) if waiting.why else ""
    return [
        f"Approve up to {dollars_at_most(envelope.total)}? "
        f"{_for_whom(details, span(envelope.lease))} ({rental.id})",
        _join(why, over_words(envelope, rules), money),
        _join(_others(details, at), f"Expires {at.on(waiting.expires_at)}."),
    ]


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _extension(details: RentalDetails, extension: Extension, at: Times, rules: Rules) -> list[str]:
    rental, envelope = details.rental, extension.envelope
    ends_at = rental.running.ends_at
    longer = extension.ends_at - ends_at
    rate = rental.rate if rental.rate is not None else envelope.price
    asks = person(details.names, extension.asked_by)
    return [
        f"Approve {span(longer)} more, about {dollars(cost(rate, longer))}? "
        f"{owner(details)}'s {machine(details)}, then up to {dollars_at_most(envelope.total)} in all.",
        _join(
            limits_words(over_limits(envelope.price, envelope.total, rules), rules),
            f"{asks} asks for it until {at.on(extension.ends_at)}, at {per_hour(rate)}; {so_far(details.spent)}.",
            note(rental.request.note),
        ),
        _join(_others(details, at), f"It ends {at.on(ends_at)} if nobody decides."),
    ]


def _others(details: RentalDetails, at: Times) -> str:
    """What else its owner has running."""
    others = [
        rental
        for rental in details.owners_live
        if rental.id != details.rental.id and rental.state is not State.AWAITING_APPROVAL
    ]
    if not others:
        return f"{owner(details)} runs nothing else."
    shown = [_running(rental, at) for rental in others[:OTHERS_SHOWN]]
    more = f"; {plural(len(others) - OTHERS_SHOWN, 'other')}" if len(others) > OTHERS_SHOWN else ""
    return f"{owner(details)} runs now: {'; '.join(shown)}{more}."


def _running(rental: Rental, at: Times) -> str:
    since = at.at(rental.procuring_since or rental.created_at)
    return f"{machines(rental.request.count, rental.request.gpu)}, since {since}"


def later(event: Event | None, details: RentalDetails) -> list[Event]:
    """The events of a story after one of them, oldest first; all where there is no such event."""
    if event is None or event not in details.events:
        return [] if event is None else [other for other in details.events if other.at > event.at]
    return list(details.events[details.events.index(event) + 1 :])


def _answer(details: RentalDetails, version: int, asked: Event | None, at: Times) -> Rendered:
    extends = asked is not None and asked.kind is EventKind.EXTENSION_ASKED
    kinds = EXTENSION_ANSWERS if extends else ANSWERS
    events = later(asked, details) if asked else list(details.events)
    decided = next((event for event in events if event.kind in kinds and not _asks(event, version)), None)
    about = f"{what(details.rental.request)} for {owner(details)}, {details.rental.id}."
    if decided is None:
        return blocks.message(f"No longer asked: {about} {outcome(details, at)}", closed=True)
    if decided.kind is EventKind.CHANGED:
        who = person(details.names, decided.actor)
        return blocks.message(f"Changed by {who} {at.when(decided.at)}: {about} Nothing is left to decide here.")
    words = said(decided, details, at)
    return blocks.message(_join(words.text if words else "", about))


def _asks(event: Event, version: int) -> bool:
    """Whether it is the change that made this very version."""
    return event.kind is EventKind.CHANGED and event.facts.envelope == version
