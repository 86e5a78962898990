"""Decides what to do next with a ready machine. No I/O.

RULES lists the rules in order of priority. The first rule that is due determines the action. After the action, the
rules are evaluated again immediately. If no rule is due, they are evaluated again at the earliest time at which a
rule becomes due.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from bot.model.attempt import Attempt, Why
from bot.model.base import EVER, changed
from bot.model.event import Event, EventKind, OpenQuestion
from bot.model.facts import EndFacts, UntilFacts, WorkGoesOn
from bot.model.job import Job
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
from bot.policy.use import end_notices, flexible_end, heartbeats, keeping, leases, on_ending, probing, questions
from bot.policy.use import jobs as job_rules
from bot.policy.use.heartbeats import HeartbeatAct
from bot.policy.use.usage_status import open_connections, unseen_since, with_later_work

BOUGHT = frozenset({State.PROVISIONING, State.READY})
"""The states of a rental whose purchase the market has accepted."""
LOOK_AGAIN = timedelta(seconds=15)
"""The time after which the rules are evaluated again if nothing causes this earlier.

Some changes don't cause a new evaluation. One example is the purchase of a replacement. Other examples are probe
runs and posts to Slack during the last grace period.
"""


class Replacement(NamedTuple):
    """The rental that replaces a machine."""

    state: State
    spent: Micros


@dataclass(frozen=True)
class Machine:
    """Everything that determines the next action for a ready machine, as read in a single transaction."""

    rental: Rental
    live: Attempt | None
    """The purchase (attempt) that brought the machine, as in `RentalSnapshot.live`.

    None if the rental no longer has the machine.
    """
    use: Use | None
    """The stored usage status. None before the first one.

    Also None if the machine isn't meant to have a probe. If the rules have only now switched the probe off, a
    usage status might still be stored, but it is ignored.
    """
    probe_runs: Sequence[Sample] = ()
    """The samples needed to determine the current usage status (`usage_status.window`), oldest first."""
    history: Sequence[Event] = ()
    """The rental's events, oldest first.

    Only loaded near the end of the lease (see `is_ending`), because there can be many events.
    """
    direct: Sequence[Message] = ()
    """The direct messages about the machine.

    Only loaded near the end of the lease (see `is_ending`), or if the machine has been terminated.
    """
    card: Message | None = None
    """The card, if a program rented the machine. None if a person did. Loaded at the same times as `direct`.

    The owner of a program's machine isn't notified of its end. The card is then the only message that shows it.
    """
    owner: Person | None = None
    """The owner, as last stored. None if the store has no record of them."""
    approvers: Collection[Availability] = ()
    """The times at which each approver is available. There is at least one approver."""
    answers: ProbeAnswers | None = None
    """The probe's answers on the vendor's most recent machines.

    Only loaded near the end of the lease (see `is_ending`).
    """
    replacement: Replacement | None = None
    spent: Micros = 0
    """The highest possible cost of the rental so far."""
    found: bool = True
    """True if a lookup since the database was opened has shown that the machine still exists."""
    listens_since: datetime | None = None
    """The time since which this process can receive heartbeats of programs. None if it can't."""
    expects_heartbeats: bool = False
    """True if a program rented the machine and can send heartbeats (`heartbeats.is_expected`)."""
    just_opened: bool = False
    """True if the bot has just started, so that messages might still have to be compared with Slack."""

    @property
    def lease(self) -> Lease:
        return self.rental.running_lease

    @property
    def ends_silently(self) -> bool:
        """True if nobody is notified of the lease's end in advance.

        A program named the end when it rented the machine, so its owner isn't notified. Teammates are.
        """
        return self.rental.program is not None and not self.rental.teammates

    @property
    def probed_at(self) -> datetime:
        """Return the time of the newest probe run.

        Before the first one, this is the time at which the machine became ready.
        """
        return self.probe_runs[-1].at if self.probe_runs else self.lease.ready_at


def is_ending(rental: Rental, rules: Rules, now: datetime) -> bool:
    """Return whether the end of a machine's lease needs attention, so that its history must be loaded.

    The end needs attention in three cases: it has passed or can come at any moment, a notice of the end is due, or
    the owner's `/root/on-ending.sh` has failed.
    """
    lease = rental.running_lease
    near = lease.graceful_destroy is not None or on_ending.ended_as(rental, OnEndingState.FAILED)
    return near or lease.ends_at <= now or end_notices.notice_is_due(lease, rules, now)


