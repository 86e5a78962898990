"""Answers to sentences that are no command: a fact, and buttons that show more or open a dialog."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from bot.model.budget import TEAM, Scope, ScopeKind
from bot.model.money import cost
from bot.model.spend import PeriodKind, RowsOf
from bot.model.state import State
from bot.model.summary import RentalDetails
from bot.model.text import span
from bot.policy.buying.budgets import say_month
from bot.policy.buying.replacing import may_be_replaced
from bot.policy.buying.spending import LongerLease
from handlers.ids import NO_VALUE, Action, SpendRowsValue, UntilValue
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Rendered, button
from handlers.phrases.ends import end
from handlers.phrases.format import Reader, dollars, join
from handlers.phrases.lease_buttons import destroy_button
from handlers.views.answers.choices import extend_form_button, show_button, ssh_button
from handlers.views.answers.lists import line
from handlers.views.answers.replacing import not_working_button
from handlers.views.answers.replies import reply


class Topic(StrEnum):
    """What a sentence is about, if no command says the same."""

    TIME = "time"
    MONEY = "money"
    BROKEN = "broken"
    WHO = "who"
    FREE = "free"
    FASTER = "faster"


def about_rental(details: RentalDetails, topic: Topic, reader: Reader) -> Rendered:
    """Return what is known of a rental, first what the person asked about."""
    rental = details.rental
    ready = rental.state is State.READY
    first = ""
    if topic is Topic.TIME and ready:
        left = max(rental.running_lease.ends_at - reader.now, timedelta(0))
        first = f"{rental.id} ends {end(rental, reader.times)}, in {span(left)}."
    buttons: dict[Topic, tuple[Json | None, ...]] = {
        Topic.TIME: (extend_form_button(rental) if ready else None,),
        Topic.MONEY: _spend_buttons(reader),
        Topic.BROKEN: (
            not_working_button(rental) if ready and may_be_replaced(rental, reader.now) else None,
            ssh_button(rental) if ready else None,
            destroy_button(rental) if rental.owner == reader.id and not rental.state.over else None,
        ),
        Topic.FASTER: (_choose_from_list(),),
    }
    fact = line(details, owned=False, times=reader.times)
    return reply(join(first, fact), *buttons.get(topic, ()), show_button(rental))


def about_everything(topic: Topic, reader: Reader) -> Rendered:
    """Return the answer if the sentence is about no rental."""
    everyone = button("The team's machines", Action.SHOW_TEAM, NO_VALUE)
    match topic:
        case Topic.MONEY:
            return reply("What you spent, and what the team did:", *_spend_buttons(reader))
        case Topic.FREE:
            idle = "A colleague's machine may be idle, too."
            return reply(f"The list shows what each GPU costs now. {idle}", _choose_from_list(), everyone)
        case Topic.WHO:
            return reply("Who rents what:", everyone)
        case _:
            return reply("The list has every GPU, and what it costs now.", _choose_from_list())


def _choose_from_list() -> Json:
    return button("Choose from a list", Action.CHOOSE_FROM_LIST, NO_VALUE)


def _spend_buttons(reader: Reader) -> tuple[Json, ...]:
    own = Scope(kind=ScopeKind.PERSON, name=reader.id)
    month = f"{reader.now.astimezone(reader.rules.billing_zone):%Y-%m}"
    named = say_month(month)
    return (
        button("This week", Action.SHOW_SPEND, SpendRowsValue.of(PeriodKind.WEEK, own, RowsOf.RENTALS)),
        button(named, Action.SHOW_SPEND, SpendRowsValue.of(month, own, RowsOf.RENTALS)),
        button(f"Team, {named}", Action.SHOW_SPEND, SpendRowsValue.of(month, TEAM, RowsOf.PEOPLE)),
    )


def keep_longer(previews: Sequence[tuple[RentalDetails, LongerLease]], reader: Reader) -> Rendered:
    """Return the question whether a rental shall end later, with a button for each end that may be meant. Each
    button carries its end."""
    rental = previews[0][0].rental
    texts: list[str] = []
    buttons = []
    for details, longer in previews:
        ends = reader.times.time(longer.ends_at)
        price = rental.rate if details.sees_money else None
        about = f", about {dollars(cost(price, longer.span))}" if price is not None else ""
        lead = "Or until" if texts else f"Keep {rental.id} until"
        decides = " An approver decides." if longer.proposal.over else ""
        texts.append(f"{lead} {ends}? {span(longer.span)} more{about}.{decides}")
        label = "Extend" if len(previews) == 1 else f"Extend by {span(longer.span)}"
        buttons.append(button(label, Action.EXTEND_UNTIL, UntilValue.of(rental.id, longer.ends_at)))
    return blocks.message(
        "\n".join(texts),
        blocks.section("\n".join(texts)),
        blocks.actions(*buttons, show_button(rental)),
        closed=False,
    )
