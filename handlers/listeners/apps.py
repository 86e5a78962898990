"""Handles messages of Slack apps that mention the bot. The policy names these apps (`agents`).

An app that the policy names uses the token of a person, and can do what a program with this token can do through
the REST API. Both run the same actions (bot/lifecycle/actions/programs.py). The messages of all other bots are
ignored.

Payload: docs.slack.dev/reference/events/app_mention. The fields of messages from apps (`bot_id`, `bot_profile`,
`app_id`, `team`) aren't described there. They are in the types of Slack's SDK:
docs.slack.dev/tools/node-slack-sdk/reference/web-api/interfaces/AppMentionEvent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from bot.errors import (
    GpubotError,
    InvalidToken,
    Mistake,
    NeedsKey,
    PrivateKey,
    Refused,
    SentSecret,
    StoreBusy,
    bug_number,
)
from bot.lifecycle.actions.action import Action, carry_out
from bot.lifecycle.actions.callers import Caller, caller_named, caller_now
from bot.lifecycle.actions.program_queries import own_rental
from bot.lifecycle.actions.programs import ExtendForProgram, ReleaseForProgram, RentForProgram
from bot.lifecycle.actions.queries import details_for_message
from bot.lifecycle.changes.notifications import has_reply_to_app
from bot.lifecycle.deps import Deps
from bot.lifecycle.money.token_use import rentals_of
from bot.lifecycle.people.teammates import names_of
from bot.model.message import MessageKind, queued, to_channel
from bot.model.rental import Rental
from bot.model.token import Access, SlackThread
from bot.policy.access.keys import looks_private
from bot.policy.access.token_secret import contains_secret
from bot.policy.buying.programs import ONLY_LOOKS, words_for_program
from bot.policy.team.roles import may_use_in
from bot.policy.team.rules import Agent
from bot.tracebacks import parts_of
from handlers.directory import is_direct
from handlers.listeners.context import Context
from handlers.listeners.interaction import part, text
from handlers.listeners.messages import TIMESTAMP, note_done
from handlers.listeners.wrapper import AlreadyDone, EventNotHandled, is_late
from handlers.messages import apps
from handlers.phrases.blocks import Rendered
from handlers.phrases.format import Reader, with_full_stop
from handlers.typed.app_commands import (
    LONGEST,
    AppCommand,
    Destroy,
    Extend,
    Get,
    ListRentals,
    NotUnderstood,
    Show,
    command_after_mention,
    is_destroy,
    parse_app_command,
)
from handlers.typed.draft import ParseContext
from handlers.typed.requests import parse_request
from handlers.typed.typed_text import MENTION
from store.db import Tx

SUBTYPES = frozenset({"", "bot_message", "thread_broadcast"})
"""The subtypes of messages that apps write. Edits, uploads and messages about the channel are ignored."""
_OTHERS = "An app can't give other people access to its machine. Nothing was rented. Leave out the people."

_log = structlog.get_logger("gpubot.apps")


@dataclass(frozen=True)
class Mention:
    """A message in which an app that the policy names mentions the bot."""

    app_id: str
    agent: Agent
    user: str
    """The app's bot user."""
    teams: frozenset[str]
    """The workspaces to which the message's author belongs, as the payload names them."""
    channel: str
    ts: str
    thread: SlackThread
    """The thread for the answers: that of the message, or a new one below it."""
    command: str
    silent: bool = False
    """True if the command is carried out, but not answered."""

    @property
    def written_at(self) -> datetime:
        """The time at which the message was written, by the bot's clock."""
        return datetime.fromtimestamp(float(self.ts), UTC)


