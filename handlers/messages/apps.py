"""Answers to the Slack apps that the policy names, in the thread of the app's message.

Everyone in the channel can read these answers. They mention nobody. A mention of an app would be a new message to
this app, and two apps could then answer each other forever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.model.attempt import Why
from bot.model.event import EventKind
from bot.model.facts import EndedFacts
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import say_at_most
from bot.policy.team.rules import Agent
from handlers.messages.program_card import line, what
from handlers.messages.ssh_lines import ssh_command
from handlers.messages.writers import EventContext, cost_of, sentence_case
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.ends import ends_fact
from handlers.phrases.format import Reader, as_written, escape, identifier, join, per_hour
from handlers.phrases.rental_text import in_all, people

LONGEST = 1500
LISTED = 20
"""The maximum number of rentals in a list."""
COMMANDS = (
    "An app can write `get H100 EU for 2h`, `list`, `show k7mq2`, `extend k7mq2 2h` or `destroy k7mq2` after the "
    "mention, on the same line."
)

# --- the story of a rental


def reply(context: EventContext[Any], *, to_outsiders: bool) -> Rendered:
    """Render the reply about an event of a rental that an app asked for.

    Except for the events below, it is the text that the thread of a person's rental gets. Unlike that thread, it
    can be in a channel that outsiders can read.
    """
    match context.event.kind:
        case EventKind.QUEUED:
            return blocks.message(_looks_for(context))
        case EventKind.ASKED_AGAIN if context.rental.state is State.AWAITING_APPROVAL:
            return blocks.message(line(context.details, context.reader))
        case EventKind.READY | EventKind.UNREACHABLE if context.rental.state is State.READY:
            return _ready(context, to_outsiders=to_outsiders)
        case EventKind.ENDED if context.facts.why is Why.NOT_ALLOWED and context.facts.detail:
            return blocks.message(_refused(context))
    return blocks.message(context.text)


def _looks_for(context: EventContext[Any]) -> str:
    wanted = what(context.rental, context.times)
    most = f", up to {say_at_most(context.facts.total)}" if context.facts.total is not None else ""
    return f"{people(context.details)} is looking for {wanted}{most}."


def _ready(context: EventContext[Any], *, to_outsiders: bool) -> Rendered:
    """Render the reply that a machine is ready, or that it runs but can't be reached over SSH.

    It contains the address only if the policy allows it in channels, and outsiders can't read the channel. The app
    can otherwise ask the REST API.
    """
    rental, rules = context.rental, context.reader.rules
    price = f"It costs {per_hour(rental.rate)}, up to {say_at_most(rental.terms.total)}." if rental.rate else ""
    ends = ends_fact(rental, context.times, context.event.at).sentence
    shown = rules.announce.address_in_channel and not to_outsiders
    command = ssh_command(rental.host, rental.port) if shown else None
    return blocks.of_parts(
        blocks.paragraph(join(context.text, price, ends)),
        blocks.preformatted(command) if command else None,
        closed=True,
    )


def _refused(context: EventContext[EndedFacts]) -> str:
    """Return the text about a request that was refused when an offer was found.

    It contains the reason in the words that a program reads in the REST API.
    """
    failed = f"{sentence_case(context.this_request)} failed{context.when_at}."
    cost = cost_of(context.facts)
    paid = (
        f"An earlier attempt cost {in_all(cost)}." if cost is not None and (cost.amount or cost.estimated) else ""
    )
    return join(failed, escape(context.facts.detail or "", LONGEST), paid)


# --- answers to commands


def listing(rentals: Sequence[RentalDetails], token: str, reader: Reader) -> Rendered:
    """Render the current rentals of a token, one line each. `token` is the name of the token and of its owner."""
    if not rentals:
        return blocks.message(f"{as_written(escape(token, 80))} has no machines at the moment.")
    more = len(rentals) - LISTED
    return blocks.of_parts(
        *(blocks.paragraph(line(details, reader)) for details in rentals[:LISTED]),
        blocks.paragraph(f"{more} more aren't shown." if more > 0 else ""),
        closed=True,
    )


def shown(details: RentalDetails, reader: Reader) -> Rendered:
    """Render the state of a rental in one line, as on a program's card."""
    return blocks.message(line(details, reader))


def refused(words: str) -> Rendered:
    """Render the reason why nothing was done. `words` can contain anything, so they are escaped."""
    return blocks.message(escape(words, LONGEST))


def not_understood(words: str) -> Rendered:
    """Render the answer to a command that the bot doesn't understand."""
    return blocks.message(join(escape(words, LONGEST), COMMANDS))


def no_token(agent: Agent, owner: str) -> Rendered:
    """Render the answer to an app whose token doesn't work now. `owner` is the name of the token's owner."""
    name, owner = as_written(escape(agent.token, 80)), escape(owner)
    return blocks.message(
        f"{name}, the token of {owner} that the policy names for this app, doesn't work now. Nothing was done. "
        f"Ask {owner} for a new token with this name, or an admin to name another one in the policy."
    )


def too_many(seconds: int) -> Rendered:
    """Render the last answer before the bot ignores an app for a while."""
    return blocks.message(
        f"That was too many commands for one token. Nothing was done. I'll answer the next one in {seconds} s."
    )


def bug(number: str) -> Rendered:
    return blocks.message(
        f"Something went wrong on my side. Give an admin this number: {identifier(number, 20)}. "
        "`list` shows what is rented."
    )
