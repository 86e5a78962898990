"""What is done next for a ready machine: one plan. Pure.

RULES has the plan's rules in their order. The first rule that is due acts, and the machine's step runs again at
once. If no rule is due, the next step is at the earliest time that a rule names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from bot.model.attempt import Attempt, Why
from bot.model.base import changed
from bot.model.event import Event, EventKind, OpenQuestion
from bot.model.facts import EndFacts, UntilFacts
from bot.model.machine_use import NOT_COMPUTING, OnEndingState, ProbeAnswers, Sample, Use
from bot.model.message import Message
from bot.model.money import Micros
from bot.model.person import Person
from bot.model.rental import Asked, Lease, Rental
from bot.model.state import State
from bot.policy.buying.budgets import rules_of_owner
from bot.policy.buying.spending import propose_longer_lease
from bot.policy.team.hours import Availability, zone_of
from bot.policy.team.rules import Rules
from bot.policy.use import end_notices, flexible_end, leases, on_ending, probing, questions
from bot.policy.use.usage_status import open_connections, unseen_since, with_later_work

BOUGHT = frozenset({State.PROVISIONING, State.READY})
"""The states in which the market has accepted the purchase of a rental."""
LOOK_AGAIN = timedelta(seconds=15)
"""How soon the plan is made again while it waits for something that makes no step due: the purchase of another
rental, or a visit or a post in the last grace."""


class Replacement(NamedTuple):
    """The rental that takes a machine's place."""

    state: State
    spent: Micros


@dataclass(frozen=True)
class Machine:
    """Everything that decides the next step of a ready machine, as one read transaction found it."""

    rental: Rental
    live: Attempt | None
    """As `RentalSnapshot.live`."""
    use: Use | None
    """The stored verdict. None before the first one, and if the machine has no probe by design: a verdict from
    before a change of the rules doesn't count."""
    probe_runs: Sequence[Sample] = ()
    """The samples that a verdict of now needs (`usage_status.window`), oldest first."""
    history: Sequence[Event] = ()
    """The rental's events, oldest first. Empty unless it `is_ending`: it can be long."""
    direct: Sequence[Message] = ()
    """The direct messages about the machine. Empty unless it `is_ending` or is gone."""
    owner: Person | None = None
    """The owner as last known. None if the store doesn't know them."""
    approvers: Collection[Availability] = ()
    """When the people who decide can be asked; at least one."""
    answers: ProbeAnswers | None = None
    """Whether the probe answered on its vendor's last machines. None unless it `is_ending`."""
    replacement: Replacement | None = None
    spent: Micros = 0
    """The most that the rental has cost by now."""
    found: bool = True
    """Whether the market had the machine when it was looked up since the database was opened."""
    just_opened: bool = False
    """Whether messages about the machine may still be compared with Slack, since the bot has just started."""

    @property
    def lease(self) -> Lease:
        return self.rental.running_lease

    @property
    def probed_at(self) -> datetime:
        """Return the time of the newest visit, or that of ready before the first."""
        return self.probe_runs[-1].at if self.probe_runs else self.lease.ready_at


def is_ending(rental: Rental, rules: Rules, now: datetime) -> bool:
    """Return whether the end of a machine's lease has come or may come at once, whether a notice of it is due, or
    whether its owner's script failed before it.
    """
    lease = rental.running_lease
    near = lease.graceful_destroy is not None or on_ending.ended_as(rental, OnEndingState.FAILED)
    return near or lease.ends_at <= now or end_notices.notice_is_due(lease, rules, now)


# --- what is done


class End(NamedTuple):
    """Destroy the machine."""

    why: Why
    by: str | None = None
    """Slack id of who destroys it. None: the lease's end does, or another machine takes its place."""


class NoteLoss(NamedTuple):
    """End the rental: its machine is gone."""


class TellEndAgain(NamedTuple):
    """Notify the owner when the machine ends, because Slack showed something that the store lost, perhaps a later
    end. Only the new message counts as their notice of this end.
    """


