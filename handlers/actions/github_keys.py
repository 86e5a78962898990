"""Public SSH keys from GitHub: `/gpu key github NAME`, its buttons and its dialogs."""

from __future__ import annotations

from bot.errors import Refused
from bot.lifecycle.actions.keys import check_may_take, look_at_github, take_from_github
from bot.model.base import changed
from bot.model.text import plural
from bot.policy.access.github_keys import MOST_SHOWN, GithubKeys, comment_of
from handlers.actions import keys
from handlers.actions.calling import on
from handlers.ids import NO_VALUE, Action, Callback, Field, GithubKeysValue, GithubNameValue, NoValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction
from handlers.messages.keys import key_text
from handlers.phrases import blocks
from handlers.phrases.blocks import CHECKBOXES, Json, Modal, Rendered, button, option
from handlers.phrases.format import escape, join
from handlers.typed.commands import read_github_name
from handlers.typed.form import InvalidForm


async def open_form(context: Context, interaction: UserInteraction, _: NoValue = NO_VALUE) -> Outcome:
    """Open the dialog that asks for a GitHub user name.

    Raises Refused if the person isn't allowed to add keys from GitHub.
    """
    check_may_take(context.deps, interaction.person)
    return OpenModal(modal=name_form())


async def look(context: Context, interaction: UserInteraction, name: str) -> Outcome:
    """Show the SSH keys of a GitHub user, with buttons to save them."""
    found = await _look(context, interaction, name)
    return Reply(content=choice(found), replaces_original=True)


async def _look(context: Context, interaction: UserInteraction, name: str) -> GithubKeys:
    _check_pace(context, interaction)
    return await look_at_github(context.deps, context.key_source, interaction.person, name)


def _check_pace(context: Context, interaction: UserInteraction) -> None:
    """Refuse a lookup if the person looks up keys more often than `Context.github` allows.

    Without this limit, one person could use up GitHub's rate limit, and GitHub would refuse everybody's lookups.
    Raises Refused.
    """
    seconds = context.github.wait(interaction.person.id, context.deps.clock.monotonic())
    if seconds:
        raise Refused(f"Six GitHub lookups a minute is the limit. You can look again in {seconds} s.")


async def open_choice(context: Context, interaction: UserInteraction, value: GithubNameValue) -> Outcome:
    """Open the dialog for choosing among the SSH keys that a GitHub user currently has.

    If the person has already saved all of these keys, the GitHub user's keys are only listed. They are also only
    listed if the person isn't allowed to add any more keys.
    """
    found = await _look(context, interaction, value.name)
    if not found.new or not found.room:
        return Reply(content=choice(found), replaces_original=True)
    return OpenModal(modal=choose(found))


async def take(context: Context, interaction: UserInteraction, value: GithubKeysValue) -> Outcome:
    """Save the SSH keys whose fingerprints are in the value of the button or dialog."""
    _check_pace(context, interaction)
    saved = await take_from_github(
        context.deps, context.key_source, interaction.person, **dict(value), reply_to=interaction.reply_to
    )
    return keys.reply_to_new_keys(context, interaction, saved)


async def take_chosen(context: Context, interaction: UserInteraction, value: GithubKeysValue) -> Outcome:
    """Save the SSH keys that the person has selected in the dialog."""
    checked = {word for field in GROUPS for word in interaction.inputs.get(field, "").split()}
    chosen = tuple(fingerprint for fingerprint in value.fingerprints if fingerprint in checked)
    if not chosen:
        raise InvalidForm({Field.KEYS: "Choose at least one key."})
    return await take(context, interaction, changed(value, fingerprints=chosen))


GROUPS = (Field.KEYS, Field.MORE_KEYS)
"""The groups of checkboxes in the dialog for choosing SSH keys.

There are several groups, because Slack allows only ten checkboxes in a group.
"""


def name_form() -> Modal:
    return blocks.modal(
        Callback.GITHUB_NAME,
        "Keys from GitHub",
        blocks.section("I'll show you the keys first, and save only those that you choose."),
        blocks.text_input(Field.GITHUB_NAME, "Your GitHub username", hint="Such as: ana-dev", longest=100),
        submit="Show the keys",
        value=NO_VALUE,
    )


