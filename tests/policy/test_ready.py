"""Tests of the plan for a ready machine: the first action, and the time of the next step.

A machine is described by its probe runs, in the notation of `use_stories`. All times are hours since ready, which
is 08:00 UTC on a Friday. The expected result is either the action that is due, or the time of the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.model.attempt import AttemptState, Marker, Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.facts import WorkGoesOn
from bot.model.job import Job, JobState, MachineJobs, UntilDone
from bot.model.machine_use import OnEnding, ProbeAnswers, UsageStatus
from bot.model.machine_use import OnEndingState as S
from bot.model.message import MessageKind
from bot.model.person import Person
from bot.model.rental import Asked, Extension, GracefulDestroy, Question
from bot.model.state import State
from bot.policy.team.hours import Availability
from bot.policy.team.rules import AutoApprove, CheckIn, Lease, Rules
from bot.policy.use.ready import (
    Act,
    Ask,
    DropUsageStatus,
    End,
    EndWhenDone,
    ExpireExtension,
    GiveNotice,
    Machine,
    MoveEnd,
    NoteLoss,
    Replacement,
    ResumeWork,
    SkipNotice,
    StayInPlace,
    TellFailure,
    TellOthers,
    idle_now,
    plan,
)
from tests.events import facts_for
from tests.policy.use_stories import READY, replay, samples_of
from tests.store import make

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
RULES = Rules()
NO_CHECK_IN = Rules(check_in=CheckIn(after=None))
"""With these rules, no question is asked about a machine without a probe."""
UTC, NEW_YORK = ZoneInfo("UTC"), ZoneInfo("America/New_York")
E = EventKind
AGAIN = 15 * SECOND / HOUR
"""LOOK_AGAIN in hours: the time until the plan is made again."""
UNREACHABLE = ProbeAnswers(unreachable=("U1", "U2", "U3"), unreachable_at=READY)
Expected = Act | type | float


def at(hours: float) -> Any:
    return READY + hours * HOUR


def machine(probe_runs: str = "", ends: float = 4, latest: float | None = None, **fields: Any) -> Machine:
    """Return a machine with these probe runs. Without probe runs, it has no probe.

    Fields that a `Machine` doesn't have are set on its lease or its rental.
    """
    samples = samples_of(probe_runs)
    use = fields.pop("use", replay(samples, RULES)[-1] if samples else None)
    own = {name: fields.pop(name) for name in Machine.__dataclass_fields__ if name in fields}
    lease: dict[str, Any] = {"latest_end": None if latest is None else at(latest), "ready_at": READY}
    lease |= {"notices_checked_at": READY, "seen_at": READY}
    of_lease = ("question", "notices_checked_at", "graceful_destroy", "until_done")
    lease |= {name: fields.pop(name) for name in of_lease if name in fields}
    rental = make.rental(
        state=State.READY,
        **{"rate": Decimal("2.00"), "vendor": "hyperstack", "use": use, **fields},
        lease=make.lease(at(ends), **lease),
    )
    live = make.attempt(state=AttemptState.BOUGHT)
    usual = {"rental": rental, "live": live, "use": use, "probe_runs": samples, "approvers": {Availability(UTC)}}
    return Machine(**{**usual, **own})


def notified(
    *events: Event, posted: float | None = None, to: str = make.ANA, version_at_start: int | None = None
) -> dict[str, Any]:
    """Return these events as the history of a machine, and a direct message about the last one."""
    history = [changed(event, id=number) for number, event in enumerate(events, 1)]
    message = make.message(
        MessageKind.DIRECT,
        to=to,
        event_id=history[-1].id,
        posted_at=None if posted is None else at(posted),
        version_at_start=version_at_start,
    )
    return {"history": history, "direct": [message]}


def event(kind: EventKind, hours: float, until: float, actor: str | None = None) -> Event:
    return make.event(kind, at=at(hours), actor=actor, facts=facts_for(kind, until=at(until)))


def check(machine: Machine, now: float, expected: Expected, rules: Rules = NO_CHECK_IN) -> Any:
    """Check what the plan returns at a time, and return its action."""
    due = plan(machine, rules, at(now))
    if isinstance(expected, float | int):
        assert due.act is None or due.at > at(now), due.act
        assert (due.at - READY) / HOUR == pytest.approx(expected)
    elif isinstance(expected, type):
        assert (type(due.act), due.at) == (expected, at(now))
    else:
        assert due == (at(now), expected)
    return due.act


# --- the order of the rules


def test_the_first_rule_that_is_due_determines_the_action() -> None:
    asked = Asked(about=at(1), first_at=at(2), last_at=at(2), times=9)
    one = machine("1h 98, 624m 0", 12, 20, replaced_by="m3nq8", replacement=Replacement(State.FAILED, 7))
    check(replace(one, live=None), 11.4, NoteLoss(), RULES)
    check(replace(one, use=None), 11.4, DropUsageStatus(at(11.4)), RULES)
    check(one, 11.4, StayInPlace(7), RULES)
    one = replace(one, rental=changed(one.rental, replaced_by=None))
    for question, checked, expected in (
        (asked, 10, SkipNotice()),
        (asked, 11, Ask),
        (changed(asked, last_at=at(11)), 11, TellOthers),
        (changed(asked, last_at=at(11), on_card=True), 11, TellOthers),
        (changed(asked, last_at=at(11), on_card=True, approvers_at=at(11)), 11, 11.5),
    ):
        lease = changed(one.lease, question=Question(asked=question), notices_checked_at=at(checked))
        check(replace(one, rental=changed(one.rental, lease=lease)), 11.4, expected, RULES)


# --- the machine has been terminated or replaced


@pytest.mark.parametrize(
    ("is_live", "marked", "now", "expected"),
    [
        (False, False, 1, NoteLoss()),
        (False, False, 4.49, NoteLoss()),
        (
            False,
            False,
            4.5,
            End(Why.LEASE_ENDED),
        ),  # Two grace periods after its end, when the overdue deletion is due.
        (True, True, 1, 3.5),
        (True, True, 4.5, End(Why.LEASE_ENDED)),
        (True, False, 4.5, GiveNotice(at(4.75))),
    ],
)
def test_a_terminated_machine_was_lost_or_deleted_as_overdue(
    is_live: bool, marked: bool, now: float, expected: Expected
) -> None:
    one = machine()
    live = changed(one.live, marked_by=Marker.OVERDUE if marked else None) if one.live and is_live else None
    check(replace(one, live=live), now, expected)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.AWAITING_APPROVAL, 1 + AGAIN),
        (State.PROCURING, 1 + AGAIN),
        (State.PROVISIONING, End(Why.REPLACED)),
        (State.READY, End(Why.REPLACED)),
        (State.DESTROYING, 1 + AGAIN),
        (State.FAILED, StayInPlace(5)),
        (State.DESTROYED, StayInPlace(5)),
    ],
)
def test_a_machine_runs_until_its_replacement_has_been_bought(state: State, expected: Expected) -> None:
    check(machine(replaced_by="m3nq8", replacement=Replacement(state, 5)), 1, expected)


def test_work_takes_the_end_back_while_a_replacement_is_awaited() -> None:
    """The replacement may never be bought. Until it is, the jobs of the old machine don't end it early."""
    done = Job(id="0.a", uid=0, name="a", state=JobState.DONE, began_at=at(1), ended_at=at(2))
    later = changed(done, id="0.b", state=JobState.RUNNING, began_at=at(2.1), ended_at=None)
    until_done = UntilDone(since=READY, done=done, done_seen_at=at(2), told_at=at(2))
    jobs = MachineJobs(jobs=(later, done))
    waiting = Replacement(State.QUEUED, 0)
    one = machine("", 2.25, 12, until_done=until_done, jobs=jobs, replaced_by="m3nq8", replacement=waiting)
    check(one, 2.2, ResumeWork(WorkGoesOn.JOB))
    quiet = MachineJobs(jobs=(done,), quiet_since=at(2), quiet_confirmed=True)
    one = machine(
        "2h 0", 12, until_done=UntilDone(since=READY), jobs=quiet, replaced_by="m3nq8", replacement=waiting
    )
    check(one, 2, Ask)
    check(replace(one, rental=changed(one.rental, replaced_by=None)), 2, EndWhenDone)


