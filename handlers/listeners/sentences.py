"""Sentences that are no command: a fact about a rental, or a question before it is extended."""

from __future__ import annotations

from datetime import timedelta

from bot.errors import Mistake
from bot.lifecycle.actions import queries
from bot.lifecycle.actions.action import preview
from bot.lifecycle.actions.leasing import Extend
from handlers.ids import RentalValue
from handlers.listeners.context import Context
from handlers.listeners.interaction import Outcome, Reply, UserInteraction
from handlers.typed.commands import Longer
from handlers.views.answers import sentences
from handlers.views.answers.sentences import Topic


async def about_rental(
    context: Context, interaction: UserInteraction, value: RentalValue, *, topic: Topic
) -> Outcome:
    """Reply with what is known of a rental."""
    details = await queries.show(context.deps, interaction.person, value.rental_id)
    return Reply(content=sentences.about_rental(details, topic, context.reader(interaction.person)))


async def keep_longer(
    context: Context, interaction: UserInteraction, value: RentalValue, *, command: Longer
) -> Outcome:
    """Ask whether the rental shall go on so much longer. Of two ends that may be meant, leave out one that is not
    possible. Raise as `Extend` if none is."""
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
    return Reply(content=sentences.keep_longer(previews, context.reader(interaction.person)))