def read_mention(context: Context, event: Mapping[str, Any], bot_user_id: str | None) -> Mention | None:
    """Return the mention in the event of a message that an app wrote. None if the bot ignores the message."""
    profile = part(event, "bot_profile")
    app_ids = {one for one in (text(event, "app_id"), text(profile, "app_id")) if one}
    agent = context.deps.rules.agents.get(next(iter(app_ids))) if len(app_ids) == 1 else None
    user, channel, ts = text(event, "user"), text(event, "channel"), text(event, "ts")
    command = command_after_mention(text(event, "text"), bot_user_id or "")
    written = text(event, "subtype") in SUBTYPES and "edited" not in event and TIMESTAMP.fullmatch(ts)
    if agent is None or command is None or not written or user in {"", bot_user_id}:
        return None
    if not channel or is_direct(channel):
        return None
    return Mention(
        app_id=next(iter(app_ids)),
        agent=agent,
        user=user,
        teams=frozenset(
            {text(profile, "team_id"), *(text(event, name) for name in ("team", "user_team", "source_team"))}
        ),
        channel=channel,
        ts=ts,
        thread=SlackThread(channel=channel, ts=text(event, "thread_ts") or ts),
        command=command,
    )


async def mentioned(context: Context, event: Mapping[str, Any], bot_user_id: str | None) -> None:
    """Handle app_mention of an app: carry out the command, and answer in the thread of the message.

    Slack may send the same event several times, but the command is carried out only once, and answered once. Later
    replies about a rental are sent because of the rental's events (bot/lifecycle/changes/notifications.py).

    Raises:
        StoreBusy, EventNotHandled: Nothing was done. Slack then sends the event again.
        Outage: Slack didn't say in time who wrote the message.
    """
    mention = read_mention(context, event, bot_user_id)
    if mention is None or not await _is_of_our_workspace(context, mention):
        return
    if not context.deps.may_claim():
        raise EventNotHandled(text(event, "type"))
    once = partial(note_done, message=f"{mention.channel}:{mention.ts}", clock=context.deps.clock)
    deps = replace(context.deps, store=context.deps.store.beginning_with(once))
    seconds = _wait(context, mention)
    if seconds and is_destroy(mention.command):
        seconds, mention = 0, replace(mention, silent=True)
    try:
        content = await _answer(context, deps, mention, seconds)
        if content is not None:
            async with deps.store.write() as tx:
                await _add_reply(tx, deps, mention, content)
    except AlreadyDone:
        return  # Slack sent the event again


async def _is_of_our_workspace(context: Context, mention: Mention) -> bool:
    """Return whether the app's bot user belongs to the bot's own workspace.

    The same app can be installed in another workspace, and post in a channel that is shared with that workspace.
    Whoever installed the app there can make it write anything.

    Raises Outage if Slack doesn't answer in time.
    """
    try:
        found = [await context.people.get(mention.user, team) for team in sorted(mention.teams)]
    except Refused:
        return False
    return all(one.bot and not one.outsider and not one.deactivated for one in found)


def _wait(context: Context, mention: Mention) -> int:
    """Count the command, and return 0 if the app can give it now.

    If the apps that use this token have given too many commands, return the number of seconds to wait.
    """
    token = f"{mention.agent.owner}/{mention.agent.token}"
    return context.apps.wait(token, context.deps.clock.monotonic())


async def _add_reply(tx: Tx, deps: Deps, mention: Mention, content: Rendered) -> None:
    if mention.silent:
        return
    body = {"text": content.text, "blocks": list(content.blocks), "thread_ts": mention.thread.ts}
    to = to_channel(mention.thread.channel)
    await tx.messages.add(queued(MessageKind.REPLY, to, deps.clock.real(), body=body))