def test_the_usage_status_is_dropped_if_the_rules_switch_the_probe_off() -> None:
    one = replace(machine("1h 98", 9), use=None)
    check(one, 1.05, DropUsageStatus(at(1.05)))
    check(one, 3, DropUsageStatus(at(1)))
    check(replace(one, rental=changed(one.rental, use=None)), 1, 8.5)


# --- notices of the end


@pytest.mark.parametrize(
    ("ends", "checked", "posted", "now", "expected"),
    [
        (4, 0, None, 3.49, 3.5),
        (4, 0, None, 3.5, GiveNotice(at(4))),
        (4, 3.5, None, 3.5, 4),
        (4, 0, 3.4, 3.5, GiveNotice(at(4))),  # The last notice is never skipped.
        (12, 0, 9.5, 10, SkipNotice()),
        (12, 0, 9.0, 10, SkipNotice()),
        (12, 0, 8.9, 10, GiveNotice(at(12))),
        (12, 0, None, 10, GiveNotice(at(12))),
        (12, 0, None, 11.8, GiveNotice(at(12))),  # Two notices were due while the bot was down; one is sent.
        (12, 11.8, None, 11.8, 12),
        (0.3, 0, None, 0.1, 0.3),  # The lease is shorter than the time of any notice.
    ],
)
def test_the_owner_is_notified_before_the_end_unless_notified_recently(
    ends: float, checked: float, posted: float | None, now: float, expected: Expected
) -> None:
    stated = notified(event(E.EXTENDED, 1, ends, make.BEN), posted=posted)
    check(machine(ends=ends, notices_checked_at=at(checked), **stated), now, expected)


