"""Public SSH keys: with `/gpu key`, its buttons, and the dialog."""

from __future__ import annotations

from collections.abc import Sequence

from bot.lifecycle.actions import keys
from bot.lifecycle.actions.renting import NotRented, Rented, RentPlan, SearchedAgain
from bot.model.person import Key
from bot.policy.team.roles import check_user
from handlers.ids import KeyValue, NoValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction
from handlers.phrases.blocks import Rendered
from handlers.phrases.error_text import error_text
from handlers.views.answers import keys as views
from handlers.views.answers import modals, offers, replies


async def show(context: Context, interaction: UserInteraction) -> Outcome:
    """Reply with the person's own keys."""
    return Reply(content=_listing(context, await keys.own_keys(context.deps, interaction.person)))


async def show_unchanged(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    """Replace the clicked message by the person's own keys: nothing was saved."""
    own = await keys.own_keys(context.deps, interaction.person)
    return Reply(content=_listing(context, own, "I saved nothing."), replaces_original=True)


def _listing(context: Context, own: Sequence[Key], first_line: str = "") -> Rendered:
    return views.listing(own, first_line, github=context.deps.rules.keys.github)


async def open_form(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    """Open the dialog that asks for a key."""
    check_user(interaction.person, context.deps.rules)
    return OpenModal(modal=modals.key())


async def save(context: Context, interaction: UserInteraction, line: str) -> Outcome:
    """Store a key, and rent the offer that waited for it. Raise PrivateKey or Mistake if it isn't stored."""
    saved = await keys.add_key(context.deps, interaction.person, line, reply_to=interaction.reply_to)
    return await reply_to_new_keys(context, interaction, saved, views.saved_text(saved.added, saved.known))


async def remove(context: Context, interaction: UserInteraction, value: KeyValue) -> Outcome:
    """Remove a key and show the keys that are left."""
    removed = await keys.remove_key(context.deps, interaction.person, value.fingerprint)
    content = _listing(context, removed.keys, views.removed_text(removed.key))
    return Reply(content=content, replaces_original=True)


async def make_first(context: Context, interaction: UserInteraction, value: KeyValue) -> Outcome:
    """Make a key the first, and show all keys."""
    moved = await keys.make_first(context.deps, interaction.person, value.fingerprint)
    content = _listing(context, moved.keys, views.made_first_text(moved.key))
    return Reply(content=content, replaces_original=True)


async def reply_to_new_keys(
    context: Context, interaction: UserInteraction, saved: keys.KeysSaved, words: str
) -> Outcome:
    """Return the reply to new keys: `words`, and what became of the offer that waited for a key."""
    match saved.clicked:
        case RentPlan(quote=quote, choice=choice, another=another):
            content = offers.to_confirm(quote, choice, first_line=words, another=another)
            reply, reader = Reply(content=content, replaces_original=True), context.reader(interaction.person)
            modal = modals.rent_confirm(quote, choice, reader, another=another, first_line=words)
            return OpenModal(modal=modal, reply=reply)
        case NotRented(problem=problem):
            content = replies.reply(f"{words} {error_text(problem)}")
        case SearchedAgain():
            content = replies.reply(f"{words} Those prices no longer stand, so I'm looking again.")
        case Rented(rental=rental, asked=asked, without_key=without_key):
            content = replies.rented(rental, asked=asked, first_line=words, without_key=without_key)
        case None:
            content = replies.reply(words)
    return Reply(content=content, replaces_original=True)
