"""Commands, buttons and dialogs of a rental: to log in, and to extend, destroy or replace the machine."""

from __future__ import annotations

from datetime import datetime, timedelta

from bot.errors import DuplicateExtension
from bot.lifecycle.actions import ending, leasing, queries
from bot.lifecycle.actions.action import Confirmation, preview
from bot.lifecycle.actions.replacing import Replace
from bot.model.base import changed
from bot.model.money import cost
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import Extended, RentalDetails
from bot.model.text import about_span, say_at_most, span
from bot.policy.buying.budgets import say_passed
from bot.policy.buying.spending import CONFIRM_ABOVE, LongerLease
from bot.policy.team.rules import Rules
from bot.policy.use.flexible_end import already_allowed, can_move
from bot.policy.use.jobs import shows_jobs
from bot.policy.use.leases import may_extend_by
from handlers.actions.calling import carry_out, does, on, shows
from handlers.ids import Action, Callback, EndValue, ExtendValue, Field, RentalValue, UntilDoneValue, UntilValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import OpenModal, Outcome, Reply, UserInteraction
from handlers.messages import lists, probe, replies, ssh_lines
from handlers.messages.replacing import replace_confirm
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Modal, Rendered, option
from handlers.phrases.budget_text import over_total_text
from handlers.phrases.ends import PATH, keeping_text, read_as_utc, start_with_gpubot_run
from handlers.phrases.format import Reader, dollars, join
from handlers.phrases.lease_buttons import end_when_done_button, extend_by_button, extend_until_button, longer_cost
from handlers.phrases.rental_text import machine_of, owner, so_far
from handlers.typed.form import UNTIL_DONE, InvalidForm, read_hours