# --- actions


class End(NamedTuple):
    """Destroy the machine."""

    why: Why
    by: str | None = None
    """Slack ID of the person who destroys it. None if the lease has ended, or if another machine replaces it."""


class NoteLoss(NamedTuple):
    """End the rental, because its machine has been terminated by the vendor."""


class TellEndAgain(NamedTuple):
    """Notify the owner of the lease's end again, after the database was restored from a backup.

    A message that was sent after the backup can show a later end than the database. The owner therefore gets a new
    notification, and earlier ones are ignored.
    """


class DropUsageStatus(NamedTuple):
    """Drop the usage status of a machine that no longer has a probe.

    Starting at `since`, it is unknown how the machine is used.
    """

    since: datetime


class StayInPlace(NamedTuple):
    """Keep the machine, because the rental that should replace it ended without getting a machine.

    `spent` is the cost of that other rental.
    """

    spent: Micros


class SkipNotice(NamedTuple):
    """Skip the notice of the lease's end that would otherwise be sent now."""


class GiveNotice(NamedTuple):
    """Notify the owner that the machine ends at `until`.

    Normally, `until` is the end of the lease. If the owner wasn't notified of the end of the lease, `until` is one
    grace period from now.
    """

    until: datetime
    unseen: bool = False
    """True if the flexible end doesn't move because the bot can't tell whether the machine is in use."""
    vendor: str | None = None
    """The vendor, if none of its machines can be probed because they don't run the startup script."""
    ask_before: datetime | None = None
    """The time until which approvers can be asked for an extension. None if the notice has another reason."""


class TellFailure(NamedTuple):
    """Notify the owner that their script `/root/on-ending.sh` failed. The lease hasn't ended yet."""

    exit_status: int | None


class KeepAfterFailure(NamedTuple):
    """Keep the machine until `until`, because its `/root/on-ending.sh` failed. Notify the owner."""

    until: datetime
    exit_status: int | None


class TellJobsEnded(NamedTuple):
    """Notify the owner that the jobs on the machine have ended."""

    jobs: tuple[Job, ...]
    """The jobs that ended since the last notification, newest first."""


class EndWhenDone(NamedTuple):
    """Move the end of the lease to `until`, because its last job is done."""

    job: Job
    until: datetime


class ResumeWork(NamedTuple):
    """Restore the previous end of the lease, because work on the machine went on after its jobs were done."""

    work: WorkGoesOn


class TellNoJob(NamedTuple):
    """Notify the owner that no job has started, although the lease ends when its jobs are done."""


class Ask(NamedTuple):
    """Ask the owner whether the machine is still needed."""

    use: Use | None
    """The usage status that the question shows as evidence."""


class TellOthers(NamedTuple):
    """Show on the rental's card that the owner hasn't answered, or notify the approvers of it.

    The card is the rental's message in the channel.
    """

    asked: Asked
    use: Use | None = None
    """The usage status for the notification of the approvers. None if only the card changes."""


class MoveEnd(NamedTuple):
    """Move the flexible end to `until`, because the machine is in use."""

    until: datetime
    use: Use | None


class ExpireExtension(NamedTuple):
    """Withdraw a request for a longer lease, because nobody decided in time.

    `hours` is the length that the lease would have had.
    """

    hours: timedelta


WorkAct: TypeAlias = MoveEnd | TellJobsEnded | EndWhenDone | ResumeWork | TellNoJob
"""The actions that follow from the work on a machine."""
Act: TypeAlias = (
    End
    | NoteLoss
    | TellEndAgain
    | DropUsageStatus
    | StayInPlace
    | SkipNotice
    | GiveNotice
    | TellFailure
    | KeepAfterFailure
    | WorkAct
    | HeartbeatAct
    | Ask
    | TellOthers
    | ExpireExtension
)


class Due(NamedTuple):
    """An action and the time at which it is due."""

    at: datetime
    act: Act | None = None
    """The action. None if nothing is to be done at that time except evaluating the rules again."""


