"""Private answers to what was asked by command, where no message before the person changes by itself."""

from __future__ import annotations

from datetime import timedelta

from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.rules import Rules
from handlers.views import blocks
from handlers.views.blocks import Rendered
from handlers.views.direct_message import extend_button
from handlers.views.event_text import asks_again
from handlers.views.format import STATES, Times, channel, span, what


def extended(rental: Rental, at: Times) -> Rendered:
    """A later end, or the wish for one."""
    ends = f"It ends {at.at(rental.running.ends_at)}"
    if rental.extension is not None:
        asked = f"Asked for approval: {rental.id} until {at.at(rental.extension.ends_at)}."
        return blocks.message(f"{asked} {ends} if nobody decides.")
    return blocks.message(f"{rental.id} is extended. {ends}.")


def asked_again(rental: Rental, longer: timedelta, at: Times, rules: Rules) -> Rendered:
    """The same command for more time as just before: its end, and a button for who means still more."""
    ends = f": {rental.id} ends {at.at(rental.lease.ends_at)}" if rental.lease else ""
    text = f"You asked for {span(longer)} more just now{ends}. I added nothing more."
    more = extend_button(rental, rules, longer, again=True)
    return blocks.message(text, blocks.section(text), blocks.actions(more), closed=more is None)


def kept(rental: Rental, at: Times, rules: Rules) -> Rendered:
    """When it is asked about again, and that its end stands."""
    lease = rental.running
    text = f"{rental.id} is still needed. {asks_again(lease.question.at, lease.ends_at, at)}"
    more = extend_button(rental, rules)
    return blocks.message(text, blocks.section(text), blocks.actions(more), closed=more is None)


def ending(rental: Rental) -> Rendered:
    """What a destroy, a cancel or a withdrawal came to so far."""
    named = f"{STATES[rental.state]}: {what(rental.request)}, {rental.id}."
    if rental.state is not State.DESTROYING:
        return blocks.message(named)
    return blocks.message(f"{named} I say so in {channel(rental.card_channel)} once the vendor confirms it.")


def newer(words: str, current: Rendered) -> Rendered:
    """A click on an old version: what it was, and the request as it is now."""
    return blocks.message(
        f"{words}\n{current.text}", blocks.section(words), *current.blocks, closed=current.closed
    )


def only_commands() -> Rendered:
    """To who writes to the bot."""
    return blocks.message("I read commands, also here. Try: /gpu get H100 EU, or /gpu help")
