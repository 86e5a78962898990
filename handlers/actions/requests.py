"""Decisions about requests and extensions: approving, approving fewer hours, denying and withdrawing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.errors import RequestChanged
from bot.lifecycle.actions import deciding
from bot.model.rental import Rental
from bot.model.summary import RentalDetails
from bot.model.text import say_at_most, span
from bot.policy.buying.budgets import rules_of_project
from bot.policy.buying.fewer_hours import FewerHours
from bot.policy.buying.spending import LONGEST_REASON, reasons_for_decision
from handlers.actions.calling import ValueHandler, carry_out, does, on, shows
from handlers.ids import Action, Callback, Field, VersionValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.messages import replies
from handlers.messages.requests import approval, wants
from handlers.messages.writers import EventContext
from handlers.phrases import blocks
from handlers.phrases.blocks import Modal, Rendered, option
from handlers.phrases.budget_text import limits_fact, over_total_text, price_fact
from handlers.phrases.ends import ITS_JOB, hours_text, how_long_in_dialog
from handlers.phrases.format import Reader, escape, join, per_hour, person
from handlers.phrases.rental_text import machine, machine_in, owner, so_far
from handlers.typed.form import read_length


def _newest(newest: deciding.RequestView, reader: Reader) -> Rendered:
    return approval(EventContext(newest.asked, newest.details, reader))


def _or_newest(handler: ValueHandler[VersionValue]) -> ValueHandler[VersionValue]:
    """Wrap a handler so that it refuses a decision about an outdated version of a request.

    If the person clicked in a message that shows an older version, the reply shows the newest version instead.
    """

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
        lambda rental, _: replies.decided(rental, approved=True),
        dialog=lambda wanted, reader: approve_dialog(wanted.rental, reader),
        unless_shown=True,
    )


async def _approve_fewer_hours(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    return await _approve(context, interaction, value, read_length(interaction.inputs))


async def _deny(context: Context, interaction: UserInteraction, value: VersionValue) -> Outcome:
    """Deny a request, with the reason that was typed in the dialog. The reason can be empty.

    If the request has been changed since the person saw it, it isn't denied.
    """
    reason = interaction.inputs.get(Field.REASON, "")
    return await carry_out(
        context,
        interaction,
        deciding.Deny(value.rental_id, value.version, reason=reason),
        lambda rental, _: replies.decided(rental, approved=False),
        dialog=lambda wanted, reader: deny_dialog(wanted.rental, reader),
        unless_shown=True,
    )


def approve_dialog(details: RentalDetails, reader: Reader) -> Modal:
    """Return the dialog in which an approver confirms that they approve an expensive request or extension."""
    rental, extension = details.rental, details.rental.extension
    terms = rental.newest_terms
    total = say_at_most(terms.total)
    rules = rules_of_project(reader.rules, rental.project)
    if extension is None:
        lines = [
            price_fact(terms).sentence,
            limits_fact(reasons_for_decision(rental, rules), rules, rental.program).sentence,
            over_total_text(rental.request, terms.total),
        ]
    else:
        at = f", at {per_hour(rental.rate)}" if rental.rate is not None else ""
        lines = [f"It has cost {so_far(details.spent)}{at}."]
    return blocks.modal(
        Callback.APPROVE_CONFIRM,
        f"Approve {rental.id}?",
        blocks.alert(f"This can cost up to {total}{' in all' if extension is not None else ''}."),
        blocks.lines(_asked_for(details, reader.now), join(*lines)),
        submit=f"Approve up to {total}",
        value=VersionValue(rental_id=rental.id, version=terms.version),
    )


def _asked_for(details: RentalDetails, now: datetime) -> str:
    """Return a sentence such as `Ana wants 8x H100 (p4wd9) in EU for 6 h: "fine-tune run 7"`.

    For an extension, the sentence begins with `Ana wants 2 h more for`.
    """
    rental, extension = details.rental, details.rental.extension
    if extension is not None:
        longer = span(extension.ends_at - rental.running_lease.ends_at)
        whose = "" if extension.asked_by == rental.owner else f"{owner(details)}'s "
        with_job = f", until {ITS_JOB} is done" if extension.until_done else ""
        return wants(details, extension.asked_by, f"{longer} more for {whose}{machine(rental)}{with_job}")
    what = f"{machine_in(rental)} for {span(rental.terms.lease)}"
    if rental.request.until is not None or rental.request.up_to is not None or rental.request.until_done:
        what = f"{machine_in(rental)}, {how_long_in_dialog(rental.request, now, ITS_JOB)}"
    return wants(details, rental.owner, what)


def fewer_hours_dialog(details: RentalDetails, choices: Sequence[FewerHours], reader: Reader) -> Modal:
    """Return the dialog in which an approver chooses fewer hours than a request or an extension asks for.

    If the request or extension is too short to be reduced, the dialog says so.
    """
    rental = details.rental
    title = f"Fewer hours: {rental.id}"
    if not choices:
        return blocks.notice(
            title, "This request is too short to approve for fewer hours. You can approve or deny it."
        )
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
                    f"{_length_label(rental, one)}{more}, up to {say_at_most(one.terms.total)}",
                    str(one.length // timedelta(seconds=1)),
                )
                for one in choices
            ],
            chosen=None,
        ),
        blocks.context(
            f"{owner(details)} will read that you approved fewer hours. The hourly price stays the same."
        ),
        submit="Approve fewer hours",
        value=VersionValue(rental_id=rental.id, version=rental.newest_terms.version),
    )


def _length_label(rental: Rental, fewer: FewerHours) -> str:
    """Return a label such as `4 h`. For a flexible lease: `6 h, or up to 8 h if its GPUs are busy`."""
    flexible_end = rental.extension is None and fewer.request.up_to is not None
    return hours_text(fewer.request) if flexible_end else span(fewer.length)


def deny_dialog(details: RentalDetails, reader: Reader) -> Modal:
    """Return the dialog that asks for the reason why a request or an extension is denied."""
    rental, extension = details.rental, details.rental.extension
    asker = person(details.names, extension.asked_by if extension else rental.owner)
    return blocks.modal(
        Callback.DENY,
        f"Deny {rental.id}?",
        blocks.section(_asked_for(details, reader.now)),
        blocks.text_input(
            Field.REASON,
            "Why",
            hint=f"{asker} and everyone in the request's channel can read this.",
            longest=LONGEST_REASON,
            required=False,
        ),
        submit="Deny",
        value=VersionValue(rental_id=rental.id, version=rental.newest_terms.version),
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
