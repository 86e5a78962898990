"""Decides what to post and delete after a poll. No I/O (docs/decisions/watchdog.md).

A poll is the check of the bot and of the Compute Clear account that the watchdog makes every minute.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from bot.model.base import Frozen, changed
from bot.model.watched_machine import WatchedMachine
from bot.watchdog import words
from bot.watchdog.state import Announced, Deletion, Options, Outage, Poll, State, Trouble

WARN_AFTER = timedelta(minutes=15)
"""The time that a problem of the bot must last before the first warning is posted."""
APART = timedelta(hours=1)
"""The minimum time between the first warning about the bot and the first announcement about machines."""
AFTER_END = timedelta(hours=2)
"""The minimum time from a machine's end to its deletion by the watchdog.

A machine's end is the end of its lease plus the grace period.
"""
NOTICE = timedelta(hours=1)
"""The period of notice: the minimum time between the announcement of a deletion and the deletion."""
LONGEST_GAP = timedelta(minutes=10)
"""The longest interruption of polling that doesn't cancel announced deletions.

After a longer interruption, each deletion has to be announced again.
"""
RETRY_AFTER = timedelta(minutes=10)
"""The time after which the deletion of a machine is requested again if the machine is still alive."""
MOST_NOTES = 20


class Kind(StrEnum):
    """The kind of a message. It determines how the state changes once Slack has accepted the message."""

    NOTE = "note"
    WARNING = "warning"
    ANNOUNCEMENT = "announcement"


class Message(Frozen):
    """A message for Slack."""

    kind: Kind
    text: str
    announces: tuple[Announced, ...] = ()


class Decision(Frozen):
    """The new state after a poll, and the messages and deletions that follow from it."""

    state: State
    say: tuple[Message, ...] = ()
    """The messages to post, in order. A message is recorded as posted once Slack has accepted it (see `said`)."""
    delete: tuple[str, ...] = ()
    """The IDs of the resources to delete."""


def decide(state: State, poll: Poll, options: Options) -> Decision:
    """Decide which messages to post and which machines to delete after a poll."""
    outage = _outage(state, poll)
    if outage is None and state.outage is not None and state.outage.warned_at is not None:
        state = with_note(state, words.well_again(state.outage, poll.at))
    state = _with_wrong(state, poll, options)
    if poll.account.token_refused and not state.token_refused:
        state = with_note(state, words.token_refused(poll))
    elif poll.account.living is not None and state.token_refused:
        state = with_note(state, words.ACCEPTED_AGAIN)
    if poll.bot.machines is not None:
        machines = poll.bot.machines
        if outage is not None:
            machines, outage = _with_later_ends(machines, state, outage)
        state = changed(state, answered_at=poll.at, machines=machines)
    state = changed(
        state,
        looked_at=poll.at,
        outage=outage,
        token_refused=poll.account.token_refused or (state.token_refused and poll.account.living is None),
    )
    say = [Message(kind=Kind.NOTE, text=note) for note in state.notes]
    if outage is None:
        return Decision(state=state, say=tuple(say))
    if outage.warned_at is None:
        if outage.watched >= WARN_AFTER:
            say.append(Message(kind=Kind.WARNING, text=words.warning(state, outage, poll, options)))
    elif poll.at >= outage.warned_at + APART:
        say += _announcement(state, outage, poll, options)
    return Decision(state=state, say=tuple(say), delete=_to_delete(state, outage, poll, options))


def said(state: State, message: Message, at: datetime, *, clock_is_wrong: bool = False) -> State:
    """Return the new state after Slack has accepted a message.

    Args:
        state: The state before.
        message: The message that was accepted.
        at: The current time.
        clock_is_wrong: True if Slack's clock differs from this machine's.
    """
    if message.kind is Kind.NOTE:
        return changed(state, notes=tuple(note for note in state.notes if note != message.text))
    outage = state.outage
    if outage is None:
        return state
    if message.kind is Kind.WARNING:
        return changed(state, outage=changed(outage, warned_at=at))
    named = [one.resource_id for one in message.announces]
    # The time between the announcement of a deletion and the deletion begins now. People couldn't read the
    # announcement before it was posted.
    announced = tuple(
        changed(one, delete_at=None if clock_is_wrong or one.delete_at is None else at + NOTICE)
        for one in message.announces
    )
    others = tuple(one for one in outage.announced if one.resource_id not in named)
    outage = changed(outage, announced=others + announced, clock_is_wrong=clock_is_wrong)
    state = changed(state, outage=outage)
    if clock_is_wrong and any(one.delete_at is not None for one in message.announces):
        return with_note(state, words.CLOCK_IS_WRONG)
    return state


def deleted(state: State, resource_id: str, at: datetime, *, failure: str | None) -> State:
    """Return the new state after the watchdog has requested the deletion of a resource.

    Args:
        state: The state before.
        resource_id: The resource.
        at: The current time.
        failure: A sentence saying why Compute Clear did not delete the resource. None if the deletion was
            accepted, or if the resource had already been terminated.
    """
    machine = next((one for one in state.machines if one.resource_id == resource_id), None)
    outage = state.outage
    if outage is None or machine is None:
        return state
    before = next((one for one in outage.deletions if one.resource_id == resource_id), None)
    others = tuple(one for one in outage.deletions if one.resource_id != resource_id)
    deletion = Deletion(resource_id=resource_id, asked_at=at, done=failure is None)
    state = changed(state, outage=changed(outage, deletions=(*others, deletion)))
    if before is not None and before.done == deletion.done:
        return state
    gpus = {one.resource_id: one.gpus for one in outage.announced if one.gpus}
    done = words.deleted(machine, at, gpus)
    return with_note(state, done if failure is None else words.not_deleted(machine, at, failure, gpus))


def with_note(state: State, text: str) -> State:
    """Return the state with one more note (a text that is kept until Slack has accepted it)."""
    return changed(state, notes=(*state.notes, text)[-MOST_NOTES:])


def _with_wrong(state: State, poll: Poll, options: Options) -> State:
    """Queue a message if the bot works but has been unable to use Slack for WARN_AFTER.

    The bot itself can't notify people of this problem. When the bot can use Slack again, another message is
    queued.
    """
    if poll.bot.trouble is not None:
        return state
    if not poll.bot.why:
        if state.wrong_told:
            state = with_note(state, words.WELL_WITHOUT_BUT)
        return changed(state, wrong_since=None, wrong_told=False)
    since = state.wrong_since if state.wrong_since is not None and poll.continues else poll.at
    if state.wrong_told or poll.at - since < WARN_AFTER:
        return changed(state, wrong_since=since)
    return with_note(changed(state, wrong_told=True), words.well_but(poll, options))


def _outage(state: State, poll: Poll) -> Outage | None:
    """Return the current outage, updated with the results of this poll. None if the bot works.

    An outage is a period in which the bot isn't working properly or can't be reached.
    """
    if poll.bot.trouble is None:
        return None
    before, gap = state.outage, poll.at - (state.looked_at or poll.at)
    watched = max(gap, timedelta(0)) if poll.continues else timedelta(0)
    if before is None:
        return Outage(since=poll.at - watched, watched=watched)
    if poll.continues:
        return changed(before, watched=before.watched + watched)
    # The watchdog was stopped, or its clock was set. Somebody may have stopped it to prevent a deletion that it
    # had announced. After a long interruption, forget these announcements, so that the deletions don't happen
    # immediately.
    keeps = timedelta(0) <= gap <= LONGEST_GAP
    return changed(before, announced=before.announced if keeps else (), clock_is_wrong=False)


def _with_later_ends(
    machines: tuple[WatchedMachine, ...], state: State, outage: Outage
) -> tuple[tuple[WatchedMachine, ...], Outage]:
    """Keep the ends of machines from becoming earlier while the bot isn't working properly.

    A machine's end is the end of its lease plus the grace period. During an outage, the bot can report wrong ends,
    for example because its database is an old backup. If the reported end of a machine differs from the known one,
    the later end is used. An unknown end is treated as later than any other, because the watchdog never deletes a
    machine without an end.

    Returns:
        1. The machines that the bot has reported, with the later ends.
        2. The outage (the record of the bot's current problem). It now contains the last known ends of the
           machines that are missing from this report.
    """
    known = {**outage.unnamed_ends, **{one.resource_id: one.ends_at for one in state.machines}}
    later = tuple(
        changed(one, ends_at=_later(one.ends_at, known.get(one.resource_id, one.ends_at))) for one in machines
    )
    for one in machines:
        known.pop(one.resource_id, None)
    return later, changed(outage, unnamed_ends=known)


def _later(end: datetime | None, other: datetime | None) -> datetime | None:
    return None if end is None or other is None else max(end, other)


def _may_delete(outage: Outage, poll: Poll, options: Options) -> bool:
    """Return whether the watchdog is allowed to delete machines now.

    Deleting is forbidden if a program responds at the bot's address but doesn't prove that it is the bot. That
    program is probably a running bot, through which people may have extended the leases of their machines.
    """
    answers = poll.bot.trouble is Trouble.UNUSABLE
    return options.destroy and not answers and not outage.clock_is_wrong


def _living(state: State, poll: Poll) -> list[WatchedMachine]:
    """Return the machines that the bot has reported and that haven't been terminated."""
    alive = {one.resource_id for one in poll.account.living or ()}
    return [machine for machine in state.machines if machine.resource_id in alive]


def _announcement(state: State, outage: Outage, poll: Poll, options: Options) -> list[Message]:
    """Return a list with one message about overdue machines, or an empty list.

    A machine is overdue if its lease and the grace period are over.

    If the watchdog is allowed to delete machines, the message announces that these machines will be deleted after
    the period of notice (NOTICE). Otherwise, the message says that these machines are still running. The list is
    empty if people have already been notified of all of these machines.
    """
    deletes = _may_delete(outage, poll, options)
    known = {
        (one.resource_id, one.ends_at) for one in outage.announced if one.delete_at is not None or not deletes
    }
    due = [
        machine
        for machine in _living(state, poll)
        if machine.ends_at is not None
        and machine.ends_at + AFTER_END <= poll.at + NOTICE
        and (machine.resource_id, machine.ends_at) not in known
    ][: words.MOST_LISTED]
    if not due:
        return []
    delete_at = poll.at + NOTICE if deletes else None
    gpus = words.gpus_of(poll)
    announces = tuple(
        Announced(
            resource_id=machine.resource_id,
            ends_at=machine.ends_at,
            delete_at=delete_at,
            gpus=gpus.get(machine.resource_id),
        )
        for machine in due
        if machine.ends_at is not None
    )
    text = words.announcement(due, delete_at, state=state, outage=outage, poll=poll, options=options)
    return [Message(kind=Kind.ANNOUNCEMENT, text=text, announces=announces)]


def _to_delete(state: State, outage: Outage, poll: Poll, options: Options) -> tuple[str, ...]:
    """Return the IDs of the resources to delete now.

    A machine is deleted only if all of these conditions are met:

    - The bot has reported the machine's end (the end of its lease plus the grace period).
    - This end was at least AFTER_END ago.
    - The deletion was announced at least NOTICE ago.
    - The machine hasn't been terminated.
    """
    if not _may_delete(outage, poll, options):
        return ()
    announced = {(one.resource_id, one.ends_at): one.delete_at for one in outage.announced}
    asked = {one.resource_id: one.asked_at for one in outage.deletions}

    def is_due(machine: WatchedMachine) -> bool:
        if machine.ends_at is None or poll.at < machine.ends_at + AFTER_END:
            return False
        delete_at = announced.get((machine.resource_id, machine.ends_at))
        asked_at = asked.get(machine.resource_id)
        return (
            delete_at is not None
            and delete_at <= poll.at
            and (asked_at is None or asked_at + RETRY_AFTER <= poll.at)
        )

    return tuple(machine.resource_id for machine in _living(state, poll) if is_due(machine))
