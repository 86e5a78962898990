"""The app's Home tab. It shows the machines and budgets of a person, and the requests that await their decision.

A view has at most 100 blocks (docs.slack.dev/reference/views), and a limited number of characters in all
(`blocks.SUM_OF_TEXT`). Therefore each line is shortened, and rentals are split into pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from bot.model.budget import ScopeKind
from bot.model.person import Key
from bot.model.state import State
from bot.model.summary import HomeView, RentalSummary, TeamMonth, WaitingView
from bot.model.text import plural, say_at_most
from bot.model.token import TokenSummary
from bot.policy.buying.budgets import say_left, say_month
from bot.policy.team.roles import is_owner
from handlers.ids import NO_VALUE, Action, PageValue, RentalValue
from handlers.messages import tokens as tokens_text
from handlers.messages.keys import remove_button
from handlers.messages.lists import line
from handlers.messages.waiting import waiting_text
from handlers.phrases import blocks
from handlers.phrases.blocks import Json, Rendered, button, cut, named
from handlers.phrases.budget_text import scope_name
from handlers.phrases.ends import until_decided
from handlers.phrases.format import Reader, Times, dollars, escape, join, per_hour
from handlers.phrases.lease_buttons import (
    decision_buttons,
    destroy_button,
    extend_button,
    stop_button,
    take_back_button,
    withdraw_button,
)
from handlers.phrases.rental_text import describe, machine_in, people

LINE = 900
"""The maximum number of bytes in one line."""
KEYS, WAITS, BUDGETS, TOKENS = 10, 5, 5, 5
"""The maximum numbers of SSH keys, waitlist entries, budgets and API tokens that the tab shows."""
TEAM_BUDGETS = 8
"""The maximum number of budgets of the team and its projects that the tab shows to an approver."""

_TYPED = """\
In a channel, or in Messages here:
/gpu get H100 EU shows offers
/gpu list shows your rentals
/gpu help shows all commands"""


def home_tab(shown: HomeView | None, reader: Reader) -> Rendered:
    """Render the reader's Home tab. `shown` is None for a person who isn't allowed to use the bot."""
    return Rendered(text="", blocks=tuple(blocks.fit_view(_content(shown, reader))), closed=False)


def _content(shown: HomeView | None, reader: Reader) -> list[Json | None]:
    if shown is None:
        return [
            blocks.section("*I rent GPUs for this team.*"),
            blocks.section("Your team's rules don't let you use me. An admin can change that."),
        ]
    return [
        blocks.section(
            "*Rent GPUs for as long as you need them.* You'll see live prices first. Only a click rents."
        ),
        blocks.actions(button("Get GPUs", Action.CHOOSE_FROM_LIST, NO_VALUE, style="primary")),
        *_to_decide(shown, reader),
        *_yours(shown, reader),
        *_waits(shown.waits, reader.times),
        *_tokens(shown.tokens),
        _line(f"*Money*  {_money(shown)}"),
        *_keys(shown.keys),
        _line(f"*Team*  {_team(shown)}", button("Show all", Action.SHOW_TEAM, NO_VALUE)),
        *_budgets(shown.team_month),
        blocks.context(_TYPED),
    ]


def _line(markup: str, accessory: Json | None = None) -> Json:
    return blocks.section(cut(markup, LINE), accessory)


# --- requests of other people


def _to_decide(shown: HomeView, reader: Reader) -> list[Json | None]:
    """Return the requests that await the reader's decision, with buttons for it."""
    tokens = [(one, one.token.requested) for one in shown.tokens_to_decide[:TOKENS]]
    if not shown.live.to_decide and not tokens:
        return []
    more = shown.live.more_to_decide
    return [
        blocks.section("*Waiting for you*"),
        *chain.from_iterable(
            _rental(one, _question(one, reader.times), *decision_buttons(one.rental, reader.now))
            for one in shown.live.to_decide
        ),
        *chain.from_iterable(
            (
                _line(tokens_text.to_decide_line(one, asked, reader.times)),
                blocks.actions(*tokens_text.decision_buttons(one.token, asked)),
            )
            for one, asked in tokens
            if asked is not None
        ),
        blocks.context(f"{plural(more, 'more is', 'more are')} waiting: /gpu list all") if more else None,
    ]


def _question(one: RentalSummary, times: Times) -> str:
    """Return a question such as `Approve up to $137.54? 8x H100 (p4wd9) in EU for Ana. Expires at 14:00`."""
    rental = one.rental
    subject = f"{machine_in(rental)} for {people(one)}."
    up_to = f"up to {say_at_most(rental.newest_terms.total)}"
    if rental.extension is not None:
        up_to = f"more time until {times.date_and_time(rental.extension.ends_at)}, {up_to} in all"
    return join(f"Approve {up_to}? {subject}", until_decided(rental, times))


# --- the reader's own machines, and the reader's requests that wait for an offer


