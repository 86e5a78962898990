"""The wrapper round every listener: who is this, do it (which commits), acknowledge, and errors to words.

Slack never sends a command or a click a second time, so what it asks for is committed before it is acknowledged,
and so is what it is answered with.
Bolt takes an acknowledgement back when an exception leaves the listener after it, so none does
(slack_bolt/listener/asyncio_runner.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, TypeAlias

import structlog

from bot.errors import GpubotError, PrivateKey, Refused, StoreBusy, bug_number
from bot.model.base import changed
from bot.model.person import Person
from bot.policy.roles import is_member
from bot.tracebacks import parts_of
from handlers.delivery.posting import ANSWER_LIFE
from handlers.listeners import responses
from handlers.listeners.context import Context
from handlers.listeners.interaction import (
    FieldErrors,
    Interaction,
    InteractionKind,
    Opens,
    Outcome,
    Reply,
    UserInteraction,
    input_blocks,
)
from handlers.listeners.private_keys import places_of_private_keys, without_private_keys
from handlers.views import blocks, modals, replies
from handlers.views.blocks import Rendered

Handler: TypeAlias = Callable[[Context, UserInteraction], Awaitable[Outcome]]
Listener: TypeAlias = Callable[..., Awaitable[None]]
Ack: TypeAlias = Callable[..., Awaitable[Any]]
Body: TypeAlias = Mapping[str, Any]
Reader: TypeAlias = Callable[[Body], Interaction]

INPUT_ERROR = 300

_COMMITS: ContextVar[list[None] | None] = ContextVar("commits", default=None)
"""What the listener that runs has written so far: one entry a commit."""

_log = structlog.get_logger("gpubot.handlers")


def note_commit() -> None:
    """For the store's `on_commit`: so it is known whether a listener that broke had written something."""
    commits = _COMMITS.get()
    if commits is not None:
        commits.append(None)


def guarded(context: Context, read: Reader, handler: Handler) -> Listener:
    """The listener that Bolt is given for a command, an action or a submission."""

    async def listen(ack: Ack, body: dict[str, Any]) -> None:
        with context.gate.entered():
            await _serve(context, _reachable(context, read(body)), handler, ack, body)

    return listen


def _reachable(context: Context, interaction: Interaction) -> Interaction:
    """Where there is no `response_url`, or a dialog was open for longer than that of what opened it works, the
    person's direct messages take the answer."""
    age = context.deps.clock.real().timestamp() - interaction.opened_at
    if interaction.reply_url and (not interaction.opened_at or age < ANSWER_LIFE.total_seconds()):
        return interaction
    return changed(interaction, reply_url=interaction.user_id)


async def _serve(context: Context, interaction: Interaction, handler: Handler, ack: Ack, body: Body) -> None:
    commits: list[None] = []
    private: list[str] = []
    try:
        private = places_of_private_keys(body)
        if private:
            interaction = without_private_keys(interaction)
            raise PrivateKey
        person = await context.people.who(interaction.user_id, interaction.team_id)
        _check_ours(person)
        _COMMITS.set(commits)
        outcome = await handler(context, UserInteraction(**dict(interaction), person=person))
    except StoreBusy:
        _note(interaction, "store_busy")
        await _not_taken(context, interaction, ack, body)
        return
    except GpubotError as error:
        _note(interaction, type(error).__name__)
        outcome = Reply(said=replies.error(error), refuses=True, beside=next(iter(private), ""))
    except Exception as error:
        outcome = Reply(said=_broke(interaction, error, wrote=bool(commits)), refuses=True)
    else:
        _note(interaction, "done")
    try:
        reply = _private(interaction, outcome)
        written = reply is None or await responses.queue(context, interaction, reply)
        await _acknowledge(interaction, outcome, ack, body)
        if reply is not None and not written:
            await responses.send(context, interaction, reply)
        if isinstance(outcome, Opens):
            await _open(context, interaction, outcome)
    except Exception as error:
        _broke(interaction, error, wrote=bool(commits))


