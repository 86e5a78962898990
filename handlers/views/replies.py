"""Short private answers: what was done, and why something wasn't."""

from __future__ import annotations

import re

from bot.errors import GpubotError, Mistake, NeedsKey, TooLate
from bot.model.person import Key
from bot.model.rental import Rental
from bot.model.state import State
from handlers.ids import Action, RentalValue
from handlers.views import blocks
from handlers.views.blocks import Json, Rendered, button
from handlers.views.error_text import error_text
from handlers.views.format import channel, escape, per_hour, plural, what
from handlers.views.offers import waiting_for_key


def say(text: str, *buttons: Json | None) -> Rendered:
    """A private answer; `text` is mrkdwn that is safe already."""
    return blocks.message(text, blocks.section(text), blocks.actions(*buttons), closed=not any(buttons))


def posted_twice() -> Rendered:
    """What a post shows once another one of the same message is the one that is kept."""
    return say("This was posted twice. Use the other one.")


def error(problem: GpubotError) -> Rendered:
    """Return why it wasn't done, and what can be done instead."""
    if isinstance(problem, NeedsKey):
        return waiting_for_key()
    text = error_text(problem)
    if isinstance(problem, Mistake) and problem.nearest and "/gpu get" in problem.words:
        return say(text, button("Choose from a list", Action.CHOOSE_FROM_LIST))
    return say(text, _show(problem.rental_id) if isinstance(problem, TooLate) else None)


def _show(rental_id: str | None) -> Json | None:
    if rental_id is None or not re.fullmatch(r"[a-z0-9]{2,16}", rental_id):
        return None
    return button(f"Show {rental_id}", Action.SHOW_RENTAL, RentalValue(rental_id=rental_id))


def bug(number: str, *, rented: bool | None = None) -> Rendered:
    """Something broke. `rented` is False only where the store knows that nothing was."""
    known = "; nothing was rented." if rented is False else ". /gpu list shows what is rented."
    return say(f"Something broke on my side{known} Tell an admin the number {escape(number, 20)}.")


def store_busy() -> Rendered:
    """The database did not take it."""
    return say("I couldn't write that down, so nothing was done. Try again in a moment.")


def key_shown(known: Key | None) -> Rendered:
    """Answer to `/gpu key`."""
    if known is None:
        return waiting_for_key()
    name = f'"{escape(known.comment, 100)}"' if known.comment.strip() else "without a comment"
    text = f"Your key: {name}, {escape(known.fingerprint, 80)}. What you rent from now on opens with it."
    return say(text, button("Change", Action.ADD_KEY))


def key_saved(known: Key, searches: int) -> Rendered:
    """A key was set; `searches` go on now."""
    name = f' "{escape(known.comment, 100)}"' if known.comment.strip() else ""
    then = f" Going on with {plural(searches, 'search', 'searches')}." if searches else ""
    return say(f"Your key{name} is set: {escape(known.fingerprint, 80)}.{then}")


def chosen(rental: Rental) -> Rendered:
    """What a click on an offer made; it takes the place of the offers."""
    where = f"Follow it in {channel(rental.card_channel)}."
    name = f"{what(rental.request)}, {rental.id}"
    if rental.state is State.AWAITING_APPROVAL:
        text = f"Asked for approval: {name}, up to {per_hour(rental.envelope.max_rate)}. {where}"
    else:
        text = f"Renting: {name}, from {per_hour(rental.envelope.price)}. {where}"
    return say(text)


def paused(changed: bool) -> Rendered:
    """Answer to `/gpu pause`."""
    return say(
        f"Buying {'is' if changed else 'was already'} paused. Destroying goes on. /gpu resume starts it again."
    )


def resumed(changed: bool) -> Rendered:
    """Answer to `/gpu resume`."""
    return say("Buying goes on again." if changed else "Buying wasn't paused.")