class DropUsageStatus(NamedTuple):
    """Drop the verdict about a machine that has no probe any more. `since` is when it was last known to hold."""

    since: datetime


class StayInPlace(NamedTuple):
    """Keep the machine: the rental that was to take its place ended, and cost `spent`."""

    spent: Micros


class SkipNotice(NamedTuple):
    """Give no notice of the end now."""


class GiveNotice(NamedTuple):
    """Notify the owner that the machine ends at `until`: its end, or a grace from now if they could not know of
    the end.
    """

    until: datetime
    unseen: bool = False
    """Whether it ends because nobody sees if it is in use."""
    vendor: str | None = None
    """The vendor, if nobody sees into any of its machines, since they don't run the boot script."""
    ask_before: datetime | None = None
    """Until when an approver can be asked for more time, if that is why the notice comes now."""


class TellFailure(NamedTuple):
    """Notify the owner that their script failed before the end."""

    exit_status: int | None


class Ask(NamedTuple):
    """Ask the owner whether the machine is still needed."""

    use: Use | None
    """The verdict that the question shows."""


class TellOthers(NamedTuple):
    """Show on the card that nobody answers, or notify the approvers of it."""

    asked: Asked
    use: Use | None = None
    """The verdict that the approvers are notified of. None if only the card shows it."""


class MoveEnd(NamedTuple):
    """Move the end on to `until`, since the machine is in use."""

    until: datetime
    use: Use | None


class ExpireExtension(NamedTuple):
    """Drop the request for a lease that is longer by so many hours, about which nobody decided."""

    hours: timedelta


Act: TypeAlias = (
    End
    | NoteLoss
    | TellEndAgain
    | DropUsageStatus
    | StayInPlace
    | SkipNotice
    | GiveNotice
    | TellFailure
    | Ask
    | TellOthers
    | MoveEnd
    | ExpireExtension
)


class Due(NamedTuple):
    """What is done, and when."""

    at: datetime
    act: Act | None = None
    """None if the plan is only made again at that time."""


def plan(machine: Machine, rules: Rules, now: datetime) -> Due:
    """Return the act that is due now. If none is, return when the plan is made again.

    That is the earliest time that a rule waits for, or after LOOK_AGAIN if none waits for a time.
    """
    rules_of = RULES if machine.lease.graceful_destroy is None else RULES_AFTER_SCRIPT
    if machine.live is None or (machine.lease.shown_later_at is not None and not machine.found):
        rules_of = RULES_UNTIL_FOUND
    dues = [due for rule in rules_of if (due := rule(machine, rules, now)) is not None]
    acting = (Due(now, due.act) for due in dues if due.act is not None and due.at <= now)
    return next(acting, None) or Due(min((due.at for due in dues), default=now + LOOK_AGAIN))


# --- how the machine is used


def idle_now(machine: Machine, rules: Rules, now: datetime) -> Use | None:
    """Return the verdict about a machine that is idle or connected now, with the connections that its newest visit
    saw. Return None if it is neither, or if nobody sees now whether it is: the bot was down, or most visits fail.
    The next visits then decide.
    """
    use = machine.use
    if use is None or use.status not in NOT_COMPUTING or use != _status(machine, rules, now):
        return None
    unseen = unseen_since(use, machine.probe_runs, now, rules) is not None
    return None if unseen else _with_open_connections(use, machine)


def _status(machine: Machine, rules: Rules, now: datetime) -> Use | None:
    """Return the verdict with the work that visits saw since it was stored."""
    return with_later_work(machine.use, machine.probe_runs, ready_at=machine.lease.ready_at, now=now, rules=rules)


def _with_open_connections(use: Use, machine: Machine) -> Use:
    """Return a verdict with the connections that the newest visit saw. The stored verdict has those of its first
    visit.
    """
    old, new = open_connections(machine.probe_runs)
    return changed(use, connections=old, new_connections=new)


# --- the machine is gone, or another one takes its place


