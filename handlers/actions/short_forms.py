"""Commands without a rental ID.

A command that is written in the thread of a rental refers to that rental. Any other command refers to the person's
only rental. If the person has several rentals, the reply asks which one is meant, and has one button for each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from bot.errors import Mistake
from bot.lifecycle.actions import queries
from bot.lifecycle.actions.action import preview
from bot.lifecycle.actions.leasing import Extend
from bot.lifecycle.actions.queries import Purpose, own_rentals
from bot.model.budget import TEAM, Scope, ScopeKind
from bot.model.money import cost
from bot.model.rental import Rental
from bot.model.spend import PeriodKind, RowsOf
from bot.model.state import State
from bot.model.summary import OwnRentals, RentalDetails
from bot.model.text import span
from bot.policy.buying.budgets import say_month
from bot.policy.buying.replacing import may_be_replaced
from bot.policy.buying.spending import LongerLease
from handlers.actions import giving, rentals, sharing
from handlers.actions.calling import ValueHandler
from handlers.ids import (
    NO_VALUE,
    Action,
    ActionId,
    ExtendValue,
    RentalValue,
    ShareValue,
    SpanValue,
    SpendRowsValue,
    UntilValue,
    V,
)
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.messages.lists import line
from handlers.messages.replacing import not_working_button
from handlers.messages.replies import reply
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Rendered, button
from handlers.phrases.format import Reader, Times, dollars, join, person
from handlers.phrases.lease_buttons import (
    destroy_button,
    end_when_done_button,
    extend_by_button,
    extend_until_button,
)
from handlers.phrases.rental_text import STATES, machine_in
from handlers.typed import commands
from handlers.typed.commands import Longer
from handlers.typed.sentences import Topic

KEEP_FOR = timedelta(hours=4)
"""The default duration of `/gpu keep`."""

ABOUT_ONE = frozenset({Topic.TIME, Topic.BROKEN})
"""The topics that only make sense for a single rental, as in the sentence "it's broken"."""

MOST = 10
"""The maximum number of rentals that get a button. `/gpu list` shows all rentals."""

Do = Callable[[str], Awaitable[Outcome]]
"""Carries out the command for the rental with this ID."""
ButtonFor = Callable[[Rental], Json]
"""Returns the button that carries out the command for a rental."""
Meaning = tuple[Do, Purpose, str, ButtonFor]


async def carry_out(context: Context, interaction: UserInteraction, command: commands.RentalCommand) -> Outcome:
    """Carry out a command about one rental.

    Without an ID, a command in the thread of a rental refers to that rental. Any other command refers to the
    person's only rental. If the person has several rentals, the reply asks which one is meant.
    """
    do, purpose, question, button_for = _meaning(context, interaction, command)
    rental_id, origin = command.id, interaction.origin
    topic = command.topic if isinstance(command, commands.About) else None
    if rental_id is None and origin.thread_ts and topic is not Topic.FREE:
        rental_id = await queries.rental_of_thread(context.deps, origin.channel, origin.thread_ts)
    if rental_id is not None:
        return await do(rental_id)
    if topic is not None and topic not in ABOUT_ONE:
        return Reply(content=about_everything(topic, context.reader(interaction.person)))
    own = await own_rentals(context.deps, interaction.person, purpose)
    if own.only is not None:
        return await do(own.only.id)
    return Reply(content=which_one(own, question, button_for, context.reader(interaction.person)))


def _meaning(context: Context, interaction: UserInteraction, command: commands.RentalCommand) -> Meaning:
    """Return the functions and texts that `carry_out` needs for this command.

    Returns:
        - The function that carries out the command for a rental ID.
        - The purpose, which determines the rentals that the person can choose from.
        - The question that asks which rental is meant.
        - The function that returns the button for one of these rentals.
    """

    def do(handler: ValueHandler[V], value_of: Callable[..., V]) -> Do:
        return lambda rental_id: handler(context, interaction, value_of(rental_id=rental_id))

    match command:
        case commands.Show():
            return do(rentals.show, RentalValue), Purpose.SHOW, "Show which machine or request?", _show
        case commands.Ssh():
            return do(rentals.ssh, RentalValue), Purpose.SSH, "Which machine do you want to log in to?", _ssh
        case commands.Share(people=people):
            shared = partial(ShareValue, people=people)
            ask = _named("Share", Action.SHARE, shared)
            return do(sharing.share, shared), Purpose.SHARE, "Share which machine?", ask
        case commands.Give(to=to):
            given = partial(ShareValue, people=(to,))
            return do(giving.give, given), Purpose.GIVE, "Give which machine?", _named("Give", Action.GIVE, given)
        case commands.About(topic=topic):
            about = do(partial(about_rental, topic=topic), RentalValue)
            return about, Purpose.SHOW, "Which machine or request do you mean?", _show
        case commands.Destroy():
            return (
                do(rentals.destroy, RentalValue),
                Purpose.DESTROY,
                "Destroy which machine or request?",
                destroy_button,
            )
        case commands.Keep(duration=duration):
            kept = partial(SpanValue, span=duration or KEEP_FOR)
            ask = _named("Keep", Action.KEEP_FOR, kept)
            return do(rentals.keep, kept), Purpose.EXTEND, "Which machine is still needed?", ask
        case commands.Longer(duration=longer, untils=untils):
            extend = do(partial(keep_longer, command=command), RentalValue)
            return extend, Purpose.EXTEND, *_which_to_extend(untils[0] if len(untils) == 1 else None, longer)
        case commands.Extend(duration=longer, until=until, until_done=True):
            by = until or longer or timedelta(0)
            ask = partial(
                end_when_done_button, now=context.deps.clock.now(), longer=longer or timedelta(0), until=until
            )
            return (
                lambda rental_id: rentals.end_when_done(
                    context, interaction, Extend(rental_id, by, until_done=True)
                ),
                Purpose.EXTEND,
                "End which machine when its job is done?",
                ask,
            )
        case commands.Extend(duration=longer, until=until):
            extend = do(rentals.open_extend_form, RentalValue)
            if until is not None:
                extend = do(rentals.extend, partial(UntilValue, by=until))
            elif longer is not None:
                extend = do(rentals.extend, partial(ExtendValue, by=longer, shown_end=None))
            return extend, Purpose.EXTEND, *_which_to_extend(until, longer)


def _which_to_extend(until: datetime | None, longer: timedelta | None) -> tuple[str, ButtonFor]:
    """Return the question that asks which rental to extend, and its buttons.

    If the command contains neither a length nor a time, the buttons open a dialog that asks for the length.
    """
    if until is not None:
        question = f"Extend which machine until {Times.date_and_time(until)}?"
        return question, partial(extend_until_button, until=until)
    if longer is not None:
        return f"Extend which machine by {span(longer)}?", partial(extend_by_button, longer=longer)
    return "Extend which machine?", _extend_form


def _named(label: str, action: ActionId[V], value_of: Callable[..., V]) -> ButtonFor:
    """Return a function that makes a button with this label for a rental's ID."""
    return lambda rental: button(f"{label} {rental.id}", action, value_of(rental_id=rental.id))