def _check_ours(person: Person) -> None:
    if not is_member(person):
        raise Refused("Only members of the workspace that I belong to can do that. I changed nothing.")


async def _not_taken(context: Context, interaction: Interaction, ack: Ack, body: Body) -> None:
    """The store didn't take it, so it is told at once. A click that can't be told is not acknowledged: then Slack
    itself shows that it failed."""
    reply = Reply(said=replies.store_busy(), refuses=True)
    if interaction.kind is not InteractionKind.CLICK:
        await _acknowledge(interaction, reply, ack, body)
    elif await responses.send(context, interaction, reply):
        await ack()


def _private(interaction: Interaction, outcome: Outcome) -> Reply | None:
    """What goes to the `response_url`: what the acknowledgement itself doesn't say."""
    match interaction.kind, outcome:
        case (InteractionKind.CLICK, Reply() as reply) | (
            InteractionKind.SUBMISSION,
            Reply(refuses=False) as reply,
        ):
            return reply
    return None


async def _acknowledge(interaction: Interaction, outcome: Outcome, ack: Ack, body: Body) -> None:
    match interaction.kind, outcome:
        case InteractionKind.COMMAND, Reply(said=said):
            await ack(text=said.text, blocks=list(said.blocks), response_type="ephemeral")
        case InteractionKind.SUBMISSION, FieldErrors(errors=errors):
            await _put_right(ack, body, {field.value: text for field, text in errors.items()})
        case InteractionKind.SUBMISSION, Reply(said=said, refuses=True, beside=beside):
            await _put_right(ack, body, {beside: said.text})
        case _:
            await ack()


async def _put_right(ack: Ack, body: Body, errors: Mapping[str, str]) -> None:
    """Shows each error beside its input, or beside the first where the dialog, of an older version, has no such
    input. A dialog without any input turns into a notice."""
    inputs = input_blocks(body)
    if not inputs:
        await ack(response_action="update", view=modals.notice("Not done", " ".join(errors.values())))
        return
    beside: dict[str, str] = {}
    for block, words in errors.items():
        shown = block if block in inputs else inputs[0]
        beside[shown] = f"{beside.get(shown, '')} {words}".lstrip()
    await ack(response_action="errors", errors={block: _plain(words) for block, words in beside.items()})


def _plain(text: str) -> str:
    return str(blocks.plain(text, INPUT_ERROR)["text"])


async def _open(context: Context, interaction: Interaction, opens: Opens) -> None:
    """The modal, after the acknowledgement: it is a call to Slack, and nothing was done yet that it could lose."""
    now = int(context.deps.clock.real().timestamp())
    carried = interaction.carried(opens.view["private_metadata"], now, another=opens.another)
    view = {**opens.view, "private_metadata": carried.model_dump_json()}
    if not await responses.open_modal(context, interaction, view):
        reply = Reply(said=replies.reply("Slack didn't open the dialog. I changed nothing. Try again."))
        if not await responses.queue(context, interaction, reply):
            await responses.send(context, interaction, reply)


def _note(interaction: Interaction, how: str) -> None:
    """One line for each thing that someone did; ids only."""
    _log.info(
        "did",
        kind=interaction.kind.value,
        what=interaction.name,
        user=interaction.user_id,
        channel=interaction.channel,
        value=interaction.value[:80],
        how=how,
    )


def _broke(interaction: Interaction, error: Exception, *, wrote: bool) -> Rendered:
    """Logs a bug under a number, and the words for who met it. Neither its message nor the payload is logged: they
    can hold what people typed."""
    number = bug_number()
    _log.error(
        "bug",
        number=number,
        kind=interaction.kind.value,
        what=interaction.name,
        user=interaction.user_id,
        error=type(error).__name__,
        raised=parts_of(error),
        wrote=wrote,
    )
    return replies.bug(number, rented=None if wrote else False)