def _yours(shown: HomeView, reader: Reader) -> list[Json | None]:
    live, times = shown.live, reader.times
    if not live.shown:
        return [_line("*Your machines*  You have none right now.")]
    # The Home tab isn't updated while costs and durations grow. Show the time at which they were computed.
    minute = reader.now.replace(second=0, microsecond=0)
    as_of = f"  As of {times.time(minute)}." if any(one.spent.amount for one in live.shown) else ""
    return [
        blocks.section(f"*Your machines*{as_of}"),
        *chain.from_iterable(
            _rental(one, line(one, owned=one.rental.owner == reader.id, times=times), *_buttons(one, reader))
            for one in live.shown
        ),
        blocks.actions(
            button("Previous page", Action.HOME_PAGE, PageValue(page=shown.page - 1)) if shown.page else None,
            button(f"Next page, {live.more} more", Action.HOME_PAGE, PageValue(page=shown.page + 1))
            if live.more
            else None,
        ),
    ]


def _buttons(one: RentalSummary, reader: Reader) -> list[Json | None]:
    """Return the buttons for a rental. A teammate gets only Details and Extend."""
    rental, own = one.rental, is_owner(reader.id, one.rental.owner)
    details = button("Details", Action.DETAILS, RentalValue(rental_id=rental.id))
    if rental.state is State.READY:
        extend = extend_button(rental, reader, spent=one.spent.amount, money=one.sees_money)
        return [extend or take_back_button(rental), destroy_button(rental) if own else None, details]
    if not own or rental.state is State.DESTROYING:
        return [details]
    if rental.decision is not None:
        return [details, withdraw_button(rental)]
    return [details, button("Cancel", Action.CANCEL, RentalValue(rental_id=rental.id))]


def _rental(one: RentalSummary, markup: str, *buttons: Json | None) -> list[Json | None]:
    """Return the line about a rental, followed by a row with the rental's buttons."""
    subject = one.rental.id, describe(one.rental.request)
    row = blocks.actions(*(named(each, *subject) for each in buttons if each is not None))
    return [_line(markup), row]


def _waits(waits: Sequence[WaitingView], times: Times) -> list[Json | None]:
    more = len(waits) - WAITS
    return [
        blocks.section("*Your waitlist*") if waits else None,
        *(
            _line(waiting_text(one, times), stop_button(one.quote.id, describe(one.request)))
            for one in waits[:WAITS]
        ),
        blocks.context(f"{more} more: /gpu list") if more > 0 else None,
    ]


def _tokens(tokens: Sequence[TokenSummary]) -> list[Json | None]:
    more = len(tokens) - TOKENS
    return [
        blocks.section("*Your tokens*") if tokens else None,
        *(
            _line(tokens_text.home_line(one), tokens_text.stop_button(one.token.id, one.token.name))
            for one in tokens[:TOKENS]
        ),
        blocks.context(f"{more} more: /gpu token list") if more > 0 else None,
    ]


def _money(shown: HomeView) -> str:
    """Return a line about the reader's spending and budgets in the current month.

    An example is `November: you've spent $12.40; you have $87.60 left (..). Details: /gpu spend`.
    """
    left = [
        ("you have" if one.balance.scope.kind is ScopeKind.PERSON else f"{scope_name(one.balance.scope, {})} has")
        + f" {say_left(one)}"
        for one in shown.budgets[:BUDGETS]
    ]
    spent = f"{say_month(shown.month)}: you've spent {dollars(shown.spent)}"
    return f"{'; '.join([spent, *left])}. Details: /gpu spend"


def _keys(keys: Sequence[Key]) -> list[Json | None]:
    add = button("Add SSH key", Action.ADD_KEY, NO_VALUE)
    if not keys:
        return [_line("*SSH keys*  To log in, you'll need an SSH key. I'll ask for one when you rent.", add)]
    more = len(keys) - KEYS
    return [
        _line("*SSH keys*", add),
        *(
            _line(f"{_key_name(key)}{' is the default and always works.' if n == 0 else ''}", remove_button(key))
            for n, key in enumerate(keys[:KEYS])
        ),
        blocks.context(f"{more} more: /gpu key") if more > 0 else None,
    ]


def _key_name(key: Key) -> str:
    name = f'"{escape(key.comment, 40)}"' if key.comment.strip() else "A key without a name"
    return f"{name} `{key.fingerprint[:17]}…`"


def _team(shown: HomeView) -> str:
    """Return a line about the running machines of the whole team: `5 machines, $31.20/h, 1 idle`.

    For approvers, it also contains the cost of the month: `November so far: $4,310.11`.
    """
    team, idle = shown.live.team, shown.live.idle
    month = shown.team_month
    spent = "" if month is None else f"{say_month(shown.month)} so far: {dollars(month.spent)}."
    if not team.count:
        return join("Nobody has a machine right now.", spent)
    runs = f"{plural(team.count, 'machine')}, {per_hour(team.rate)}{f', {idle} idle' if idle else ''}."
    return join(runs, spent)


def _budgets(month: TeamMonth | None) -> list[Json | None]:
    """Return a line for each budget of the team and its projects. Only people who approve requests see them."""
    if month is None or not month.budgets:
        return []
    more = len(month.budgets) - TEAM_BUDGETS
    lines = [
        f"{scope_name(one.balance.scope, {})}: {say_left(one, of_budget=True)}"
        for one in month.budgets[:TEAM_BUDGETS]
    ]
    return [
        _line("\n".join(["*Budgets*", *lines])),
        blocks.context(f"{plural(more, 'more budget')}: /gpu spend project NAME") if more > 0 else None,
    ]
