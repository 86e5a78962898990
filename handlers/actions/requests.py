"""Requests and extensions that wait for a decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.errors import RequestChanged
from bot.lifecycle.actions import deciding
from bot.model.rental import Rental
from bot.model.summary import RentalDetails
from bot.model.text import say_at_most, span
from bot.policy.buying.fewer_hours import FewerHours
from bot.policy.buying.spending import LONGEST_REASON
from handlers.actions.calling import ValueHandler, carry_out, does, on, shows
from handlers.ids import Action, Callback, Field, VersionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.messages import replies
from handlers.messages.requests import approval
from handlers.messages.writers import EventContext
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered, option
from handlers.phrases.budget_text import over_limits_of_envelope, over_total_text
from handlers.phrases.ends import how_long_in_dialog
from handlers.phrases.format import Reader, escape, highest, join, note, person
from handlers.phrases.rental_text import describe, owner, so_far
from handlers.typed.form import read_length


def _newest(newest: deciding.RequestView, reader: Reader) -> Rendered:
    return approval(EventContext(newest.asked, newest.details, reader))


def _or_newest(handler: ValueHandler[VersionValue]) -> ValueHandler[VersionValue]:
    """Return a handler that replies with the newest version of the request if the person saw an older one."""

    async def checked(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
        try:
            return await handler(context, interaction, value)
        except RequestChanged as change:
            newest = await deciding.newest_request(context.deps, interaction.person, value.rental_id)
            current = _newest(newest, context.reader(interaction.person))
            return Reply(content=replies.newer_version(escape(change.words, 300), current))

    return checked


async def _approve(
    context: Context, interaction: UserInteraction, value: VersionValue, length: timedelta | None = None
) -> Outcome:
    return await carry_out(
        context,
        interaction,
        deciding.Approve(value.rental_id, value.version, length=length),
        lambda rental, _: replies.decided(rental, "Approved"),
        dialog=lambda wanted, reader: approve_dialog(wanted.rental, reader),
        unless_shown=True,
    )


async def _approve_fewer_hours(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    return await _approve(context, interaction, value, read_length(interaction.inputs))


async def _deny(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Deny the version that was shown, for the reason that is typed in the dialog, which may be empty."""
    reason = interaction.inputs.get(Field.REASON, "")
    return await carry_out(
        context,
        interaction,
        deciding.Deny(value.rental_id, value.version, reason=reason),
        lambda rental, _: replies.decided(rental, "Declined"),
        dialog=lambda wanted, _: deny_dialog(wanted.rental),
        unless_shown=True,
    )


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


approve = _or_newest(_approve)
deny = _or_newest(_deny)
fewer_hours = shows(deciding.fewer_hours_to_choose, lambda found, reader: fewer_hours_dialog(*found, reader))

ON = (
    on(Action.WITHDRAW, does(deciding.Withdraw)),
    on(Action.APPROVE, approve),
    on(Action.OPEN_REQUEST, shows(deciding.newest_request, _newest)),
    on(Action.FEWER_HOURS, _or_newest(fewer_hours)),
    on(Action.DENY, deny),
    on(Action.ACCEPT, approve),
    on(Callback.APPROVE_CONFIRM, approve),
    on(Callback.FEWER_HOURS, _or_newest(_approve_fewer_hours)),
    on(Callback.DENY, deny),
)
