"""Tests of the next question about a machine, and of who is notified if nobody answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.model.base import changed
from bot.model.machine_use import UsageStatus, Use
from bot.model.rental import Asked, Lease, Question
from bot.model.state import State
from bot.policy.team.hours import Availability
from bot.policy.team.rules import CheckIn, Idle, Rules
from bot.policy.use import questions
from tests.store import make

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
RULES = Rules()
READY = datetime(2026, 11, 24, 10, tzinfo=UTC)
"""10:00 on a Tuesday."""
T = READY + 2 * HOUR
CHEAP, URGENT = Decimal("2.00"), Decimal("10.00")


def at(hours: float) -> datetime:
    return READY + timedelta(hours=hours)


def lease(hours: float = 60, **question: Any) -> Lease:
    return Lease(
        ready_at=READY,
        ends_at=at(hours),
        notices_checked_at=READY,
        seen_at=READY,
        question=Question(**question),
    )


def use(status: UsageStatus = UsageStatus.IDLE, since: datetime = T) -> Use:
    return Use(status=status, since=since)


def asked(**fields: Any) -> Asked:
    return Asked(**{"about": T, "last_at": T + HOUR, "first_at": T + HOUR, **fields})


def next_of(one: Lease, status: Use | None, rate: Decimal | None = CHEAP, rules: Rules = RULES) -> datetime | None:
    return questions.next_question(one, status, rate, rules)


def test_questions_about_an_idle_machine_start_at_two_dollars() -> None:
    """The next ones follow after 2, 4, 8 and 8 hours."""
    assert next_of(lease(), use()) == T + HOUR
    assert next_of(lease(), use(), Decimal("4.00")) == T + 30 * MINUTE
    for times, after in ((1, 2), (2, 4), (3, 8), (7, 8)):
        assert next_of(lease(asked=asked(times=times)), use()) == T + HOUR + after * HOUR
    once = Rules(idle=Idle(again=()))
    assert next_of(lease(asked=asked()), use(), rules=once) is None


def test_a_connected_machine_is_asked_about_after_two_hours() -> None:
    assert next_of(lease(), use(UsageStatus.CONNECTED)) == T + 2 * HOUR
    assert (
        next_of(lease(asked=asked()), use(UsageStatus.CONNECTED)) == T + 3 * HOUR
    )  # The owner was asked while it was idle, in the same idle period.


def test_a_machine_that_cannot_be_probed_is_asked_about_by_check_in() -> None:
    assert next_of(lease(), None) == at(2)
    assert next_of(lease(), use(UsageStatus.UNKNOWN, READY)) == at(2)
    assert next_of(lease(), use(UsageStatus.UNKNOWN)) == T + 2 * HOUR  # It was seen in use until T.
    assert next_of(lease(asked=asked(about=None, last_at=at(2), times=1)), None) == at(5)
    off = Rules(check_in=CheckIn(after=None))
    assert next_of(lease(), None, rules=off) is None
    assert next_of(lease(), use(), rules=off) == T + HOUR


def test_a_promised_question_is_dropped_if_the_machine_was_in_use_then() -> None:
    kept = lease(quiet_until=T, promised=True)
    assert next_of(kept, use(UsageStatus.UNKNOWN, T - 30 * MINUTE)) == T
    assert next_of(kept, use(UsageStatus.UNKNOWN, T + 5 * HOUR)) == T + 7 * HOUR


def test_machines_in_use_or_very_cheap_are_not_asked_about() -> None:
    assert next_of(lease(), use(UsageStatus.IN_USE)) is None
    assert next_of(lease(), use(), Decimal("0.000001")) is None
    assert next_of(lease(), use(), Decimal(0)) is None


def test_questions_are_at_least_an_hour_apart() -> None:
    of_check_in = asked(about=None, last_at=T + 50 * MINUTE)
    assert next_of(lease(asked=of_check_in), use()) == T + 110 * MINUTE


@pytest.mark.parametrize("status", [use(), use(UsageStatus.CONNECTED), use(UsageStatus.UNKNOWN), None])
def test_an_answer_silences_all_questions_until_the_named_time(status: Use | None) -> None:
    kept = questions.after_answer(Question(asked=asked()), at(9), promised=True)
    assert next_of(changed(lease(), question=kept), status) == at(9)
    assert kept.asked is not None
    assert (kept.asked.times, kept.asked.first_at) == (0, None)


def test_a_new_owner_is_asked_even_if_the_previous_one_answered() -> None:
    unanswered = asked(times=3, on_card=True, approvers_at=T + 5 * HOUR)
    question = questions.for_new_owner(Question(quiet_until=T + 9 * HOUR, promised=True, asked=unanswered))
    assert question == Question(asked=Asked(about=T, last_at=T + HOUR, times=0))
    assert next_of(changed(lease(), question=question), use()) == T + 2 * HOUR
    assert questions.for_new_owner(Question(quiet_until=T)) == Question()


def test_an_extension_silences_questions_but_never_shortens_an_answer() -> None:
    question = questions.after_extension(Question(), T, RULES)
    assert (question.quiet_until, question.promised) == (T + 2 * HOUR, False)
    without = questions.after_extension(Question(), T, Rules(check_in=CheckIn(after=None)))
    assert without.quiet_until == T + 2 * HOUR
    kept = Question(quiet_until=T + 4 * HOUR, promised=True)
    assert questions.after_extension(kept, T, RULES) == kept


def test_no_question_is_asked_between_the_last_notice_and_the_end() -> None:
    notice = 3.5 - 0.5
    assert next_of(lease(3.6), use()) == at(3)
    assert next_of(lease(notice + 0.5), use()) is None
    promised = {"quiet_until": at(3), "promised": True}
    assert next_of(lease(3.5, **promised), None) is None
    assert questions.asks_again_at(lease(3.5, **promised), zone=ZoneInfo("UTC"), rules=RULES) == at(3.5)


NIGHT, MORNING = datetime(2026, 11, 24, 22, tzinfo=UTC), datetime(2026, 11, 25, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("urgent", "question", "expected"),
    [
        (False, Question(), MORNING),
        (True, Question(), NIGHT),
        (True, Question(asked=asked()), MORNING),
        (True, Question(asked=asked(times=0, first_at=None)), MORNING),
        (True, Question(asked=asked(about=READY)), NIGHT),
    ],
)
def test_at_night_only_the_first_question_about_an_expensive_machine_is_asked(
    urgent: bool, question: Question, expected: datetime
) -> None:
    running, zone = changed(lease(), question=question), ZoneInfo("UTC")
    assert questions.in_hours(NIGHT, running, use(), urgent=urgent, zone=zone, rules=RULES) == expected


def test_no_question_is_delayed_past_the_last_notice() -> None:
    running = lease(20)  # Until 06:00.
    assert questions.in_hours(NIGHT, running, use(), urgent=False, zone=ZoneInfo("UTC"), rules=RULES) is None


def test_questions_are_counted_per_idle_period() -> None:
    first = questions.after_asking(Question(quiet_until=T), use(), T + HOUR)
    assert first == Question(asked=Asked(about=T, last_at=T + HOUR, times=1, first_at=T + HOUR))
    second = questions.after_asking(first, use(), T + 3 * HOUR)
    assert second.asked == Asked(about=T, last_at=T + 3 * HOUR, times=2, first_at=T + HOUR)
    interrupted = changed(use(since=at(9)), idle_period=T)  # With a moment of work in between.
    assert questions.after_asking(second, interrupted, at(9)).asked == changed(
        second.asked, last_at=at(9), times=3
    )
    assert questions.after_asking(second, use(since=at(9)), at(10)).asked == Asked(
        about=at(9), last_at=at(10), times=1, first_at=at(10)
    )


def test_others_learn_only_of_unanswered_questions_about_the_current_idle_period() -> None:
    running = make.rental("k7mq2", state=State.READY, lease=lease(asked=asked()), use=use())
    assert questions.unanswered(running, running.use) == asked()
    for status in (None, use(UsageStatus.IN_USE), use(UsageStatus.UNKNOWN), use(since=at(9))):
        assert questions.unanswered(running, status) is None
    answered = changed(lease(), question=questions.after_answer(Question(asked=asked()), at(9), promised=True))
    assert questions.unanswered(changed(running, lease=answered), use()) is None


def test_the_card_and_the_approvers_follow_the_times_in_the_rules() -> None:
    first = T + HOUR
    assert questions.on_card_at(asked(), RULES) == first + 2 * HOUR
    assert questions.on_card_at(asked(on_card=True), RULES) is None
    assert questions.on_card_at(asked(), Rules(idle=Idle(channel_after=None))) is None

    def notified_at(one: Asked, *, urgent: bool = False) -> datetime | None:
        return questions.approvers_notified_at(one, lease(), urgent=urgent, rules=RULES)

    assert notified_at(asked()) == first + 4 * HOUR
    assert notified_at(asked(), urgent=True) == first + HOUR
    assert notified_at(asked(approvers_at=at(8))) == at(8) + timedelta(days=1)
    tokyo, utc = Availability(ZoneInfo("Asia/Tokyo")), Availability(ZoneInfo("UTC"))
    assert questions.approvers_in_hours(NIGHT, lease(), {utc}, RULES) == MORNING
    assert questions.approvers_in_hours(NIGHT, lease(), {utc, tokyo}, RULES) == NIGHT + HOUR
    assert questions.approvers_in_hours(NIGHT, lease(20), {utc}, RULES) is None


def test_a_machine_is_urgent_starting_at_the_price_in_the_rules() -> None:
    rental = make.rental("k7mq2", state=State.READY, lease=lease())
    rates = (None, URGENT - Decimal("0.01"), URGENT)
    assert [questions.is_urgent(changed(rental, rate=rate), RULES) for rate in rates] == [False, False, True]
