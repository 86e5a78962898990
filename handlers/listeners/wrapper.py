"""The wrapper around what people do: look up the person, run the handler, which commits, then acknowledge.

Slack never sends a command or a click a second time, so what the person did and the reply to it are committed
before the acknowledgement. No exception may leave a listener: Bolt then doesn't acknowledge, even if `ack` was
called (slack_bolt/listener/asyncio_runner.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeAlias

import structlog

from bot.errors import GpubotError, PrivateKey, Refused, StoreBusy, WrongClock, bug_number
from bot.model.base import changed
from bot.model.message import RESPONSE_URL_LIFE, Destination
from bot.model.person import Person
from bot.policy.access.keys import looks_private
from bot.policy.team.roles import is_member
from bot.tracebacks import parts_of
from handlers.actions import request_form
from handlers.ids import Action
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
"""How old a message may be. Slack sends an event again after a minute, and after five more."""
MAX_INPUT_ERROR = 300
"""The most characters of an error below an input."""

_COMMITS: ContextVar[list[None] | None] = ContextVar("commits", default=None)
"""One entry for each commit of the running listener."""

_log = structlog.get_logger("gpubot.handlers")


class AlreadyDone(Exception):
    """What a message asks for was done when its event came before."""


class EventNotHandled(Exception):
    """An event could not be handled; Slack sends it again."""


def note_commit() -> None:
    """Count a commit of the running listener. The store calls this after each commit (`on_commit`). If the
    listener raises an unexpected error, its reply shows whether a change was written.
    """
    commits = _COMMITS.get()
    if commits is not None:
        commits.append(None)


def make_listener(context: Context, read: PayloadReader, handler: Handler) -> Listener:
    """Return the listener for Bolt that handles a command, a click or a submission."""

    async def listen(ack: Ack, body: dict[str, Any]) -> None:
        with context.gate.handling():
            current = context.with_newest_rules()
            await serve(current, _without_expired_url(current, read(body)), handler, ack, body)

    return listen


def _without_expired_url(context: Context, interaction: Interaction) -> Interaction:
    """Return the interaction without its `response_url` if that expired while the dialog was open. A direct
    message is the answer then.
    """
    origin = interaction.origin
    age = context.deps.clock.real().timestamp() - origin.opened_at
    if not origin.opened_at or age < RESPONSE_URL_LIFE.total_seconds():
        return interaction
    return changed(interaction, origin=changed(origin, response_url=""))


async def serve(context: Context, interaction: Interaction, handler: Handler, ack: Ack, body: Body) -> None:
    """Run the handler, store the reply, and acknowledge. Raise StoreBusy or EventNotHandled only for a message of
    which nothing was written: Slack sends its event again.

    If this machine's clock is wrong, run no handler, and say so.
    """
    commits: list[None] = []
    private_keys: list[str] = []
    by_message = interaction.kind is InteractionKind.MESSAGE
    if not context.deps.may_claim():
        await _refuse_by_clock(context, interaction, ack, body)
        return
    try:
        _check_pace(context, interaction)
        _check_age(context, interaction)
        private_keys = await find_private_keys(body)
        if private_keys:
            interaction = without_private_keys(interaction, private_keys)
            raise PrivateKey(posted=by_message)
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
        outcome = Reply(content=replies.error(error), refused=True, block_id=next(iter(private_keys), ""))
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
    """Begin what is done after the acknowledgement: send a `reply` that could not be stored, open a modal, or show
    the price of what a form asks for.
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
    """Send a reply that could not be stored, and open a modal."""
    if reply is not None:
        await responses.send(context, interaction, reply)
    if opening is not None:
        await _open(context, interaction, opening)


async def _reported(rest: Awaitable[None], interaction: Interaction, commits: list[None]) -> None:
    """Await the rest of the work, and report a bug in it. It waits for Slack or the market, so it runs after the
    acknowledgement, which is sent when the listener returns. By then every change is committed.
    """
    try:
        await rest
    except Exception as error:
        _report_bug(interaction, error, committed=bool(commits))


def _check_pace(context: Context, interaction: Interaction) -> None:
    """Raise Refused if a person types more commands than `Context.commands` allows. `destroy` never waits."""
    if not interaction.kind.typed or is_destroy(interaction.text):
        return
    if context.commands.wait(interaction.user_id, context.deps.clock.monotonic()):
        raise Refused("That was too many commands in a second, so the last one did nothing. Type it again.")


def _check_age(context: Context, interaction: Interaction) -> None:
    """Raise Refused for a message that came late: the person may have given up, or done it in another way."""
    if interaction.written_at is None:
        return
    clock = context.deps.clock
    # Slack's time in a sandbox is ours, which can be faster than the real time that a delivery takes.
    if clock.now() - interaction.written_at > LATE * max(clock.speed, 1.0):
        raise Refused("Your message reached me more than 2 min late, so it did nothing. Type it again.")


def _check_member(person: Person) -> None:
    if not is_member(person):
        raise Refused("Only members of my own workspace can use me. Nothing was changed.")


async def _refuse_by_clock(context: Context, interaction: Interaction, ack: Ack, body: Body) -> None:
    """Say that nothing was changed because this machine's clock is wrong.

    A message is left to the other process if one works, without a word. Otherwise its writer would write it again,
    and the other process would carry out both. Raise EventNotHandled then.
    """
    _log_interaction(interaction, WrongClock.__name__)
    if interaction.kind is InteractionKind.MESSAGE and context.others_work():
        raise EventNotHandled(interaction.name)
    await _reply_at_once(context, interaction, replies.error(WrongClock()), ack, body)