def plan(machine: Machine, rules: Rules, now: datetime) -> Due:
    """Return the action that is due now. If none is due, return the time at which to call this function again.

    That is the earliest time at which a rule becomes due. If no rule becomes due at a known time, the result is
    LOOK_AGAIN from now.
    """
    rules_of = RULES if machine.lease.graceful_destroy is None else RULES_AFTER_SCRIPT
    if machine.live is None or (machine.lease.shown_later_at is not None and not machine.found):
        rules_of = RULES_UNTIL_FOUND
    dues = [due for rule in rules_of if (due := rule(machine, rules, now)) is not None]
    acting = (Due(now, due.act) for due in dues if due.act is not None and due.at <= now)
    return next(acting, None) or Due(min((due.at for due in dues), default=now + LOOK_AGAIN))


# --- the usage status now


def idle_now(machine: Machine, rules: Rules, now: datetime) -> Use | None:
    """Return the usage status of a machine whose GPUs aren't computing right now.

    Such a machine is idle, or connected if somebody is logged in. The status includes the connections seen by the
    newest probe run.

    Returns None if the machine has any other status. Also returns None if its status is uncertain, because the bot
    was down or most probe runs fail. The next probe runs then show the status.
    """
    use = machine.use
    if use is None or use.status not in NOT_COMPUTING or use != _status(machine, rules, now):
        return None
    unseen = unseen_since(use, machine.probe_runs, now, rules) is not None
    return None if unseen else _with_open_connections(use, machine)


def _status(machine: Machine, rules: Rules, now: datetime) -> Use | None:
    """Return the stored usage status, updated if later probe runs show that the GPUs were working."""
    return with_later_work(machine.use, machine.probe_runs, ready_at=machine.lease.ready_at, now=now, rules=rules)


def _with_open_connections(use: Use, machine: Machine) -> Use:
    """Return a usage status with the connections seen by the newest probe run.

    The stored status has the connections that were open when the status was first determined.
    """
    old, new = open_connections(machine.probe_runs)
    return changed(use, connections=old, new_connections=new)


# --- rules for a machine that has been terminated or replaced


