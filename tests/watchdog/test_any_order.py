"""Whatever happens in whatever order, only deletions that docs/watchdog.md allows take place."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from bot.watchdog.policy import Kind
from bot.watchdog.state import BotAnswer, Trouble
from tests.watchdog.test_policy import DEAD, HOUR, MINUTE, SICK, STRANGE, Watch, at, living, machine

MACHINES = tuple(machine(number, end) for number, end in enumerate((at(0), at(3), None), start=1))
EXTENDED = tuple(machine(number, at(6)) for number in (1, 2, 3))
SHORTENED = tuple(machine(number, at(-9)) for number in (2, 3))
ANSWERS = (
    DEAD,
    DEAD,
    DEAD,
    SICK,
    BotAnswer(trouble=Trouble.NOT_WELL, why="late", machines=EXTENDED),
    BotAnswer(trouble=Trouble.NOT_WELL, why="an older copy", machines=SHORTENED),
    STRANGE,
    BotAnswer(machines=MACHINES),
    BotAnswer(machines=MACHINES[:1]),
)


class Phase(NamedTuple):
    """A number of polls during which nothing changes."""

    polls: int
    bot: BotAnswer
    slack_takes: bool
    market_answers: bool
    gap: timedelta
    """The time without a poll before this phase."""
    clock_is_wrong: bool


def often(usual: bool) -> st.SearchStrategy[bool]:
    return st.sampled_from((usual, usual, usual, not usual))


PHASES = st.lists(
    st.builds(
        Phase,
        st.sampled_from((1, 5, 16, 61, 125, 300)),
        st.sampled_from(ANSWERS),
        often(True),
        often(True),
        st.sampled_from((MINUTE, MINUTE, MINUTE, 8 * MINUTE, 3 * HOUR, -2 * HOUR)),
        often(False),
    ),
    max_size=8,
)


def later(end: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later of two ends. An unknown end is later than any other."""
    return None if end is None or other is None else max(end, other)


@given(PHASES)
def test_nothing_is_deleted_before_its_time_or_without_two_warnings(phases: list[Phase]) -> None:
    watch = Watch(*MACHINES)
    everything = watch.account = (*living(1, 2, 3), *living(9))
    known, said_before = {one.resource_id: one.ends_at for one in MACHINES}, 0
    named = set(known)
    for phase in phases:
        terminated = {resource_id for _, resource_id in watch.deleted}
        alive = tuple(one for one in everything if one.resource_id not in terminated)
        watch.account = alive if phase.market_answers else None
        watch.slack_takes, watch.clock_is_wrong = phase.slack_takes, phase.clock_is_wrong
        watch.now += phase.gap - MINUTE
        for number in range(phase.polls):
            if phase.bot.trouble is None:
                said_before = len(watch.said)
            if phase.bot.trouble is None:
                known = {}
            if phase.bot.machines is not None:
                named = {one.resource_id for one in phase.bot.machines}
                known |= {
                    one.resource_id: later(one.ends_at, known.get(one.resource_id, one.ends_at))
                    for one in phase.bot.machines
                }
            said, deleted = len(watch.said), len(watch.deleted)
            watch.poll(phase.bot, continues=number > 0 or phase.gap == MINUTE)
            outage = watch.said[said_before:said]
            for when, resource_id in watch.deleted[deleted:]:
                end = known[resource_id]
                assert resource_id in named
                assert end is not None
                assert when >= end + 2 * HOUR
                assert phase.bot.trouble in {Trouble.UNREACHABLE, Trouble.NOT_WELL}
                assert phase.market_answers
                warned = [moment for moment, message in outage if message.kind is Kind.WARNING]
                told = [
                    moment
                    for moment, message in outage
                    if f"`{resource_id}`" in message.text and "I'll delete these machines" in message.text
                ]
                assert any(first + HOUR <= second and second + HOUR <= when for first in warned for second in told)
            watch.now += MINUTE
    warnings = [when for when, message in watch.said if "<@" in message.text]
    assert len(warnings) == len(watch.times(Kind.WARNING))
