"""Wraps every listener: looks up the person, runs the handler, stores the reply, and acknowledges.

Slack sends a command or a click only once, even if it isn't acknowledged. The person's action and the reply are
committed before the acknowledgement, so that nothing is lost if the process dies.

No exception may leave a listener, because Bolt would then not acknowledge, even if `ack` was called
(slack_bolt/listener/asyncio_runner.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import structlog

from bot.clock import Clock
from bot.errors import GpubotError, PrivateKey, Refused, SentSecret, StoreBusy, WrongClock, bug_number
from bot.model.base import changed
from bot.model.message import RESPONSE_URL_LIFE, Destination
from bot.model.person import Person
from bot.policy.access.keys import looks_private
from bot.policy.access.token_secret import contains_secret
from bot.policy.team.roles import is_member
from bot.tracebacks import parts_of
from handlers.actions import request_form
from handlers.ids import Action, LoginValue
from handlers.listeners import responses
from handlers.listeners.context import Context
from handlers.listeners.interaction import (
    FieldErrors,
    Interaction,
    InteractionKind,
    ModalMetadata,
    OpenModal,
    Origin,
    Outcome,
    Reply,
    ShowPrice,
    UserInteraction,
    input_blocks,
    part,
    text,
)
from handlers.messages import replies
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered
from handlers.phrases.classic import Surface
from handlers.typed.commands import is_destroy

Handler: TypeAlias = Callable[[Context, UserInteraction], Awaitable[Outcome]]
Listener: TypeAlias = Callable[..., Awaitable[None]]
Ack: TypeAlias = Callable[..., Awaitable[Any]]
Body: TypeAlias = Mapping[str, Any]
PayloadReader: TypeAlias = Callable[[Body], Interaction]

LATE = timedelta(minutes=2)
"""The maximum age of a message. Commands in older messages aren't carried out.