def _terminated(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """End the rental if the market no longer has the machine.

    If the machine was already due to be deleted as overdue, the reason is the end of the lease. Otherwise, the
    reason is that the vendor terminated the machine.
    """
    overdue = leases.overdue_at(machine.lease.ends_at, None, rules)
    if overdue is not None and overdue <= now and (machine.live is None or machine.live.marked_for_deletion):
        return Due(now, End(Why.LEASE_ENDED))
    if machine.live is not None or (machine.just_opened and _is_uncompared(machine, machine.direct)):
        return None
    return Due(now, NoteLoss())


def _is_uncompared(machine: Machine, direct: Iterable[Message]) -> bool:
    """Return whether one of these direct messages must still be compared with Slack.

    If the database is a restored backup, Slack might show newer versions of the messages. If a program rented the
    machine, its card has to be compared as well.
    """
    return any(message.uncompared for message in [*direct, *([machine.card] if machine.card else [])])


def _shown_later(machine: Machine, _: Rules, now: datetime) -> Due | None:
    """Notify the owner of the lease's end again if messages in Slack are newer than the restored database."""
    return None if machine.lease.shown_later_at is None else Due(now, TellEndAgain())


def _without_probe(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Drop the usage status if the rules switched the probe off."""
    use = machine.rental.use
    if use is None or machine.use is not None:
        return None
    return Due(now, DropUsageStatus(unseen_since(use, machine.probe_runs, now, rules) or now))


def _replaced(machine: Machine, _: Rules, now: datetime) -> Due | None:
    """Destroy the machine as soon as its replacement has been bought.

    If the replacement ended without getting a machine, this machine stays, and its owner can replace it again.
    """
    if machine.rental.replaced_by is None:
        return None
    other = machine.replacement
    if other is not None and other.state in BOUGHT:
        return Due(now, End(Why.REPLACED))
    if other is not None and other.state.over:
        return Due(now, StayInPlace(other.spent))
    return Due(now + LOOK_AGAIN)


# --- rules: notices of the end


def _notice(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Notify the owner before the end of the lease.

    If the end is flexible and can still move, the notice is skipped while the machine is in use. UNSEEN_NOTICE is
    only sent if the bot can't monitor the machine. If the lease ends because its jobs are done or its heartbeat is
    lost, no notice is sent, because the owner got a message about that. If a program rented the machine, a notice
    is only sent if there are teammates.
    """
    lease, rental = machine.lease, machine.rental
    at = end_notices.next_notice(lease, rules)
    if at is None or lease.ends_at <= now or lease.ends_early:
        return None
    if not end_notices.notice_is_due(lease, rules, now):
        return Due(at)
    if machine.ends_silently:
        return Due(now, SkipNotice())
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
    """Warn the owner before the lease ends, while approvers can still approve an extension.

    The warning is sent ASK_IN_TIME before the approvers' working hours end. It is only sent if the lease ends
    outside these hours, and if an extension would need an approver. If the machine became ready or the lease was
    extended after the time for the warning, there is no warning. There is none either if a program rented the
    machine.
    """
    lease, rental = machine.lease, machine.rental
    before = end_notices.ask_before(lease, machine.approvers, rules)
    if before is None or lease.ends_at <= now or before <= now or rental.extension is not None:
        return None
    if lease.ends_early or rental.program is not None:
        return None
    at = before - end_notices.ASK_IN_TIME
    if at <= lease.notices_checked_at:
        return None
    if at > now:
        return Due(at)
    notice = GiveNotice(lease.ends_at, ask_before=before)
    return Due(now, notice) if _more_is_asked_for(machine, rules, now) else None


def _more_is_asked_for(machine: Machine, rules: Rules, now: datetime) -> bool:
    """Return whether the lease can be extended by an hour, and the extension would need an approver."""
    rental, lease = machine.rental, machine.lease
    end = (lease.latest_end or lease.ends_at) + flexible_end.MOVES_BY
    if not leases.may_extend_by(end - lease.ends_at, rental, now, rules):
        return False
    owner = machine.owner or Person(id=rental.owner, name="")
    own_rules = rules_of_owner(rules, rental.project, owner)
    kept = keeping.kept_for_longer_lease(rental, end, _zone(machine, rules), rules)
    proposal = propose_longer_lease(rental, end, kept=kept, spent=machine.spent, now=now, rules=own_rules)
    return bool(proposal.over)


class _Notified(NamedTuple):
    """A record of how the owner was notified of the end of the lease."""

    at: tuple[datetime, ...]
    """The times at which the owner learned of the lease's end.

    The owner learns of the end by setting it, or when Slack accepts a direct message that states it. If a program
    rented the machine, the end counts as always known, because the program named it.
    """
    tried: tuple[datetime, ...]
    """The times at which the bot tried to notify the owner after the lease had ended."""
    uncertain: bool
    """True if a message about the lease's end must still be compared with Slack. Slack might show another end."""


def _notified_of_end(machine: Machine) -> _Notified:
    """Return a record of how the owner was notified of the end of the lease.

    If the end is flexible, the message saying that the machine is ready is ignored. If the bot has found that the
    database is a restored backup, all notifications before this discovery are ignored. The end that a program
    named is then ignored too, because the program may have named a later end after the backup.
    """
    lease, owner = machine.lease, machine.rental.owner
    again = max((event.id for event in machine.history if event.kind is EventKind.ENDS_AGAIN), default=0)
    events = [event for event in machine.history if event.id >= again]
    same_end = [e for e in events if isinstance(e.facts, UntilFacts) and e.facts.until == lease.ends_at]
    stating = {
        one.id: one for one in same_end if not (flexible_end.can_move(lease) and one.kind is EventKind.READY)
    }
    messages = [message for message in machine.direct if message.event_id in stating and message.to.value == owner]
    set_by_owner = [one.at for one in stating.values() if one.effects.lengthens(one) and one.actor == owner]
    # The program named the usual end of the lease itself, so its owner doesn't have to be told.
    named = machine.rental.program is not None and not again and lease.heartbeat_end is None
    named_at = [EVER] if named else []
    late = [one.at for one in events if one.effects.asks is OpenQuestion.END and one.at >= lease.ends_at]
    return _Notified(
        at=(
            *(message.posted_at for message in messages if message.posted_at is not None),
            *set_by_owner,
            *named_at,
        ),
        tried=tuple(late),
        uncertain=_is_uncompared(machine, messages),
    )


def _script_failed(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Keep the machine after the failure of its `/root/on-ending.sh`, if the approved terms pay for more time.

    If the machine can't be kept, the owner is notified once, while they still have time to look into the failure.
    """
    script, ends_at = machine.rental.on_ending, machine.lease.ends_at
    if script is None or not on_ending.ended_as(machine.rental, OnEndingState.FAILED):
        return None
    until = keeping.kept_until(machine.lease, now, _zone(machine, rules), rules)
    if until is not None:
        return Due(now, KeepAfterFailure(until, script.status))
    if ends_at <= now:
        return None
    failed = (event.facts for event in machine.history if event.kind is EventKind.SCRIPT_FAILED)
    known = any(isinstance(facts, EndFacts) and facts.until == ends_at for facts in failed)
    return None if known else Due(now, TellFailure(script.status))


# --- rules: jobs


def _jobs_ended(machine: Machine, _: Rules, now: datetime) -> Due | None:
    """Notify the owner as soon as the last job has ended, even outside their working hours.

    There is no message if all jobs were short. The message takes the place of the first question about the idle
    period that follows.
    """
    jobs = job_rules.ended_to_tell(machine.rental)
    return Due(now, TellJobsEnded(jobs)) if jobs and not _owner_left(machine) else None


def _until_done(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """End the lease soon if its jobs are done. If there is work after that, restore its previous end.

    If the lease already ends because of a lost heartbeat, that end is at least as near, so jobs change nothing.
    """
    rental, lease, samples = machine.rental, machine.lease, machine.probe_runs
    if lease.until_done is None or lease.heartbeat_end is not None:
        return None
    if lease.ends_when_done:
        work = job_rules.work_that_goes_on(rental, samples, rules)
        return Due(now + LOOK_AGAIN) if work is None else Due(now, ResumeWork(work))
    if rental.replaced_by is not None:
        return None
    job = job_rules.done_job(rental, _status(machine, rules, now), samples, now, rules)
    if job is not None:
        return Due(now, EndWhenDone(job, job_rules.end_when_done(job, now, rules)))
    at = job_rules.first_job_missing_at(lease, rental.jobs)
    if at is None or _owner_left(machine):
        return None
    return Due(at, TellNoJob()) if at > now or job_rules.are_seen(samples, now) else Due(now + LOOK_AGAIN)


# --- rules: heartbeats


def _heartbeat(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Notify the owner of a lost heartbeat, or end the lease soon. If the heartbeat is back, restore the end."""
    since, expected = machine.listens_since, machine.expects_heartbeats
    step = heartbeats.next_step(machine.rental, machine.probe_runs, since, rules, now, expected=expected)
    return None if step is None else Due(step.at, step.act)


# --- rules for the questions to the owner whether the machine is still needed


def _question(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    rental, lease, use = machine.rental, machine.lease, machine.use
    if lease.ends_early or heartbeats.asks_owner(rental, now):
        return None
    waits = job_rules.question_waits_until(rental, use, rules) if use is not None else None
    at = questions.next_question(lease, use, rental.rate, rules, job_counts_until=waits)
    if at is not None and at <= now:
        urgent = questions.is_urgent(rental, rules)
        at = questions.in_hours(now, lease, use, urgent=urgent, zone=_zone(machine, rules), rules=rules)
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
    """Schedule an action for `at`.

    If the action is due now but the bot can't tell whether the machine is still idle, the result is None. The
    rules are evaluated again after the next probe run.
    """
    if at is None:
        return None
    use = machine.use
    waits = at <= now and use is not None and use.status in NOT_COMPUTING and not idle_now(machine, rules, now)
    return None if waits else Due(at, act)


def _zone(machine: Machine, rules: Rules) -> ZoneInfo:
    """Return the owner's time zone."""
    return zone_of(machine.owner.tz if machine.owner else None, rules)


def _owner_left(machine: Machine) -> bool:
    """Return whether the owner has left the workspace.

    If so, the bot asks only the admins what to do (`owners_left`).
    """
    return machine.owner is not None and machine.owner.deactivated


# --- rules: the end of the lease


def _end(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Destroy the machine at the end of its lease, but not before the owner has had a grace period of notice.

    If the machine is in use and the end can still move to a later time, move the end instead.
    """
    rental, lease = machine.rental, machine.lease
    if lease.ends_at > now:
        return Due(lease.ends_at)
    until, use, probe_runs = flexible_end.moved_end(lease, now), _status(machine, rules, now), machine.probe_runs
    if until is not None and flexible_end.seen_in_use(use, probe_runs, now):
        return Due(now, MoveEnd(until, use))
    unseen = flexible_end.is_unseen(use, probe_runs, now)
    depends_on_use = lease.ends_when_done or (until is not None and not unseen)
    first_probe_run_decides = depends_on_use and not flexible_end.are_recent(probe_runs, now)
    notified = _notified_of_end(machine)
    if notified.uncertain and machine.just_opened:
        return Due(now + LOOK_AGAIN)
    if rental.extension is not None and not first_probe_run_decides:
        return Due(now, ExpireExtension(rental.extension.terms.lease))
    # After the bot was down, the owner may have been notified of the end in a way that no longer applies. In three
    # cases, the earlier notifications don't count, and the owner gets another grace period:
    # - The notifications said that the end moves while the machine is in use. Only the next probe run shows
    #   whether the machine is in use now.
    # - The machine itself was never notified of this end, so the owner's `/root/on-ending.sh` hasn't run.
    # - `/root/on-ending.sh` was running when the bot last saw it. If it has failed since then, the machine is
    #   kept.
    not_sent = on_ending.was_not_told(rental, machine.use, probe_runs, now)
    may_have_failed = on_ending.result_is_unseen(rental, machine.use, probe_runs, now)
    if may_have_failed and keeping.kept_until(lease, now, _zone(machine, rules), rules) is not None:
        first_probe_run_decides = True
    known_at = () if first_probe_run_decides or not_sent or notified.uncertain else notified.at
    at = leases.may_end(lease.ends_at, min(known_at, default=None), min(notified.tried, default=None), rules)
    if at is None:
        return Due(now, GiveNotice(now + rules.lease.grace))
    at = max(at, on_ending.wait_until(rental, rules) or at)
    return Due(now, End(Why.LEASE_ENDED)) if at <= now else Due(min(at, now + LOOK_AGAIN))


def _after_script(machine: Machine, rules: Rules, now: datetime) -> Due | None:
    """Finish a graceful destroy: destroy the machine when its `/root/on-ending.sh` is done or the lease ends.

    If the database was restored, the person who chose the graceful destroy might have changed their mind after the
    backup. The owner then gets a new notification of the end, and the graceful destroy no longer applies.
    """
    graceful, ends_at = machine.lease.graceful_destroy, machine.lease.ends_at
    if graceful is None or not _graceful_destroy_applies(machine):
        return _end(machine, rules, now)
    if ends_at > now and not on_ending.ended_as(machine.rental, OnEndingState.DONE):
        return Due(ends_at)
    if machine.just_opened and _is_uncompared(machine, machine.direct):
        return Due(now + LOOK_AGAIN)
    return Due(now, End(Why.ASKED, graceful.by))


def _graceful_destroy_applies(machine: Machine) -> bool:
    """Return whether the machine should still be destroyed gracefully, as a person decided.

    The decision no longer applies if the owner was notified of the end again after the person decided.
    """
    kinds = [e.kind for e in machine.history if e.kind in {EventKind.GRACEFUL_DESTROY, EventKind.ENDS_AGAIN}]
    return kinds[-1:] == [EventKind.GRACEFUL_DESTROY]


Rule: TypeAlias = Callable[[Machine, Rules, datetime], Due | None]
_ALWAYS: tuple[Rule, ...] = (_terminated, _shown_later, _without_probe, _replaced, _script_failed)
RULES: tuple[Rule, ...] = (
    *_ALWAYS,
    _heartbeat,
    _until_done,
    _jobs_ended,
    _notice,
    _ask_in_time,
    _question,
    _unanswered_on_card,
    _unanswered_to_approvers,
    _end,
)
"""The rules in order of priority.

Each rule returns an action and the time at which it is due, or None if it isn't waiting for anything.
"""
RULES_AFTER_SCRIPT: tuple[Rule, ...] = (*_ALWAYS, _after_script)
"""The rules for a machine that is being destroyed gracefully.

The bot asks no more questions and sends no more notices about such a machine.
"""
RULES_UNTIL_FOUND: tuple[Rule, ...] = (_terminated,)
"""The rule for a machine that has been terminated, or whose existence still has to be confirmed.

If Slack showed a later state of the machine than the database, nothing else is done until the market confirms that
the machine still exists.
"""