def test_a_notice_is_skipped_only_if_the_owner_set_that_end() -> None:
    for actor, expected in ((make.ANA, SkipNotice()), (make.BEN, GiveNotice(at(12)))):
        check(machine(ends=12, **notified(event(E.EXTENDED, 9.5, 12, actor))), 10, expected)
        check(machine(ends=12, **notified(event(E.EXTENSION_APPROVED, 9.5, 12, actor))), 10, expected)
    check(machine(ends=12, **notified(event(E.EXTENDED, 9.5, 11, make.ANA))), 10, GiveNotice(at(12)))
    check(
        machine(ends=12, **notified(event(E.EXTENDED, 9.5, 12), posted=9.5, to=make.BEN)), 10, GiveNotice(at(12))
    )


@pytest.mark.parametrize(
    ("probe_runs", "now", "fields", "expected"),
    [
        ("182m 0", 3, {}, SkipNotice()),  # An hour before: sent only if the machine is not monitored.
        ("210m 0", 3.5, {}, GiveNotice(at(4))),
        ("210m 98", 3.5, {}, SkipNotice()),
        ("3h refused", 3, {}, GiveNotice(at(4), unseen=True)),
        ("3h refused", 3, {"answers": UNREACHABLE}, GiveNotice(at(4), unseen=True, vendor="hyperstack")),
        ("3h refused", 3, {"answers": UNREACHABLE, "probe_answered_at": READY}, GiveNotice(at(4), unseen=True)),
        ("", 3, {}, GiveNotice(at(4), unseen=True)),
        # The bot was down, which does not mean that the machine can't be monitored.
        ("150m 98", 3, {}, SkipNotice()),
        ("150m 98", 3.5, {}, GiveNotice(at(4))),
    ],
)
def test_a_notice_of_a_flexible_end_depends_on_the_usage_status(
    probe_runs: str, now: float, fields: dict[str, Any], expected: Expected
) -> None:
    check(machine(probe_runs, latest=12, **fields), now, expected)


# --- questions


@pytest.mark.parametrize(
    ("probe_runs", "now", "fields", "expected"),
    [
        ("", 1.99, {}, 2),
        ("", 2, {}, Ask(None)),
        ("", 2, {"owner": Person(id=make.ANA, name="Ana", deactivated=True)}, 98),
        ("2h refused", 2, {}, Ask),
        ("5h 98", 5, {}, 98),
        ("1h 98, 1h 0", 1.99, {}, 2),
        ("1h 98, 1h 0", 2, {}, Ask),
        ("1h 98, 1h 0", 2, {"owner": Person(id=make.ANA, name="Ana", deactivated=True)}, 98),
        ("1h 98, 1h 0", 2, {"question": Question(quiet_until=at(6))}, 6),
        ("1h 98, 2h 0 +ana", 2.9, {}, 3),
        ("1h 98, 2h 0 +ana", 3, {}, Ask),
        # The bot was down, or probe runs fail. The next probe run decides.
        ("1h 98, 1h 0", 4, {}, 98),
        ("1h 98, 1h 0, 10m no answer", 2.17, {"use": replay(samples_of("1h 98, 1h 0"), RULES)[-1]}, 98),
        # The machine is working, but its status is frozen because most probe runs fail.
        ("1h 98, 1h 0, 2m 98", 2.04, {"use": replay(samples_of("1h 98, 1h 0"), RULES)[-1]}, 98),
        # 21:00 on a Friday.
        ("11h 98, 2h 0", 13, {}, 72),
        ("11h 98, 2h 0", 13, {"owner": Person(id=make.ANA, name="Ana", tz="America/New_York")}, Ask),
        ("11h 98, 2h 0", 13, {"rate": Decimal(10)}, Ask),
    ],
)
def test_the_owner_is_asked_about_an_idle_or_unmonitored_machine(
    probe_runs: str, now: float, fields: dict[str, Any], expected: Expected
) -> None:
    """The question is asked within the owner's hours."""
    check(machine(probe_runs, 100, **fields), now, expected, RULES)


