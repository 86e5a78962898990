"""Lost heartbeats: when they are lost, what counts as one, and when the end of a lease moves and moves back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.model.base import changed
from bot.model.facts import HeartbeatReturn
from bot.model.job import Job, JobState, MachineJobs, UntilDone
from bot.model.machine_use import GpuUse, Missed, Sample, UsageStatus, Use
from bot.model.rental import Lease, Rental
from bot.model.state import State
from bot.model.token import HeartbeatEnd, LostHeartbeat, Program, WhenLost
from bot.policy.team.rules import Rules
from bot.policy.use.heartbeats import (
    EndWithoutHeartbeat,
    HeartbeatBack,
    Next,
    TellHeartbeatLost,
    next_step,
    with_nearer_end,
    with_usual_end,
)
from tests.store import make

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
RULES = Rules()
GRACE = RULES.lease.grace
NOW = datetime(2026, 11, 24, 13, tzinfo=UTC)
READY, ENDS_AT = NOW - 3 * HOUR, NOW + 5 * HOUR
LAST = NOW - 20 * MINUTE
ALWAYS = READY - 24 * HOUR
"""The time at which this process began to receive heartbeats. It is so early that all of them could arrive."""


def lease(**fields: Any) -> Lease:
    return changed(make.lease(), ready_at=READY, ends_at=ENDS_AT, latest_end=None, **fields)


def machine(when: WhenLost | None = WhenLost.END, **fields: Any) -> Rental:
    """Return a ready machine whose last heartbeat arrived at LAST, and whose GPUs are idle."""
    program = Program(token_name="nightly eval", fingerprint="", lost=when)  # noqa: S106  a name, not a secret
    idle = Use(status=UsageStatus.IDLE, since=READY, worked=True)
    usual = {"state": State.READY, "heartbeat_at": LAST, "lease": lease(), "program": program, "use": idle}
    return make.rental(**{**usual, "token_id": "tok7a", **fields})


def lost(back_by: datetime | None = NOW + 15 * MINUTE, **fields: Any) -> LostHeartbeat:
    return LostHeartbeat(**{"since": LAST, "told_at": NOW, "back_by": back_by, **fields})


def samples(*gpus: int, until: datetime = NOW, missed: Missed | None = None) -> list[Sample]:
    """Return one sample every 2 minutes, the last of which was taken at `until`."""
    return [
        Sample(
            rental_id="k7mq2",
            at=until - 2 * MINUTE * (len(gpus) - 1 - n),
            gpus=() if missed else (GpuUse(index=0, highest=reading),),
            missed=missed,
        )
        for n, reading in enumerate(gpus)
    ]


IDLE = samples(*[0] * 40)
BUSY = samples(*[0] * 39, 98)


def step(
    rental: Rental, seen: list[Sample] | None = None, since: datetime | None = ALWAYS, now: datetime = NOW
) -> Next | None:
    return next_step(rental, IDLE if seen is None else seen, since, RULES, now)


def job(**fields: Any) -> Job:
    usual: dict[str, Any] = {"id": "0.a", "uid": 0, "name": "a", "state": JobState.RUNNING, "began_at": READY}
    return Job(**{**usual, **fields})


# --- when a heartbeat is lost


@pytest.mark.parametrize(
    ("fields", "since", "at"),
    [
        pytest.param({}, ALWAYS, NOW, id="20 min after the last one"),
        pytest.param({"heartbeat_at": None}, ALWAYS, READY + 20 * MINUTE, id="20 min after ready"),
        pytest.param({"heartbeat_at": READY - HOUR}, ALWAYS, READY + 20 * MINUTE, id="it came before ready"),
        pytest.param({}, NOW - 5 * MINUTE, NOW + 15 * MINUTE, id="20 min after the bot started"),
        pytest.param({"heartbeat_at": NOW - MINUTE}, ALWAYS, NOW + 19 * MINUTE, id="it came just now"),
    ],
)
def test_a_heartbeat_is_lost_20_min_after_the_last_chance_to_hear_it(
    fields: dict[str, Any], since: datetime, at: datetime
) -> None:
    found = step(machine(**fields), since=since)
    assert found is not None
    assert isinstance(found.act, TellHeartbeatLost)
    assert found.at == at


def test_no_heartbeat_is_lost_if_none_is_expected() -> None:
    assert step(machine(None)) is None
    assert step(changed(machine(), program=None)) is None
    assert step(machine(), since=None) is None
    assert step(machine(replaced_by="x9abc")) is None
    assert step(machine(lease=changed(lease(), ends_at=NOW))) is None


@pytest.mark.parametrize(
    ("when", "seen", "ends_at", "told"),
    [
        pytest.param(WhenLost.END, IDLE, ENDS_AT, (True, False, False), id="it ends"),
        pytest.param(WhenLost.END, BUSY, ENDS_AT, (False, True, False), id="its GPUs work"),
        pytest.param(WhenLost.END_IF_BUSY, BUSY, ENDS_AT, (True, False, False), id="it ends even if they work"),
        pytest.param(WhenLost.TELL, IDLE, ENDS_AT, (False, False, False), id="the owner is only told"),
        pytest.param(WhenLost.END, IDLE, NOW + 30 * MINUTE, (False, False, False), id="it ends soon anyway"),
    ],
)
def test_the_owner_reads_whether_the_machine_ends(
    when: WhenLost, seen: list[Sample], ends_at: datetime, told: tuple[bool, bool, bool]
) -> None:
    found = step(machine(when, lease=changed(lease(), ends_at=ends_at)), seen)
    assert found is not None
    assert isinstance(found.act, TellHeartbeatLost)
    back_by = found.act.lost.back_by
    assert (back_by == NOW + 15 * MINUTE, found.act.works, found.act.unseen) == told
    assert (back_by is None) is not told[0]
    assert (found.act.lost.since, found.act.lost.told_at) == (LAST, NOW)


def test_a_machine_that_nobody_can_see_ends_and_the_owner_reads_so() -> None:
    refused = samples(*[0] * 40, missed=Missed.REFUSED)
    unknown = Use(status=UsageStatus.UNKNOWN, since=READY, worked=False, why=Missed.REFUSED)
    for seen, use in ((refused, unknown), ([], None)):
        found = step(machine(use=use), seen)
        assert found is not None
        assert isinstance(found.act, TellHeartbeatLost)
        assert (found.act.unseen, found.act.lost.back_by) == (True, NOW + 15 * MINUTE)


# --- jobs


@pytest.mark.parametrize(
    ("one", "at"),
    [
        pytest.param(job(), NOW + 20 * MINUTE, id="a running job counts until its last report"),
        pytest.param(job(uid=1000), NOW, id="a job of another user could be forged"),
        pytest.param(
            job(state=JobState.DONE, ended_at=NOW - 8 * MINUTE), NOW + 12 * MINUTE, id="it counts until its end"
        ),
        pytest.param(job(state=JobState.DONE, ended_at=LAST - HOUR), NOW, id="it ended before the heartbeat"),
    ],
)
def test_a_job_of_root_counts_as_a_heartbeat(one: Job, at: datetime) -> None:
    found = step(machine(jobs=MachineJobs(jobs=(one,))))
    assert found is not None
    assert found.at == at


def test_without_gpu_work_a_job_counts_for_a_limited_time() -> None:
    jobs, long_idle = MachineJobs(jobs=(job(),)), Use(status=UsageStatus.IDLE, since=NOW - 5 * HOUR, worked=True)
    early = lease(notices_checked_at=NOW)
    old = machine(jobs=jobs, use=long_idle, heartbeat_at=None, lease=changed(early, ready_at=NOW - 9 * HOUR))
    assert RULES.idle.job_counts == 4 * HOUR
    found = step(old)
    assert found is not None
    assert found.at == NOW - HOUR + 20 * MINUTE
    assert isinstance(found.act, TellHeartbeatLost)
    assert found.act.lost.since == NOW - HOUR
    worked = step(old, BUSY)
    assert worked is not None
    assert worked.at == NOW + 20 * MINUTE


def test_a_job_that_is_no_longer_reported_stops_counting() -> None:
    silent = [*samples(*[0] * 20, until=NOW - 30 * MINUTE), *samples(*[0] * 14, missed=Missed.NO_ANSWER)]
    found = step(machine(jobs=MachineJobs(jobs=(job(),)), heartbeat_at=None), silent)
    assert found is not None
    assert found.at == NOW - 10 * MINUTE


# --- the end


@pytest.mark.parametrize(
    ("rental", "seen", "now", "expected"),
    [
        pytest.param(
            machine(lost_heartbeat=lost()),
            IDLE,
            NOW,
            Next(NOW + 15 * MINUTE, EndWithoutHeartbeat(NOW + GRACE)),
            id="the end moves 15 min after the owner was told",
        ),
        pytest.param(
            machine(lost_heartbeat=lost()),
            BUSY,
            NOW,
            Next(NOW, HeartbeatBack(HeartbeatReturn.WORK, lost(None))),
            id="the GPUs work again before that",
        ),
        pytest.param(
            machine(lost_heartbeat=lost(None)), BUSY, NOW, Next(NOW + 30 * MINUTE), id="it waits while they work"
        ),
        pytest.param(
            machine(lost_heartbeat=lost(None)),
            IDLE,
            NOW,
            Next(NOW, TellHeartbeatLost(lost())),
            id="the work has stopped, so the owner is told again",
        ),
        pytest.param(
            machine(lost_heartbeat=lost(None, kept_until=NOW + HOUR)),
            IDLE,
            NOW,
            Next(NOW + HOUR, TellHeartbeatLost(lost())),
            id="it is kept, and the owner is told again after that",
        ),
        pytest.param(
            machine(WhenLost.TELL, lost_heartbeat=lost(None)), IDLE, NOW, None, id="the owner is told once"
        ),
        pytest.param(
            machine(lost_heartbeat=lost(NOW), lease=changed(lease(), ends_at=NOW + GRACE)),
            IDLE,
            NOW,
            None,
            id="the lease ends just as soon",
        ),
        pytest.param(
            machine(lost_heartbeat=lost(), heartbeat_at=NOW - MINUTE),
            IDLE,
            NOW,
            Next(NOW, HeartbeatBack(HeartbeatReturn.HEARTBEAT, at=NOW - MINUTE)),
            id="the heartbeat is back",
        ),
        pytest.param(
            machine(lost_heartbeat=lost(), jobs=MachineJobs(jobs=(job(),))),
            IDLE,
            NOW,
            Next(NOW, HeartbeatBack(HeartbeatReturn.JOB, at=NOW)),
            id="a job has started",
        ),
    ],
)
def test_the_next_step_after_the_owner_was_told(
    rental: Rental, seen: list[Sample], now: datetime, expected: Next | None
) -> None:
    assert step(rental, seen, now=now) == expected


def nearer(when: WhenLost = WhenLost.END, **fields: Any) -> Rental:
    """Return a machine whose end has moved to one grace period from NOW."""
    return machine(when, lost_heartbeat=lost(NOW), lease=with_nearer_end(lease(), NOW + GRACE, NOW), **fields)


@pytest.mark.parametrize(
    ("rental", "seen", "since", "expected"),
    [
        pytest.param(nearer(), IDLE, ALWAYS, None, id="it ends"),
        pytest.param(
            nearer(),
            BUSY,
            ALWAYS,
            Next(NOW, HeartbeatBack(HeartbeatReturn.WORK, lost(None))),
            id="its GPUs work again",
        ),
        pytest.param(nearer(WhenLost.END_IF_BUSY), BUSY, ALWAYS, None, id="it ends even if they work"),
        pytest.param(
            nearer(),
            IDLE,
            NOW + MINUTE,
            Next(NOW, HeartbeatBack(HeartbeatReturn.AWAY, lost(NOW + 21 * MINUTE))),
            id="the bot was away",
        ),
        pytest.param(
            nearer(), IDLE, None, Next(NOW, HeartbeatBack(HeartbeatReturn.NOT_EXPECTED)), id="none is expected"
        ),
        pytest.param(
            nearer(heartbeat_at=NOW),
            IDLE,
            ALWAYS,
            Next(NOW, HeartbeatBack(HeartbeatReturn.HEARTBEAT, at=NOW)),
            id="the heartbeat is back",
        ),
    ],
)
def test_the_next_step_after_the_end_has_moved(
    rental: Rental, seen: list[Sample], since: datetime | None, expected: Next | None
) -> None:
    assert step(rental, seen, since) == expected


def test_a_process_that_has_just_started_gives_its_full_time() -> None:
    """Another process that could receive heartbeats all the time doesn't move the end any earlier."""
    found = step(machine(lost_heartbeat=lost(NOW)), since=NOW - MINUTE)
    assert found is not None
    assert found.at == NOW + 19 * MINUTE
    promised = step(machine(lost_heartbeat=lost(NOW + 19 * MINUTE)))
    assert promised is not None
    assert promised.at == NOW + 19 * MINUTE


