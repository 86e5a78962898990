"""What is said and deleted after a look. Pure (docs/decisions/watchdog.md)."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from bot.model.base import Frozen, changed
from bot.model.watched_machine import WatchedMachine
from bot.watchdog import words
from bot.watchdog.state import Announced, Deletion, Look, Options, Outage, State, Trouble

WARN_AFTER = timedelta(minutes=15)
"""How long the bot is not well before the first warning."""
APART = timedelta(hours=1)
"""The least time between the first warning and the next one."""
AFTER_END = timedelta(hours=2)
"""How long a machine lives past its end, at least, before it is deleted."""
NOTICE = timedelta(hours=1)
"""How long before a deletion people are notified of it, at least."""
LONGEST_GAP = timedelta(minutes=10)
"""If the watchdog did not look for longer than this, people are notified of each deletion again."""
RETRY_AFTER = timedelta(minutes=10)
"""How soon the market is asked again to delete a machine that still lives."""
MOST_NOTES = 20


class Kind(StrEnum):
    """What changes once Slack has taken a message."""

    NOTE = "note"
    WARNING = "warning"
    ANNOUNCEMENT = "announcement"


class Message(Frozen):
    """A message for Slack."""

    kind: Kind
    text: str
    announces: tuple[Announced, ...] = ()


class Decision(Frozen):
    """What follows from a look."""

    state: State
    say: tuple[Message, ...] = ()
    """In this order. A message counts as said only once Slack has taken it: `said`."""
    delete: tuple[str, ...] = ()
    """The ids of the resources to delete."""


def decide(state: State, look: Look, options: Options) -> Decision:
    """Return what follows from a look."""
    outage = _outage(state, look)
    if outage is None and state.outage is not None and state.outage.warned_at is not None:
        state = with_note(state, words.well_again(state.outage, look.at))
    state = _with_wrong(state, look, options)
    if look.account.token_refused and not state.token_refused:
        state = with_note(state, words.token_refused(look))
    elif look.account.living is not None and state.token_refused:
        state = with_note(state, words.ACCEPTED_AGAIN)
    if look.bot.machines is not None:
        machines = look.bot.machines
        if outage is not None:
            machines, outage = _with_later_ends(machines, state, outage)
        state = changed(state, answered_at=look.at, machines=machines)
    state = changed(
        state,
        looked_at=look.at,
        outage=outage,
        token_refused=look.account.token_refused or (state.token_refused and look.account.living is None),
    )
    say = [Message(kind=Kind.NOTE, text=note) for note in state.notes]
    if outage is None:
        return Decision(state=state, say=tuple(say))
    if outage.warned_at is None:
        if outage.watched >= WARN_AFTER:
            say.append(Message(kind=Kind.WARNING, text=words.warning(state, outage, look, options)))
    elif look.at >= outage.warned_at + APART:
        say += _announcement(state, outage, look, options)
    return Decision(state=state, say=tuple(say), delete=_to_delete(state, outage, look, options))


def said(state: State, message: Message, at: datetime, *, clock_is_wrong: bool = False) -> State:
    """Return the state after Slack took a message at `at`. `clock_is_wrong` is whether Slack's clock shows another
    time than ours.
    """
    if message.kind is Kind.NOTE:
        return changed(state, notes=tuple(note for note in state.notes if note != message.text))
    outage = state.outage
    if outage is None:
        return state
    if message.kind is Kind.WARNING:
        return changed(state, outage=changed(outage, warned_at=at))
    told = [one.resource_id for one in message.announces]
    # The hour of notice begins when people can read of the deletion.
    announced = tuple(
        changed(one, delete_at=None if clock_is_wrong or one.delete_at is None else at + NOTICE)
        for one in message.announces
    )
    others = tuple(one for one in outage.announced if one.resource_id not in told)
    outage = changed(outage, announced=others + announced, clock_is_wrong=clock_is_wrong)
    state = changed(state, outage=outage)
    if clock_is_wrong and any(one.delete_at is not None for one in message.announces):
        return with_note(state, words.CLOCK_IS_WRONG)
    return state


def deleted(state: State, resource_id: str, at: datetime, *, failure: str | None) -> State:
    """Return the state after the market was asked to delete a resource. `failure` is why it did not, as a
    sentence; None if it accepted that, or the resource was gone.
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
    """Return the state with one more text for Slack."""
    return changed(state, notes=(*state.notes, text)[-MOST_NOTES:])


