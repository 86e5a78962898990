"""Tests of the usage status: stories, and properties of any samples."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.model.base import changed
from bot.model.machine_use import NOT_COMPUTING, Report, Sample, UsageStatus, Use
from bot.policy.team.rules import Idle, Rules
from bot.policy.use import usage_status
from bot.policy.use.questions import in_hours, is_urgent, next_question
from bot.policy.use.usage_status import shows_everything, shows_work
from tests.policy.use_stories import READY, Story, replay, samples_of, status_text, stories
from tests.store import make

RULES = Rules()
READINGS = ("0", "0", "0", "0 +ana", "98", "5", "4", "-", "0/-", "no answer", "down", "down")
evidence = st.lists(
    st.tuples(st.integers(min_value=1, max_value=25), st.sampled_from(READINGS)), min_size=1, max_size=12
).map(lambda parts: ", ".join(f"{2 * count}m {reading}" for count, reading in parts))


@pytest.mark.parametrize("story", stories(), ids=lambda story: story.what)
def test_story(story: Story) -> None:
    last = replay(samples_of(story.probe_runs), RULES)[-1]
    assert status_text(last) == story.status


def test_there_are_forty_stories_with_unique_names() -> None:
    assert len({story.what for story in stories()}) == len(stories()) >= 40


def test_a_report_contains_no_time_from_the_machines_clock() -> None:
    """A wrong clock on the machine therefore can't influence the usage status."""
    schema = Report.model_json_schema()
    del schema["$defs"]["OnEnding"]  # Its `end` was sent by the bot.
    assert "date-time" not in json.dumps(schema)


def test_the_rules_define_work_and_the_time_until_idle() -> None:
    rules = Rules(idle=Idle(gpu_below=Decimal("0.5"), after=timedelta(hours=2), never_used=timedelta(hours=3)))
    assert status_text(replay(samples_of("60m 98, 118m 49"), rules)[-1]) == "in use since 0:02"
    assert status_text(replay(samples_of("60m 98, 2h 49"), rules)[-1]) == "idle since 1:00"
    assert status_text(replay(samples_of("178m 49"), rules)[-1]) == "unknown since 0:00"
    assert status_text(replay(samples_of("3h 49"), rules)[-1]) == "idle since 0:00"


def test_a_usage_status_contains_the_highest_readings_of_its_time() -> None:
    used = replay(samples_of("60m 98/3, 2m 7/99 +ana"), RULES)
    assert [gpu.highest for gpu in used[-1].gpus] == [98, 3]
    rests = replay(samples_of("60m 98/3, 10m 0/1 +ana +ben, 30m 4/0 +ana"), RULES)[-1]
    assert ([gpu.highest for gpu in rests.gpus], rests.connections) == ([4, 1], 2)


@pytest.mark.parametrize(
    "probe_runs", ["every 10m: 5h refused", "5h refused", "20 x (2m no answer, 2m unreadable, 2m refused)"]
)
def test_probe_runs_that_fail_for_hours_change_the_status_at_most_twice(probe_runs: str) -> None:
    assert len(replay(samples_of(probe_runs), RULES)) <= 2


def test_without_earlier_samples_the_time_until_now_is_unknown() -> None:
    idle = replay(samples_of("1h 98, 1h 0"), RULES)[-1]
    new = changed(samples_of("2m 0")[0], at=READY + timedelta(hours=60))
    uses = usage_status.after_probe_run([], new, ready_at=READY, before=idle, rules=RULES)
    assert [status_text(use) for use in uses] == ["unknown since 1:00", "unknown since 60:00"]


@pytest.mark.parametrize(
    ("rate", "asked"),
    [("9.99", "Mon 08:00"), ("10.00", "Fri 22:00")],
    ids=["on Monday at 08:00", "after 2 h, since it is urgent"],
)
def test_vs_code_left_open_over_a_weekend_leads_to_a_question(rate: str, asked: str) -> None:
    # The machine is ready on a Friday at 08:00 and works until 20:00. Its lease ends on Monday at 16:00.
    use = replay(samples_of("12h 98 +code, 2h 0 +code"), RULES)[-1]
    assert status_text(use) == "connected since 12:00"
    lease, price = make.lease(READY + timedelta(hours=80), ready_at=READY), Decimal(rate)
    due = next_question(lease, use, price, RULES)
    assert due == READY + timedelta(hours=14)
    urgent = is_urgent(make.rental(rate=price), RULES)
    at = in_hours(due, lease, use, urgent=urgent, zone=ZoneInfo("UTC"), rules=RULES)
    assert at is not None
    assert f"{at:%a %H:%M}" == asked


def _stored(probe_runs: str) -> list[Use]:
    return replay(samples_of(probe_runs), RULES)


@given(evidence)
def test_idle_time_contains_no_work_and_three_good_probe_runs(probe_runs: str) -> None:
    """It contains no break either: probe runs are never too far apart, and never fail three times in a row."""
    samples = samples_of(probe_runs)
    last = _stored(probe_runs)[-1]
    if last.status not in NOT_COMPUTING:
        return
    covered = [sample for sample in samples if sample.at > last.since]
    assert sum(shows_everything(sample) for sample in covered) >= 3
    assert not any(shows_work(sample, RULES.idle) for sample in covered)
    gaps = [after.at - before.at for before, after in pairwise(samples)]
    long = [gap > usage_status.LONGEST_GAP for gap in gaps]
    assume(
        not any(all(long[n : n + 3]) for n in range(len(long) - 2))
    )  # With more long gaps, they may count as the usual gap.
    times = [last.since, *(sample.at for sample in covered)]
    assert all(after - before <= usage_status.LONGEST_GAP for before, after in pairwise(times))
    seen = [shows_everything(sample) for sample in covered]
    assert all(any(seen[n : n + 3]) for n in range(len(seen) - 2))


@given(evidence)
def test_samples_before_the_window_do_not_change_the_status(probe_runs: str) -> None:
    samples = samples_of(probe_runs)
    before = _stored(probe_runs)[-1]
    now = READY + timedelta(hours=6)
    older = [sample for sample in samples if sample.at < now - usage_status.window(RULES)]

    def judged(known: list[Sample]) -> Use:
        return usage_status.judge(known, ready_at=READY, before=before, now=now, rules=RULES)

    assert judged(samples) == judged(samples[max(len(older) - 1, 0) :])


@given(evidence)
def test_each_stored_usage_status_differs_from_the_previous_one(
    probe_runs: str,
) -> None:
    """No usage status begins before ready or after the last sample."""
    uses = _stored(probe_runs)
    assert all(usage_status.differs(before, after) for before, after in pairwise(uses))
    end = READY + timedelta(minutes=2 * 25 * 12)
    assert all(READY <= use.since <= end for use in uses)
    assert all(use.status is UsageStatus.UNKNOWN or use.why is None for use in uses)