async def _answer(context: Context, deps: Deps, mention: Mention, seconds: int) -> Rendered | None:
    """Carry out the command. Return the answer, or None if there is no answer to send.

    If the app has to wait for some seconds, the command isn't carried out.
    """
    result, owner = "done", ""
    try:
        if seconds:
            result = "too_many"
            told = context.hints.wait(mention.user, deps.clock.monotonic())
            return None if told else apps.too_many(seconds)
        _check(deps, mention)
        caller = await caller_named(context.deps, mention.agent.owner, mention.agent.token)
        owner = caller.person.name
        zone = caller.person.tz or deps.rules.timezone
        command = parse_app_command(mention.command, ParseContext(deps.rules, deps.clock.now(), zone))
        return await _carry_out(_Asked(context, deps, mention, caller), command)
    except (AlreadyDone, StoreBusy) as error:
        result = type(error).__name__
        raise
    except InvalidToken as error:
        result = type(error).__name__
        return apps.no_token(mention.agent, await _owner_name(deps, mention))
    except NotUnderstood as error:
        result = type(error).__name__
        return apps.not_understood(error.words)
    except GpubotError as error:
        result = type(error).__name__
        return apps.refused(words_for_program(error, deps.clock.now(), owner))
    except Exception as error:
        result, number = "bug", bug_number()
        _log.error("bug", number=number, app=mention.app_id, error=type(error).__name__, raised=parts_of(error))
        return apps.bug(number)
    finally:
        _log.info("app", app=mention.app_id, channel=mention.channel, result=result)


def _check(deps: Deps, mention: Mention) -> None:
    """Refuse a command that came too late, in the wrong channel, or with a secret. Raises Refused or Mistake."""
    if is_late(mention.written_at, deps.clock):
        raise Refused("This message reached me more than 2 min late. Nothing was done. Send it again.")
    if not may_use_in(mention.channel, direct=False, rules=deps.rules):
        raise Refused("I can't be used in this channel. Nothing was done.")
    command = mention.command[:LONGEST]  # nothing of a longer command is kept or quoted
    if contains_secret(command):
        raise SentSecret.sent_by_program()
    if looks_private(command):
        raise PrivateKey.sent_by_program()


async def _owner_name(deps: Deps, mention: Mention) -> str:
    async with deps.store.read() as tx:
        (name,) = await names_of(tx, (mention.agent.owner,))
    return name


# --- commands


@dataclass(frozen=True)
class _Asked:
    """The command of an app, and the token with which it is carried out."""

    context: Context
    deps: Deps
    """The dependencies with a store that carries out the message's command only once."""
    mention: Mention
    caller: Caller

    @property
    def reader(self) -> Reader:
        """The data that an answer depends on. Many people read it, so it is nobody's in particular."""
        return Reader(rules=self.deps.rules, now=self.deps.clock.now())


async def _carry_out(asked: _Asked, command: AppCommand) -> Rendered | None:
    """Carry out a command, and return the answer. None if the answer was stored together with a change."""
    match command:
        case ListRentals():
            return await _list(asked)
        case Show(id=rental_id):
            return await _show(asked, await _rental(asked, rental_id))
        case Get(words=words):
            await _rent(asked, words)
        case Destroy(id=rental_id):
            before = await _rental(asked, rental_id)
            await _change(asked, before, ReleaseForProgram(asked.caller.token.id, before.id))
        case Extend(id=rental_id, by=by, until=until):
            _check_may_rent(asked.caller)
            before = await _rental(asked, rental_id)
            if until is None and by is not None and before.lease is not None:
                until = before.lease.ends_at + by
            extend = ExtendForProgram(asked.caller.token.id, before.id, until=until or asked.reader.now)
            await _change(asked, before, extend)
    return None


def _check_may_rent(caller: Caller) -> None:
    if caller.token.terms is None or caller.token.terms.access is not Access.RENT:
        raise Refused(ONLY_LOOKS)


