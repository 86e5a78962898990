"""Taking public SSH keys from GitHub: with `/gpu key github NAME`, its buttons, and the dialogs."""

from __future__ import annotations

from collections.abc import Collection

from bot.errors import Refused
from bot.lifecycle.actions import github_keys
from bot.policy.access.github_keys import GithubKeys
from handlers.actions import keys
from handlers.ids import NO_VALUE, Field, GithubKeysValue, GithubNameValue, NoValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import FieldErrors, OpenModal, Outcome, Reply, UserInteraction
from handlers.views.answers import github_keys as views
from handlers.views.answers.keys import saved_text


async def open_form(context: Context, interaction: UserInteraction, _: NoValue = NO_VALUE) -> Outcome:
    """Open the dialog that asks for the name. Raise Refused if this person may not take keys from GitHub."""
    github_keys.check_may_take(context.deps, interaction.person)
    return OpenModal(modal=views.name_form())


async def look(context: Context, interaction: UserInteraction, name: str) -> Outcome:
    """Show the keys of a GitHub user, with buttons to take them."""
    found = await _look(context, interaction, name)
    return Reply(content=views.choice(found), replaces_original=True)


async def _look(context: Context, interaction: UserInteraction, name: str) -> GithubKeys:
    _check_pace(context, interaction)
    return await github_keys.look(context.deps, context.key_source, interaction.person, name)


def _check_pace(context: Context, interaction: UserInteraction) -> None:
    """Raise Refused if this person had keys looked up at GitHub as often as `Context.github` allows. Otherwise one
    person could make GitHub refuse everybody's look-ups."""
    seconds = context.github.wait(interaction.person.id, context.deps.clock.monotonic())
    if seconds:
        raise Refused(f"Six look-ups at GitHub a minute are my limit. I did nothing. Try again in {seconds} s.")


async def open_choice(context: Context, interaction: UserInteraction, value: GithubNameValue) -> Outcome:
    """Open the dialog to choose from the keys that a GitHub user has now. If there are none left to choose, show
    the user's keys again."""
    found = await _look(context, interaction, value.name)
    if not found.new or not found.room:
        return Reply(content=views.choice(found), replaces_original=True)
    return OpenModal(modal=views.choose(found))


async def take_shown(context: Context, interaction: UserInteraction, value: GithubKeysValue) -> Outcome:
    """Save the keys that the clicked message showed."""
    return await _take(context, interaction, value.name, value.fingerprints)


async def take_chosen(context: Context, interaction: UserInteraction, value: GithubKeysValue) -> Outcome:
    """Save the keys that were chosen among the keys that the dialog showed."""
    checked = {word for field in views.GROUPS for word in interaction.inputs.get(field, "").split()}
    chosen = [fingerprint for fingerprint in value.fingerprints if fingerprint in checked]
    if not chosen:
        return FieldErrors(errors={Field.KEYS: "Choose at least one key."})
    return await _take(context, interaction, value.name, chosen)


async def _take(
    context: Context, interaction: UserInteraction, name: str, fingerprints: Collection[str]
) -> Outcome:
    _check_pace(context, interaction)
    taken = await github_keys.take(
        context.deps,
        context.key_source,
        interaction.person,
        name,
        fingerprints,
        reply_to=interaction.reply_to,
    )
    words = saved_text(taken.saved.added, taken.saved.known)
    return await keys.reply_to_new_keys(context, interaction, taken.saved, views.taken_text(words, taken.gone))
