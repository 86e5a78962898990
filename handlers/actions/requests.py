"""Requests and extensions that wait for a decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bot.errors import RequestChanged
from bot.lifecycle.actions import action as actions
from bot.lifecycle.actions import deciding
from bot.lifecycle.actions.action import Confirmation, Loaded, Plan
from bot.model.rental import Rental
from bot.model.summary import RentalDetails
from bot.model.text import say_at_most, span
from bot.policy.buying.fewer_hours import FewerHours
from bot.policy.buying.spending import LONGEST_REASON
from handlers.actions.calling import carry_out, does, on
from handlers.ids import (
    Action,
    Callback,
    Field,
    RentalValue,
    VersionValue,
)
from handlers.listeners.context import Context
from handlers.listeners.interaction import (
    FieldErrors,
    OpenModal,
    Outcome,
    Reply,
    UserInteraction,
    reply_unless_shown,
)
from handlers.messages import replies
from handlers.messages.requests import approval
from handlers.messages.writers import EventContext
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, option
from handlers.phrases.budget_text import over_limits_of_envelope, over_total_text
from handlers.phrases.ends import how_long_in_dialog
from handlers.phrases.format import Reader, escape, highest, join, note, person
from handlers.phrases.machine_text import describe
from handlers.phrases.rental_text import owner, so_far
from handlers.typed.form import InvalidForm, read_length


async def show(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Reply with what a rental waits for, or how it was decided."""
    newest = await deciding.newest_request(context.deps, interaction.person, value.rental_id)
    return Reply(content=approval(EventContext(newest.asked, newest.details, context.reader(interaction.person))))