_show = _named("Show", Action.SHOW_RENTAL, RentalValue)
_ssh = _named("ssh", Action.SSH, RentalValue)
_extend_form = _named("Extend", Action.EXTEND_FORM, RentalValue)


def which_one(own: OwnRentals, question: str, button_for: ButtonFor, reader: Reader) -> Rendered:
    """Return the question that asks which of several rentals is meant, with one button for each rental."""
    shown = own.rentals[:MOST]
    left = len(own.rentals) - len(shown)
    return blocks.of_parts(
        blocks.paragraph(question),
        *(blocks.paragraph(_line(rental, own, reader), button_for(rental)) for rental in shown),
        blocks.small(f"{left} more: /gpu list" if left else ""),
    )


def _line(rental: Rental, own: OwnRentals, reader: Reader) -> str:
    whose = "" if rental.owner == reader.id else f" for {person(own.names, rental.owner)}"
    ends = f"It ends {reader.times.at_time(rental.running_lease.ends_at)}." if rental.state is State.READY else ""
    return join(f"{STATES[rental.state]}: {machine_in(rental)}{whose}.", ends)


async def about_rental(
    context: Context, interaction: UserInteraction, value: RentalValue, *, topic: Topic
) -> Outcome:
    """Reply to a sentence about a rental, such as "how long do I have left?"."""
    details = await queries.show(context.deps, interaction.person, value.rental_id)
    return Reply(content=answer_about(details, topic, context.reader(interaction.person)))


