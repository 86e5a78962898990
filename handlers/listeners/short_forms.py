"""Commands without an id: they mean the rental of the thread or the person's only one, or ask which is meant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from bot.lifecycle.actions import queries
from bot.lifecycle.actions.own_rentals import Purpose, own_rentals
from bot.model.text import span
from handlers.actions import giving, rentals, sharing
from handlers.ids import ExtendValue, RentalValue, ShareValue, SpanValue, UntilValue, V
from handlers.listeners import sentences
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.phrases.format import Times
from handlers.phrases.lease_buttons import destroy_button
from handlers.typed import commands
from handlers.views.answers import choices
from handlers.views.answers import sentences as answers
from handlers.views.answers.choices import ButtonFor
from handlers.views.answers.sentences import Topic

KEEP_FOR = timedelta(hours=4)
"""How long `/gpu keep` without a time keeps a machine."""

ABOUT_ONE = frozenset({Topic.TIME, Topic.BROKEN})
"""What a sentence can only say about one rental."""

Do = Callable[[str], Awaitable[Outcome]]
"""Does what the command says with the rental of this id."""


async def carry_out(context: Context, interaction: UserInteraction, command: commands.RentalCommand) -> Outcome:
    """Carry out a command about one rental. Without an id, it means the rental in whose thread it was written, or
    else the person's only one. If they have several, reply with the question which one is meant."""
    do, purpose, question, button_for = _meaning(context, interaction, command)
    rental_id, origin = command.id, interaction.origin
    topic = command.topic if isinstance(command, commands.About) else None
    if rental_id is None and origin.thread_ts and topic is not Topic.FREE:
        rental_id = await queries.rental_of_post(context.deps, origin.channel, origin.thread_ts)
    if rental_id is not None:
        return await do(rental_id)
    if topic is not None and topic not in ABOUT_ONE:
        return Reply(content=answers.about_everything(topic, context.reader(interaction.person)))
    own = await own_rentals(context.deps, interaction.person, purpose)
    if own.only is not None:
        return await do(own.only.id)
    return Reply(content=choices.which_one(own, question, button_for, context.reader(interaction.person)))


def _meaning(
    context: Context, interaction: UserInteraction, command: commands.RentalCommand
) -> tuple[Do, Purpose, str, ButtonFor]:
    """Return what a command does, with which rentals it can do that, and the question and the buttons if it can
    mean several."""
    times = context.reader(interaction.person).times

    def do(act: Callable[[Context, UserInteraction, V], Awaitable[Outcome]], value_of: Callable[[str], V]) -> Do:
        return lambda rental_id: act(context, interaction, value_of(rental_id))

    match command:
        case commands.Show():
            return do(rentals.show, _rental), Purpose.SHOW, "Show which one?", choices.show_button
        case commands.Ssh():
            return do(rentals.ssh, _rental), Purpose.SSH, "Which one do you want to open?", choices.ssh_button
        case commands.Share(people=people):
            share = do(sharing.share, partial(ShareValue.of, people=people))
            return share, Purpose.SHARE, "Share which one?", partial(choices.share_button, people=people)
        case commands.Give(to=to):
            give = do(giving.give, partial(ShareValue.of, people=(to,)))
            return give, Purpose.GIVE, "Give which one?", partial(choices.give_button, to=to)
        case commands.About(topic=topic):
            about = do(partial(sentences.about_rental, topic=topic), _rental)
            return about, Purpose.SHOW, "Which one do you mean?", choices.show_button
        case commands.Destroy():
            return do(rentals.destroy, _rental), Purpose.DESTROY, "Destroy which one?", destroy_button
        case commands.Keep(duration=duration):
            length = duration or KEEP_FOR
            keep = do(rentals.keep, partial(SpanValue.of, span=length))
            keep_button = partial(choices.keep_button, length=length)
            return keep, Purpose.EXTEND, "Which one is still needed?", keep_button
        case commands.Longer(duration=longer, untils=untils):
            ask = do(partial(sentences.keep_longer, command=command), _rental)
            return ask, Purpose.EXTEND, *_which_to_extend(untils[0] if len(untils) == 1 else None, longer, times)
        case commands.Extend(duration=longer, until=until):
            extend = do(rentals.open_extend_form, _rental)
            if until is not None:
                extend = do(rentals.extend, partial(UntilValue.of, until=until))
            elif longer is not None:
                extend = do(rentals.extend, partial(ExtendValue.of, longer=longer, shown_end=None))
            return extend, Purpose.EXTEND, *_which_to_extend(until, longer, times)


def _which_to_extend(until: datetime | None, longer: timedelta | None, times: Times) -> tuple[str, ButtonFor]:
    """Return the question which rental is extended, until an end or by a length, and its buttons. If neither was
    named, the buttons ask by how much."""
    if until is not None:
        question = f"Extend which one until {times.date_and_time(until)}?"
        return question, partial(choices.extend_until_button, until=until)
    if longer is not None:
        return f"Extend which one by {span(longer)}?", partial(choices.extend_by_button, longer=longer)
    return "Extend which one?", choices.extend_form_button


def _rental(rental_id: str) -> RentalValue:
    return RentalValue(rental_id=rental_id)
