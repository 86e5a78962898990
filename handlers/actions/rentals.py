"""A rental and its lease: what commands, buttons and dialogs have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.errors import DuplicateExtension
from bot.lifecycle.actions import ending, leasing, previews, queries
from bot.lifecycle.deps import Deps
from bot.model.person import Person
from handlers.ids import ExtendValue, Field, HoursValue, RentalValue, SpanValue, UntilValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import (
    OpenModal,
    Outcome,
    Reply,
    UserInteraction,
    reply_unless_shown,
)
from handlers.phrases.ends import read_as_utc
from handlers.views.answers import choices, lists, modals, probe, replies, ssh_lines


async def show(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Reply with a rental and its history."""
    details = await queries.show(context.deps, interaction.person, value.rental_id)
    return Reply(content=lists.show(details, context.reader(interaction.person)))


async def ssh(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Reply with how to open a rental's machine."""
    details = await queries.ssh_details(context.deps, interaction.person, value.rental_id)
    reader = context.reader(interaction.person)
    return Reply(content=ssh_lines.ssh(details, reader, probe_line=context.deps.probe_line))


async def open_extend_form(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Open the dialog that asks how much longer the lease should be."""
    details = await previews.rental_to_extend(context.deps, interaction.person, value.rental_id)
    return OpenModal(modal=modals.extend(details, context.reader(interaction.person)))


async def extend(context: Context, interaction: UserInteraction, value: ExtendValue | UntilValue) -> Outcome:
    """Make a lease longer, by a length or until a new end, or ask for approval. If it can add much, open the
    dialog that confirms it first. If the same command was given just now, only ask whether more time is meant."""
    deps, rental_id = context.deps, value.rental_id
    try:
        preview = await leasing.extension_to_confirm(
            deps, interaction.person, rental_id, value.by, shown_end=value.shown_end
        )
        if preview is None:
            return await extend_confirmed(context, interaction, value)
    except DuplicateExtension:
        if isinstance(value, UntilValue):
            raise  # an end is no length that could be meant twice
        details = await queries.show(deps, interaction.person, rental_id)
        reader = context.reader(interaction.person)
        return Reply(content=replies.extended_just_now(details.rental, value.by, reader))
    details, longer = preview
    if isinstance(value, ExtendValue):
        value = ExtendValue.of(rental_id, value.by, details.rental.running_lease.ends_at)
        again = choices.extend_by_button(details.rental, value.by)
    else:
        again = choices.extend_until_button(details.rental, value.by)
    modal = modals.extend_confirm(details, longer, value, context.reader(interaction.person))
    words = replies.extend_to_confirm(details, longer.span, again)
    reply = Reply(content=words) if interaction.kind.typed else None
    return OpenModal(modal=modal, reply=reply)


async def extend_confirmed(
    context: Context, interaction: UserInteraction, value: ExtendValue | UntilValue
) -> Outcome:
    """Make a lease longer, or ask for approval."""
    done = await leasing.extend(
        context.deps, interaction.person, value.rental_id, value.by, shown_end=value.shown_end
    )
    utc = read_as_utc(interaction.person.tz) if isinstance(value, UntilValue) else ""
    return reply_unless_shown(interaction, replies.extended(done, context.reader(interaction.person).times, utc))


async def keep(context: Context, interaction: UserInteraction, value: HoursValue | SpanValue) -> Outcome:
    """Note that a machine is still needed: nobody is asked about the machine again for that span."""
    kept = await leasing.keep(context.deps, interaction.person, value.rental_id, value.span)
    content = replies.still_needed(kept.rental, kept.asks_again_at, context.reader(interaction.person))
    return reply_unless_shown(interaction, content)


async def confirm_destroy(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Open the dialog before every destroy, cancel and withdrawal, with the cost so far."""
    preview = await previews.rental_to_destroy(context.deps, interaction.person, value.rental_id)
    return OpenModal(modal=modals.destroy_confirm(preview.details, preview.script_for))


async def destroy_confirmed(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Destroy, cancel or withdraw a rental. If the dialog's box is checked, its `/root/on-ending.sh`
    runs first."""
    if interaction.inputs.get(Field.SCRIPT_FIRST) == modals.SCRIPT_FIRST:
        rental = await ending.destroy_after_script(context.deps, interaction.person, value.rental_id)
        reader = context.reader(interaction.person)
        return reply_unless_shown(interaction, replies.script_first(rental, reader.times))
    rental = await ending.destroy(context.deps, interaction.person, value.rental_id)
    return reply_unless_shown(interaction, replies.ending(rental))


async def visit_now(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Look at once whether the probe that its owner installed answers."""
    rental = await leasing.visit_now(context.deps, interaction.person, value.rental_id)
    return Reply(content=probe.looks_now(rental))


def without_reply(
    do: Callable[[Deps, Person, str], Awaitable[object]],
) -> Callable[[Context, UserInteraction, RentalValue], Awaitable[Outcome]]:
    """Return the handler of a button without a reply: the messages about the rental show what was done."""

    async def handler(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
        await do(context.deps, interaction.person, value.rental_id)
        return None

    return handler