async def _reply_at_once(
    context: Context, interaction: Interaction, content: Rendered, ack: Ack, body: Body
) -> None:
    """Refuse without the store. Don't acknowledge a click if its reply can't be sent: Slack itself then shows that
    the click failed. Raise EventNotHandled if that happens to a message: Slack sends its event again.
    """
    reply = Reply(content=content, refused=True)
    if interaction.kind not in {InteractionKind.CLICK, InteractionKind.MESSAGE}:
        await _acknowledge(context, interaction, reply, ack, body)
    elif await responses.send(context, interaction, reply):
        await ack()
    elif interaction.kind is InteractionKind.MESSAGE:
        raise EventNotHandled(interaction.name)


def _separate_reply(interaction: Interaction, outcome: Outcome) -> Reply | None:
    """Return the reply that is sent apart from the acknowledgement. Return None if there is none."""
    match interaction.kind, outcome:
        case InteractionKind.COMMAND, Reply(to=Destination()) as reply:
            return reply
        case InteractionKind.MESSAGE, OpenModal(modal=modal, reply=None):
            # Only a command and a click have a trigger that opens a dialog.
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
    """Acknowledge a submission with an error below each input. If another version opened the dialog, an input may
    be missing: its error is then below the first input. Replace a dialog without inputs by a notice.
    """
    inputs = input_blocks(body)
    if not inputs:
        modal = blocks.notice("Not done", " ".join(errors.values()))
        await ack(response_action="update", view=modal.view)
        return
    shown: dict[str, str] = {}
    for block_id, words in errors.items():
        below = block_id if block_id in inputs else inputs[0]
        shown[below] = f"{shown.get(below, '')} {words}".lstrip()
    plain = {block_id: blocks.plain(words, MAX_INPUT_ERROR)["text"] for block_id, words in shown.items()}
    await ack(response_action="errors", errors=plain)


async def _open(context: Context, interaction: Interaction, opening: OpenModal) -> None:
    opened = await responses.open_modal(context, interaction, _view(context, interaction, opening))
    if opened is not None and opening.price is not None:
        await request_form.show(context, opened, opening.price)
    # A reply that stays says what was done, and has a button that opens the modal again.
    if opened is None and opening.reply is None:
        reply = Reply(content=replies.reply("Slack didn't open the dialog. Nothing was changed. Try again."))
        if not await responses.queue(context, interaction, reply):
            await responses.send(context, interaction, reply)


def _view(context: Context, interaction: Interaction, opening: OpenModal) -> dict[str, Any]:
    """Return a modal's view with its metadata.

    Slack says nothing of a view in an acknowledgement, and a refused view may use up the trigger. So the view has
    only types of blocks that Slack was seen to take.
    """
    # A modal that takes the place of another one keeps that one's `response_url`, so it keeps its `opened_at` too.
    origin = interaction.origin
    if not origin.opened_at:
        origin = changed(origin, opened_at=int(context.deps.clock.real().timestamp()))
    metadata = ModalMetadata.of(opening.modal.value, origin)
    shown = context.block_types.proven(opening.modal.view["blocks"], Surface.MODAL)
    return {**opening.modal.view, "blocks": shown, "private_metadata": metadata.model_dump_json()}


def _log_interaction(interaction: Interaction, result: str) -> None:
    """Log one line for each interaction. It holds only ids: the value of a SHOW_LINE button is left out, because
    it holds what people typed.
    """
    _log.info(
        "interaction",
        kind=interaction.kind.value,
        name=interaction.name,
        user=interaction.user_id,
        channel=interaction.origin.channel,
        value="" if interaction.name.startswith(Action.SHOW_LINE.id) else interaction.value[:80],
        result=result,
    )


def _report_bug(interaction: Interaction, error: Exception, *, committed: bool) -> Rendered:
    """Log a bug with a number, and return a reply with that number. Log neither the error's message nor the
    payload: they can hold what people typed.
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


# --- private keys: one check for all commands, buttons and modals


MOST_ON_LOOP = 500
"""Characters that are searched on the event loop. It takes less time than a thread."""


async def find_private_keys(body: Mapping[str, Any]) -> list[str]:
    """Return the ids of the input blocks that hold a private key. Add "" if a command's text, a modal's metadata
    or a button holds one. Search long texts in a thread: texts that look nearly like keys take long.
    """
    view = part(body, "view")
    inputs = {**part(part(body, "state"), "values"), **part(part(view, "state"), "values")}
    others = [text(body, "text"), text(view, "private_metadata"), body.get("actions")]
    texts = [*((str(block_id), one) for block_id, element in inputs.items() for one in _texts(element))]
    texts += [("", one) for one in _texts(others)]

    def found() -> list[str]:
        return list(dict.fromkeys(where for where, one in texts if looks_private(one)))

    if sum(len(one) for _, one in texts) <= MOST_ON_LOOP:
        return found()
    return await asyncio.to_thread(found)


def without_private_keys(interaction: Interaction, found: Sequence[str]) -> Interaction:
    """Return an interaction without everything that people typed. Also leave out what a modal's metadata holds if
    `find_private_keys` found a private key there.
    """
    metadata = {"origin": Origin()}
    from_metadata = interaction.kind is InteractionKind.SUBMISSION and "" in found
    return changed(interaction, text="", value="", inputs={}, **(metadata if from_metadata else {}))


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in a JSON value. Recursion would fail for a value that is nested too deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