async def ssh(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Reply with instructions for logging in to a rental's machine."""
    details = await queries.ssh_details(context.deps, interaction.person, value.rental_id)
    reader = context.reader(interaction.person)
    return Reply(content=ssh_lines.ssh(details, reader, probe_line=context.deps.probe_line))


async def extend_by_hours(context: Context, interaction: UserInteraction, value: EndValue) -> Outcome:
    """Extend a lease as chosen in the dialog: by some hours, and perhaps until its jobs are done."""
    if UNTIL_DONE not in interaction.inputs.get(Field.UNTIL_DONE, "").split():
        by = read_hours(interaction.inputs)
        if not by:
            raise InvalidForm({Field.HOURS: "Choose how much longer, or check the box below."})
        return await extend(context, interaction, ExtendValue(**dict(value), by=by))
    action = leasing.Extend(**dict(value), by=read_hours(interaction.inputs), until_done=True)
    return await end_when_done(context, interaction, action)


async def end_when_done(context: Context, interaction: UserInteraction, action: leasing.Extend) -> Outcome:
    """Let a machine end when its jobs are done, or request approval if it could then run for too long."""

    def dialog(wanted: Confirmation[LongerLease], reader: Reader) -> OpenModal:
        value = UntilDoneValue(rental_id=action.rental_id, by=wanted.plan.ends_at)
        modal = extend_dialog(wanted.rental, wanted.plan, value, reader)
        again = end_when_done_button(wanted.rental.rental, reader.now, until=wanted.plan.ends_at)
        content = replies.extend_to_confirm(wanted.rental, wanted.plan.span, again)
        return OpenModal(modal=modal, reply=Reply(content=content) if interaction.kind.typed else None)

    def reply(done: Extended, reader: Reader) -> Rendered:
        utc = read_as_utc(interaction.person.tz) if isinstance(action.by, datetime) else ""
        return replies.extended(done, reader.times, join(start_with_gpubot_run(reader.rules), utc))

    return await carry_out(context, interaction, action, reply, dialog=dialog, unless_shown=True)


async def end_by(context: Context, interaction: UserInteraction, value: UntilDoneValue) -> Outcome:
    """Let a machine end when its jobs are done, or at the latest at the time in the button's value."""
    action = leasing.Extend(value.rental_id, value.by, until_done=True)
    return await end_when_done(context, interaction, action)


async def extend_confirmed(
    context: Context, interaction: UserInteraction, value: ExtendValue | UntilValue | UntilDoneValue
) -> Outcome:
    if isinstance(value, UntilDoneValue):
        return await end_by(context, interaction, value)
    return await extend(context, interaction, value)


async def extend(context: Context, interaction: UserInteraction, value: ExtendValue | UntilValue) -> Outcome:
    """Extend a lease by a length or until a new time, or request approval for the extension.

    If the person typed the command a moment ago already, nothing is added. The reply then asks whether they really
    want to add this time once more.
    """

    def dialog(wanted: Confirmation[LongerLease], reader: Reader) -> OpenModal:
        rental, shown = wanted.rental.rental, value
        if isinstance(value, ExtendValue):
            shown = changed(value, shown_end=rental.running_lease.ends_at)
            button = extend_by_button(rental, value.by)
        else:
            button = extend_until_button(rental, value.by)
        modal = extend_dialog(wanted.rental, wanted.plan, shown, reader)
        content = replies.extend_to_confirm(wanted.rental, wanted.plan.span, button)
        return OpenModal(modal=modal, reply=Reply(content=content) if interaction.kind.typed else None)

    def reply(done: Extended, reader: Reader) -> Rendered:
        utc = read_as_utc(interaction.person.tz) if isinstance(value, UntilValue) else ""
        return replies.extended(done, reader.times, utc)

    action = leasing.Extend(**dict(value))
    try:
        return await carry_out(context, interaction, action, reply, dialog=dialog, unless_shown=True)
    except DuplicateExtension:
        if isinstance(value, UntilValue):
            # The person repeated a command that contains a fixed end, such as `until 18:00`. Don't ask whether
            # they want to add the time once more, because the same end adds nothing.
            raise
        details = await queries.show(context.deps, interaction.person, value.rental_id)
        reader = context.reader(interaction.person)
        return Reply(content=replies.extended_just_now(details.rental, value.by, reader))


keep = does(
    leasing.Keep,
    lambda kept, reader: replies.still_needed(kept.rental, kept.asks_again_at, reader),
    unless_shown=True,
)


async def destroy(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Destroy, cancel or withdraw a rental, once the person has confirmed this in a dialog.

    If the checkbox in the dialog is checked, the machine is destroyed only after its `/root/on-ending.sh` has run.
    """
    graceful_destroy = interaction.inputs.get(Field.GRACEFUL_DESTROY) == GRACEFUL_DESTROY

    def dialog(wanted: Confirmation[ending.ToDestroy], reader: Reader) -> Modal:
        ends_at = wanted.plan.end_after_script
        return destroy_dialog(wanted.rental, None if ends_at is None else ends_at - reader.now)

    def reply(rental: Rental, reader: Reader) -> Rendered:
        return replies.graceful_destroy(rental, reader.times) if graceful_destroy else replies.ending(rental)

    action = ending.Destroy(value.rental_id, graceful_destroy=graceful_destroy)
    return await carry_out(context, interaction, action, reply, dialog=dialog, unless_shown=True)


EXTENSION_HOURS = (1, 2, 4, 8, 12, 24, 48)
"""The numbers of hours to choose from in the extension dialog.

Numbers that the rules don't allow are left out.
"""


GRACEFUL_DESTROY = "script_first"
"""The value of the checkbox for running `/root/on-ending.sh` before the machine is destroyed."""


def destroy_dialog(details: RentalDetails, script_for: timedelta | None = None) -> Modal:
    """Return the dialog in which the person confirms destroying, cancelling or withdrawing a rental.

    The dialog shows the cost so far. `script_for` is the maximum time for which the bot waits for
    `/root/on-ending.sh`. None if the script can't run.
    """
    rental = details.rental
    warning, effect = None, ""
    if rental.state is State.AWAITING_APPROVAL:
        verb, effect = "Withdraw", "Nobody will be asked to approve the request any more."
    elif rental.state is State.QUEUED:
        verb, effect = "Withdraw", "I'll stop looking for an offer."
    elif rental.state in {State.PROCURING, State.PROVISIONING}:
        verb, effect = "Cancel", "It's still starting. Whatever was rented for it will be destroyed."
    else:
        verb, warning = "Destroy", blocks.alert("Everything on the disk will be deleted.")
    if rental.lease is not None and rental.lease.graceful_destroy is not None:
        effect = f"I won't wait for its script {PATH}."
    none_known = "Nothing has been rented for it."
    if rental.bought_after_backup:
        none_known = (
            "A machine that had been rented for this request was found in the Compute Clear account. "
            "That machine keeps running until an admin decides what to do."
        )
    cost = f"It has cost {so_far(details.spent)}." if details.attempts else none_known
    return blocks.modal(
        Callback.DESTROY_CONFIRM,
        f"{verb} {rental.id}?",
        warning,
        blocks.section(join(f"{machine_of(details)}.", effect, cost)),
        graceful_destroy_box(script_for),
        submit=f"{verb} {rental.id}",
        value=RentalValue(rental_id=rental.id),
    )


def graceful_destroy_box(script_for: timedelta | None, *, several: bool = False) -> Json | None:
    """Return the checkbox for running `/root/on-ending.sh` before a machine is destroyed, or `several` machines.

    The box is checked when the dialog opens. None if the script can't run.
    """
    if script_for is None:
        return None
    box = option(f"Run {PATH} first, for up to {about_span(script_for)}", GRACEFUL_DESTROY)
    label = "Before the machines are destroyed" if several else "Before the machine is destroyed"
    return blocks.checkboxes(Field.GRACEFUL_DESTROY, label, [box], chosen=[box], required=False)


def extend_form(details: RentalDetails, reader: Reader) -> Modal:
    """Return the dialog with the extensions that the rules allow. If there are none, the dialog says why.

    Even then, the machine can end earlier, when its job is done.
    """
    rental, rules, now = details.rental, reader.rules, reader.now
    name = machine_of(details)
    choices, box = extension_hours(rental, rules, now), _until_done_box(details, rules)
    if not choices and box is None:
        why = f"A lease is at most {span(rules.lease.max)}, so {name} can't be extended."
        if rental.extension is not None:
            why = f"More time has already been requested for {name}, and is waiting for approval."
        return blocks.notice(f"Extend {rental.id}?", why)
    lease = rental.running_lease
    ends = f"It ends in {span(lease.ends_at - now)}"
    if lease.latest_end is not None and can_move(lease):
        ends += f", or in {span(lease.latest_end - now)} at the latest if its GPUs are busy"
    return blocks.modal(
        Callback.EXTEND,
        f"Extend {rental.id}?",
        blocks.section(f"{name}. {ends}."),
        blocks.select(
            Field.HOURS,
            "Longer by",
            [
                *(option(_extension_label(details, hours, reader), str(hours)) for hours in choices),
                *([] if box is None else [option("no longer than now", "0")]),
            ],
            chosen=str(2 if 2 in choices else next(iter(choices), 0)),
        ),
        box,
        submit=f"Extend {rental.id}",
        value=EndValue(rental_id=rental.id, shown_end=lease.ends_at),
    )


def _until_done_box(details: RentalDetails, rules: Rules) -> Json | None:
    """Return the checkbox that ends the machine when its job is done.

    None if this was chosen already, if the bot can't see the machine's jobs, or if the rental was never ready.
    """
    rental, lease = details.rental, details.rental.lease
    chosen = lease is not None and lease.until_done is not None and not lease.ends_when_done
    if lease is None or chosen or not shows_jobs(rental, details.attempts, rules):
        return None
    box = option("End when the job is done", UNTIL_DONE)
    label = "If the work is done earlier (started with gpubot-run from now on)"
    return blocks.checkboxes(Field.UNTIL_DONE, label, [box], chosen=[], required=False)


def extend_dialog(
    details: RentalDetails,
    longer: LongerLease,
    value: ExtendValue | UntilValue | UntilDoneValue,
    reader: Reader,
) -> Modal:
    """Return the dialog in which the person confirms an expensive extension.

    If the extension needs approval, the person confirms the request for approval instead.
    """
    rental, terms = details.rental, longer.proposal.terms
    length, over = span(longer.span), longer.proposal.over
    rate = terms.price if rental.rate is None else rental.rate
    warning = f"The {length} more can cost over {dollars(CONFIRM_ABOVE)}."
    ends = f"ends in {span(longer.ends_at - reader.now)}"
    ends = f"{ends} at the latest, or when its job is done" if longer.until_done else ends
    lines = [f"With {length} more, {machine_of(details)} {ends}."]
    if details.sees_money:
        warning = f"This can cost up to {say_at_most(terms.total)} in all."
        lines[0] = f"{lines[0]} That adds about {dollars(cost(rate, longer.span))} to the cost."
        spent = f"It has cost {so_far(details.spent)}."
        lines.append(join(spent, over_total_text(rental.request, terms.total), keeping_text(terms)))
    if over:
        passed, mine = longer.proposal.passed, reader.id == rental.owner
        why = "The extension needs approval, because its cost is over the limits."
        if passed and details.sees_money:
            why = f"The extension needs approval. {say_passed(passed[0], None if mine else owner(details), 'It')}"
        lines.append(why)
    return blocks.modal(
        Callback.EXTEND_CONFIRM,
        f"Extend {rental.id}?",
        blocks.alert(warning),
        blocks.lines(*lines),
        submit=f"Ask for {length}" if over else f"Extend {length}",
        value=value,
    )


def extension_hours(rental: Rental, rules: Rules, now: datetime) -> list[int]:
    """Return the numbers of hours by which the rules allow the owner to extend the lease now."""
    return [hours for hours in EXTENSION_HOURS if may_extend_by(timedelta(hours=hours), rental, now, rules)]


def _extension_label(details: RentalDetails, hours: int, reader: Reader) -> str:
    length = timedelta(hours=hours)
    lease = details.rental.running_lease
    if already_allowed(lease, max(lease.ends_at, reader.now) + length):
        return f"{span(length)}, already approved"
    return span(length) + (longer_cost(details.rental, length, reader) if details.sees_money else "")


async def replace(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Search for a machine to replace a rental's machine, once the person has confirmed the search in a dialog.

    The search sends its answer to the `response_url`.
    """
    return await carry_out(
        context,
        interaction,
        _replace(interaction, value),
        dialog=lambda wanted, reader: replace_confirm(
            wanted.plan.rental, wanted.plan.left, reader.rules, asks_why=False
        ),
    )


async def ask_why(context: Context, interaction: UserInteraction, value: RentalValue) -> Outcome:
    """Open the dialog that asks what doesn't work on the machine."""
    plan = (await preview(context.deps, interaction.person, _replace(interaction, value))).plan
    return OpenModal(modal=replace_confirm(plan.rental, plan.left, context.deps.rules, asks_why=True))


def _replace(interaction: UserInteraction, value: RentalValue) -> Replace:
    reason = interaction.inputs.get(Field.REASON, "")
    return Replace(value.rental_id, interaction.reply_to, reason)


show = shows(queries.show, lists.show)
open_extend_form = shows(leasing.rental_to_extend, extend_form)

ON = (
    on(Action.SHOW_RENTAL, show),
    on(Action.DETAILS, show),
    on(Action.SSH, ssh),
    on(Action.CANCEL, destroy),
    on(Action.EXTEND_FORM, open_extend_form),
    on(Action.EXTEND, extend),
    on(Action.EXTEND_UNTIL, extend),
    on(Action.END_WHEN_DONE, end_by),
    on(Action.KEEP, keep),
    on(Action.KEEP_FOR, keep),
    on(Action.KEEP_WHEN_DONE, does(leasing.KeepWhenDone)),
    on(Action.KEEP_WITHOUT_HEARTBEAT, does(leasing.KeepDespiteLostHeartbeat)),
    on(Action.ASK_OWNER_AGAIN, does(leasing.AskOwnerAgain)),
    on(Action.LEAVE_ALONE, does(leasing.LeaveAlone)),
    on(Action.DESTROY, destroy),
    on(Action.REPLACE, replace),
    on(Action.NOT_WORKING, ask_why),
    on(Action.PROBE_INSTALLED, does(leasing.ProbeNow, lambda rental, _: probe.looks_now(rental))),
    on(Action.KEEP_AS_IT_IS, does(leasing.KeepAsItIs)),
    on(Action.ACKNOWLEDGED, does(ending.TakeOnAlarm)),
    on(Callback.EXTEND, extend_by_hours),
    on(Callback.EXTEND_CONFIRM, extend_confirmed),
    on(Callback.DESTROY_CONFIRM, destroy),
    on(Callback.REPLACE, replace),
)