def test_a_question_shows_the_connections_of_the_newest_probe_run() -> None:
    one = machine("1h 98, 58m 0, 2m 0 +ana", 30)
    use = check(one, 2, Ask, RULES).use
    assert (use.status, use.connections, use.new_connections) == (UsageStatus.IDLE, 0, 1)
    assert idle_now(one, RULES, at(2)) == use
    for probe_runs, now in (("1h 98", 1), ("1h refused", 1), ("1h 98, 1h 0", 2.2), ("", 2)):
        assert idle_now(machine(probe_runs, 30), RULES, at(now)) is None


IDLE_SINCE_1 = "1h 98, {}h 0"


def unanswered(hours: int, **asked: Any) -> Machine:
    """Return a machine that is idle since 1:00 and was probed until then. Its owner was asked at 2:00."""
    times = {"about": at(1), "first_at": at(2), "last_at": at(hours), "times": 2, **asked}
    return machine(IDLE_SINCE_1.format(hours - 1), 100, question=Question(asked=Asked(**times)))


def test_the_card_and_later_the_approvers_learn_that_nobody_answered() -> None:
    act = check(unanswered(3), 3, 4, RULES)
    act = check(unanswered(4), 4, TellOthers, RULES)
    assert act == TellOthers(Asked(about=at(1), first_at=at(2), last_at=at(4), times=2, on_card=True))
    check(unanswered(5, on_card=True), 5, 6, RULES)
    act = check(unanswered(6, on_card=True), 6, TellOthers, RULES)
    assert (act.asked.approvers_at, act.use.since) == (at(6), at(1))
    again = {"on_card": True, "approvers_at": at(6)}
    check(unanswered(7, **again), 7, 11, RULES)  # The time of the next question.
    # The bot was down.
    check(unanswered(4), 4.2, 6, RULES)
    check(unanswered(6, on_card=True), 6.2, 10, RULES)


def test_the_approvers_are_notified_within_the_hours_of_one_of_them() -> None:
    """If the owner has left the workspace, they are not notified."""
    night = unanswered(13, on_card=True)
    check(night, 13, 17, RULES)  # The time of the next question.
    check(replace(night, approvers={Availability(UTC), Availability(NEW_YORK)}), 13, TellOthers, RULES)
    left = Person(id=make.ANA, name="Ana", deactivated=True)
    check(replace(unanswered(6, on_card=True), owner=left), 6, 10, RULES)


# --- the end of the lease

