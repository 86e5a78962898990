"""What a purchase could not bring onto its machine: keys, and a set-up."""

from __future__ import annotations

from bot.model.event import LeftOut
from handlers.views.event_text.composition import EventContext
from handlers.views.format import escape, join, listed, person, plural, sentence


def left_out_text(context: EventContext) -> str:
    """Return what the boot script of a purchase lacks, and the next step. Return an empty text if it lacks
    nothing."""
    left_out = context.facts.left_out
    if left_out is None:
        return ""
    lacks = _without_script(context, left_out) if left_out.refused else _script_lacks(left_out)
    rental_id, shown_to = context.details.rental.id, person(context.details.names, context.owner_id)
    line = f"When it is ready, /gpu ssh {rental_id} shows {shown_to} the line that adds the missing keys."
    next_step = line if left_out.key_count else ""
    return join(lacks, next_step, _people_without_key(context, left_out))


def _without_script(context: EventContext, left_out: LeftOut) -> str:
    keys = (
        f"only {person(context.details.names, context.owner_id)}'s first key gets in" if left_out.key_count else ""
    )
    setup = f"the set-up {escape(left_out.setup)} doesn't run" if left_out.setup else ""
    unseen = "I can't see inside" if left_out.probe else ""
    lacks = [lack for lack in (keys, setup, unseen) if lack]
    return sentence(", and ".join(filter(None, (", ".join(lacks[:-1]), *lacks[-1:]))))


def _script_lacks(left_out: LeftOut) -> str:
    setup = escape(left_out.setup) if left_out.setup else ""
    keys = plural(left_out.key_count, "key doesn't", "keys don't")
    return join(
        f"The rules no longer have the set-up {setup}, so it doesn't run." if setup else "",
        f"{keys} fit into the start-up script." if left_out.key_count else "",
    )


def _people_without_key(context: EventContext, left_out: LeftOut) -> str:
    names = [person(context.details.names, user) for user in left_out.people]
    if not names:
        return ""
    return f"{listed(names)} {'has' if len(names) == 1 else 'have'} no SSH key and can't get in."