@pytest.mark.parametrize("latest", [None, ENDS_AT + 3 * HOUR])
def test_the_end_never_moves_to_a_later_time(latest: datetime | None) -> None:
    """The money for the usual end stays reserved, because the heartbeat may come back."""
    usual = changed(lease(), latest_end=latest)
    for until in (NOW + GRACE, ENDS_AT + HOUR):
        moved = with_nearer_end(usual, until, NOW)
        assert moved.ends_at == min(until, ENDS_AT)
        assert (moved.last_end, moved.latest_end) == (latest or ENDS_AT, None)
        assert moved.heartbeat_end == HeartbeatEnd(at=NOW, ends_at=ENDS_AT, latest_end=latest)
        back = with_usual_end(moved)
        assert (back.ends_at, back.latest_end, back.heartbeat_end) == (ENDS_AT, latest, None)


def test_a_lease_that_ends_with_its_job_gets_the_end_of_the_job_back() -> None:
    """The machine had two reasons to end early, and only the heartbeat is back."""
    done = UntilDone(since=READY, done=job(state=JobState.DONE, ended_at=NOW), done_seen_at=NOW)
    early = changed(lease(), until_done=done, ends_at=NOW + HOUR, latest_end=ENDS_AT)
    both = with_nearer_end(early, NOW + GRACE, NOW)
    assert (both.ends_at, both.last_end, both.ends_when_done) == (NOW + GRACE, ENDS_AT, True)
    assert with_usual_end(both) == changed(early, notices_checked_at=NOW)