Slack sends an unacknowledged event again after one minute, and once more five minutes later. By then, the person
may no longer expect the command to be carried out.
"""
MAX_INPUT_ERROR = 300
"""The maximum length of an error that is shown below an input of a modal, in characters."""

_COMMITS: ContextVar[list[None] | None] = ContextVar("commits", default=None)
"""A list with one entry for each commit of the running listener. None if no listener is running."""

_log = structlog.get_logger("gpubot.handlers")


class AlreadyDone(Exception):
    """Slack sent the event of a message again, although the message has already been handled."""


class EventNotHandled(Exception):
    """An event couldn't be handled. It isn't acknowledged, so Slack sends it again."""


def note_commit() -> None:
    """Count a commit of the running listener.

    The store calls this after each commit (`on_commit`). If the listener later fails with an unexpected error, the
    reply can say whether anything was changed.
    """
    commits = _COMMITS.get()
    if commits is not None:
        commits.append(None)


def make_listener(context: Context, read: PayloadReader, handler: Handler) -> Listener:
    """Return a Bolt listener that handles a command, a click or a submission."""

    async def listen(ack: Ack, body: dict[str, Any]) -> None:
        with context.gate.handling():
            current = context.with_newest_rules()
            await serve(current, _without_expired_url(current, read(body)), handler, ack, body)

    return listen


def _without_expired_url(context: Context, interaction: Interaction) -> Interaction:
    """Remove the `response_url` from an interaction if the URL expired while the submitted dialog was open.

    Without the URL, the answer is sent as a direct message.
    """
    origin = interaction.origin
    age = context.deps.clock.real().timestamp() - origin.opened_at
    if not origin.opened_at or age < RESPONSE_URL_LIFE.total_seconds():
        return interaction
    return changed(interaction, origin=changed(origin, response_url=""))


async def serve(context: Context, interaction: Interaction, handler: Handler, ack: Ack, body: Body) -> None:
    """Run the handler, store the reply, and acknowledge.

    If this machine's clock is wrong, the handler doesn't run, and the reply says why.

    Raises StoreBusy or EventNotHandled only for a message, and only if nothing was written to the store. Slack
    then sends the message's event again.
    """
    commits: list[None] = []
    secrets: list[str] = []
    by_message = interaction.kind is InteractionKind.MESSAGE
    if not context.deps.may_claim():
        await _refuse_by_clock(context, interaction, ack, body)
        return
    try:
        _check_pace(context, interaction)
        _check_age(context, interaction)
        secrets, sent = await find_secrets(body)
        if sent is not None:
            interaction = without_secrets(interaction, secrets)
            raise sent(posted=by_message)
        person = await context.people.get(interaction.user_id, interaction.team_id)
        _check_member(person)
        _COMMITS.set(commits)
        outcome = await handler(context, UserInteraction(**dict(interaction), person=person))
    except AlreadyDone:
        _log_interaction(interaction, "already_done")
        return
    except StoreBusy:
        _log_interaction(interaction, "store_busy")
        if by_message:
            raise
        await _reply_at_once(context, interaction, replies.store_busy(), ack, body)
        return
    except GpubotError as error:
        _log_interaction(interaction, type(error).__name__)
        outcome = Reply(content=replies.error(error), refused=True, block_id=next(iter(secrets), ""))
    except Exception as error:
        content = _report_bug(interaction, error, committed=bool(commits))
        outcome = Reply(content=content, refused=True)
    else:
        _log_interaction(interaction, "done")
    try:
        reply = _separate_reply(interaction, outcome)
        queued = reply is None or await responses.queue(context, interaction, reply)
        if by_message and not queued and not commits:
            raise EventNotHandled(interaction.name)
        await _acknowledge(context, interaction, outcome, ack, body)
    except AlreadyDone:
        return
    except EventNotHandled:
        raise
    except Exception as error:
        _report_bug(interaction, error, committed=bool(commits))
        return
    unqueued = None if queued else reply
    _begin_rest(context, interaction, outcome, reply=unqueued, body=body, commits=commits)


def _begin_rest(
    context: Context,
    interaction: Interaction,
    outcome: Outcome,
    *,
    reply: Reply | None,
    body: Body,
    commits: list[None],
) -> None:
    """Start the work that is left after Slack's request was acknowledged.

    This can be to send a reply that couldn't be stored, to open a modal, or to show the price for the choices in
    the request form.
    """
    opens = interaction.kind in {InteractionKind.COMMAND, InteractionKind.CLICK}
    opening = outcome if isinstance(outcome, OpenModal) and opens else None
    if opening is not None or reply is not None:
        rest = _call_slack(context, interaction, reply, opening)
        context.gate.start(_reported(rest, interaction, commits))
    if isinstance(outcome, ShowPrice):
        rest = request_form.show(context, part(body, "view"), outcome)
        context.gate.start(_reported(rest, interaction, commits))


async def _call_slack(
    context: Context, interaction: Interaction, reply: Reply | None, opening: OpenModal | None
) -> None:
    """Send the reply if there is one, and open the modal if there is one.

    Normally, the reply is stored and delivered later. `reply` is only set if it couldn't be stored.
    """
    if reply is not None:
        await responses.send(context, interaction, reply)
    if opening is not None:
        await _open(context, interaction, opening)


async def _reported(rest: Awaitable[None], interaction: Interaction, commits: list[None]) -> None:
    """Await `rest`, and log a bug if it raises an exception."""
    try:
        await rest
    except Exception as error:
        _report_bug(interaction, error, committed=bool(commits))


def _check_pace(context: Context, interaction: Interaction) -> None:
    """Refuse a command if the person types commands too fast. `destroy` is never refused, because it stops costs.

    Raises Refused.
    """
    if not interaction.kind.typed or is_destroy(interaction.text):
        return
    if context.commands.wait(interaction.user_id, context.deps.clock.monotonic()):
        raise Refused("That was too many commands in a second, so the last one did nothing. Type it again.")


def _check_age(context: Context, interaction: Interaction) -> None:
    """Refuse a message that arrived late, because the person may already have typed the command again.

    Raises Refused.
    """
    if interaction.written_at is not None and is_late(interaction.written_at, context.deps.clock):
        raise Refused("Your message reached me more than 2 min late, so it did nothing. Type it again.")


def is_late(written_at: datetime, clock: Clock) -> bool:
    """Return whether a message arrived too late for its command to be carried out."""
    # In the sandbox, the simulated Slack uses the bot's clock, which may run many times faster than real time.
    # Multiply the limit by the speed of this clock.
    return clock.now() - written_at > LATE * max(clock.speed, 1.0)


def _check_member(person: Person) -> None:
    if not is_member(person):
        raise Refused("Only members of my own workspace can use me. Nothing was changed.")


async def _refuse_by_clock(context: Context, interaction: Interaction, ack: Ack, body: Body) -> None:
    """Reply that nothing was changed because this machine's clock is wrong.

    If the interaction is a message and another process of the bot can handle it, this raises EventNotHandled
    instead. Slack then sends the message's event again, to the other process. A reply from this process would be
    harmful: the person might write the message again, and both messages would be carried out.
    """
    _log_interaction(interaction, WrongClock.__name__)
    if interaction.kind is InteractionKind.MESSAGE and context.others_work():
        raise EventNotHandled(interaction.name)
    await _reply_at_once(context, interaction, replies.error(WrongClock()), ack, body)


async def _reply_at_once(
    context: Context, interaction: Interaction, content: Rendered, ack: Ack, body: Body
) -> None:
    """Send a refusal without using the store.

    If the reply to a click can't be sent, the click isn't acknowledged, so that Slack itself shows a warning. If
    the reply to a message can't be sent, this raises EventNotHandled, so that Slack sends the message's event
    again.
    """
    reply = Reply(content=content, refused=True)
    if interaction.kind not in {InteractionKind.CLICK, InteractionKind.MESSAGE}:
        await _acknowledge(context, interaction, reply, ack, body)
    elif await responses.send(context, interaction, reply):
        await ack()
    elif interaction.kind is InteractionKind.MESSAGE:
        raise EventNotHandled(interaction.name)


def _separate_reply(interaction: Interaction, outcome: Outcome) -> Reply | None:
    """Return the reply that is sent separately from the acknowledgement, or None if there is none."""
    match interaction.kind, outcome:
        case InteractionKind.COMMAND, Reply(to=Destination()) as reply:
            return reply
        case InteractionKind.MESSAGE, OpenModal(modal=modal, reply=None):
            # Slack lets the bot open a dialog only in response to a command or a click. The person has typed a
            # message, so reply with a button that opens the dialog.
            return Reply(content=replies.opener(modal))
        case ((InteractionKind.COMMAND | InteractionKind.CHOICE), _):
            return None
        case InteractionKind.SUBMISSION, Reply(refused=True):
            return None
        case _, (Reply() as reply) | OpenModal(reply=reply):
            return reply
    return None


async def _acknowledge(context: Context, interaction: Interaction, outcome: Outcome, ack: Ack, body: Body) -> None:
    match interaction.kind, outcome:
        case InteractionKind.COMMAND, Reply(to=Destination()):
            await ack()
        case (
            InteractionKind.COMMAND,
            Reply(content=content) | OpenModal(reply=Reply(content=content)),
        ):
            shown = context.block_types.proven(content.blocks)
            await ack(text=content.text, blocks=shown, response_type="ephemeral")
        case InteractionKind.SUBMISSION, OpenModal() as opening:
            await ack(response_action="update", view=_view(context, interaction, opening))
        case InteractionKind.SUBMISSION, FieldErrors(errors=errors):
            await _show_errors(ack, body, {field.value: text for field, text in errors.items()})
        case InteractionKind.SUBMISSION, Reply(content=content, refused=True, block_id=block_id):
            await _show_errors(ack, body, {block_id: content.text})
        case _:
            await ack()


async def _show_errors(ack: Ack, body: Body, errors: Mapping[str, str]) -> None:
    """Acknowledge a submission with an error below each input.

    If an older version of the bot opened the dialog, the input with the error may be missing. The error then
    appears below the first input. If the dialog has no inputs, a dialog with the errors replaces it.
    """
    inputs = input_blocks(body)
    if not inputs:
        modal = blocks.notice("Not done", " ".join(errors.values()))
        await ack(response_action="update", view=modal.view)
        return
    shown: dict[str, str] = {}
    for block_id, message in errors.items():
        below = block_id if block_id in inputs else inputs[0]
        shown[below] = f"{shown.get(below, '')} {message}".lstrip()
    plain = {block_id: blocks.plain(message, MAX_INPUT_ERROR)["text"] for block_id, message in shown.items()}
    await ack(response_action="errors", errors=plain)


async def _open(context: Context, interaction: Interaction, opening: OpenModal) -> None:
    opened = await responses.open_modal(context, interaction, _view(context, interaction, opening))
    if opened is not None and opening.price is not None:
        await request_form.show(context, opened, opening.price)
    # If Slack didn't open the dialog, the person has to know. A separate reply, if there is one, already contains
    # a button that opens the dialog again. Otherwise, say that the dialog didn't open.
    if opened is None and opening.reply is None:
        reply = Reply(content=replies.reply("Slack didn't open the dialog. Nothing was changed. Try again."))
        if not await responses.queue(context, interaction, reply):
            await responses.send(context, interaction, reply)


def _view(context: Context, interaction: Interaction, opening: OpenModal) -> dict[str, Any]:
    """Return a modal's view including its metadata.

    The view contains only types of blocks that Slack has accepted before, because the bot couldn't react to a
    refusal.
    """
    # A dialog that replaces another one takes over the `response_url`, through which the bot can reply for 30
    # minutes. It must also take over `opened_at`, because the age of the URL is computed from this time.
    origin = interaction.origin
    if not origin.opened_at:
        origin = changed(origin, opened_at=int(context.deps.clock.real().timestamp()))
    metadata = ModalMetadata.of(opening.modal.value, origin)
    shown = context.block_types.proven(opening.modal.view["blocks"], Surface.MODAL)
    return {**opening.modal.view, "blocks": shown, "private_metadata": metadata.model_dump_json()}


def _log_interaction(interaction: Interaction, result: str) -> None:
    """Log an interaction and its result in one line. The line contains only IDs.

    A value is left out if it contains text that somebody typed, or the ID of a login, which only the program of
    this login is supposed to know.
    """
    typed = interaction.name.startswith((Action.SHOW_LINE.id, Action.TOKEN_FOR_CODE.id))
    private = typed or interaction.value_type == LoginValue.TYPE_NAME
    _log.info(
        "interaction",
        kind=interaction.kind.value,
        name=interaction.name,
        user=interaction.user_id,
        channel=interaction.origin.channel,
        value="" if private else interaction.value[:80],
        result=result,
    )


def _report_bug(interaction: Interaction, error: Exception, *, committed: bool) -> Rendered:
    """Log an unexpected error with a number, and return a reply that mentions this number.

    Neither the error's message nor the payload is logged, because both can contain text that somebody typed.
    """
    number = bug_number()
    _log.error(
        "bug",
        number=number,
        kind=interaction.kind.value,
        name=interaction.name,
        user=interaction.user_id,
        error=type(error).__name__,
        raised=parts_of(error),
        committed=committed,
    )
    return replies.bug(number, rented=None if committed else False)


# --- private keys and secrets of tokens: a single check for the text of all commands, buttons and dialogs


MOST_ON_LOOP = 500
"""The maximum number of characters to search on the event loop.

