"""Carries out the operator's commands.

Each command runs the same action as in Slack, and its answer has the same text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from bot.errors import GpubotError, Mistake, NextStep, RequestChanged, TooLate
from bot.lifecycle.actions import account, action, deciding, ending, leasing, queries
from bot.lifecycle.actions import spend as spending
from bot.lifecycle.deps import Deps, with_newest_rules
from bot.model.admin_question import UnmanagedMachine
from bot.model.attempt import Resource
from bot.model.base import EVER
from bot.model.budget import Scope, ScopeKind
from bot.model.money import micros
from bot.model.person import OPERATOR
from bot.model.rental import Rental
from bot.model.spend import SpendReport
from bot.model.text import for_terminal, one_line, say_at_most
from bot.operator.protocol import Command, Kind
from handlers.actions.spend import report_text
from handlers.messages import lists, replies
from handlers.phrases.blocks import text_of
from handlers.phrases.error_text import error_text
from handlers.phrases.format import JOINER, Reader, channel, escape, identifier
from handlers.typed.commands import parse_spend
from handlers.typed.draft import ParseContext
from handlers.typed.rental_words import read_extension, read_id

MOST_RENTALS = 500
LONGEST_WHY = 200
"""The maximum length in characters of the reason that the operator gives for a change.

Messages in Slack show only this many characters of a reason.
"""
_TOKEN = re.compile(r"<(?:[^<>|]*\|([^<>]*)|[#@!]?(?:subteam\^)?([^<>|]*))>")
"""A date, link, channel or person in mrkdwn, such as `<#C0GPUS>`.

The pattern's first group is the fallback text, which Slack shows if it can't resolve the token. If the token has
no such text, the second group is the ID or URL.
"""
_SHARED_COMMAND = re.compile(r"/gpu (?:(list)(?: all)?|(show|spend|extend|destroy|pause|resume))\b")
NEXT_STEPS: Mapping[NextStep, str] = MappingProxyType(
    {
        NextStep.LIST_ALL: "gpubot list shows all rentals.",
        NextStep.READ_THIS_MONTH: "This month: gpubot spend",
    }
)
"""For each next step that an error message can suggest, a sentence that names the operator command.

Next steps that aren't listed here are possible only in Slack.
"""
_DOLLARS = re.compile(r"\$?(\d[\d,]*(?:\.\d{1,2})?)", re.ASCII)


async def carry_out(deps: Deps, command: Command) -> str:
    """Carry out a command as the operator, and return the answer as text for a terminal.

    Raises GpubotError with the reason if nothing was done.
    """
    deps = with_newest_rules(deps)
    reader = Reader(id=OPERATOR.id, rules=deps.rules, now=deps.clock.now())
    match command.kind:
        case Kind.LIST:
            live = await queries.live_rentals(deps, OPERATOR, everyone=True, most=MOST_RENTALS)
            unmanaged = [
                machine for one in live.unmanaged if one.question.open for machine in one.question.purchase.alive
            ]
            waiting = [summary.rental for summary in live.to_decide]
            text = "\n".join(
                [
                    text_of(lists.list_parts(live, reader, everyone=True)),
                    *map(_approvable, waiting),
                    *map(_deletable, unmanaged),
                ]
            )
        case Kind.SHOW:
            details = await queries.show(deps, OPERATOR, _id(command))
            machines = [resource for resource in details.resources if resource.terminated_at is None]
            text = "\n".join([text_of(lists.show_parts(details, reader)), *map(_deletable, machines)])
        case Kind.SPEND:
            text = report_text(await _spend(deps, command, reader), reader)
        case Kind.EXTEND:
            text = await _extend(deps, command, reader)
        case Kind.DESTROY:
            destroy = ending.Destroy(_id(command), _reason(command.why))
            rental = await action.carry_out(deps, OPERATOR, destroy)
            text = replies.ending(rental).text
        case Kind.APPROVE | Kind.DENY:
            text = await _decide(deps, command)
        case Kind.PAUSE:
            paused = await action.carry_out(deps, OPERATOR, account.Pause(_reason(command.why)))
            text = await _with_channel_name(deps, replies.paused(paused, deps.rules.home_channel).text)
        case Kind.RESUME:
            resume = account.Resume(_reason(command.why))
            text = replies.resumed(await action.carry_out(deps, OPERATOR, resume)).text
    return on_terminal(text)


def _deletable(machine: UnmanagedMachine | Resource) -> str:
    """Return a line with the command that deletes a machine when nothing else works."""
    name = escape(machine.name) if isinstance(machine, UnmanagedMachine) and machine.name else "its machine"
    return f"This deletes {name}: gpubot destroy --resource {identifier(machine.resource_id)}"


def _approvable(rental: Rental) -> str:
    """Return a line with the commands that approve or deny a request."""
    total = say_at_most(rental.newest_terms.total).removeprefix("$")
    return f"To decide about it: gpubot approve {rental.id} --up-to {total}, or gpubot deny {rental.id}"


async def _spend(deps: Deps, command: Command, reader: Reader) -> SpendReport:
    asked = parse_spend(command.words, ParseContext(deps.rules, reader.now, deps.rules.timezone))
    if asked.kind is ScopeKind.PERSON:
        raise Mistake(
            "The operator rents nothing, so there is no spend of your own. Try: gpubot spend project vision"
        )
    return await spending.report(deps, OPERATOR, Scope(kind=asked.kind, name=asked.project), asked.period)


async def _decide(deps: Deps, command: Command) -> str:
    """Approve or deny a request. To approve it, the operator must also have typed the total of the request.

    Raises TooLate if the rental never needed an approval, or if the request has changed in the meantime.
    """
    rental = (await deciding.newest_request(deps, OPERATOR, _id(command))).details.rental
    approves, version = command.kind is Kind.APPROVE, rental.newest_terms.version
    if approves and rental.undecided_terms is not None:  # if it was decided already, `Approve` raises the error
        _check_total(command.up_to, rental)
    why = _reason(command.why)
    decision = (
        deciding.Approve(rental.id, version, why=why) if approves else deciding.Deny(rental.id, version, why)
    )
    try:
        done = await action.carry_out(deps, OPERATOR, decision)
    except RequestChanged:
        message = f"{rental.id} changed a moment ago, so nothing was decided."
        raise TooLate(f"{message} Look at it first: gpubot show {rental.id}", rental.id) from None
    return replies.decided(done, approved=approves).text


def _check_total(typed: str, rental: Rental) -> None:
    """Raise Mistake if the amount that was typed isn't the total of the pending request."""
    dollars, total = _DOLLARS.fullmatch(typed.strip()), say_at_most(rental.newest_terms.total)
    if dollars is None or say_at_most(micros(Decimal(dollars[1].replace(",", "")))) != total:
        what = "its current total, so nothing was approved"
        raise Mistake(f"{typed} isn't {what}. {rental.id} can cost up to {total}. {_approvable(rental)}")