async def keep_longer(
    context: Context, interaction: UserInteraction, value: RentalValue, *, command: Longer
) -> Outcome:
    """Ask whether to extend the rental.

    `command` contains the length of the extension, or the time at which the lease should end. A text such as
    "until 6" can mean 6:00 or 18:00. The reply then offers both times, unless the lease can't be extended to one
    of them. If no time remains, the function raises the same errors as `Extend`.
    """
    ends = command.untils or (command.duration or timedelta(0),)
    previews, refused = [], None
    for by in ends:
        try:
            wanted = await preview(context.deps, interaction.person, Extend(value.rental_id, by))
        except Mistake as mistake:
            refused = refused or mistake
        else:
            previews.append((wanted.rental, wanted.plan))
    if refused is not None and not previews:
        raise refused
    return Reply(content=ask_to_keep(previews, context.reader(interaction.person)))


def answer_about(details: RentalDetails, topic: Topic, reader: Reader) -> Rendered:
    """Return the reply to a sentence about a rental: first the fact that was asked for, then a summary."""
    rental = details.rental
    ready = rental.state is State.READY
    first = ""
    if topic is Topic.TIME and ready:
        left = max(rental.running_lease.ends_at - reader.now, timedelta(0))
        first = f"{rental.id} ends in {span(left)}."
    buttons: dict[Topic, tuple[Json | None, ...]] = {
        Topic.TIME: (_extend_form(rental) if ready else None,),
        Topic.MONEY: _spend_buttons(reader),
        Topic.BROKEN: (
            not_working_button(rental) if ready and may_be_replaced(rental, reader.now) else None,
            _ssh(rental) if ready else None,
            destroy_button(rental) if rental.owner == reader.id and not rental.state.over else None,
        ),
        Topic.FASTER: (_choose_from_list(),),
    }
    fact = line(details, owned=False, times=reader.times)
    return reply(join(first, fact), *buttons.get(topic, ()), _show(rental))


def about_everything(topic: Topic, reader: Reader) -> Rendered:
    """Return the reply to a sentence that isn't about a particular rental, such as "what's free?"."""
    everyone = button("The team's machines", Action.SHOW_TEAM, NO_VALUE)
    match topic:
        case Topic.MONEY:
            return reply("Choose whose spending to see.", *_spend_buttons(reader))
        case Topic.FREE:
            idle = "Someone on your team may also have an idle machine."
            return reply(f"The list shows what each GPU costs right now. {idle}", _choose_from_list(), everyone)
        case Topic.WHO:
            return reply("Here you can see who has which machines.", everyone)
        case _:
            return reply("The list has every GPU and what it costs right now.", _choose_from_list())


def _choose_from_list() -> Json:
    return button("Choose from a list", Action.CHOOSE_FROM_LIST, NO_VALUE)


def _spend_buttons(reader: Reader) -> tuple[Json, ...]:
    own = Scope(kind=ScopeKind.PERSON, name=reader.id)
    month = f"{reader.now.astimezone(reader.rules.billing_zone):%Y-%m}"
    named = say_month(month)
    return (
        button(
            "This week", Action.SHOW_SPEND, SpendRowsValue(period=PeriodKind.WEEK, scope=own, rows=RowsOf.RENTALS)
        ),
        button(named, Action.SHOW_SPEND, SpendRowsValue(period=month, scope=own, rows=RowsOf.RENTALS)),
        button(f"Team, {named}", Action.SHOW_SPEND, SpendRowsValue(period=month, scope=TEAM, rows=RowsOf.PEOPLE)),
    )


def ask_to_keep(previews: Sequence[tuple[RentalDetails, LongerLease]], reader: Reader) -> Rendered:
    """Return the question that asks whether to extend a rental.

    If the person's text can mean two different times, there is one button for each.
    """
    rental = previews[0][0].rental
    texts: list[str] = []
    buttons = []
    for details, longer in previews:
        ends = reader.times.time(longer.ends_at)
        price = rental.rate if details.sees_money else None
        about = f", about {dollars(cost(price, longer.span))}" if price is not None else ""
        lead = "Or until" if texts else f"Keep {rental.id} until"
        decides = " That needs approval." if longer.proposal.over else ""
        texts.append(f"{lead} {ends}? {span(longer.span)} more{about}.{decides}")
        label = "Extend" if len(previews) == 1 else f"Extend by {span(longer.span)}"
        buttons.append(button(label, Action.EXTEND_UNTIL, UntilValue(rental_id=rental.id, by=longer.ends_at)))
    return blocks.with_buttons("\n".join(texts), *buttons, _show(rental))
