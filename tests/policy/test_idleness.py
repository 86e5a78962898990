"""The verdict whether a machine is used: stories, and properties of all evidence."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.use import Report, Sample, Use, Verdict
from bot.policy import idleness
from bot.policy.readings import shows_everything, shows_work
from bot.policy.rules import Idle, Rules
from tests.policy.use_stories import READY, Story, pace, replay, samples_of, stories, told

RULES = Rules()
READINGS = ("0", "0", "0", "0 +ana", "98", "5", "4", "-", "0/-", "no answer", "down", "down")
evidence = st.lists(
    st.tuples(st.integers(min_value=1, max_value=25), st.sampled_from(READINGS)), min_size=1, max_size=12
).map(lambda parts: ", ".join(f"{2 * count}m {reading}" for count, reading in parts))


@pytest.mark.parametrize("story", stories(), ids=lambda story: story.what)
def test_story(story: Story) -> None:
    last = replay(samples_of(story.visits), RULES, pace(story.visits))[-1]
    assert told(last) == story.verdict


def test_there_are_forty_stories_and_no_two_are_called_alike() -> None:
    assert len({story.what for story in stories()}) == len(stories()) >= 40


def test_a_report_holds_no_time_so_the_machines_clock_has_no_say() -> None:
    assert "date-time" not in json.dumps(Report.model_json_schema())


def test_the_rules_decide_what_counts_as_work_and_for_how_long_it_must_rest() -> None:
    rules = Rules(idle=Idle(gpu_below=Decimal("0.5"), after=timedelta(hours=2), never_used=timedelta(hours=3)))
    assert told(replay(samples_of("60m 98, 118m 49"), rules, idleness.PACE)[-1]) == "in use since 0:02"
    assert told(replay(samples_of("60m 98, 2h 49"), rules, idleness.PACE)[-1]) == "idle since 1:00"
    assert told(replay(samples_of("178m 49"), rules, idleness.PACE)[-1]) == "unknown since 0:00"
    assert told(replay(samples_of("3h 49"), rules, idleness.PACE)[-1]) == "idle since 0:00"


def test_a_verdict_has_the_highest_readings_and_the_most_connections_of_its_time() -> None:
    used = replay(samples_of("60m 98/3, 2m 7/99 +ana"), RULES, idleness.PACE)
    assert [gpu.highest for gpu in used[-1].gpus] == [98, 3]
    rests = replay(samples_of("60m 98/3, 10m 0/1 +ana +ben, 30m 4/0 +ana"), RULES, idleness.PACE)[-1]
    assert ([gpu.highest for gpu in rests.gpus], rests.connections) == ([4, 1], 2)


@pytest.mark.parametrize(
    "visits", ["every 10m: 5h refused", "5h refused", "20 x (2m no answer, 2m unreadable, 2m refused)"]
)
def test_visits_that_fail_for_hours_change_the_verdict_no_more_than_twice(visits: str) -> None:
    assert len(replay(samples_of(visits), RULES, pace(visits))) <= 2


def _stored(visits: str) -> list[Use]:
    return replay(samples_of(visits), RULES, idleness.PACE)


@given(evidence)
def test_idle_time_holds_no_work_no_break_and_three_good_visits(visits: str) -> None:
    samples = samples_of(visits)
    last = _stored(visits)[-1]
    if last.verdict not in idleness.QUIET:
        return
    spoken_of = [sample for sample in samples if sample.at > last.since]
    assert sum(shows_everything(sample) for sample in spoken_of) >= 3
    assert not any(shows_work(sample, RULES.idle) for sample in spoken_of)
    times = [last.since, *(sample.at for sample in spoken_of)]
    assert all(after - before <= idleness.LONGEST_GAP for before, after in pairwise(times))
    seen = [shows_everything(sample) for sample in spoken_of]
    assert all(any(seen[n : n + 3]) for n in range(len(seen) - 2))


@given(evidence)
def test_samples_from_before_the_window_change_no_verdict(visits: str) -> None:
    samples = samples_of(visits)
    before = _stored(visits)[-1]
    now = READY + timedelta(hours=6)
    older = [sample for sample in samples if sample.at < now - idleness.window(RULES)]

    def judged(known: list[Sample]) -> Use:
        return idleness.judge(known, ready_at=READY, before=before, now=now, rules=RULES)

    assert judged(samples) == judged(samples[max(len(older) - 1, 0) :])


@given(evidence)
def test_a_stored_verdict_differs_from_the_one_before_and_never_begins_later_than_it_is_known(visits: str) -> None:
    uses = _stored(visits)
    assert all(idleness.differs(before, after) for before, after in pairwise(uses))
    end = READY + timedelta(minutes=2 * 25 * 12)
    assert all(READY <= use.since <= end for use in uses)
    assert all(use.verdict is Verdict.UNKNOWN or use.why is None for use in uses)