ONE_END: Sequence[tuple[str, dict[str, Any], float, Expected]] = [
    ("before it", {}, 3.6, 4),
    ("read in the ready message", notified(event(E.READY, 0, 4), posted=0), 4, End(Why.LEASE_ENDED)),
    ("read in a notice", notified(event(E.ENDING, 3.5, 4), posted=3.5), 4, End(Why.LEASE_ENDED)),
    ("passed while the bot was down", notified(event(E.READY, 0, 4), posted=0), 9, End(Why.LEASE_ENDED)),
    ("read late", notified(event(E.READY, 0, 4), posted=3.9), 4, 4 + AGAIN),
    ("read late, one grace period ago", notified(event(E.READY, 0, 4), posted=3.9), 4.15, End(Why.LEASE_ENDED)),
    ("set by its owner", notified(event(E.EXTENDED, 3.7, 4, make.ANA)), 4, End(Why.LEASE_ENDED)),
    ("set by an admin", notified(event(E.EXTENDED, 3.7, 4, make.BEN)), 4, GiveNotice(at(4.25))),
    ("read by a teammate", notified(event(E.ENDING, 3.5, 4), posted=3.5, to=make.BEN), 4, GiveNotice(at(4.25))),
    ("a notice that Slack did not accept", notified(event(E.ENDING, 3.5, 4)), 4, GiveNotice(at(4.25))),
    ("another end was read", notified(event(E.READY, 0, 3), posted=0), 4, GiveNotice(at(4.25))),
    ("announced", notified(event(E.ENDING, 4, 4.25)), 4.1, 4.1 + AGAIN),
    ("announced, almost over", notified(event(E.ENDING, 4, 4.25)), 4.249, 4.25),
    ("announced one grace period ago", notified(event(E.ENDING, 4, 4.25)), 4.25, End(Why.LEASE_ENDED)),
    (
        "database restored after it was read",
        notified(event(E.READY, 0, 4), event(E.ENDS_AGAIN, 3.9, 4)),
        4,
        GiveNotice(at(4.25)),
    ),
    ("database restored, and read again", notified(event(E.ENDS_AGAIN, 3.9, 4), posted=3.95), 4.1, 4.1 + AGAIN),
    (
        "Slack may state another end",
        {**notified(event(E.READY, 0, 4), posted=0, version_at_start=3), "just_opened": True},
        4,
        4 + AGAIN,
    ),
    (
        "Slack could not be read",
        notified(event(E.READY, 0, 4), posted=0, version_at_start=3),
        4,
        GiveNotice(at(4.25)),
    ),
]


@pytest.mark.parametrize(
    ("fields", "now", "expected"), [row[1:] for row in ONE_END], ids=[row[0] for row in ONE_END]
)
def test_a_machine_ends_one_grace_period_after_its_owner_could_know(
    fields: dict[str, Any], now: float, expected: Expected
) -> None:
    check(machine(notices_checked_at=at(3.5), **fields), now, expected)


A_CARD = make.message(version_at_start=3)
END_NAMED_BY_PROGRAM: Sequence[tuple[str, dict[str, Any], float, Expected]] = [
    ("nobody was notified", {}, 4, End(Why.LEASE_ENDED)),
    ("the lease is shorter than a grace period", {"ends": 0.1}, 0.1, End(Why.LEASE_ENDED)),
    ("an admin set it", notified(event(E.EXTENDED, 3.7, 4, make.BEN)), 4, End(Why.LEASE_ENDED)),
    ("it is in use at its first end", {"probe_runs": "4h 98", "latest": 8}, 4, MoveEnd),
    ("Slack may state another end", {"card": A_CARD, "just_opened": True}, 4, 4 + AGAIN),
    ("Slack could not be read", {"card": A_CARD}, 4, GiveNotice(at(4.25))),
    ("the database was restored", notified(event(E.ENDS_AGAIN, 3.9, 4)), 4, GiveNotice(at(4.25))),
    ("restored, and terminated", {"card": A_CARD, "just_opened": True, "live": None}, 3, 3 + AGAIN),
]


@pytest.mark.parametrize(
    ("fields", "now", "expected"),
    [row[1:] for row in END_NAMED_BY_PROGRAM],
    ids=[row[0] for row in END_NAMED_BY_PROGRAM],
)
def test_an_end_that_a_program_named_waits_for_no_notice(
    fields: dict[str, Any], now: float, expected: Expected
) -> None:
    """If Slack may show a later end, the card is compared with Slack first, as other messages are."""
    check(machine(notices_checked_at=at(3.5), program=make.program(), **fields), now, expected)


def test_only_teammates_are_notified_before_a_programs_machine_ends() -> None:
    check(machine(ends=12, program=make.program()), 11.5, SkipNotice())
    check(machine(ends=12, program=make.program(), teammates=(make.BEN,)), 11.5, GiveNotice(at(12)))
    check(machine(ends=14, program=make.program()), 11, 13.5, DEAR)


