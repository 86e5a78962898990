"""While the machine runs."""

from __future__ import annotations

from collections.abc import Callable

from bot.model.attempt import Why
from bot.model.event import EventKind
from bot.model.text import span
from bot.policy.use.giving import TAKE_WITHIN
from handlers.messages.composition import (
    EventContext,
    EventText,
    fewer_hours_text,
    over_budget,
    sentence_case,
)
from handlers.phrases.asked_text import asked_by_event
from handlers.phrases.format import escape, identifier, join, person, with_full_stop
from handlers.phrases.machine_text import sold_but_seen
from handlers.phrases.on_ending_text import SCRIPT, failed_with
from handlers.phrases.use_text import verdict_then


def _host_key_changed(context: EventContext) -> EventText:
    before, now = (
        identifier(key) if key else "unknown" for key in (context.facts.before_host_key, context.facts.host_key)
    )
    return EventText(
        "Its SSH host key changed",
        f"It was {before}, now it is {now}. If you didn't change it, don't log in: another machine may answer "
        "there. I don't log in either, so I can't see inside.",
    )


def _use_changed(context: EventContext) -> EventText:
    use = context.facts.use
    return EventText(verdict_then(use, context.times) if use is not None else "Its use changed")


def _ending(context: EventContext) -> EventText:
    end = f" {context.times.time(context.facts.until)}" if context.facts.until else ""
    owner = person(context.details.names, context.details.rental.owner)
    return EventText(f"{owner} was told that it ends{end}")


def _script_first(context: EventContext) -> EventText:
    ends = f"it ends {_end_text(context)} at the latest."
    return EventText(f"{context.actor} destroys it after its {SCRIPT}", ends, colon=True)


def _script_failed(context: EventContext) -> EventText:
    return EventText(f"{SCRIPT} {failed_with(context.facts.exit_status)}")


def _put_back(context: EventContext) -> EventText:
    return EventText("My database was put back", f"It ends {_end_text(context)} again.")


def _end_moved(context: EventContext) -> EventText:
    return EventText("In use at its end", f"it goes on until {_end_text(context)}.", colon=True)


def _not_as_sold(context: EventContext) -> EventText:
    return EventText(sentence_case(sold_but_seen(context.facts)))


def _probe_installed(context: EventContext) -> EventText:
    return EventText(f"{context.actor} says that the probe is installed")


def _kept_as_it_is(context: EventContext) -> EventText:
    return EventText(f"{context.actor} keeps it as it is")


def _end_text(context: EventContext) -> str:
    return context.times.time(context.facts.until) if context.facts.until else "as before"


def _extended(context: EventContext) -> EventText:
    by = f" by {span(context.facts.span)}" if context.facts.span else ""
    return EventText(f"{context.actor} extended it{by}", f"it ends {_end_text(context)}.", colon=True)


def _extension_asked(context: EventContext) -> EventText:
    until = f", until {_end_text(context)}" if context.facts.until else ""
    more = f"{span(context.facts.span)} more" if context.facts.span else "more time"
    asked = asked_by_event(context.facts, context.details) or "An approver decides."
    return EventText(f"{context.actor} asks for {more}{until}", join(asked, _stands(context)))


def _stands(context: EventContext) -> str:
    """Return which end stands until more time is approved. If the machine has two ends, add that the end can still
    move."""
    before, lease = context.facts.since, context.details.rental.lease
    if before is None or lease is None:
        return ""
    if lease.latest_end is not None and lease.latest_end > before:
        latest = context.times.time(lease.latest_end)
        return f"Until then it ends {context.times.time(before)}, or by {latest} while it works."
    return f"Its end, {context.times.time(before)}, stands until then."


def _extension_approved(context: EventContext) -> EventText:
    own = " (own request)" if context.facts.self_approved else ""
    over = over_budget(context)
    fewer = fewer_hours_text(context.facts)
    ends = f"{f'{fewer}; ' if fewer else ''}it ends {_end_text(context)}."
    return EventText(f"More time approved by {context.actor}{own}{over}", ends, colon=True)


def _extension_over(words: str) -> Callable[[EventContext], EventText]:
    """Return the writer for a request for more time that was denied or expired."""

    def write(context: EventContext) -> EventText:
        by = f" by {context.actor}" if context.event.actor else ""
        why, ends = context.said, f"it ends {_end_text(context)}."
        return EventText(f"{words}{by}", f"{why}. {sentence_case(ends)}" if why else ends, colon=True)

    return write


def _extension_withdrawn(context: EventContext) -> EventText:
    if context.event.actor is None:
        who = person(context.details.names, next(iter(context.facts.people or ()), context.owner_id))
        lead = f"{who} left the workspace, so nobody asks for more time"
        return EventText(lead, f"it ends {_end_text(context)}.", colon=True)
    return EventText(f"{context.actor} no longer asks for more time", f"it ends {_end_text(context)}.", colon=True)