async def approve(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Approve the version that was shown."""
    return await _approve(context, interaction, value)


async def open_fewer_hours(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Open the dialog with shorter leases. Reply with the newest version if there is a newer one."""
    try:
        details, choices = await deciding.fewer_hours_to_choose(
            context.deps, interaction.person, value.rental_id, value.version
        )
    except RequestChanged as change:
        return await _newer_version(context, interaction, value.rental_id, change)
    return OpenModal(modal=fewer_hours_dialog(details, choices, context.reader(interaction.person)))


async def approve_fewer_hours(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Approve the version that was shown, for the length that was chosen."""
    try:
        length = read_length(interaction.inputs)
    except InvalidForm as invalid:
        return FieldErrors(errors=invalid.errors)
    return await _approve(context, interaction, value, length)


async def _approve(
    context: Context, interaction: UserInteraction, value: VersionValue, length: timedelta | None = None
) -> Outcome:
    def dialog(wanted: Confirmation[deciding.ToApprove]) -> OpenModal:
        return OpenModal(modal=approve_dialog(wanted.rental, context.reader(interaction.person)))

    action = deciding.Approve(value.rental_id, value.version, length=length)
    return await _decide(context, interaction, action, "Approved", value, dialog=dialog)


async def deny(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Deny the version that was shown, for the reason that is typed in the dialog, which may be empty."""

    def dialog(wanted: Confirmation[Rental]) -> OpenModal:
        return OpenModal(modal=deny_dialog(wanted.rental))

    reason = interaction.inputs.get(Field.REASON, "")
    action = deciding.Deny(value.rental_id, value.version, reason=reason)
    return await _decide(context, interaction, action, "Denied", value, dialog=dialog)


async def _decide(
    context: Context,
    interaction: UserInteraction,
    action: actions.Action[Loaded, Plan, Rental],
    word: str,
    value: VersionValue,
    *,
    dialog: Callable[[Confirmation[Plan]], OpenModal],
) -> Outcome:
    """Decide about the version that was shown. Reply with the newest version if there is a newer one."""

    def reply(rental: Rental) -> Outcome:
        return reply_unless_shown(interaction, replies.decided(rental, word))

    try:
        return await carry_out(context, interaction, action, reply, dialog=dialog)
    except RequestChanged as change:
        return await _newer_version(context, interaction, value.rental_id, change)


withdraw = does(deciding.Withdraw)


async def _newer_version(
    context: Context, interaction: UserInteraction, rental_id: str, change: RequestChanged
) -> Outcome:
    newest = await deciding.newest_request(context.deps, interaction.person, rental_id)
    reader = context.reader(interaction.person)
    current = approval(EventContext(newest.asked, newest.details, reader))
    return Reply(content=replies.newer_version(escape(change.words, 300), current))


def approve_dialog(details: RentalDetails, reader: Reader) -> Modal:
    """Return the dialog that confirms an expensive approval, of a request or of an extension."""
    rental, extension = details.rental, details.rental.extension
    envelope = rental.newest_envelope
    total = say_at_most(envelope.total)
    lines = [_asked_for(details, reader.now)]
    if extension is None:
        limits = over_limits_of_envelope(envelope, reader.rules, rental.project)
        beyond = over_total_text(rental.request, envelope.total)
        lines.append(join(limits, f"Up to {highest(envelope)}, {total} in all.", beyond))
    else:
        lines.append(f"{so_far(details.spent)}; {total} in all with the longer lease.")
    return blocks.modal(
        Callback.APPROVE_CONFIRM,
        f"Approve {rental.id}?",
        blocks.section("\n".join(lines)),
        submit=f"Approve up to {total}",
        value=VersionValue(rental_id=rental.id, version=envelope.version),
    )


def _asked_for(details: RentalDetails, now: datetime) -> str:
    """Return `8x H100 EU, 6 h, for Ana: fine-tune run 7`, or `8x H100, 2 h more, ...` for an extension."""
    rental, extension = details.rental, details.rental.extension
    words = note(rental.request.note)
    length = span(rental.newest_envelope.lease)
    if extension is not None:
        length = f"{span(extension.ends_at - rental.running_lease.ends_at)} more"
    elif rental.request.until is not None or rental.request.up_to is not None:
        length = how_long_in_dialog(rental.request, now)
    what = describe(rental.envelope if extension is None else rental)
    return f"{what}, {length}, for {owner(details)}" + (f": {words}" if words else "")


def fewer_hours_dialog(details: RentalDetails, choices: Sequence[FewerHours], reader: Reader) -> Modal:
    """Return the dialog with the shorter leases for which a request or an extension can be approved, or one that
    says that there is none."""
    rental = details.rental
    title = f"Fewer hours: {rental.id}"
    if not choices:
        return blocks.notice(title, "It is too short for fewer hours. Approve or deny it.")
    more = " more" if rental.extension is not None else ""
    return blocks.modal(
        Callback.FEWER_HOURS,
        title,
        blocks.section(_asked_for(details, reader.now)),
        blocks.select(
            Field.LENGTH,
            "Approve for",
            [
                option(
                    f"{_length_label(rental, one)}{more}, up to {say_at_most(one.envelope.total)}",
                    str(one.length // timedelta(seconds=1)),
                )
                for one in choices
            ],
            chosen=None,
        ),
        blocks.context(f"{owner(details)} reads who approved fewer hours. The offer and its prices stay."),
        submit="Approve fewer hours",
        value=VersionValue(rental_id=rental.id, version=rental.newest_envelope.version),
    )


def _length_label(rental: Rental, fewer: FewerHours) -> str:
    """Return `4 h`, or `up to 8 h while its GPUs are busy` if two ends remain."""
    two_ends = rental.extension is None and fewer.request.up_to is not None
    return f"up to {span(fewer.length)} while busy" if two_ends else span(fewer.length)


def deny_dialog(details: RentalDetails) -> Modal:
    """Return the dialog that asks why a request or an extension is denied."""
    rental, extension = details.rental, details.rental.extension
    asker = person(details.names, extension.asked_by if extension else rental.owner)
    what = f"More time for {rental.id}, " if extension else ""
    return blocks.modal(
        Callback.DENY,
        f"Deny {rental.id}?",
        blocks.section(f"{what}{describe(rental.newest_envelope)}, for {asker}."),
        blocks.text_input(
            Field.REASON,
            "Why",
            hint=f"{asker} reads it, and so does everyone in the request's channel.",
            longest=LONGEST_REASON,
            required=False,
        ),
        submit="Deny",
        value=VersionValue(rental_id=rental.id, version=rental.newest_envelope.version),
    )


ON = (
    on(Action.WITHDRAW, withdraw),
    on(Action.APPROVE, approve),
    on(Action.OPEN_REQUEST, show),
    on(Action.FEWER_HOURS, open_fewer_hours),
    on(Action.DENY, deny),
    on(Action.ACCEPT, approve),
    on(Callback.APPROVE_CONFIRM, approve),
    on(Callback.FEWER_HOURS, approve_fewer_hours),
    on(Callback.DENY, deny),
)
