"""The texts of `gpubot agent`. No I/O.

Times are shown in the time zone of this machine. Sentences of the API contain times in UTC, and are shown as they
are.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from bot.model.api import Login, LoginState, Offer, ProgramState, Quote, Rental, Ssh, Token
from bot.model.budget import UNASSIGNED
from bot.model.money import micros
from bot.model.text import about_span, listed, plural, say_at_most, say_dollars, say_rate, span
from bot.model.token import Access, BeyondTerms, WhenLost

_IF_LOST = {
    WhenLost.TELL: "the owner is told",
    WhenLost.END: "the machine ends, unless its GPUs work",
    WhenLost.END_IF_BUSY: "the machine ends, even if its GPUs work",
}


def command(verb: str, rental: Rental, *more: str) -> str:
    """Return a command about a rental, such as `gpubot agent show --key run-812`."""
    which = rental.id if rental.key is None else f"--key {shlex.quote(rental.key)}"
    return " ".join(("gpubot agent", verb, which, *more))


def by_key(verb: str, key: str) -> str:
    """Return a command about a key, such as `gpubot agent show --key run-812`, even if no rental has it."""
    return f"gpubot agent {verb} --key {shlex.quote(key)}"


def made_key(key: str) -> str:
    """Return the line about a key that was made because none was given."""
    return f"The key of this rental is {key}. With it, you find the rental again: {by_key('show', key)}"


def at(moment: datetime, now: datetime) -> str:
    """Return a time in the zone of this machine, such as `at 14:00 CET` or `tomorrow at 10:05 CET`."""
    local, today = moment.astimezone(), now.astimezone().date()
    clock = f"at {local:%H:%M %Z}"
    days = (local.date() - today).days
    if days == 0:
        return clock
    return f"tomorrow {clock}" if days == 1 else f"on {local:%a} {local.day} {local:%b} {clock}"


def _by(moment: datetime, now: datetime) -> str:
    """Return a time for use after `by` or `until`, such as `14:00 CET` or `Tue 18 Mar at 10:00 CET`."""
    return at(moment, now).removeprefix("at ").removeprefix("on ")


# --- one rental


def result_lines(rental: Rental, now: datetime) -> list[str]:
    """Return the lines about a request that was accepted, or about the machine if it is ready."""
    if rental.state is ProgramState.READY:
        return [_ready_line(rental, now), *_machine_lines(rental, now)]
    if rental.state is ProgramState.PENDING:
        return [f"{_needs_approval(rental, now)} To see the decision: {command('show', rental)}"]
    return [f"{status_line(rental, now).rstrip('.')}. To see how far it is: {command('show', rental)}"]


def show_lines(rental: Rental, now: datetime) -> list[str]:
    """Return the lines about a rental that somebody looks up."""
    price = f", {say_rate(rental.per_hour)}/h" if rental.per_hour is not None else ""
    key = f", key {rental.key}" if rental.key is not None else ""
    lines = [f"{rental.gpu} ({rental.id}{key}) of {rental.token}{price}: {state_text(rental.state)}"]
    if rental.note:
        lines.append(f'Note: "{rental.note}"')
    if rental.money is not None:
        lines.append(f"{_cost(rental)}.")
    if rental.state is ProgramState.READY and rental.money is not None:
        more = [] if rental.reason.startswith("Ready.") else [rental.reason]
        return [*lines, *more, _ready_line(rental, now), *_machine_lines(rental, now)]
    return [*lines, over_line(rental)]


def _ready_line(rental: Rental, now: datetime) -> str:
    ready, end = "Ready.", ""
    if rental.ready_at is not None:
        ready = f"Ready after {span(rental.ready_at - (rental.started_at or rental.created_at))}."
    if rental.ends_at is not None:
        end = f"It ends {at(rental.ends_at, now)}, and its disk is deleted then."
    return _sentences(ready, end, _how_to_release(rental))


def _how_to_release(rental: Rental) -> str:
    return f"To end it sooner: {command('release', rental)}"


def _machine_lines(rental: Rental, now: datetime) -> list[str]:
    """Return the lines about the address of a machine, its heartbeats, and the money that is left."""
    lines = [] if rental.ssh is None else [rental.ssh.command, *host_key_lines(rental.ssh)]
    if rental.heartbeat_until is not None:
        lines.append(f"Send a heartbeat by {_by(rental.heartbeat_until, now)}: {command('heartbeat', rental)}")
    if rental.money is not None:
        left, total = amount(rental.money.left), amount(rental.money.total)
        lines.append(f"{left} of {_name(rental.token)}'s {total} is left.")
    return lines


def host_key_lines(ssh: Ssh) -> list[str]:
    """Return the line about the host key of a machine. Empty if the host key isn't known."""
    if ssh.host_key is None:
        return []
    return [f"Host key: {ssh.host_key}. Don't connect if ssh shows a different one."]


