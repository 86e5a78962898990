"""Messages about API tokens: lists, buttons, the message to the approvers, and alerts to the owner.

The secret of a token is in none of them. Only the last step of the form shows it (handlers/actions/token_form.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.model.budget import UNASSIGNED, Demand
from bot.model.event import EventKind
from bot.model.facts import TokenFacts
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import Over
from bot.model.text import listed, plural, rough_span, say_at_most, span
from bot.model.token import (
    Access,
    BeyondTerms,
    RequestedTerms,
    Token,
    TokenEnd,
    TokenState,
    TokenSummary,
    TokenTerms,
)
from bot.policy.buying.budgets import rules_of_project, say_month
from bot.policy.team.rules import Rules
from bot.policy.team.token_terms import UNUSED_FOR, over_limits_of, total_left
from handlers.ids import NO_VALUE, Action, TokenValue, TokenVersionValue
from handlers.messages.writers import AlertContext, alert
from handlers.phrases import blocks
from handlers.phrases.blocks import Fact, Json, Part, Rendered, button
from handlers.phrases.budget_text import always_asked, scope_name
from handlers.phrases.ends import PATH
from handlers.phrases.format import (
    Reader,
    Times,
    ago,
    as_written,
    clean,
    dollars,
    escape,
    first_few,
    identifier,
    join,
    limit,
    limit_per_hour,
    person,
)
from handlers.phrases.rental_text import gpu, machine

LISTED = 10
"""The maximum number of tokens in a list. More might not fit into the text for notifications."""
MODELS_SHOWN = 6
RENTALS_SHOWN = 10


# --- buttons


def stop_button(token_id: str, name: str) -> Json:
    """Return the button that opens the dialog in which a token is stopped.

    `name` is the token's name, which isn't escaped.
    """
    value = TokenValue(token_id=token_id)
    return button("Stop this token", Action.STOP_TOKEN, value, about=clean(name, 30), style="danger")


def new_button() -> Json:
    return button("New token", Action.NEW_TOKEN, NO_VALUE)


def _change_button(token: Token) -> Json:
    return button("Change", Action.CHANGE_TOKEN, TokenValue(token_id=token.id), about=spoken(token.name))


def spoken(name: str) -> str:
    """Return the text that screen readers read for a token: `token nightly eval`."""
    return f"token {clean(name, 30)}"


# --- phrases


def token_name(name: str) -> str:
    return escape(name, 40)


def owned(name: str, owner: str, names: Mapping[str, str]) -> str:
    """Return the name of a token with its owner's: `nightly eval (Ana)`. `owner` is a Slack ID."""
    return f"{token_name(name)} ({person(names, owner)})"


def models_text(terms: TokenTerms) -> str:
    """Return the GPUs that a token can rent: `H100 or L40S`."""
    return listed(first_few([gpu(name) for name in terms.models], MODELS_SHOWN), "or")


def most_text(terms: TokenTerms) -> str:
    """Return `up to $5.00/h and $200.00 in all`."""
    return f"up to {limit_per_hour(terms.per_hour)} and {say_at_most(terms.total)} in all"


def machines_text(terms: TokenTerms) -> str:
    """Return `2 at once, 6 a day, 4 h each`."""
    return f"{terms.at_once} at once, {terms.per_day} a day, {span(terms.longest)} each"


def _last_day(terms: TokenTerms, times: Times) -> str:
    return times.day(terms.until - timedelta(seconds=1))


def terms_text(terms: TokenTerms, times: Times) -> str:
    """Return the terms in words, as the end of a sentence that begins with the name of the token.

    An example is `can rent H100 or L40S until Dec 14 for up to $5.00/h and $200.00 in all: 2 at once, 6 a day, 4 h
    each`.
    """
    last = _last_day(terms, times)
    if terms.access is Access.LOOK:
        return f"can look at offers and machines until {last}, but not rent"
    return f"can rent {models_text(terms)} until {last} for {most_text(terms)}: {machines_text(terms)}"


def needs_approver(terms: TokenTerms, rules: Rules) -> str:
    """Return the reasons why terms need an approver: `$200.00 is over the limit of $100.00`.

    Empty if they need none.
    """
    over = [f"{amount} is over the limit of {most}" for amount, most in _over_limits(terms, rules)]
    return listed([*over, *filter(None, [_always(terms, rules)])])


def _exceeded(terms: TokenTerms, rules: Rules) -> str:
    """Return the limits that terms exceed: `over the limits of $10.00/h and $100.00`. Empty if there are none."""
    names = [most for _, most in _over_limits(terms, rules)]
    limits = f"over the {'limits' if len(names) > 1 else 'limit'} of {' and '.join(names)}" if names else ""
    return join(limits, _always(terms, rules), by=" · ")