def _adopted(context: EventContext) -> EventText:
    facts = context.facts
    new_owner = next(iter(facts.people or ()), None)
    owner = person(context.details.names, new_owner)
    named = f", named {escape(facts.name)}" if facts.name else ""
    ran = f"It ran on the account{named}, and I didn't know it."
    if facts.why is Why.BOUGHT_AFTER_BACKUP:
        ran = f"It ran on the account{named}: my database is from an older backup."
        return EventText(f"{context.actor} put it back for {owner}", f"{ran} It ends {_end_text(context)}.")
    if new_owner == context.event.actor:
        return EventText(f"{context.actor} took it over", f"{ran}{_ends_unless_destroyed(context)}")
    return EventText(f"{context.actor} made {owner} its owner", f"{ran} It ends {_end_text(context)}.")


def _ends_unless_destroyed(context: EventContext) -> str:
    """Return when the machine ends. Return an empty text if it was taken over only to be destroyed."""
    at_once = {EventKind.DESTROYING, EventKind.ENDED}
    if any(event.kind in at_once and event.at == context.event.at for event in context.details.events):
        return ""
    return f" It ends {_end_text(context)}."


def _owner_changed(context: EventContext) -> EventText:
    people = [person(context.details.names, one) for one in context.facts.people or ()]
    before, after = (people[0], people[1]) if len(people) > 1 else ("somebody else", "somebody")
    if context.event.actor == next(iter((context.facts.people or ())[1:]), None):
        return EventText(f"{after} took it over", f"{before} gave it.", colon=True)
    return EventText(f"{context.actor} made {after} its owner", f"it was {before}'s.", colon=True)


def _asked_for(context: EventContext) -> EventText:
    return EventText(f"{context.actor} asked {context.owner} for it")


def _given(context: EventContext) -> EventText:
    to = person(context.details.names, next(iter(context.facts.people or ()), None))
    until = context.times.time(context.event.at + TAKE_WITHIN)
    return EventText(f"{context.actor} gives it to {to}", f"{to} can take it until {until}.", colon=True)


def _owner_left(context: EventContext) -> EventText:
    people = [person(context.details.names, one) for one in context.facts.people or ()]
    return EventText(
        f"{people[0] if people else 'Its owner'} left the workspace", "Admins decide what becomes of it."
    )


def _owner_left_later(context: EventContext) -> EventText:
    return EventText(f"{context.actor} decides later whose it becomes")


# --- another rental in the place of one


def _not_working(context: EventContext) -> EventText:
    said = with_full_stop(escape(context.facts.detail, 200)) if context.facts.detail else ""
    return EventText(f"{context.actor} says that it doesn't work", said, colon=bool(said))


def _replaced(context: EventContext) -> EventText:
    name = escape(context.facts.name or "another one", 20)
    if context.facts.why is not None:
        return EventText(f"The new one is {name}")
    return EventText(f"The new one will be {name}", "This one runs until that is bought.")


def _not_replaced(context: EventContext) -> EventText:
    name = f", {escape(context.facts.name, 20)}," if context.facts.name else ""
    return EventText("Not replaced", f"the other one{name} got no machine, so this one stays.", colon=True)


TEXTS: dict[EventKind, Callable[[EventContext], EventText]] = {
    EventKind.ADOPTED: _adopted,
    EventKind.OWNER_CHANGED: _owner_changed,
    EventKind.ASKED_FOR: _asked_for,
    EventKind.GIVEN: _given,
    EventKind.OWNER_LEFT: _owner_left,
    EventKind.OWNER_LEFT_LATER: _owner_left_later,
    EventKind.HOST_KEY_CHANGED: _host_key_changed,
    EventKind.USE_CHANGED: _use_changed,
    EventKind.ENDING: _ending,
    EventKind.ENDS_AGAIN: _put_back,
    EventKind.END_MOVED: _end_moved,
    EventKind.SCRIPT_FIRST: _script_first,
    EventKind.SCRIPT_FAILED: _script_failed,
    EventKind.PROBE_INSTALLED: _probe_installed,
    EventKind.NOT_AS_SOLD: _not_as_sold,
    EventKind.KEPT_AS_IT_IS: _kept_as_it_is,
    EventKind.EXTENDED: _extended,
    EventKind.EXTENSION_ASKED: _extension_asked,
    EventKind.EXTENSION_APPROVED: _extension_approved,
    EventKind.EXTENDED_BY_OPERATOR: _extension_approved,
    EventKind.EXTENSION_DENIED: _extension_over("More time denied"),
    EventKind.EXTENSION_WITHDRAWN: _extension_withdrawn,
    EventKind.EXTENSION_EXPIRED: _extension_over("Nobody decided on more time"),
    EventKind.NOT_WORKING: _not_working,
    EventKind.REPLACED: _replaced,
    EventKind.NOT_REPLACED: _not_replaced,
}