def _gone(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """End the rental if the market has no machine any more. If the overdue deletion was due by then, the lease
    ended the machine, not the vendor.
    """
    overdue = leases.overdue_at(machine.lease.ends_at, None, rules)
    if overdue is not None and overdue <= now and (machine.live is None or machine.live.marked_for_deletion):
        return Due(now, End(Why.LEASE_ENDED))
    if machine.live is not None or (machine.just_opened and _is_uncompared(machine.direct)):
        return None
    return Due(now, NoteLoss())


def _is_uncompared(messages: Iterable[Message]) -> bool:
    """Return whether one of these messages isn't compared with Slack yet since the database was opened. If that is
    a backup, Slack may show something else.
    """
    return any(message.uncompared for message in messages)


def _shown_later(machine: Machine, _: Rules, now: datetime) -> Due | None:
    """Tell the owner again when the machine ends, after Slack showed a later state than the store."""
    return None if machine.lease.shown_later_at is None else Due(now, TellEndAgain())


def _without_probe(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Drop the verdict if the rules switched the probe off."""
    use = machine.rental.use
    if use is None or machine.use is not None:
        return None
    return Due(now, DropUsageStatus(unseen_since(use, machine.probe_runs, now, rules) or now))


def _replaced(machine: Machine, _: Rules, now: datetime) -> Due | None:
    """Destroy the machine once another one is bought in its place. If that rental ended without a machine, this
    machine stays, and its owner may replace it again.
    """
    if machine.rental.replaced_by is None:
        return None
    other = machine.replacement
    if other is not None and other.state in BOUGHT:
        return Due(now, End(Why.REPLACED))
    if other is not None and other.state.over:
        return Due(now, StayInPlace(other.spent))
    return Due(now + LOOK_AGAIN)


# --- its owner is notified of the end


def _notice(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Notify the owner before the end. Skip a notice if the machine is in use and the end can still move. Give
    UNSEEN_NOTICE only if nobody sees into the machine.
    """
    lease, rental = machine.lease, machine.rental
    at = end_notices.next_notice(lease, rules)
    if at is None or lease.ends_at <= now:
        return None
    if not end_notices.notice_is_due(lease, rules, now):
        return Due(at)
    use, can_move = _status(machine, rules, now), flexible_end.can_move(lease)
    unseen = can_move and flexible_end.is_unseen(use, machine.probe_runs, now)
    in_use = can_move and flexible_end.seen_in_use(use, machine.probe_runs, now)
    if in_use or (can_move and not unseen and not end_notices.usual_notice_is_due(lease, now, rules)):
        return Due(now, SkipNotice())
    notified = _notified_of_end(machine)
    if end_notices.skips_notice(lease, max(notified.at, default=None), now, rules):
        return Due(now, SkipNotice())
    runs_none = rental.probe_answered_at is None and not probing.runs_scripts(machine.answers)
    return Due(now, GiveNotice(lease.ends_at, unseen, rental.vendor if unseen and runs_none else None))


def _ask_in_time(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Notify the owner ASK_IN_TIME before the approvers' hours end, if the machine ends outside of these hours and
    more time needs an approver. If the machine became ready or was extended since then, leave it out.
    """
    lease, rental = machine.lease, machine.rental
    before = end_notices.ask_before(lease, machine.approvers, rules)
    if before is None or lease.ends_at <= now or before <= now or rental.extension is not None:
        return None
    at = before - end_notices.ASK_IN_TIME
    if at <= lease.notices_checked_at:
        return None
    if at > now:
        return Due(at)
    notice = GiveNotice(lease.ends_at, ask_before=before)
    return Due(now, notice) if _more_is_asked_for(machine, rules, now) else None


def _more_is_asked_for(machine: Machine, rules: Rules, now: datetime) -> bool:
    """Return whether an approver would decide about an hour more after the last end, and could allow it."""
    rental, lease = machine.rental, machine.lease
    end = (lease.latest_end or lease.ends_at) + flexible_end.MOVES_BY
    if not leases.may_extend_by(end - lease.ends_at, rental, now, rules):
        return False
    owner = machine.owner or Person(id=rental.owner, name="")
    own_rules = rules_of_owner(rules, rental.project, owner)
    return bool(propose_longer_lease(rental, end, spent=machine.spent, now=now, rules=own_rules).over)


class _Notified(NamedTuple):
    """How far the owner was notified of the end of the lease."""

    at: tuple[datetime, ...]
    """When the owner learned of the end: when Slack took a direct message that states it, or when they set it."""
    tried: tuple[datetime, ...]
    """When the bot tried to notify them after the end had come."""
    uncertain: bool
    """Whether a message that states the end `_is_uncompared`: Slack may state another end."""


def _notified_of_end(machine: Machine) -> _Notified:
    """Return how far the owner was notified of the end.

    The ready message doesn't notify them of an end that can move. After the database went back to a backup, only
    later notifications count.
    """
    lease, owner = machine.lease, machine.rental.owner
    again = max((event.id for event in machine.history if event.kind is EventKind.ENDS_AGAIN), default=0)
    events = [event for event in machine.history if event.id >= again]
    same_end = [e for e in events if isinstance(e.facts, UntilFacts) and e.facts.until == lease.ends_at]
    stating = {
        one.id: one for one in same_end if not (flexible_end.can_move(lease) and one.kind is EventKind.READY)
    }
    messages = [message for message in machine.direct if message.event_id in stating and message.to.value == owner]
    set_by_owner = [one.at for one in stating.values() if one.effects.lengthens and one.actor == owner]
    late = [one.at for one in events if one.effects.asks is OpenQuestion.END and one.at >= lease.ends_at]
    return _Notified(
        at=(*(message.posted_at for message in messages if message.posted_at is not None), *set_by_owner),
        tried=tuple(late),
        uncertain=_is_uncompared(messages),
    )


def _script_failed(machine: Machine, _: Rules, now: datetime) -> Due | None:
    """Notify the owner once that their script failed for this end, if there is time to look until then."""
    script, ends_at = machine.rental.on_ending, machine.lease.ends_at
    if script is None or ends_at <= now or not on_ending.ended_as(machine.rental, OnEndingState.FAILED):
        return None
    failed = (event.facts for event in machine.history if event.kind is EventKind.SCRIPT_FAILED)
    known = any(isinstance(facts, EndFacts) and facts.until == ends_at for facts in failed)
    return None if known else Due(now, TellFailure(script.status))


# --- its owner is asked whether it is needed


def _question(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    rental, lease, use = machine.rental, machine.lease, machine.use
    at = questions.next_question(lease, use, rental.rate, rules)
    if at is not None and at <= now:
        zone = zone_of(machine.owner.tz if machine.owner else None, rules)
        at = questions.in_hours(now, lease, use, urgent=questions.is_urgent(rental, rules), zone=zone, rules=rules)
        at = None if _owner_left(machine) else at
    shown = _with_open_connections(use, machine) if use is not None else None
    return _once_seen(at, Ask(shown), machine, rules, now)


def _unanswered_on_card(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    asked = questions.unanswered(machine.rental, machine.use)
    if asked is None:
        return None
    return _once_seen(
        questions.on_card_at(asked, rules), TellOthers(changed(asked, on_card=True)), machine, rules, now
    )


def _unanswered_to_approvers(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    rental, lease, use = machine.rental, machine.lease, machine.use
    asked = questions.unanswered(rental, use)
    if asked is None or use is None:
        return None
    at = questions.approvers_notified_at(asked, lease, urgent=questions.is_urgent(rental, rules), rules=rules)
    if at is not None and at <= now:
        at = None if _owner_left(machine) else questions.approvers_in_hours(now, lease, machine.approvers, rules)
    return _once_seen(at, TellOthers(changed(asked, approvers_at=now), use), machine, rules, now)


def _once_seen(at: datetime | None, act: Act, machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Return `act` as due at `at`. Return None if it is due now but nobody sees whether the machine is still idle,
    as the verdict says: the next visit decides.
    """
    if at is None:
        return None
    use = machine.use
    waits = at <= now and use is not None and use.status in NOT_COMPUTING and not idle_now(machine, rules, now)
    return None if waits else Due(at, act)


def _owner_left(machine: Machine) -> bool:
    """Return whether the owner left the workspace. Then `owners_left` asks the admins, and nobody else is."""
    return machine.owner is not None and machine.owner.deactivated


# --- the lease ends


def _end(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Destroy the machine at its end if its owner could know of that end. If the machine is in use, move the end
    on instead.
    """
    rental, lease = machine.rental, machine.lease
    if lease.ends_at > now:
        return Due(lease.ends_at)
    until, use, probe_runs = flexible_end.moved_end(lease, now), _status(machine, rules, now), machine.probe_runs
    if until is not None and flexible_end.seen_in_use(use, probe_runs, now):
        return Due(now, MoveEnd(until, use))
    unseen = flexible_end.is_unseen(use, probe_runs, now)
    first_probe_run_decides = until is not None and not unseen and not flexible_end.are_recent(probe_runs, now)
    notified = _notified_of_end(machine)
    if notified.uncertain and machine.just_opened:
        return Due(now + LOOK_AGAIN)
    if rental.extension is not None and not first_probe_run_decides:
        return Due(now, ExpireExtension(rental.extension.terms.lease))
    # If the bot was down, an earlier notice said that the machine goes on while in use, and it may be in use by
    # now. Or the machine was not told this end, so its owner's script did not run.
    not_told = on_ending.was_not_told(rental, machine.use, probe_runs, now)
    known_at = () if first_probe_run_decides or not_told or notified.uncertain else notified.at
    at = leases.may_end(lease.ends_at, min(known_at, default=None), min(notified.tried, default=None), rules)
    if at is None:
        return Due(now, GiveNotice(now + rules.lease.grace))
    at = max(at, on_ending.wait_until(rental, rules) or at)
    return Due(now, End(Why.LEASE_ENDED)) if at <= now else Due(min(at, now + LOOK_AGAIN))


def _after_script(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Destroy the machine for the person who wanted that after its script: once the script is done, or at the end.
    If their owner was told of the end again since then, they may have changed their mind: then it is an end like
    any other.
    """
    first, ends_at = machine.lease.graceful_destroy, machine.lease.ends_at
    if first is None or not _is_set(machine):
        return _end(machine, rules, now)
    if ends_at > now and not on_ending.ended_as(machine.rental, OnEndingState.DONE):
        return Due(ends_at)
    if machine.just_opened and _is_uncompared(machine.direct):
        return Due(now + LOOK_AGAIN)
    return Due(now, End(Why.ASKED, first.by))


def _is_set(machine: Machine) -> bool:
    """Return whether the newest word about the end is that the machine is destroyed after its script."""
    kinds = [e.kind for e in machine.history if e.kind in {EventKind.GRACEFUL_DESTROY, EventKind.ENDS_AGAIN}]
    return kinds[-1:] == [EventKind.GRACEFUL_DESTROY]


Rule: TypeAlias = Callable[[Machine, Rules, datetime], Due | None]
_ALWAYS: tuple[Rule, ...] = (_gone, _shown_later, _without_probe, _replaced, _script_failed)
RULES: tuple[Rule, ...] = (
    *_ALWAYS,
    _notice,
    _ask_in_time,
    _question,
    _unanswered_on_card,
    _unanswered_to_approvers,
    _end,
)
"""Each rule returns what is due, and when. It returns None if it waits for nothing."""
RULES_AFTER_SCRIPT: tuple[Rule, ...] = (*_ALWAYS, _after_script)
"""The rules of a machine that somebody destroys after its script: nobody is asked or notified any more."""
RULES_UNTIL_FOUND: tuple[Rule, ...] = (_gone,)
"""The rules of a machine that is gone, or that was not found yet since Slack showed a later state of it."""