def choice(found: GithubKeys) -> Rendered:
    """Return the list of a GitHub user's keys, with buttons to save all of them or to choose."""
    heading = f"{escape(comment_of(found.name))} has {plural(len(found.shown), 'key')}:"
    lines = [
        key_text(key, named=False) + (", already saved" if found.new and key.fingerprint in found.known else "")
        for key in found.shown
    ]
    left_out = _left_out(found)
    return blocks.message(
        "\n".join(filter(None, (heading, *lines, left_out, _still_allowed(found)))),
        blocks.section("\n".join((heading, *lines))),
        blocks.context(join(left_out, _still_allowed(found))),
        blocks.actions(*_buttons(found), button("Cancel", Action.CANCEL_KEYS, NO_VALUE)),
        closed=False,
    )


def _left_out(found: GithubKeys) -> str:
    unusable = plural(found.not_accepted, "line at GitHub isn't a key", "lines at GitHub aren't keys")
    more = plural(found.not_shown, "more key isn't", "more keys aren't")
    return join(
        f"{unusable} that I accept." if found.not_accepted else "",
        f"{more} shown. You can add those with /gpu key" if found.not_shown else "",
    )


def _still_allowed(found: GithubKeys) -> str:
    """Return a sentence about the number of keys that the person can still add.

    Empty if the rules allow the person to add all keys that aren't saved yet.
    """
    if not found.new:
        return f"You've already saved {'this key' if len(found.shown) == 1 else 'all of these keys'}."
    if not found.room:
        return "You have as many keys as your team's rules allow. Remove a key first: /gpu key"
    return f"Your team's rules allow you {plural(found.room, 'more key')}." if found.room < len(found.new) else ""


def _buttons(found: GithubKeys) -> list[Json]:
    if not found.new or not found.room:
        return []
    choose = button("Choose", Action.CHOOSE_GITHUB_KEYS, GithubNameValue(name=found.name))
    if len(found.new) > found.room:
        return [choose]
    use = button(_use_label(found), Action.USE_GITHUB_KEYS, _value(found), style="primary")
    return [use] if len(found.new) == 1 else [use, choose]


def _use_label(found: GithubKeys) -> str:
    count = len(found.new)
    if count < len(found.shown):
        return "Use the new one" if count == 1 else f"Use the {count} new ones"
    return {1: "Use this key", 2: "Use both"}.get(count, f"Use all {count}")


def _value(found: GithubKeys) -> GithubKeysValue:
    return GithubKeysValue(name=found.name, fingerprints=tuple(key.fingerprint for key in found.new))


def choose(found: GithubKeys) -> Modal:
    """Return the dialog for choosing among the keys that the person hasn't saved yet.

    There must be at least one such key. If the rules allow the person to add all of these keys, all are
    preselected. Otherwise, no key is preselected.
    """
    value = _value(found)
    groups = [value.fingerprints[n : n + CHECKBOXES] for n in range(0, MOST_SHOWN, CHECKBOXES)]
    labels = {key.fingerprint: key_text(key, named=False) for key in found.new}
    choices = [[option(labels[fingerprint], fingerprint) for fingerprint in group] for group in groups]
    return blocks.modal(
        Callback.CHOOSE_KEYS,
        "Choose keys",
        blocks.section(join(f"These are the keys of {escape(comment_of(found.name))}.", _still_allowed(found))),
        *(
            blocks.checkboxes(
                field,
                "Keys" if n == 0 else "More keys",
                options,
                chosen=options if len(found.new) <= found.room else [],
                required=False,
            )
            for n, (field, options) in enumerate(zip(GROUPS, choices, strict=True))
            if options
        ),
        submit="Save",
        value=value,
    )


async def look_for_typed(context: Context, interaction: UserInteraction, _: NoValue) -> Outcome:
    """Show the SSH keys of the GitHub user whose name was typed in the dialog."""
    name = read_github_name(interaction.inputs.get(Field.GITHUB_NAME, ""))
    return await look(context, interaction, name)


ON = (
    on(Action.FROM_GITHUB, open_form),
    on(Action.USE_GITHUB_KEYS, take),
    on(Action.CHOOSE_GITHUB_KEYS, open_choice),
    on(Callback.GITHUB_NAME, look_for_typed),
    on(Callback.CHOOSE_KEYS, take_chosen),
)