EXTENSION = Extension(
    terms=make.terms(version=2, lease=8 * HOUR), ends_at=at(8), asked_by=make.ANA, asked_at=READY
)
TWO_ENDS: Sequence[tuple[str, str, float, dict[str, Any], Expected]] = [
    ("in use", "4h 98", 4, {}, MoveEnd),
    ("idle, and the owner was notified", "4h 0", 4, {}, End(Why.LEASE_ENDED)),
    ("connected, and the owner was notified", "1h 98, 3h 0 +ana", 4, {}, End(Why.LEASE_ENDED)),
    ("refused, and the owner was notified", "4h refused", 4, {}, End(Why.LEASE_ENDED)),
    ("without a probe, and the owner was notified", "", 4, {}, End(Why.LEASE_ENDED)),
    ("not notified, because it was in use then", "210m 98, 30m 0", 4, {"history": (), "direct": ()}, GiveNotice),
    (
        "the ready message is no notification of a flexible end",
        "4h 0",
        4,
        notified(event(E.READY, 0, 4), posted=0),
        GiveNotice,
    ),
    ("works again in its last grace period", "4h 0, 2m 98", 4.04, {"history": (), "direct": ()}, MoveEnd),
    ("the bot was down at the end", "3h 98", 4, {}, GiveNotice),
    ("and an extension still waits then", "3h 98", 4, {"extension": EXTENSION}, GiveNotice),
    ("it was down for long, and the machine works", "3h 98, 4h down, 10m 98", 7.17, {}, MoveEnd),
    ("an extension waits", "4h 0", 4, {"extension": EXTENSION}, ExpireExtension(8 * HOUR)),
    ("an extension waits, and it is in use", "4h 98", 4, {"extension": EXTENSION}, MoveEnd),
    (
        "it works, and its status is frozen while most probe runs fail",
        "1h 98, 2h 0, 1h 98",
        4,
        {"use": replay(samples_of("1h 98, 2h 0"), RULES)[-1]},
        MoveEnd,
    ),
]