async def _rent(asked: _Asked, words: str) -> None:
    """Rent a machine. The replies about the rental's events are the answer.

    The idempotency key is made from the message, so one message never rents two machines.
    """
    deps, mention, caller = asked.deps, asked.mention, asked.caller
    _check_may_rent(caller)
    if MENTION.search(words):
        raise Mistake(_OTHERS)
    zone = caller.person.tz or deps.rules.timezone
    catalog, now = asked.context.known_catalog(), deps.clock.now()
    try:
        request = parse_request(words, catalog, ParseContext(deps.rules, now, zone)).request
    except Mistake as mistake:
        raise Mistake(_not_rented(asked, mistake)) from None
    # Store whether outsiders can read the channel. The reply that the machine is ready depends on it.
    await asked.context.channels.get(mention.channel)
    answered = False

    async def answer_refusal(tx: Tx, done: object) -> None:
        nonlocal answered
        answered = isinstance(done, GpubotError)
        if isinstance(done, GpubotError):
            await _add_reply(tx, deps, mention, apps.refused(_not_rented(asked, done)))

    rent = RentForProgram(
        token_id=caller.token.id,
        request=request,
        key=_key(mention.channel, mention.ts),
        fingerprint=hashlib.sha256(words.encode()).hexdigest(),
        thread=mention.thread,
    )
    try:
        await carry_out(deps, caller.person, rent, also=answer_refusal)
    except GpubotError:
        if not answered:
            raise


def _not_rented(asked: _Asked, error: GpubotError) -> str:
    owner = asked.caller.person.name
    if isinstance(error, NeedsKey):  # an app can't send a key
        return f"{owner} has no SSH key, so nobody could log in. Nothing was rented. Ask {owner} to add one."
    words = words_for_program(error, asked.deps.clock.now(), owner)
    return words if "othing was rented" in words else f"{with_full_stop(words)} Nothing was rented."


async def _list(asked: _Asked) -> Rendered:
    now = asked.reader.now
    async with asked.deps.store.read() as tx:
        caller = await caller_now(tx, asked.deps, asked.caller.token.id)
        found = [await details_for_message(tx, one, now) for one in await rentals_of(tx, caller.token)]
    return apps.listing(found, caller.name, asked.reader)


async def _rental(asked: _Asked, rental_id: str | None) -> Rental:
    """Return the rental of the token that a command names.

    Without an ID, this is the only current rental that the app asked for in this thread. If there is none, it is
    the one that the thread's first message asked for, even if it is over.

    Raises:
        UnknownRental: The token has no rental with this ID.
        NotUnderstood: Without an ID, there isn't exactly one such rental.
    """
    async with asked.deps.store.read() as tx:
        caller = await caller_now(tx, asked.deps, asked.caller.token.id)
        if rental_id is not None:
            return await own_rental(tx, caller, rental_id)
        thread = asked.mention.thread
        here = [one for one in await rentals_of(tx, caller.token) if _thread_of(one) == thread]
        first = await tx.rentals.of_key(caller.token.id, _key(thread.channel, thread.ts)) if not here else None
        if first is not None:
            return await own_rental(tx, caller, first.id)
    if len(here) != 1:
        raise NotUnderstood("Name the machine by its ID. Nothing was done.")
    return here[0]


def _key(channel: str, ts: str) -> str:
    """Return the idempotency key of the rental that a message asks for."""
    return f"{channel}:{ts}"


def _thread_of(rental: Rental) -> SlackThread | None:
    return rental.program.thread if rental.program is not None else None


async def _show(asked: _Asked, rental: Rental) -> Rendered:
    async with asked.deps.store.read() as tx:
        return apps.shown(await details_for_message(tx, rental, asked.reader.now), asked.reader)


async def _change(asked: _Asked, before: Rental, action: Action[Any, Any, Any]) -> None:
    """Carry out an action about a rental, and answer with its state.

    There is no answer if the rental's own replies in this thread already tell the app what has changed.
    """
    async with asked.deps.store.read() as tx:
        newest = max((event.id for event in await tx.events.of(before.id)), default=0)

    async def answer(tx: Tx, done: object) -> None:
        rental = await tx.rentals.get(before.id) or before
        events = [event for event in await tx.events.of(before.id) if event.id > newest]
        told = _thread_of(rental) == asked.mention.thread and any(map(has_reply_to_app, events))
        if not told and not isinstance(done, GpubotError):
            content = apps.shown(await details_for_message(tx, rental, asked.reader.now), asked.reader)
            await _add_reply(tx, asked.deps, asked.mention, content)

    await carry_out(asked.deps, asked.caller.person, action, also=answer)