def over_line(rental: Rental) -> str:
    """Return the reason and the next step of a rental that has no machine, or whose machine is ending."""
    return _sentences(rental.reason, rental.next_step)


def over_lines(rental: Rental, _now: datetime) -> list[str]:
    """Return the line about a rental that is over, or that is ending."""
    return [over_line(rental)]


def beat_lines(rental: Rental, now: datetime) -> list[str]:
    """Return the line about a heartbeat that has arrived."""
    if rental.state is not ProgramState.READY:
        return [over_line(rental)]
    if rental.heartbeat_until is None:
        return [f"{rental.id} is running, and needs no heartbeats."]
    return [f"{rental.id} is running. Send the next heartbeat by {_by(rental.heartbeat_until, now)}."]


def request_line(rental: Rental, *, approved: bool) -> str:
    """Return the line about a request that was accepted. It is shown once the highest price is known."""
    terms = "approved" if approved else f"within the terms of {rental.token}"
    return f"{', '.join(filter(None, (rental.request, _at_most(rental), terms)))}."


def pending_line(rental: Rental, now: datetime) -> str:
    """Return the line about a request that waits for an approver, for a person whose command waits as well."""
    return f"{_needs_approval(rental, now)} It stays if you stop waiting: {command('show', rental)}"


def status_line(rental: Rental, now: datetime) -> str:
    """Return the progress of a rental that isn't ready yet."""
    if rental.state is ProgramState.PENDING:
        return "Waiting for a decision"
    if rental.state is ProgramState.SEARCHING:
        return f"{', '.join(filter(None, (rental.request, _at_most(rental))))}. {rental.reason}"
    where = f" at {rental.vendor}" if rental.vendor is not None else ""
    price = f"{say_rate(rental.per_hour)}/h" if rental.per_hour is not None else ""
    return ", ".join(filter(None, (f"Starting: {rental.gpu} ({rental.id}){where}", price, _elapsed(rental, now))))


def may_have_arrived(key: str) -> str:
    """Return the sentence for somebody whose request got no answer."""
    return f"The request may have arrived. To find out, repeat it with the same key: --key {shlex.quote(key)}"


def stopped_waiting(key: str) -> str:
    """Return the line for somebody who pressed Ctrl-C while a request was waiting."""
    return f"Stopped waiting. {the_request_stays(key)}"


def the_request_stays(key: str) -> str:
    """Return the sentences for somebody who no longer waits for a request that was accepted."""
    return f"The request isn't withdrawn. To see it: {by_key('show', key)}  To end it: {by_key('release', key)}"


def _needs_approval(rental: Rental, now: datetime) -> str:
    asked = listed(rental.approvers)
    was = "was" if len(rental.approvers) == 1 else "were"
    since = f" {at(rental.asked_at, now)}" if rental.asked_at is not None else ""
    who = f"{asked} {was} asked{since}" if asked else ""
    until = f"request expires {at(rental.expires_at, now)}" if rental.expires_at is not None else ""
    if who and until:
        return f"Needs approval. {who}, and the {until}."
    return _sentences("Needs approval.", f"{who}." if who else "", f"The {until}." if until else "")


def _elapsed(rental: Rental, now: datetime) -> str:
    if rental.started_at is None:
        return ""
    usual = f" of about {about_span(rental.usual_start)}" if rental.usual_start is not None else ""
    return f"{span(now - rental.started_at)}{usual}"


def _at_most(rental: Rental) -> str:
    return f"at most {say_at_most(micros(rental.money.at_most))}" if rental.money is not None else ""


def _name(token: str) -> str:
    """Return the name of a token without that of its owner: `nightly eval` for `nightly eval (Ana)`."""
    return token.rpartition(" (")[0] or token


def state_text(state: ProgramState) -> str:
    """Return a state such as `sold out`."""
    return state.value.replace("_", " ")