def _with_wrong(state: State, look: Look, options: Options) -> State:
    """Return the state with a note if something has been wrong with Slack for WARN_AFTER while the bot is well:
    the bot can't tell people of that. Another note says that it is over.
    """
    if look.bot.trouble is not None:
        return state
    if not look.bot.why:
        if state.wrong_told:
            state = with_note(state, words.WELL_WITHOUT_BUT)
        return changed(state, wrong_since=None, wrong_told=False)
    since = state.wrong_since if state.wrong_since is not None and look.continues else look.at
    if state.wrong_told or look.at - since < WARN_AFTER:
        return changed(state, wrong_since=since)
    return with_note(changed(state, wrong_told=True), words.well_but(look, options))


def _outage(state: State, look: Look) -> Outage | None:
    """Return the outage as the look finds it. Return None if the bot is well."""
    if look.bot.trouble is None:
        return None
    before, gap = state.outage, look.at - (state.looked_at or look.at)
    watched = max(gap, timedelta(0)) if look.continues else timedelta(0)
    if before is None:
        return Outage(since=look.at - watched, watched=watched)
    if look.continues:
        return changed(before, watched=before.watched + watched)
    # Nobody looked in between, or the clock was set. If the watchdog was stopped to prevent a deletion, that must
    # not follow at once after the next start.
    keeps = timedelta(0) <= gap <= LONGEST_GAP
    return changed(before, announced=before.announced if keeps else (), clock_is_wrong=False)


def _with_later_ends(
    machines: tuple[WatchedMachine, ...], state: State, outage: Outage
) -> tuple[tuple[WatchedMachine, ...], Outage]:
    """Return the machines that a bot names which is not well, with no end earlier than it is known, and the outage
    with the known ends of all others.

    Such a bot may have a wrong clock, or a backup as its database. An unknown end counts as
    the latest of all, because a machine without an end is never deleted.
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


def _may_delete(outage: Outage, look: Look, options: Options) -> bool:
    """Return whether anything may be deleted. If something answers at the bot's address, the bot probably runs,
    and people may have extended their machines: only an answer that the bot is not well allows deletions then.
    """
    answers = look.bot.trouble is Trouble.UNUSABLE
    return options.destroy and not answers and not outage.clock_is_wrong


def _living(state: State, look: Look) -> list[WatchedMachine]:
    """Return the machines that the bot named and that live on the account."""
    alive = {one.resource_id for one in look.account.living or ()}
    return [machine for machine in state.machines if machine.resource_id in alive]


def _announcement(state: State, outage: Outage, look: Look, options: Options) -> list[Message]:
    """Return the message about machines that are to be deleted in NOTICE, or that live on past their end. Return
    none if people were notified of all of them.
    """
    deletes = _may_delete(outage, look, options)
    known = {
        (one.resource_id, one.ends_at) for one in outage.announced if one.delete_at is not None or not deletes
    }
    due = [
        machine
        for machine in _living(state, look)
        if machine.ends_at is not None
        and machine.ends_at + AFTER_END <= look.at + NOTICE
        and (machine.resource_id, machine.ends_at) not in known
    ][: words.MOST_LISTED]
    if not due:
        return []
    delete_at = look.at + NOTICE if deletes else None
    gpus = words.gpus_of(look)
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
    text = words.announcement(due, delete_at, state=state, outage=outage, look=look, options=options)
    return [Message(kind=Kind.ANNOUNCEMENT, text=text, announces=announces)]


def _to_delete(state: State, outage: Outage, look: Look, options: Options) -> tuple[str, ...]:
    """Return the resources to delete now: each is in the file with an end, is past that end by AFTER_END, lives on
    the account, and people were notified of its deletion NOTICE ago.
    """
    if not _may_delete(outage, look, options):
        return ()
    announced = {(one.resource_id, one.ends_at): one.delete_at for one in outage.announced}
    asked = {one.resource_id: one.asked_at for one in outage.deletions}

    def is_due(machine: WatchedMachine) -> bool:
        if machine.ends_at is None or look.at < machine.ends_at + AFTER_END:
            return False
        delete_at = announced.get((machine.resource_id, machine.ends_at))
        asked_at = asked.get(machine.resource_id)
        return (
            delete_at is not None
            and delete_at <= look.at
            and (asked_at is None or asked_at + RETRY_AFTER <= look.at)
        )

    return tuple(machine.resource_id for machine in _living(state, look) if is_due(machine))