def _over_limits(terms: TokenTerms, rules: Rules) -> list[tuple[str, str]]:
    """Return the amounts of these terms that need an approver, each with the limit that it exceeds."""
    over, alone = over_limits_of(terms, rules), rules_of_project(rules, terms.project).auto_approve
    amounts = {
        Over.PER_HOUR: (limit_per_hour(terms.per_hour), limit_per_hour(alone.per_hour)),
        Over.TOTAL: (say_at_most(terms.total), limit(alone.total)),
    }
    return [amount for which, amount in amounts.items() if which in over]


def _always(terms: TokenTerms, rules: Rules) -> str:
    """Return a phrase about the GPUs that always need approval. Empty if the terms name none of them."""
    return f"{always_asked(rules)} always need approval" if Over.ALWAYS in over_limits_of(terms, rules) else ""


def wants_text(token: Token, terms: TokenTerms, names: Mapping[str, str]) -> str:
    """Return the terms that an owner requests: `Ana wants nightly eval to rent H100 for vision by itself`."""
    project = "" if terms.project == UNASSIGNED else f" for {as_written(escape(terms.project, 40))}"
    what = f"{models_text(terms)}{project} by itself"
    return f"{person(names, token.owner)} wants *{token_name(token.name)}* to rent {what}"


def stopped_text(token: Token, rentals: Sequence[Rental], times: Times) -> str:
    """Return the answer to a person who has stopped a token. `rentals` are the rentals that end with the token."""
    waits = [one for one in rentals if one.lease is not None and one.lease.graceful_destroy is not None]
    ending = [one for one in rentals if one.state is State.DESTROYING and one not in waits]
    latest = max((one.running_lease.ends_at for one in waits), default=None)
    scripts = ""
    if latest is not None:
        end = "ends when its script" if len(waits) == 1 else "end when their script"
        scripts = f"{_named(waits)} {end} {PATH} is done, {times.at_time(latest)} at the latest."
    destroyed = f"{_named(ending)} {'is' if len(ending) == 1 else 'are'} being destroyed." if ending else ""
    return join(f"You stopped {token_name(token.name)}. It no longer works.", destroyed, scripts)


def _named(rentals: Sequence[Rental]) -> str:
    return listed(first_few([machine(rental) for rental in rentals], RENTALS_SHOWN))


# --- lists


def listing(tokens: Sequence[TokenSummary], reader: Reader, *, everyone: bool = False) -> Rendered:
    """Render the answer to `/gpu token list`, or to `/gpu token list all` if `everyone` is true."""
    if not tokens:
        nobody = "Nobody has a token." if everyone else "You have no tokens."
        text = f"{nobody} With a token, a program can rent machines without a click, within terms that you set."
        return blocks.with_buttons(text, new_button())
    more = len(tokens) - LISTED
    return blocks.of_parts(
        *(part for one in tokens[:LISTED] for part in _listed(one, reader)),
        blocks.small(f"{plural(more, 'more token is', 'more tokens are')} not shown." if more > 0 else ""),
        None if everyone else blocks.actions(new_button()),
    )


def _listed(one: TokenSummary, reader: Reader) -> list[Part | Json | None]:
    token, own = one.token, one.token.owner == reader.id
    name = token_name(token.name) if own else owned(token.name, token.owner, {token.owner: one.owner_name})
    return [
        blocks.paragraph(f"{name}: {_status(one, reader)}"),
        blocks.small(
            f'Its last request was refused: "{escape(token.refusal, 200)}"' if own and token.refusal else ""
        ),
        blocks.actions(_change_button(token) if own else None, stop_button(token.id, token.name)),
    ]


def _status(one: TokenSummary, reader: Reader) -> str:
    """Return the status of a token, after its name.

    An example is `last used 12 min ago, $17.70 of $200.00 used, 1 machine, last day Dec 14.`
    """
    token, use, times = one.token, one.use, reader.times
    asked = _pending(token.requested, times) if token.requested is not None else ""
    if token.terms is None:
        return f"not approved yet. {asked}"
    terms, used = token.terms, "not used yet"
    if token.last_used_at is not None:
        used = f"last used {rough_span(reader.now - token.last_used_at)} ago"
    money = "can only look"
    if terms.access is Access.RENT:
        money = f"{dollars(use.spent)} of {say_at_most(terms.total)} used"
    machines = plural(len(use.live), "machine") if use.live else ""
    return join(f"{join(used, money, machines, f'last day {_last_day(terms, times)}', by=', ')}.", asked)


