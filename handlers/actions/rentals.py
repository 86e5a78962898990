"""A rental and its lease: what commands, buttons and dialogs have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bot.errors import DuplicateExtension
from bot.lifecycle.actions import ending, leasing, queries
from bot.lifecycle.actions.action import Action, Confirmation
from bot.model.rental import Rental
from bot.model.summary import Extended
from bot.policy.buying.spending import LongerLease
from handlers.actions.calling import carry_out
from handlers.ids import EndValue, ExtendValue, Field, HoursValue, RentalValue, SpanValue, UntilValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import (
    FieldErrors,
    OpenModal,
    Outcome,
    Reply,
    UserInteraction,
    reply_unless_shown,
)
from handlers.phrases.ends import read_as_utc
from handlers.typed.form import InvalidForm, read_hours
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
    details = await leasing.rental_to_extend(context.deps, interaction.person, value.rental_id)
    return OpenModal(modal=modals.extend(details, context.reader(interaction.person)))


async def extend_by_hours(context: Context, interaction: UserInteraction, value: EndValue) -> Outcome:
    """Make a lease longer by the hours that were chosen in the dialog."""
    try:
        longer = read_hours(interaction.inputs)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    return await extend(context, interaction, ExtendValue.of(value.rental_id, longer, value.moment))


async def extend(context: Context, interaction: UserInteraction, value: ExtendValue | UntilValue) -> Outcome:
    """Make a lease longer, by a length or until a new end, or ask for approval. If the same command was given just
    now, only ask whether more time is meant."""
    deps, reader = context.deps, context.reader(interaction.person)

    def dialog(wanted: Confirmation[LongerLease]) -> OpenModal:
        details, longer = wanted.rental, wanted.plan
        shown = value
        if isinstance(value, ExtendValue):
            shown = ExtendValue.of(value.rental_id, value.by, details.rental.running_lease.ends_at)
            button = choices.extend_by_button(details.rental, value.by)
        else:
            button = choices.extend_until_button(details.rental, value.by)
        modal = modals.extend_confirm(details, longer, shown, reader)
        words = replies.extend_to_confirm(details, longer.span, button)
        return OpenModal(modal=modal, reply=Reply(content=words) if interaction.kind.typed else None)

    def reply(done: Extended) -> Outcome:
        utc = read_as_utc(interaction.person.tz) if isinstance(value, UntilValue) else ""
        return reply_unless_shown(interaction, replies.extended(done, reader.times, utc))

    action = leasing.Extend(value.rental_id, value.by, value.shown_end)
    try:
        return await carry_out(context, interaction, action, reply, dialog=dialog)
    except DuplicateExtension:
        if isinstance(value, UntilValue):
            raise  # an end is no length that could be meant twice
        details = await queries.show(deps, interaction.person, value.rental_id)
        return Reply(content=replies.extended_just_now(details.rental, value.by, reader))


async def keep(context: Context, interaction: UserInteraction, value: HoursValue | SpanValue) -> Outcome:
    """Note that a machine is still needed: nobody is asked about the machine again for that span."""

    def reply(kept: leasing.Kept) -> Outcome:
        content = replies.still_needed(kept.rental, kept.asks_again_at, context.reader(interaction.person))
        return reply_unless_shown(interaction, content)

    return await carry_out(context, interaction, leasing.Keep(value.rental_id, value.span), reply)


async def destroy(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Destroy, cancel or withdraw a rental, after a dialog with the cost so far. If the dialog's box is checked,
    its `/root/on-ending.sh` runs first."""
    script_first = interaction.inputs.get(Field.SCRIPT_FIRST) == modals.SCRIPT_FIRST

    def dialog(wanted: Confirmation[ending.ToDestroy]) -> OpenModal:
        ends_at = wanted.plan.end_after_script
        script_for = None if ends_at is None else ends_at - context.deps.clock.now()
        return OpenModal(modal=modals.destroy_confirm(wanted.rental, script_for))

    def reply(rental: Rental) -> Outcome:
        times = context.reader(interaction.person).times
        done = replies.script_first(rental, times) if script_first else replies.ending(rental)
        return reply_unless_shown(interaction, done)

    action = ending.Destroy(value.rental_id, script_first=script_first)
    return await carry_out(context, interaction, action, reply, dialog=dialog)


async def visit_now(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Look at once whether the probe that its owner installed answers."""

    def reply(rental: Rental) -> Outcome:
        return Reply(content=probe.looks_now(rental))

    return await carry_out(context, interaction, leasing.VisitNow(value.rental_id), reply)


def without_reply(
    action: Callable[[str], Action[Rental, Rental, Rental]],
) -> Callable[[Context, UserInteraction, RentalValue], Awaitable[Outcome]]:
    """Return the handler of a button without a reply: the messages about the rental show what was done."""

    async def handler(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
        return await carry_out(context, interaction, action(value.rental_id))

    return handler
