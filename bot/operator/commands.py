"""Carries out what the operator types: one call to the same service as in Slack, answered in the same words."""

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
"""Characters of a reason. What Slack shows of one has as many."""
_TOKEN = re.compile(r"<(?:[^<>|]*\|([^<>]*)|[#@!]?(?:subteam\^)?([^<>|]*))>")
"""A date, a link, a channel or a person in mrkdwn: what Slack shows of it if it can't resolve it, or its id."""
_SHARED_COMMAND = re.compile(r"/gpu (?:(list)(?: all)?|(show|spend|extend|destroy|pause|resume))\b")
NEXT_STEPS: Mapping[NextStep, str] = MappingProxyType(
    {
        NextStep.LIST_ALL: "gpubot list shows all rentals.",
        NextStep.READ_THIS_MONTH: "This month: gpubot spend",
    }
)
"""The next steps that have a command by hand. All others are for Slack alone."""
_DOLLARS = re.compile(r"\$?(\d[\d,]*(?:\.\d{1,2})?)", re.ASCII)


async def carry_out(deps: Deps, command: Command) -> str:
    """Carry out a command as the operator. Return the answer in lines for a terminal. Raise GpubotError, with the
    reason, if nothing was done.
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
    """Return the command that deletes a machine if nothing else can."""
    name = escape(machine.name) if isinstance(machine, UnmanagedMachine) and machine.name else "its machine"
    return f"This deletes {name}: gpubot destroy --resource {identifier(machine.resource_id)}"


def _approvable(rental: Rental) -> str:
    """Return the commands that decide what waits for an approver."""
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
    """Approve or deny what waits. An approval has to name the total that the operator read.

    Raises TooLate if nobody ever had to decide about the rental, or if the request changed meanwhile.
    """
    rental = (await deciding.newest_request(deps, OPERATOR, _id(command))).details.rental
    approves, version = command.kind is Kind.APPROVE, rental.newest_terms.version
    if approves and rental.undecided_terms is not None:  # of one that was decided, `Approve` says how
        _check_total(command.up_to, rental)
    why = _reason(command.why)
    decision = (
        deciding.Approve(rental.id, version, why=why) if approves else deciding.Deny(rental.id, version, why)
    )
    try:
        done = await action.carry_out(deps, OPERATOR, decision)
    except RequestChanged:
        words = f"{rental.id} changed a moment ago, so nothing was decided."
        raise TooLate(f"{words} Look at it first: gpubot show {rental.id}", rental.id) from None
    return replies.decided(done, approved=approves).text


def _check_total(typed: str, rental: Rental) -> None:
    """Raise Mistake if what was typed is not the total of a request that waits."""
    dollars, total = _DOLLARS.fullmatch(typed.strip()), say_at_most(rental.newest_terms.total)
    if dollars is None or say_at_most(micros(Decimal(dollars[1].replace(",", "")))) != total:
        what = "its current total, so nothing was approved"
        raise Mistake(f"{typed} isn't {what}. {rental.id} can cost up to {total}. {_approvable(rental)}")


async def _with_channel_name(deps: Deps, text: str) -> str:
    """Return the text with the name of the home channel, which a terminal can't look up by its ID."""
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
    """Return a reason on one line. Raise Mistake if it says nothing, or too much."""
    why = one_line(typed, LONGEST_WHY + 1)
    if not why:
        raise Mistake('Give a reason, which people will read in Slack: --why "the disk is full"')
    if len(why) > LONGEST_WHY:
        raise Mistake(f"--why: write at most {LONGEST_WHY} characters.")
    return why


def error_on_terminal(error: GpubotError) -> str:
    """Return an error as lines for a terminal."""
    return on_terminal(error_text(error, NEXT_STEPS))


def on_terminal(text: str) -> str:
    """Return mrkdwn as lines for a terminal: times in UTC, and `gpubot` for `/gpu` before shared commands."""
    text = _TOKEN.sub(lambda token: token[1] if token[1] is not None else token[2], text).replace(JOINER, "")
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = _SHARED_COMMAND.sub(lambda found: f"gpubot {found[1] or found[2]}", text)
    return for_terminal(text)
