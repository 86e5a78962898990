"""Public SSH keys: `/gpu key`, its buttons and its dialog."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bot.lifecycle.actions import keys
from bot.lifecycle.actions.renting import NotRented, Rented, RentPlan, SearchedAgain
from bot.model.person import Key
from bot.model.text import listed
from bot.policy.team.roles import check_user
from handlers.actions.calling import does, on, shows
from handlers.actions.offers import rent_dialog
from handlers.ids import NO_VALUE, Action, Callback, Field, NoValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction
from handlers.messages import keys as views
from handlers.messages import offers, replies
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered
from handlers.phrases.error_text import error_text
from handlers.phrases.format import Reader, identifier, join


def _listing(own: Sequence[Key], reader: Reader, first_line: str = "") -> Rendered:
    return views.listing(own, first_line, github=reader.rules.keys.github)


show = shows(keys.own_keys, _listing)
show_unchanged = shows(keys.own_keys, partial(_listing, first_line="Nothing was saved."), replaces_original=True)


async def open_form(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    check_user(interaction.person, context.deps.rules)
    return OpenModal(modal=key_dialog())


async def save(context: Context, interaction: UserInteraction, line: str) -> Outcome:
    """Save a public SSH key.

    If the person had clicked an offer before they had a key, this also rents that offer. Raises PrivateKey or
    Mistake if the key isn't saved.
    """
    saved = await keys.add_key(context.deps, interaction.person, line, reply_to=interaction.reply_to)
    return reply_to_new_keys(context, interaction, saved)


remove = does(
    keys.RemoveKey,
    lambda done, reader: _listing(done.keys, reader, views.removed_text(done.key)),
    replaces_original=True,
)
make_default = does(
    keys.MakeKeyFirst,
    lambda done, reader: _listing(done.keys, reader, views.made_first_text(done.key)),
    replaces_original=True,
)


def reply_to_new_keys(context: Context, interaction: UserInteraction, saved: keys.KeysSaved) -> Outcome:
    """Return the reply after keys were saved.

    The reply lists these keys. If the person had clicked an offer before they had a key, the reply also says
    whether that offer has been rented now.
    """
    text = join(
        views.saved_text(saved.added, saved.known),
        f"Not saved: {listed(list(map(identifier, saved.gone)))}, which GitHub no longer has."
        if saved.gone
        else "",
    )
    match saved.clicked:
        case RentPlan(quote=quote, choice=choice, another=another):
            content = offers.to_confirm(quote, choice, first_line=text, another=another)
            reply, reader = Reply(content=content, replaces_original=True), context.reader(interaction.person)
            modal = rent_dialog(quote, choice, reader, another=another, first_line=text)
            return OpenModal(modal=modal, reply=reply)
        case NotRented(problem=problem):
            content = replies.reply(f"{text} {error_text(problem)}")
        case SearchedAgain():
            content = replies.reply(f"{text} The prices that you saw are no longer valid, so I'm searching again.")
        case Rented(rental=rental, asked=asked, without_key=without_key):
            content = replies.rented(rental, asked=asked, first_line=text, without_key=without_key)
        case None:
            content = replies.reply(text)
    return Reply(content=content, replaces_original=True)


def key_dialog() -> Modal:
    return blocks.modal(
        Callback.KEY,
        "Your SSH key",
        blocks.section(
            "Paste the public key with which you'll log in to your machines. Never paste the private one."
        ),
        blocks.text_input(
            Field.KEY_LINE,
            "Public key",
            hint="One line from a .pub file, such as: ssh-ed25519 AAAA... you@laptop",
            longest=3000,
        ),
        submit="Save",
        value=NO_VALUE,
    )


async def save_typed(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    return await save(context, interaction, interaction.inputs.get(Field.KEY_LINE, ""))


ON = (
    on(Action.ADD_KEY, open_form),
    on(Action.REMOVE_KEY, remove),
    on(Action.MAKE_KEY_FIRST, make_default),
    on(Action.CANCEL_KEYS, show_unchanged),
    on(Callback.KEY, save_typed),
)