@pytest.mark.parametrize(
    ("probe_runs", "now", "fields", "expected"), [row[1:] for row in TWO_ENDS], ids=[row[0] for row in TWO_ENDS]
)
def test_a_flexible_end_moves_if_the_machine_is_in_use(
    probe_runs: str, now: float, fields: dict[str, Any], expected: Expected
) -> None:
    stated = notified(event(E.ENDING, 3.5, 4), posted=3.5)
    one = machine(probe_runs, 4, 12, notices_checked_at=at(3.5), **{**stated, **fields})
    act = check(one, now, expected)
    if isinstance(act, MoveEnd):
        assert act.until == at(now // 1 + 1)
        assert act.use is not None
        assert act.use.status is UsageStatus.IN_USE
    if isinstance(act, GiveNotice):
        assert act.until == at(now) + RULES.lease.grace


def test_the_latest_end_does_not_move() -> None:
    stated = notified(event(E.ENDING, 11.5, 12), posted=11.5)
    check(machine("12h 98", 12, notices_checked_at=at(11.5), **stated), 12, End(Why.LEASE_ENDED))


# --- the owner's script


def script(state: S, end: float | None = None, status: int | None = None) -> OnEnding:
    return OnEnding(state=state, end=None if end is None else at(end).replace(microsecond=0), status=status)


THERE, RUNNING, DONE = script(S.THERE), script(S.RUNNING, 4), script(S.DONE, 4)
READ = notified(event(E.ENDING, 3.5, 4), posted=3.5)
READ_LATE = notified(event(E.ENDING, 3.5, 4), posted=3.9)
DOWN_AT_END = notified(event(E.ENDING, 3.5, 4), event(E.ENDING, 4, 4.25), posted=4)
SCRIPT_AT_END: Sequence[tuple[str, str, OnEnding, float, dict[str, Any], Expected]] = [
    ("not started yet", "4h 0", THERE, 4, READ, End(Why.LEASE_ENDED)),
    ("running", "4h 0", RUNNING, 4, READ, 4 + AGAIN),
    ("running for nearly one grace period", "4h 0", RUNNING, 4.249, READ, 4.25),
    ("running forever", "4h 0, 14m 0", RUNNING, 4.25, READ, End(Why.LEASE_ENDED)),
    ("running, then its reports stop", "4h 0, 12m refused", RUNNING, 4.2, READ, 4.2 + AGAIN),
    ("running as it says, and no report since", "4h 0", RUNNING, 4.25, READ, End(Why.LEASE_ENDED)),
    ("running for another end", "4h 0", script(S.RUNNING, 3), 4, READ, End(Why.LEASE_ENDED)),
    ("done", "4h 0", DONE, 4, READ, End(Why.LEASE_ENDED)),
    ("failed", "4h 0", script(S.FAILED, 4, 1), 4, READ, End(Why.LEASE_ENDED)),
    ("refused", "4h 0", script(S.REFUSED), 4, READ, End(Why.LEASE_ENDED)),
    ("running, and the notice was read late", "4h 0", RUNNING, 4.2, READ_LATE, 4.2 + AGAIN),
    ("the same, one grace period after the end", "4h 0", RUNNING, 4.25, READ_LATE, End(Why.LEASE_ENDED)),
    ("running in the grace period of a late notice", "4h 0", RUNNING, 4.25, DOWN_AT_END, End(Why.LEASE_ENDED)),
    ("not started, and the bot was down", "3h 0", THERE, 4, READ, GiveNotice(at(4.25))),
    ("the same, and it starts", "3h 0, 1h down, 2m 0", RUNNING, 4.1, DOWN_AT_END, 4.1 + AGAIN),
    ("the same, and it is done early", "3h 0, 1h down, 2m 0", DONE, 4.1, DOWN_AT_END, 4.1 + AGAIN),
    ("done, and the bot was down", "3h 0", DONE, 4, READ, End(Why.LEASE_ENDED)),
    ("done before another end, and the bot was down", "3h 0", script(S.DONE, 3), 4, READ, GiveNotice(at(4.25))),
    ("none, and the bot was down", "3h 0", script(S.NONE), 4, READ, End(Why.LEASE_ENDED)),
    ("there once, but the probe is off", "", THERE, 4, READ, End(Why.LEASE_ENDED)),
]


@pytest.mark.parametrize(
    ("probe_runs", "on_ending", "now", "fields", "expected"),
    [row[1:] for row in SCRIPT_AT_END],
    ids=[row[0] for row in SCRIPT_AT_END],
)
def test_a_running_script_delays_the_end_by_at_most_one_grace_period(
    probe_runs: str, on_ending: OnEnding, now: float, fields: dict[str, Any], expected: Expected
) -> None:
    check(machine(probe_runs, notices_checked_at=at(3.5), on_ending=on_ending, **fields), now, expected)


def test_a_flexible_end_can_move_while_the_script_is_running() -> None:
    """If the machine isn't in use, its end is delayed for the script instead."""
    fields = {"notices_checked_at": at(3.5), "on_ending": RUNNING, **READ}
    check(machine("4h 98", 4, 12, **fields), 4, MoveEnd)
    check(machine("4h 0", 4, 12, **fields), 4, 4 + AGAIN)
    check(machine("4h 0", 4, 12, extension=EXTENSION, **fields), 4, ExpireExtension(8 * HOUR))


def test_the_owner_is_notified_once_per_end_that_their_script_failed() -> None:
    """The notification is only sent while there is time to look into it before the end."""
    failed = script(S.FAILED, 4, 7)
    fields = {"notices_checked_at": at(3.5), "on_ending": failed}
    check(machine("4h 0", **fields, **READ), 3.9, TellFailure(7))
    known = notified(event(E.ENDING, 3.5, 4), event(E.SCRIPT_FAILED, 3.9, 4), posted=3.9)
    check(machine("4h 0", **fields, **known), 3.95, 4)
    earlier = notified(event(E.SCRIPT_FAILED, 2.9, 3), event(E.ENDING, 3.5, 4), posted=3.5)
    check(machine("4h 0", **fields, **earlier), 3.95, TellFailure(7))
    check(machine("4h 0", **fields, **READ), 4, End(Why.LEASE_ENDED))
    check(machine("4h 0", **{**fields, "on_ending": script(S.FAILED, 3, 7)}), 3.9, 4)


FIRST = GracefulDestroy(by=make.BEN, ends_at=at(9))
SET = notified(event(E.GRACEFUL_DESTROY, 3.9, 4, make.BEN), posted=3.9)
NOTIFIED_AGAIN = notified(event(E.GRACEFUL_DESTROY, 3.9, 4, make.BEN), event(E.ENDS_AGAIN, 3.95, 4))
NOW = End(Why.ASKED, make.BEN)
AFTER_SCRIPT: Sequence[tuple[str, OnEnding, float, dict[str, Any], Expected]] = [
    ("not started", THERE, 3.9, SET, 4),
    ("running", RUNNING, 3.95, SET, 4),
    ("done", DONE, 3.95, SET, NOW),
    ("done for an earlier end", script(S.DONE, 3), 3.95, SET, 4),
    ("failed: there is time to look", script(S.FAILED, 4, 1), 3.95, SET, TellFailure(1)),
    ("file deleted", script(S.NONE), 3.95, SET, 4),
    ("running at the end, which waits for nothing", RUNNING, 4, SET, NOW),
    ("never started at the end", THERE, 4, SET, NOW),
    (
        "set by the owner, who got no message",
        RUNNING,
        4,
        notified(event(E.GRACEFUL_DESTROY, 3.9, 4, make.ANA)),
        NOW,
    ),
    ("done, but Slack may show that it was cancelled", DONE, 3.95, SET | {"just_opened": True}, 3.95 + AGAIN),
    ("done, but its owner was notified of the end again", DONE, 3.95, NOTIFIED_AGAIN, 4),
    ("at the end, but its owner was notified of the end again", THERE, 4, NOTIFIED_AGAIN, GiveNotice(at(4.25))),
]


@pytest.mark.parametrize(
    ("on_ending", "now", "fields", "expected"),
    [row[1:] for row in AFTER_SCRIPT],
    ids=[row[0] for row in AFTER_SCRIPT],
)
def test_a_graceful_destroy_happens_after_the_script_or_at_the_end(
    on_ending: OnEnding, now: float, fields: dict[str, Any], expected: Expected
) -> None:
    """The person who chose the graceful destroy is recorded as the one who ended the rental."""
    if fields.get("just_opened"):
        fields = {**fields, "direct": [changed(fields["direct"][0], version_at_start=3)]}
    asked = Question(asked=Asked(first_at=at(2), last_at=at(2), times=2))
    one = machine("4h 98", graceful_destroy=FIRST, on_ending=on_ending, question=asked, **fields)
    check(one, now, expected, RULES)


# --- notices before approvers become unavailable


ONE_NOTICE = changed(NO_CHECK_IN, lease=Lease(notices=(30 * MINUTE,)))
DEAR = changed(ONE_NOTICE, auto_approve=AutoApprove(per_hour=Decimal("1.00")))
"""A machine at $2.00/h needs an approver."""


@pytest.mark.parametrize(
    ("fields", "now", "expected"),
    [
        ({"ends": 11.5}, 10, 11.0),  # Ends at 19:30, when somebody can still be asked.
        ({"ends": 14}, 10, 11.0),  # Ends at 22:00, but the hours end at 20:00.
        ({"ends": 14}, 11, GiveNotice(at(14), ask_before=at(12))),
        ({"ends": 14}, 11.9, GiveNotice(at(14), ask_before=at(12))),
        ({"ends": 14}, 12, 13.5),
        ({"ends": 14, "notices_checked_at": at(11)}, 11.5, 13.5),  # Notified already, or extended since.
        ({"ends": 14, "approvers": {Availability(UTC), Availability(NEW_YORK)}}, 11, 13.5),
        ({"ends": 71}, 11, GiveNotice(at(71), ask_before=at(12))),  # Ends on Monday at 7:00.
    ],
)
def test_the_owner_is_notified_before_approvers_become_unavailable(
    fields: Any, now: float, expected: Expected
) -> None:
    """The notice is sent only if no approver can be asked at the end itself."""
    check(machine(**fields), now, expected, DEAR)


def test_with_a_flexible_end_the_owner_is_notified_before_the_latest_end() -> None:
    one = machine("11h 98", 10, 14, notices_checked_at=at(10.5))
    moved = changed(one.rental, lease=changed(one.lease, ends_at=at(13)))
    check(replace(one, rental=moved), 11, GiveNotice(at(13), ask_before=at(12)), DEAR)


def test_the_owner_is_not_notified_early_if_no_approver_is_needed() -> None:
    """The same is true if an extension is pending, or if the lease has its longest length."""
    check(machine(ends=14), 11, 13.5, ONE_NOTICE)
    extension = Extension(terms=make.terms(), ends_at=at(20), asked_by=make.ANA, asked_at=at(1))
    check(machine(ends=14, extension=extension), 11, 13.5, DEAR)
    check(machine(ends=14), 11, 13.5, changed(DEAR, lease=Lease(max=14 * HOUR, notices=(30 * MINUTE,))))
