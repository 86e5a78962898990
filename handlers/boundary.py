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
from bot.model.person import Person
from bot.tracebacks import parts_of
from handlers import answering
from handlers.context import Context
from handlers.delivery.posting import ANSWER_LIFE
from handlers.entered import places_of_private_keys, without_private_keys
from handlers.views import blocks, modals, replies
from handlers.views.blocks import Rendered
from handlers.visit import Arrival, FieldErrors, Opens, Outcome, Reply, Visit, Way, input_blocks

Handler: TypeAlias = Callable[[Context, Visit], Awaitable[Outcome]]
Listener: TypeAlias = Callable[..., Awaitable[None]]
Ack: TypeAlias = Callable[..., Awaitable[Any]]
Body: TypeAlias = Mapping[str, Any]
Reader: TypeAlias = Callable[[Body], Arrival]

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


def _reachable(context: Context, arrival: Arrival) -> Arrival:
    """Where there is no `response_url`, or a dialog was open for longer than that of what opened it works, the
    person's direct messages take the answer."""
    age = context.desk.clock.real().timestamp() - arrival.opened_at
    if arrival.reply_url and (not arrival.opened_at or age < ANSWER_LIFE.total_seconds()):
        return arrival
    return arrival.model_copy(update={"reply_url": arrival.user_id})


async def _serve(context: Context, arrival: Arrival, handler: Handler, ack: Ack, body: Body) -> None:
    commits: list[None] = []
    private: list[str] = []
    try:
        private = places_of_private_keys(body)
        if private:
            arrival = without_private_keys(arrival)
            raise PrivateKey
        person = await context.people.who(arrival.user_id, arrival.team_id)
        _check_ours(person)
        _COMMITS.set(commits)
        outcome = await handler(context, Visit(**dict(arrival), person=person))
    except StoreBusy:
        _note(arrival, "store_busy")
        await _not_taken(context, arrival, ack, body)
        return
    except GpubotError as error:
        _note(arrival, type(error).__name__)
        outcome = Reply(said=replies.error(error), refuses=True, beside=next(iter(private), ""))
    except Exception as error:
        outcome = Reply(said=_broke(arrival, error, wrote=bool(commits)), refuses=True)
    else:
        _note(arrival, "done")
    try:
        reply = _private(arrival, outcome)
        written = reply is None or await answering.queue(context, arrival, reply)
        await _acknowledge(arrival, outcome, ack, body)
        if reply is not None and not written:
            await answering.send(context, arrival, reply)
        if isinstance(outcome, Opens):
            await _open(context, arrival, outcome)
    except Exception as error:
        _broke(arrival, error, wrote=bool(commits))


def _check_ours(person: Person) -> None:
    if person.outsider or person.bot or person.deactivated:
        raise Refused("Only members of the workspace that I belong to can do that. I changed nothing.")


async def _not_taken(context: Context, arrival: Arrival, ack: Ack, body: Body) -> None:
    """The store didn't take it, so it is told at once. A click that can't be told is not acknowledged: then Slack
    itself shows that it failed."""
    reply = Reply(said=replies.store_busy(), refuses=True)
    if arrival.way is not Way.CLICK:
        await _acknowledge(arrival, reply, ack, body)
    elif await answering.send(context, arrival, reply):
        await ack()


def _private(arrival: Arrival, outcome: Outcome) -> Reply | None:
    """What goes to the `response_url`: what the acknowledgement itself doesn't say."""
    match arrival.way, outcome:
        case (Way.CLICK, Reply() as reply) | (Way.SUBMISSION, Reply(refuses=False) as reply):
            return reply
    return None


async def _acknowledge(arrival: Arrival, outcome: Outcome, ack: Ack, body: Body) -> None:
    match arrival.way, outcome:
        case Way.COMMAND, Reply(said=said):
            await ack(text=said.text, blocks=list(said.blocks), response_type="ephemeral")
        case Way.SUBMISSION, FieldErrors(errors=errors):
            await _put_right(ack, body, {field.value: text for field, text in errors.items()})
        case Way.SUBMISSION, Reply(said=said, refuses=True, beside=beside):
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


async def _open(context: Context, arrival: Arrival, opens: Opens) -> None:
    """The modal, after the acknowledgement: it is a call to Slack, and nothing was done yet that it could lose."""
    now = int(context.desk.clock.real().timestamp())
    carried = arrival.carried(opens.view["private_metadata"], now, another=opens.another)
    view = {**opens.view, "private_metadata": carried.model_dump_json()}
    if not await answering.open_modal(context, arrival, view):
        reply = Reply(said=replies.say("Slack didn't open the dialog. I changed nothing. Try again."))
        if not await answering.queue(context, arrival, reply):
            await answering.send(context, arrival, reply)


def _note(arrival: Arrival, how: str) -> None:
    """One line for each thing that someone did; ids only."""
    _log.info(
        "did",
        way=arrival.way.value,
        what=arrival.name,
        user=arrival.user_id,
        channel=arrival.channel,
        value=arrival.value[:80],
        how=how,
    )


def _broke(arrival: Arrival, error: Exception, *, wrote: bool) -> Rendered:
    """Logs a bug under a number, and the words for who met it. Neither its message nor the payload is logged: they
    can hold what people typed."""
    number = bug_number()
    _log.error(
        "bug",
        number=number,
        way=arrival.way.value,
        what=arrival.name,
        user=arrival.user_id,
        error=type(error).__name__,
        raised=parts_of(error),
        wrote=wrote,
    )
    return replies.bug(number, rented=None if wrote else False)