def _sentences(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


# --- lists


def rental_rows(rentals: Sequence[Rental], now: datetime) -> list[str]:
    """Return the lines of a list of rentals, in columns."""
    rows = [
        (
            rental.id,
            rental.key or "-",
            state_text(rental.state),
            rental.gpu,
            f"ends {at(rental.ends_at, now)}" if rental.ends_at is not None and not rental.state.over else "-",
            _cost(rental),
            rental.token,
        )
        for rental in rentals
    ]
    return _columns(rows) or ["The token's owner has no current rentals."]


def _cost(rental: Rental) -> str:
    if rental.money is None:
        return "-"
    return f"{amount(rental.money.spent)} so far, {_at_most(rental)}"


def quote_lines(quote: Quote, _now: datetime) -> list[str]:
    """Return the lines about offers."""
    rows = [(*_offer(offer), offer.reason) for offer in quote.offers]
    return [f"{quote.request}:", *_columns(rows)] if rows else [f"{quote.request}: {quote.next_step}"]


def _offer(offer: Offer) -> tuple[str, str, str, str]:
    most = f"at most {say_at_most(micros(offer.at_most))}"
    return f"{say_rate(offer.per_hour)}/h", f"{offer.count}x {offer.gpu}", f"{offer.vendor}, {offer.region}", most


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines whose columns are aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


# --- the token


def token_lines(token: Token, now: datetime) -> list[str]:
    """Return the lines about the terms of a token."""
    return terms_lines(token, f"{token.name} ({token.owner})", _by(token.until, now))


def terms_lines(token: Token, name: str, until: str, quote: Callable[[str], str] = str) -> list[str]:
    """Return the lines about the terms of a token, for a person or for a model.

    Args:
        token: The token.
        name: The name of the token and of its owner.
        until: The end of the token's last day.
        quote: Prepares text from outside.
    """
    if token.access is Access.LOOK:
        return [f"{name} can look at offers and machines until {until}, but not rent."]
    project = f" for project {quote(token.project)}" if token.project != UNASSIGNED else ""
    lines = [
        f"{name} may rent {listed(token.gpus, 'or')}{project} until {until}.",
        f"{amount(token.left)} of {amount(token.total)} is left, and {_rate(token.per_hour_left)} of "
        f"{_rate(token.per_hour)}.",
        f"It has {token.machines} of {plural(token.machines_at_once, 'machine')} at once, and has rented "
        f"{token.machines_today} of {token.machines_a_day} in 24 h. The longest lease is "
        f"{span(token.longest_lease)}.",
        "Beyond these terms, an approver is asked."
        if token.beyond is BeyondTerms.ASK
        else "Beyond these terms, requests are refused.",
    ]
    if token.if_heartbeat_lost is not None:
        lines.append(f"If a heartbeat is lost, {_IF_LOST[token.if_heartbeat_lost]}.")
    if token.last_refusal:
        lines.append(f"The last request was refused: {quote(token.last_refusal)}")
    return lines


def amount(dollars: Decimal) -> str:
    """Return an amount such as `$189.24`."""
    return say_dollars(micros(dollars))


def _rate(rate: Decimal) -> str:
    return f"{say_rate(rate)}/h"


# --- logging in

REPLACED = "The file had another token before. If nothing else uses that one, stop it in Slack: /gpu token list"
_LOST = "Stop it in Slack (/gpu token list), and run gpubot agent login again."


def code_lines(code: str) -> list[str]:
    """Return the lines that tell a person what to type."""
    return [
        f"In Slack, type: /gpu token {code}",
        "The code works once, within 10 min. Type it yourself; don't send it to anyone.",
    ]


def login_status(login: Login) -> str:
    """Return the progress of a login."""
    if login.state is LoginState.OPENED:
        return "The code was typed. Waiting until the form is submitted"
    return "Waiting until somebody types the code"


def logged_in_lines(login: Login) -> list[str]:
    """Return the lines about a token that was saved."""
    who = f"Logged in as {login.token}" if login.token else "Logged in"
    # The token works until the end of its last day, which is midnight.
    last = None if login.until is None else (login.until - timedelta(seconds=1)).astimezone()
    until = "" if last is None else f", until {last.day} {last:%b}"
    lines = [f"{who}{until}. The token is in a file that only you can read, and was never in Slack."]
    if login.needs_approval:
        lines.append("It won't work until an approver agrees. To see whether it works: gpubot agent token")
    return lines


def overriding(variables: Sequence[str]) -> str:
    """Return the line about variables of the environment that hide the token in the file."""
    verb = "is" if len(variables) == 1 else "are"
    return (
        f"{listed(variables)} {verb} set in the environment, which comes before the file. To use the new token: "
        f"unset {' '.join(variables)}"
    )


def code_expired(code: str) -> str:
    """Return the line about a login that has expired."""
    made = "If you have made a token with it, no program can use that token. Stop it in Slack: /gpu token list."
    return f"The code {code} has expired. {made} For a new code, run gpubot agent login again."


def login_stopped() -> str:
    """Return the line for somebody who pressed Ctrl-C during a login."""
    return (
        "Stopped waiting, so the code is of no use any more. If you have made a token with it, stop that token in "
        "Slack: /gpu token list"
    )


def not_saved(reason: str) -> str:
    """Return the line for somebody whose new token couldn't be saved."""
    return f"{reason} So the new token is lost. {_LOST}"


def not_readable() -> str:
    """Return the line about a token that wasn't encrypted for this program."""
    return f"The API sent no token that this program can read, so the new token is lost. {_LOST}"