For such short texts, the search takes less time than starting a thread.
"""


_SECRETS: Sequence[tuple[Callable[[str], bool], type[PrivateKey | SentSecret]]] = (
    (looks_private, PrivateKey),
    (contains_secret, SentSecret),
)
"""The kinds of texts that must not be kept: how they are recognized, and the error for them."""


async def find_secrets(body: Mapping[str, Any]) -> tuple[list[str], type[PrivateKey | SentSecret] | None]:
    """Return the IDs of the input blocks that contain a private key or a token's secret, and the error for them.

    An empty ID stands for the text of a command, the metadata of a modal or the value of a button. The error is
    None if nothing was found. Long texts are searched in a thread, because the search is slow for texts that
    almost look like private keys.
    """
    view = part(body, "view")
    inputs = {**part(part(body, "state"), "values"), **part(part(view, "state"), "values")}
    others = [text(body, "text"), text(view, "private_metadata"), body.get("actions")]
    texts = [*((str(block_id), one) for block_id, element in inputs.items() for one in _texts(element))]
    texts += [("", one) for one in _texts(others)]

    def found() -> tuple[list[str], type[PrivateKey | SentSecret] | None]:
        for contained, error in _SECRETS:
            where = dict.fromkeys(where for where, one in texts if contained(one))
            if where:
                return list(where), error
        return [], None

    if sum(len(one) for _, one in texts) <= MOST_ON_LOOP:
        return found()
    return await asyncio.to_thread(found)


def without_secrets(interaction: Interaction, found: Sequence[str]) -> Interaction:
    """Return a copy of the interaction without the texts that somebody typed.

    `found` contains the IDs that `find_secrets` returned. If the metadata of a submitted modal contains a secret,
    the interaction's origin is removed too, because it was read from the metadata.
    """
    metadata = {"origin": Origin()}
    from_metadata = interaction.kind is InteractionKind.SUBMISSION and "" in found
    return changed(interaction, text="", value="", inputs={}, **(metadata if from_metadata else {}))


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in a JSON value.

    This is not recursive, because recursion would exceed Python's limit for a deeply nested value.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