def _pending(requested: RequestedTerms, times: Times) -> str:
    """Return a sentence about terms that wait for an approver."""
    expires = times.at_time(requested.expires_at)
    what = "New terms" if requested.terms.access is Access.LOOK else f"A request for {most_text(requested.terms)}"
    return f"{what} waits for an approver, and expires {expires}."


def home_line(one: TokenSummary) -> str:
    """Return the line about a token on its owner's Home tab.

    An example is `nightly eval: last used 12 minutes ago, $182.30 of $200.00 left`. Slack itself keeps the time
    up to date.
    """
    token, use = one.token, one.use
    name = token_name(token.name)
    if token.terms is None:
        return f"{name}: waits for an approver"
    used = f"last used {ago(token.last_used_at)}" if token.last_used_at is not None else "not used yet"
    money = "can only look"
    if token.terms.access is Access.RENT:
        money = f"{dollars(total_left(token.terms, use))} of {say_at_most(token.terms.total)} left"
    asked = "new terms wait for an approver" if token.requested is not None else ""
    return f"{name}: {join(used, money, asked, by=', ')}"


# --- the message to the approvers


class TokenContext(NamedTuple):
    """The data that the message to the approvers about the terms of a token is composed from."""

    token: Token
    version: int
    """The number of the request for terms that this message is about. This request may no longer be pending."""
    names: Mapping[str, str]
    """The display names of the people whom the message mentions, by Slack ID."""
    reader: Reader
    expires_at: datetime | None = None
    """The time at which the request expires. None if the event doesn't contain it."""
    budget: Demand | None = None
    """The budget of the token's project in the current month. None if it has none."""
    pings: str = ""
    """Mentions of the people who are asked. Empty if the message is edited."""

    @property
    def owner(self) -> str:
        return person(self.names, self.token.owner)

    @property
    def name(self) -> str:
        return owned(self.token.name, self.token.owner, self.names)

    @property
    def asked(self) -> RequestedTerms | None:
        """The terms that this message asks about. None if they no longer wait for an approver."""
        requested = self.token.requested
        return requested if requested is not None and requested.version == self.version else None


def approval(context: TokenContext) -> Rendered:
    """Render the message that asks the approvers about the terms of a token.

    Once the request is no longer open, the message shows the decision, or the reason why there was none.
    """
    token, asked, times = context.token, context.asked, context.reader.times
    if asked is None:
        return blocks.message(_decision(context), closed=True)
    terms, before, most = asked.terms, token.terms, say_at_most(asked.terms.total)
    left, old = "", ""
    if context.budget is not None:
        money, month = say_at_most(max(context.budget.free, 0)), say_month(context.budget.balance.month)
        left = f"{scope_name(context.budget.balance.scope, {})} has {money} left in {month}"
    if before is not None:
        old = f"Until somebody decides, the present terms apply, and the token {terms_text(before, times)}."
    beyond = "ask an approver" if terms.beyond is BeyondTerms.ASK else "are refused"
    exceeds, expires = _exceeded(terms, context.reader.rules), f"expires {times.at_time(asked.expires_at)}"
    return blocks.of_parts(
        blocks.header(f"Approve {'new terms of' if before is not None else 'a token for'} up to {most}?"),
        blocks.paragraph(join(f"{wants_text(token, terms, context.names)}.", old, context.pings)),
        blocks.facts(
            Fact("Price", f"up to {limit_per_hour(terms.per_hour)}", f"It can cost {most_text(terms)}."),
            Fact("Machines", machines_text(terms)),
            Fact("Budget", left, f"{left}." if left else ""),
            Fact("Last day", _last_day(terms, times)),
        ),
        blocks.small(join(exceeds, f"beyond these terms, requests {beyond}", expires, by=" · ")),
        blocks.actions(*decision_buttons(token, asked)),
    )


def decision_buttons(token: Token, asked: RequestedTerms) -> tuple[Json, ...]:
    """Return the buttons with which an approver approves or denies the requested terms of a token."""
    version, about = TokenVersionValue(token_id=token.id, version=asked.version), spoken(token.name)
    approve = f"Approve up to {say_at_most(asked.terms.total)}"
    return (
        button(approve, Action.APPROVE_TOKEN, version, about=about, style="primary"),
        button("Deny", Action.DENY_TOKEN, version, about=about),
    )


def to_decide_line(one: TokenSummary, asked: RequestedTerms, times: Times) -> str:
    """Return the line about requested terms on an approver's Home tab."""
    token, terms = one.token, asked.terms
    what = f"{'new terms of' if token.terms is not None else 'a token for'} up to {say_at_most(terms.total)}"
    wants = wants_text(token, terms, {token.owner: one.owner_name})
    expires = f"The request expires {times.at_time(asked.expires_at)}."
    return f"Approve {what}? {wants}, at up to {limit_per_hour(terms.per_hour)}: {machines_text(terms)}. {expires}"


