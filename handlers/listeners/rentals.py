"""A rental and its lease: what commands, buttons and dialogs have in common."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.errors import DuplicateExtension
from bot.lifecycle.service import ending, leasing, previews, queries
from handlers.ids import ExtendValue, UntilValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import (
    InteractionKind,
    OpenModal,
    Outcome,
    Reply,
    UserInteraction,
    reply_unless_shown,
)
from handlers.views import choices, lists, modals, replies, ssh_text
from handlers.views.ends import read_as_utc
from handlers.views.format import Times
from handlers.views.rental_text import reader_times


async def show(context: Context, interaction: UserInteraction, rental_id: str) -> Outcome:
    """Reply with a rental and its history."""
    details = await queries.show(context.deps, interaction.person, rental_id)
    return Reply(
        content=lists.show(
            details,
            reader=interaction.person.id,
            rules=context.deps.rules,
            now=context.deps.clock.now(),
            zone=interaction.person.tz,
        )
    )


async def ssh(context: Context, interaction: UserInteraction, rental_id: str) -> Outcome:
    """Reply with how to open a rental's machine."""
    details = await queries.ssh_details(context.deps, interaction.person, rental_id)
    return Reply(
        content=ssh_text.ssh(
            details,
            reader=interaction.person.id,
            rules=context.deps.rules,
            now=context.deps.clock.now(),
            zone=interaction.person.tz,
            probe_line=context.deps.probe_line,
        )
    )


async def open_extend_form(context: Context, interaction: UserInteraction, rental_id: str) -> Outcome:
    """Open the dialog that asks how much longer the lease should be."""
    details = await previews.rental_to_extend(context.deps, interaction.person, rental_id)
    return OpenModal(modal=modals.extend(details, rules=context.deps.rules, now=context.deps.clock.now()))


async def extend(
    context: Context,
    interaction: UserInteraction,
    rental_id: str,
    by: timedelta | datetime,
    *,
    shown_end: int | None = None,
) -> Outcome:
    """Make a lease longer, by a length or until a new end, or ask for approval of that. Open the dialog that
    confirms it first if it can add much. If the same command was given just now, only ask whether still more is
    meant."""
    deps = context.deps
    try:
        preview = await leasing.extension_to_confirm(deps, interaction.person, rental_id, by, shown_end=shown_end)
        if preview is None:
            return await extend_confirmed(context, interaction, rental_id, by, shown_end=shown_end)
    except DuplicateExtension:
        if isinstance(by, datetime):
            raise  # an end is no length that could be meant twice
        details = await queries.show(deps, interaction.person, rental_id)
        times = _times(context, interaction)
        return Reply(content=replies.extended_just_now(details.rental, by, times, deps.rules))
    details, longer = preview
    if isinstance(by, timedelta):
        value: ExtendValue | UntilValue = ExtendValue.of(rental_id, by, details.rental.running_lease.ends_at)
        again = choices.extend_by_button(details.rental, by)
    else:
        value = UntilValue(rental_id=rental_id, until=int(by.timestamp()))
        again = choices.extend_until_button(details.rental, by)
    modal = modals.extend_confirm(details, longer, value, now=deps.clock.now())
    typed = interaction.kind is InteractionKind.COMMAND
    reply = Reply(content=replies.extend_to_confirm(details, longer.span, again)) if typed else None
    return OpenModal(modal=modal, reply=reply)


async def extend_confirmed(
    context: Context,
    interaction: UserInteraction,
    rental_id: str,
    by: timedelta | datetime,
    *,
    shown_end: int | None = None,
) -> Outcome:
    """Make a lease longer, or ask for approval of that."""
    done = await leasing.extend(context.deps, interaction.person, rental_id, by, shown_end=shown_end)
    utc = read_as_utc(interaction.person.tz) if isinstance(by, datetime) else ""
    return reply_unless_shown(interaction, replies.extended(done, _times(context, interaction), utc))


async def keep(context: Context, interaction: UserInteraction, rental_id: str, length: timedelta) -> Outcome:
    """Note that a machine is still needed: nobody is asked about it again for `length`."""
    kept = await leasing.keep(context.deps, interaction.person, rental_id, length)
    content = replies.still_needed(
        kept.rental, kept.asks_again_at, _times(context, interaction), context.deps.rules
    )
    return reply_unless_shown(interaction, content)


async def confirm_destroy(context: Context, interaction: UserInteraction, rental_id: str) -> Outcome:
    """Open the dialog before every destroy, cancel and withdrawal, with the cost so far."""
    details = await previews.rental_to_destroy(context.deps, interaction.person, rental_id)
    return OpenModal(modal=modals.destroy_confirm(details))


async def destroy_confirmed(context: Context, interaction: UserInteraction, rental_id: str) -> Outcome:
    """Destroy, cancel or withdraw a rental."""
    rental = await ending.destroy(context.deps, interaction.person, rental_id)
    return reply_unless_shown(interaction, replies.ending(rental))


def _times(context: Context, interaction: UserInteraction) -> Times:
    return reader_times(context.deps.rules, context.deps.clock.now(), interaction.person.tz)
