"""Carries out what the operator types: one call to the same service as in Slack, answered in the same words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from types import MappingProxyType

from bot.errors import GpubotError, Mistake, NextStep, RequestChanged, TooLate
from bot.lifecycle.actions import account, action, deciding, ending, leasing, queries
from bot.lifecycle.actions import spend as spending
from bot.lifecycle.deps import Deps, with_newest_rules
from bot.model.admin_question import UnknownMachine
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
        NextStep.LIST_ALL: "gpubot list shows what there is.",
        NextStep.READ_THIS_MONTH: "This month: gpubot spend",
    }
)
"""The next steps that have a command by hand. All others are for Slack alone."""
_DOLLARS = re.compile(r"\$?(\d[\d,]*(?:\.\d{1,2})?)", re.ASCII)


async def carry_out(deps: Deps, command: Command) -> str:
    """Carry out a command as the operator. Return the answer in lines for a terminal. Raise GpubotError, with the
    reason, if nothing was done."""
    deps = with_newest_rules(deps)
    reader = Reader(id=OPERATOR.id, rules=deps.rules, now=deps.clock.now())
    match command.kind:
        case Kind.LIST:
            live = await queries.live_rentals(deps, OPERATOR, everyone=True, most=MOST_RENTALS)
            unknown = [
                machine for one in live.unknown if one.question.open for machine in one.question.purchase.alive
            ]
            waiting = [summary.rental for summary in live.to_decide]
            text = "\n".join(
                [
                    text_of(lists.list_parts(live, reader, everyone=True)),
                    *map(_approvable, waiting),
                    *map(_deletable, unknown),
                ]
            )
        case Kind.SHOW:
            details = await queries.show(deps, OPERATOR, _id(command.id, "show"))
            machines = [resource for resource in details.resources if resource.gone_at is None]
            text = "\n".join([text_of(lists.show_parts(details, reader)), *map(_deletable, machines)])
        case Kind.SPEND:
            text = report_text(await _spend(deps, command, reader), reader)
        case Kind.EXTEND:
            text = await _extend(deps, command, reader)
        case Kind.DESTROY:
            destroy = ending.Destroy(_id(command.id, "destroy"), _reason(command.why))
            rental = await action.carry_out(deps, OPERATOR, destroy)
            text = replies.ending(rental).text
        case Kind.APPROVE:
            text = await _approve(deps, command)
        case Kind.DENY:
            text = await _deny(deps, command)
        case Kind.PAUSE:
            paused = await action.carry_out(deps, OPERATOR, account.Pause(_reason(command.why)))
            text = await _with_channel_name(deps, replies.paused(paused, deps.rules.home_channel).text)
        case Kind.RESUME:
            resume = account.Resume(_reason(command.why))
            text = replies.resumed(await action.carry_out(deps, OPERATOR, resume)).text
    return on_terminal(text)


def _deletable(machine: UnknownMachine | Resource) -> str:
    """Return the command that deletes a machine if nothing else can."""
    name = escape(machine.name) if isinstance(machine, UnknownMachine) and machine.name else "its machine"
    return f"Without me, this deletes {name}: gpubot destroy --resource {identifier(machine.resource_id)}"


def _approvable(rental: Rental) -> str:
    """Return the commands that decide what waits for an approver."""
    total = say_at_most(rental.newest_envelope.total).removeprefix("$")
    return f"To decide about it: gpubot approve {rental.id} --up-to {total}, or gpubot deny {rental.id}"


async def _spend(deps: Deps, command: Command, reader: Reader) -> SpendReport:
    asked = parse_spend(command.words, ParseContext(deps.rules, reader.now, deps.rules.timezone))
    if asked.kind is ScopeKind.PERSON:
        raise Mistake("You act as the operator here, who rents nothing. Try: gpubot spend project vision")
    return await spending.report(deps, OPERATOR, Scope(kind=asked.kind, name=asked.project), asked.period)


async def _approve(deps: Deps, command: Command) -> str:
    """Approve what waits, if its total is the one that the operator read."""
    rental = await _waiting(deps, command.id, "approve")
    typed = _DOLLARS.fullmatch(command.up_to.strip())
    total = say_at_most(rental.newest_envelope.total)
    agrees = typed is not None and say_at_most(micros(Decimal(typed[1].replace(",", "")))) == total
    if rental.undecided_envelope is not None and not agrees:  # of one that was decided, `approve` says how
        what = "its total by now, so nothing was approved"
        raise Mistake(f"{command.up_to} isn't {what}. {rental.id} can cost up to {total}. {_approvable(rental)}")
    why = _reason(command.why)
    with _look_again(rental.id):
        approve = deciding.Approve(rental.id, rental.newest_envelope.version, why=why)
        done = await action.carry_out(deps, OPERATOR, approve)
    return replies.decided(done, "Approved").text


async def _deny(deps: Deps, command: Command) -> str:
    rental = await _waiting(deps, command.id, "deny")
    why = _reason(command.why)
    with _look_again(rental.id):
        deny = deciding.Deny(rental.id, rental.newest_envelope.version, why)
        done = await action.carry_out(deps, OPERATOR, deny)
    return replies.decided(done, "Denied").text


async def _waiting(deps: Deps, typed: str, name: str) -> Rental:
    """Return the rental that the operator decides about, also if it was decided already.

    Raises TooLate if nobody ever had to decide about it.
    """
    return (await deciding.newest_request(deps, OPERATOR, _id(typed, name))).details.rental


@contextmanager
def _look_again(rental_id: str) -> Iterator[None]:
    """Name the command that shows the request, if it changed while the operator decided."""
    try:
        yield
    except RequestChanged:
        words = f"{rental_id} has changed just now, so nothing was decided."
        raise TooLate(f"{words} Look at it again: gpubot show {rental_id}", rental_id) from None


async def _with_channel_name(deps: Deps, text: str) -> str:
    """Return the text with the name of the home channel, which a terminal can't look up by its ID."""
    home = deps.rules.home_channel
    async with deps.store.read() as tx:
        known = await tx.people.channel(home, EVER)
    name = f"#{escape(known.name)}" if known is not None and known.name else "the home channel"
    return text.replace(channel(home), name)


async def _extend(deps: Deps, command: Command, reader: Reader) -> str:
    words = read_extension(
        f"{_id(command.id, 'extend')} {command.by}", ParseContext(deps.rules, reader.now, deps.rules.timezone)
    )
    by = words.duration or words.until
    if words.id is None or by is None:
        raise Mistake("By how much longer? Try: gpubot extend k7mq2 2h")
    done = await action.carry_out(deps, OPERATOR, leasing.Extend(words.id, by, why=_reason(command.why)))
    return replies.extended(done, reader.times).text


def _id(typed: str, name: str) -> str:
    found = read_id(typed, name)
    if found is None:
        raise Mistake("Which rental? Name it by its id.", next_step=NextStep.LIST_ALL)
    return found


def _reason(typed: str) -> str:
    """Return a reason on one line. Raise Mistake if it says nothing, or too much."""
    why = one_line(typed, LONGEST_WHY + 1)
    if not why:
        raise Mistake('Say why, for the people who read it in Slack: --why "the disk is full"')
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
