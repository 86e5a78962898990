"""Short private replies to commands and clicks. They say what was done, or why nothing was done."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from bot.errors import GpubotError, Line, Mistake, NeedsKey, RequestMistake, TooLate
from bot.model.money import cost
from bot.model.rental import Rental
from bot.model.request import Request
from bot.model.state import State
from bot.model.summary import Extended, PeopleAsked, RentalDetails
from bot.model.text import span
from bot.policy.use.flexible_end import was_asked_for
from bot.policy.use.leases import LEAST_TIME
from handlers.ids import NO_VALUE, Action, Callback, EndValue, LineValue, RentalValue
from handlers.messages import keys
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Modal, Rendered, button
from handlers.phrases.ends import PATH, ask_again_text, end_moves, ends_fact, until_named, without_approval
from handlers.phrases.error_text import error_text
from handlers.phrases.format import (
    Reader,
    Times,
    channel,
    dollars,
    escape,
    highest,
    identifier,
    join,
    mention,
    per_hour,
)
from handlers.phrases.lease_buttons import destroy_button, extend_button, keep_button, show_button
from handlers.phrases.rental_text import (
    STATES,
    asked_for,
    describe,
    machine,
    machine_in,
    people_text,
    without_key_text,
)


def reply(text: str, *buttons: Json | None) -> Rendered:
    """Render a private reply.

    `text` is mrkdwn, and any text from people or vendors in it must already be escaped.
    """
    return blocks.with_buttons(text, *buttons, closed=not any(buttons))


def error(problem: GpubotError) -> Rendered:
    """Render the reason why nothing was done, and what the person can do instead."""
    if isinstance(problem, NeedsKey):
        return keys.needed(github=problem.github, text=problem.words)
    text = error_text(problem)
    if isinstance(problem, RequestMistake):
        from_list = button("Choose from a list", Action.CHOOSE_FROM_LIST, NO_VALUE)
        return reply(text, *(_show_line(line, n) for n, line in enumerate(problem.lines, 1)), from_list)
    return reply(text, _show(problem.rental_id) if isinstance(problem, TooLate) else None)


def _show_line(line: Line, n: int) -> Json | None:
    """Return a button that makes a suggested request, such as `Show H100 EU under $2.50/GPU/h`.

    The label of a long request is `Show this` or `Show suggestion 2`. None if the request is too long for a
    button.
    """
    label = escape(f"Show {line.shown}", 300)
    if len(label) > blocks.BUTTON_TEXT:
        label = "Show this" if n == 1 else f"Show suggestion {n}"
    with suppress(Mistake):
        value = LineValue(text=f"wait {line.text}" if line.verb == "wait" else line.text)
        return button(label, Action.SHOW_LINE, value, about=line.shown)
    return None


def _show(rental_id: str | None) -> Json | None:
    if rental_id is not None:
        with suppress(Mistake):  # no button if the typed ID doesn't fit: no rental has such a long ID
            return show_button(rental_id)
    return None


def bug(number: str, *, rented: bool | None = None) -> Rendered:
    """Render the reply after an unexpected error.

    If `rented` is False, the reply also says that nothing was rented.
    """
    known = "Nothing was rented." if rented is False else "/gpu list shows what is rented."
    return reply(f"Something went wrong on my side. {known} Give an admin this number: {identifier(number, 20)}.")


def store_busy() -> Rendered:
    return reply("I couldn't save anything just now, so nothing was changed. Try again in a moment.")


def rented(
    rental: Rental, *, asked: PeopleAsked | None = None, first_line: str = "", without_key: Sequence[str] = ()
) -> Rendered:
    """Render the reply to a click on an offer. It replaces the message with the offers.

    Args:
        rental: The new rental.
        asked: The people who can approve or deny the request, if it needs approval.
        first_line: A sentence that precedes the reply.
        without_key: The names of the teammates who have no SSH key.
    """
    follow = f"Follow it in {channel(rental.card_channel)}."
    name, until = machine_in(rental), until_named(rental.request)
    if rental.state is State.AWAITING_APPROVAL:
        asked_about = asked_for(asked, "approval")
        text = f"{asked_about}: {name}, at up to {highest(rental.terms)}{until}. {follow}"
    else:
        text = f"Renting {name}, from {per_hour(rental.terms.price)}{until}. {follow}"
    return reply(join(first_line, text, without_key_text(without_key)))


def end_dropped(request: Request, command: str) -> Rendered:
    """Render the reply to `/gpu again` if the last request was for a time that has passed or is too near.

    `command` is an example of a command with a later time.
    """
    near = f"has passed or is less than {span(LEAST_TIME)} away"
    name = f"{describe(request)} for {span(request.lease)} from when it's ready"
    another = f"To name another end: {escape(command, 300)}"
    return reply(f"The end that you named last time {near}, so I'm looking for {name}. {another}")


def away(until: datetime, asked: PeopleAsked) -> Rendered:
    """Render the answer to `/gpu away`: when the approver is back, and who is asked in the meantime."""
    instead = f"I'll ask {people_text(asked.names)} instead." if asked.names else "Requests will wait for you."
    away_until = f"You're away until {Times.date_and_time(until)}, so I won't ask you about requests."
    return reply(f"{away_until} {instead} If you're back earlier: /gpu away off")


def back(was_away: bool) -> Rendered:
    return reply(
        "You're back, so I'll ask you about requests again." if was_away else "You weren't marked as away."
    )


def paused(changed: bool, home_channel: str) -> Rendered:
    announced = f"{channel(home_channel)} will be told." if changed else ""
    state = "Buying is paused." if changed else "Buying was already paused."
    rest = "Machines can still be destroyed. To end the pause: /gpu resume"
    return reply(join(state, announced, rest))


def resumed(changed: bool) -> Rendered:
    return reply("Buying has resumed, so machines can be rented again." if changed else "Buying wasn't paused.")


# --- leases and ends


def extended(done: Extended, times: Times, utc: str = "") -> Rendered:
    """Render the reply to an extension. It says whether the lease was extended or an approver has to decide first.

    If the lease only ends earlier now, because it ends when its jobs are done, the reply says that. `utc` contains
    optional sentences, for example that a typed time was interpreted as UTC.
    """
    rental = done.rental
    about = _about(rental, done.span) if done.sees_money else ""
    if done.waits:
        what = f"{span(done.span)} more for {machine(rental)}"
        what = f"{what}, until its job is done" if done.until_done else what
        asked = f"{asked_for(done.asked, what)}{about}."
        return blocks.message(join(asked, without_approval(rental, times), utc))
    if not done.span:
        at = times.at_time(rental.running_lease.ends_at)
        ends = f"{machine(rental)} ends when its job is done, {at} at the latest."
        return blocks.message(join(ends, utc))
    approved = ", which was already approved" if was_asked_for(rental.request, rental.running_lease) else ""
    text = f"You extended {machine(rental)} by {span(done.span)}{about}{approved}."
    return blocks.message(join(text, ends_fact(rental, times).sentence, utc))


def extend_to_confirm(details: RentalDetails, longer: timedelta, again: Json) -> Rendered:
    """Render the reply to a typed extension that the person has to confirm.

    `again` is the button that opens the confirmation dialog.
    """
    about = _about(details.rental, longer) if details.sees_money else ""
    text = f"To extend {machine(details.rental)} by {span(longer)}{about}, confirm it first."
    return reply(f"{text} Nothing was changed yet.", again)


def _about(rental: Rental, longer: timedelta) -> str:
    """Return the estimated cost of an extension, such as `, about $11.04`."""
    return f", about {dollars(cost(rental.rate, longer))}" if rental.rate is not None else ""


def extended_just_now(rental: Rental, longer: timedelta, reader: Reader) -> Rendered:
    """Render the reply to a `/gpu extend` that was ignored, because the same command had just extended the lease.

    The reply has a button that extends the lease once more, in case the person repeated the command on purpose.
    """
    ends_at = f"It ends {reader.times.at_time(rental.lease.ends_at)}." if rental.lease else ""
    text = f"You extended {machine(rental)} by {span(longer)} just now, so nothing more was added."
    return reply(join(text, ends_at), extend_button(rental, reader, longer=longer, again=True))


def still_needed(rental: Rental, asks_again_at: datetime | None, reader: Reader) -> Rendered:
    """Render the reply to `/gpu keep`.

    The reply says when the bot asks again whether the machine is needed, and that the lease isn't extended.
    `asks_again_at` is None if the bot won't ask again.
    """
    lease = rental.running_lease
    again = ask_again_text(
        asks_again_at,
        lease.ends_at,
        reader.times,
        moves=end_moves(rental),
        until_done=lease.until_done is not None,
    )
    return reply(f"You said that you still need {machine(rental)}. {again}", extend_button(rental, reader))


def ending(rental: Rental) -> Rendered:
    """Render the reply after a rental was destroyed, cancelled or withdrawn. It contains the new state."""
    if rental.state is not State.DESTROYING:
        if rental.state in {State.WITHDRAWN, State.CANCELLED}:
            return blocks.message(f"The request for {machine_in(rental)} was {STATES[rental.state].lower()}.")
        return blocks.message(f"{machine_in(rental)} has ended.")
    then = f"I'll say in {channel(rental.card_channel)} when the vendor has confirmed the deletion."
    return blocks.message(f"I'm destroying {machine_in(rental)}. {then}")


def graceful_destroy(rental: Rental, times: Times) -> Rendered:
    """Render the reply to a graceful destroy, in which the bot first runs `/root/on-ending.sh` on the machine.

    The reply contains the latest time at which the bot destroys the machine.
    """
    latest = times.at_time(rental.running_lease.ends_at)
    text = f"I'll destroy {machine(rental)} when its script {PATH} is done, {latest} at the latest."
    return reply(text, keep_button(rental), destroy_button(rental))


def decided(rental: Rental, *, approved: bool) -> Rendered:
    """Render the reply to an approver who decided in a list: `You approved 8x H100 SXM 80 GB (p4wd9) in EU`."""
    did = "approved" if approved else "declined the request for"
    return blocks.message(f"You {did} {machine_in(rental)}.")


def newer_version(text: str, current: Rendered) -> Rendered:
    """Render the reply to a click on an outdated version of a request.

    The reply contains `text`, followed by the current version.
    """
    return blocks.message(f"{text}\n{current.text}", blocks.section(text), *current.blocks, closed=current.closed)


def begin_with_mention(bot: str, command: str) -> Rendered:
    """Render the reply to a message that mentions the bot, but not at the beginning.

    `command` is the command that the person probably meant.
    """
    return blocks.message(
        f"Nothing was done. If you meant a command, begin with my name: {mention(bot)} {escape(command, 300)}"
    )


def opener(modal: Modal) -> Rendered:
    """Render a button that opens a dialog, as the reply to a typed command.

    Slack opens dialogs only after a click or a slash command. A command in an ordinary message therefore needs
    this button.
    """
    match modal.view["callback_id"], modal.value:
        case Callback.DESTROY_CONFIRM.id, RentalValue(rental_id=rental_id) as value:
            text = f"Destroy {rental_id}? The button shows what it has cost so far and asks you to confirm."
            opens = button(f"Destroy {rental_id}", Action.DESTROY, value, style="danger")
        case Callback.EXTEND.id, EndValue(rental_id=rental_id):
            text = f"By how much do you want to extend {rental_id}? Click, or write: extend {rental_id} 2h"
            opens = button(f"Extend {rental_id}", Action.EXTEND_FORM, RentalValue(rental_id=rental_id))
        case Callback.GITHUB_NAME.id, _:
            text = "To use your keys from GitHub, click and enter your username, or write: key github ana-dev"
            opens = keys.from_github_button()
        case Callback.NEW_TOKEN.id, _:
            text = "With a token, a program can rent machines without a click. Click to make one."
            opens = button("New token", Action.NEW_TOKEN, NO_VALUE)
        case _:
            text = "Click to choose GPUs from a list, or write what you need: get H100 EU"
            opens = button("Choose from a list", Action.CHOOSE_FROM_LIST, NO_VALUE)
    return reply(text, opens)
