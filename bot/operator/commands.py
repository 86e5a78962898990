"""Carries out what the operator types: one call to the same service as in Slack, answered in the same words."""

from __future__ import annotations

import re
import unicodedata

from bot.errors import Mistake, NextStep
from bot.lifecycle.deps import Deps, with_newest_rules
from bot.lifecycle.service import account, ending, leasing, queries
from bot.model.admin_question import UnknownMachine
from bot.model.attempt import Resource
from bot.model.person import OPERATOR
from bot.model.text import one_line
from bot.operator.protocol import (
    Command,
    Destroy,
    Extend,
    ListAll,
    Pause,
    Resume,
    Show,
)
from bot.policy.team.rules import ProbeKind
from handlers.parsing.rental_words import read_extension, read_id
from handlers.parsing.request_parts import ParseContext
from handlers.views.answers import lists, replies
from handlers.views.phrases.format import JOINER, Reader, escape, identifier

MOST_RENTALS = 500
LONGEST_WHY = 200
"""Characters of a reason. What Slack shows of one has as many."""
_TOKEN = re.compile(r"<(?:[^<>|]*\|([^<>]*)|[#@!]?(?:subteam\^)?([^<>|]*))>")
"""A date, a link, a channel or a person in mrkdwn: what Slack shows of it if it can't resolve it, or its id."""
_SHARED_COMMAND = re.compile(r"/gpu (?:(list)(?: all)?|(show|extend|destroy|pause|resume))\b")


async def carry_out(deps: Deps, command: Command) -> str:
    """Carry out a command as the operator. Return the answer in lines for a terminal. Raise GpubotError, with the
    reason, if nothing was done."""
    deps = with_newest_rules(deps)
    reader = Reader(id=OPERATOR.id, rules=deps.rules, now=deps.clock.now())
    match command:
        case ListAll():
            live = await queries.live_rentals(deps, OPERATOR, everyone=True, most=MOST_RENTALS)
            unknown = [
                machine for one in live.unknown if one.question.open for machine in one.question.purchase.alive
            ]
            text = "\n".join([lists.list_texts(live, reader, everyone=True).text, *map(_deletable, unknown)])
        case Show():
            details = await queries.show(deps, OPERATOR, _id(command.id, "show"))
            machines = [resource for resource in details.resources if resource.gone_at is None]
            text = "\n".join([lists.show_texts(details, reader).text, *map(_deletable, machines)])
        case Extend():
            text = await _extend(deps, command, reader)
        case Destroy():
            rental = await ending.destroy(deps, OPERATOR, _id(command.id, "destroy"), _reason(command.why))
            text = replies.ending(rental).text
        case Pause():
            paused = await account.pause(deps, OPERATOR, _reason(command.why))
            text = replies.paused(paused, deps.rules.home_channel).text
        case Resume():
            text = replies.resumed(await account.resume(deps, OPERATOR, _reason(command.why))).text
    return on_terminal(text)


def _deletable(machine: UnknownMachine | Resource) -> str:
    """Return the command that deletes a machine if nothing else can."""
    name = escape(machine.name) if isinstance(machine, UnknownMachine) and machine.name else "its machine"
    return f"Without me, this deletes {name}: gpubot destroy --resource {identifier(machine.resource_id)}"


async def _extend(deps: Deps, command: Extend, reader: Reader) -> str:
    lease = deps.rules.lease
    context = ParseContext(
        default_lease=lease.default,
        max_lease=lease.max,
        sees_use=deps.rules.idle.probe is ProbeKind.SSH,
        now=reader.now,
        zone=deps.rules.timezone,
        hours=deps.rules.hours,
    )
    words = read_extension(f"{_id(command.id, 'extend')} {command.by}", context)
    by = words.duration or words.until
    if words.id is None or by is None:
        raise Mistake("By how much longer? Try: gpubot extend k7mq2 2h")
    done = await leasing.extend(deps, OPERATOR, words.id, by, why=_reason(command.why))
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


def on_terminal(text: str) -> str:
    """Return mrkdwn as lines for a terminal: times in UTC, channels by their ids, and `gpubot` instead of `/gpu`
    before commands that both have. Characters that would steer the terminal are left out."""
    text = _TOKEN.sub(lambda token: token[1] if token[1] is not None else token[2], text).replace(JOINER, "")
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = _SHARED_COMMAND.sub(lambda found: f"gpubot {found[1] or found[2]}", text)
    return "".join(
        character for character in text if character == "\n" or unicodedata.category(character) not in {"Cc", "Cf"}
    )