def _decision(context: TokenContext) -> str:
    """Return the text that replaces a question to the approvers that is no longer open."""
    token, decided, times = context.token, context.token.decided, context.reader.times
    if token.next_version > context.version + 1:
        return f"{context.owner} changed the request for {context.name}. A newer message shows the new request."
    if decided is None or decided.version != context.version:
        return f"{context.name} no longer needs a decision."
    if token.state is TokenState.STOPPED and token.over_at == decided.at:
        by = f" by {person(context.names, token.over_by)}" if token.over_by is not None else ""
        return f"{context.name} was stopped{by} {times.at_time(decided.at)}, before anybody decided."
    who, when = person(context.names, decided.by), times.at_time(decided.at)
    if decided.approved:
        most = f": {most_text(token.terms)}" if token.terms is not None else ""
        return f"{who} approved {context.name} {when}{most}."
    if decided.by is None:
        expired = context.expires_at is not None and decided.at >= context.expires_at
        over = "expired" if expired else "was withdrawn"
        return f"The request for {context.name} {over} {when}{' without a decision' if expired else ''}."
    reason = f': "{escape(decided.reason, 200)}"' if decided.reason else ""
    return f"{who} declined {context.name} {when}{reason}."


# --- alerts to the owner


@alert(EventKind.TOKEN_APPROVED)
def _approved(context: AlertContext[TokenFacts]) -> Rendered:
    facts = context.facts
    most = f" for up to {say_at_most(facts.total)}" if facts.total is not None else ""
    return blocks.message(
        f"{context.actor} approved your token {token_name(facts.name)}{most}. You can use it now."
    )


@alert(EventKind.TOKEN_DENIED)
def _denied(context: AlertContext[TokenFacts]) -> Rendered:
    facts = context.facts
    reason = f': "{escape(facts.detail, 200)}"' if facts.detail else ""
    if facts.still_works:
        declined = f"{context.actor} declined the new terms of your token {token_name(facts.name)}{reason}."
        return blocks.message(f"{declined} Its present terms stay in force.")
    declined = f"{context.actor} declined your token {token_name(facts.name)}{reason}."
    return blocks.with_buttons(f"{declined} Its secret will never work.", new_button())


_WHY_EXPIRED: Mapping[TokenEnd | None, str] = {
    TokenEnd.LAST_DAY: "its last day is over",
    TokenEnd.UNUSED: f"no program has used it for {UNUSED_FOR.days} days",
    TokenEnd.UNDECIDED: "nobody approved it in time",
    TokenEnd.OWNER_LEFT: "its owner left the workspace",
}


@alert(EventKind.TOKEN_EXPIRED)
def _expired(context: AlertContext[TokenFacts]) -> Rendered:
    facts = context.facts
    name = token_name(facts.name)
    if facts.still_works:
        undecided = f"Nobody decided about the new terms of your token {name} in time."
        return blocks.message(f"{undecided} Its present terms stay in force.")
    why = _WHY_EXPIRED.get(facts.why, "")
    expired = f"Your token {name} has expired{f', because {why}' if why else ''}."
    machines = (
        ""
        if facts.why is TokenEnd.UNDECIDED
        else "Machines that were rented with it keep running until their leases end."
    )
    return blocks.with_buttons(join(expired, machines), new_button())


@alert(EventKind.TOKEN_STOPPED)
def _stopped(context: AlertContext[TokenFacts]) -> Rendered:
    facts = context.facts
    when = context.times.at_time(context.event.at)
    return blocks.message(
        join(f"{context.actor} stopped your token {token_name(facts.name)} {when}.", _ends(facts.rentals))
    )


@alert(EventKind.TOKEN_CROWDED)
def _crowded(context: AlertContext[TokenFacts]) -> Rendered:
    """Render the alert about a program that asks for more machines than the token's terms allow."""
    facts = context.facts
    asked = "for more machines than its terms allow"
    if facts.count is not None:
        asked = f"for {plural(facts.count, 'machine')} in a minute"
    has = f"It has {len(facts.rentals)}, as many as its terms allow; the other" if facts.rentals else "The other"
    return blocks.with_buttons(
        f"Your token {token_name(facts.name)} asked {asked}. {has} requests were refused.",
        stop_button(facts.token_id, facts.name),
    )


def _ends(rentals: Sequence[str]) -> str:
    """Return a sentence about the rentals that end with a token. `rentals` are their IDs."""
    if not rentals:
        return ""
    names = listed(first_few(list(map(identifier, rentals)), RENTALS_SHOWN))
    return f"{names} {'ends' if len(rentals) == 1 else 'end'} with it."