async def _with_channel_name(deps: Deps, text: str) -> str:
    """Replace the ID of the home channel, which a terminal can't look up, with the channel's name."""
    home = deps.rules.home_channel
    async with deps.store.read() as tx:
        known = await tx.people.channel(home, EVER)
    name = f"#{escape(known.name)}" if known is not None and known.name else "the home channel"
    return text.replace(channel(home), name)


async def _extend(deps: Deps, command: Command, reader: Reader) -> str:
    words = read_extension(
        f"{_id(command)} {command.by}", ParseContext(deps.rules, reader.now, deps.rules.timezone)
    )
    by = words.duration or words.until
    if words.id is None or by is None:
        raise Mistake("By how much longer? Try: gpubot extend k7mq2 2h")
    done = await action.carry_out(deps, OPERATOR, leasing.Extend(words.id, by, why=_reason(command.why)))
    return replies.extended(done, reader.times).text


def _id(command: Command) -> str:
    found = read_id(command.id, command.kind.value)
    if found is None:
        raise Mistake("Which rental? Name it by its ID.", next_step=NextStep.LIST_ALL)
    return found


def _reason(typed: str) -> str:
    """Return the reason that the operator typed, on one line. Raises Mistake if it is empty or too long."""
    why = one_line(typed, LONGEST_WHY + 1)
    if not why:
        raise Mistake('Give a reason, which people will read in Slack: --why "the disk is full"')
    if len(why) > LONGEST_WHY:
        raise Mistake(f"--why: write at most {LONGEST_WHY} characters.")
    return why


def error_on_terminal(error: GpubotError) -> str:
    """Return an error as text for a terminal."""
    return on_terminal(error_text(error, NEXT_STEPS))


def on_terminal(text: str) -> str:
    """Convert mrkdwn to text for a terminal.

    Times are in UTC. A command that exists both in Slack and in the terminal is shown as `gpubot` instead of
    `/gpu`.
    """
    text = _TOKEN.sub(lambda token: token[1] if token[1] is not None else token[2], text).replace(JOINER, "")
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = _SHARED_COMMAND.sub(lambda found: f"gpubot {found[1] or found[2]}", text)
    return for_terminal(text)
