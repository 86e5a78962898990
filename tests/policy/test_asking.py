"""Tests of who is mentioned, reminded or asked next about a request, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.model.person import Absence
from bot.policy.team.asking import Mentions, Undecided, others_are_due, reminders, who_is_asked
from bot.policy.team.hours import Availability, after_hours, last_available, next_available
from bot.policy.team.roles import Team, rules_for
from bot.policy.team.rules import Approval, Approvers, Hours, Rules

ANA, BEN, CLEO, DORA, EVE = "U0ANA", "U0BEN", "U0CLEO", "U0DORA", "U0EVE"
GROUP, BOSSES = "S0GPU", "S0BOSS"
HOUR = timedelta(hours=1)
BERLIN, CHICAGO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Chicago")


def utc(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a time in November 2026. November 24 is a Tuesday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


NOON, LONG_BEFORE, NEXT_MONDAY = utc(24, 12), utc(24, 9), utc(30, 7)


def away(since: datetime = LONG_BEFORE, until: datetime = NEXT_MONDAY) -> Availability:
    """Return a person in Berlin who is absent."""
    return Availability(BERLIN, (Absence(since=since, until=until),))


HERE = Availability(BERLIN)


def rules(people: tuple[str, ...] = (), groups: tuple[str, ...] = (), **more: Any) -> Rules:
    approval = Approval(then=more.pop("then", ()))
    return Rules(admins=(CLEO,), approvers=Approvers(people=people, groups=groups, **more), approval=approval)


# --- people who are asked


@pytest.mark.parametrize(
    ("named", "absent", "people", "groups", "mentioned"),
    [
        (rules((BEN, DORA)), (), (BEN, DORA), (), (BEN, DORA)),
        (rules((BEN, DORA), quiet=(BEN,)), (), (DORA,), (), (DORA,)),
        (rules((BEN, DORA)), (BEN,), (DORA,), (), (DORA,)),
        (rules((), (GROUP,)), (), (BEN, DORA), (GROUP,), ()),
        (rules((), (GROUP,), quiet=(BEN,)), (), (DORA,), (), (DORA,)),
        (rules((), (GROUP,)), (DORA,), (BEN,), (), (BEN,)),
        (rules((EVE,), (GROUP,), quiet=(EVE,)), (), (BEN, DORA), (GROUP,), ()),
        (rules(), (), (CLEO,), (), (CLEO,)),
        (rules((), ("S0NEVERREAD",)), (), (), ("S0NEVERREAD",), ()),
    ],
)
def test_quiet_and_absent_approvers_are_not_asked(
    named: Rules,
    absent: tuple[str, ...],
    people: tuple[str, ...],
    groups: tuple[str, ...],
    mentioned: tuple[str, ...],
) -> None:
    """If a group contains such a person, its other members are mentioned by name instead of the group."""
    team = Team(members={GROUP: frozenset({BEN, DORA})})
    available = {one: away() if one in absent else HERE for one in (ANA, BEN, CLEO, DORA, EVE)}
    asked = who_is_asked(rules_for(named, team, [ANA]), team, [ANA], available, NOON)
    assert asked.people == people
    assert asked.mentions == Mentions(groups=groups, people=mentioned)
    assert not asked.others_instead


def test_the_people_of_then_are_asked_if_all_approvers_are_away() -> None:
    team = Team(members={BOSSES: frozenset({EVE, ANA})})
    named = rules((BEN,), then=(DORA, BOSSES))
    asked = who_is_asked(named, team, [ANA], {BEN: away(), DORA: HERE}, NOON)
    assert (asked.people, asked.others_instead, asked.away) == ((DORA, EVE), True, (BEN,))
    assert asked.mentions == Mentions()
    none_here = who_is_asked(named, Team(), [ANA], {BEN: away(), DORA: away()}, NOON)
    assert (none_here.people, none_here.others_instead, none_here.away) == ((), False, (BEN,))
    back = who_is_asked(named, team, [ANA], {BEN: away()}, utc(30, 7))
    assert (back.people, back.others, back.others_instead) == ((BEN,), (DORA, EVE), False)


# --- absences and hours


def test_a_person_is_available_again_in_their_hours_after_an_absence() -> None:
    hours = Hours()
    assert next_available(NOON, HERE, hours) == NOON
    assert next_available(NOON, away(), hours) == utc(30, 7)
    assert next_available(NOON, away(until=utc(28, 12)), hours) == utc(30, 7)  # The absence ends on a Saturday.


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ([HERE], utc(25, 8)),  # In Berlin, the hours end at 19:00 UTC and begin at 7:00.
        ([HERE, Availability(CHICAGO)], utc(24, 20)),
        ([away()], utc(30, 15)),
        ([away(since=utc(24, 14))], utc(30, 13)),  # Two hours had been counted before.
        ([away(), Availability(CHICAGO)], utc(24, 22)),
        ([away(until=utc(24, 17)), away(until=utc(24, 18))], utc(25, 13)),
    ],
)
def test_time_during_which_everybody_is_away_does_not_count(
    people: list[Availability], expected: datetime
) -> None:
    assert after_hours(NOON, 8 * HOUR, people, Hours()) == expected


@pytest.mark.parametrize(
    ("moment", "people", "expected"),
    [
        (utc(24, 23), [HERE], utc(24, 19)),
        (utc(24, 15), [HERE], utc(24, 15)),
        (utc(25, 6), [HERE], utc(24, 19)),
        (utc(30, 6), [HERE], utc(27, 19)),  # The workday before Monday is Friday.
        (utc(24, 23), [HERE, Availability(CHICAGO)], utc(24, 23)),
        (utc(24, 23), [away(since=utc(24, 14))], utc(24, 14)),
        (utc(24, 23), [away(since=utc(9, 7))], None),
    ],
)
def test_last_available_returns_the_last_time_at_which_somebody_can_be_asked(
    moment: datetime, people: list[Availability], expected: datetime | None
) -> None:
    assert last_available(moment, people, Hours()) == expected


# --- reminders


def waits(rental_id: str, hour: float, **more: Any) -> Undecided:
    """Return a request made on Tuesday at this hour, in UTC."""
    return Undecided(rental_id, utc(24, 0) + hour * HOUR, **{"asked": (BEN, DORA), **more})


@pytest.mark.parametrize(
    ("waiting", "now", "expected"),
    [
        ([waits("a", 12)], utc(24, 12, 59), {}),
        ([waits("a", 12)], utc(24, 13), {BEN: ("a",)}),  # Dora is in Chicago, where the hours begin at 14:00.
        ([waits("a", 12)], utc(24, 15), {BEN: ("a",), DORA: ("a",)}),
        ([waits("a", 12, reminded=frozenset({BEN}))], utc(24, 15), {DORA: ("a",)}),
        ([waits("a", 12), waits("b", 12.5)], utc(24, 13), {BEN: ("a", "b")}),  # All waiting requests are listed.
        ([waits("a", 12, reminded=frozenset({BEN})), waits("b", 12.5)], utc(24, 13), {}),
        ([waits("a", 12, reminded=frozenset({BEN})), waits("b", 12.5)], utc(24, 13, 30), {BEN: ("a", "b")}),
        ([waits("a", 18.5)], utc(24, 19, 30), {DORA: ("a",)}),  # In Berlin, it is 20:30.
        ([waits("a", 18.5)], utc(25, 7, 30), {BEN: ("a",)}),
        ([waits("a", 12, asked=(DORA,))], utc(24, 15), {DORA: ("a",)}),
    ],
)
def test_a_person_gets_one_reminder_after_an_hour_within_their_hours(
    waiting: list[Undecided], now: datetime, expected: dict[str, tuple[str, ...]]
) -> None:
    """The reminder lists all requests that are waiting for the person."""
    available = {BEN: HERE, DORA: Availability(CHICAGO)}
    assert reminders(waiting, available, rules((BEN, DORA)), now) == expected


def test_nobody_is_reminded_while_away() -> None:
    available = {BEN: away(until=utc(24, 16)), DORA: away()}
    waiting = [waits("a", 12)]
    assert reminders(waiting, available, rules((BEN, DORA)), utc(24, 16, 59)) == {}
    assert reminders(waiting, available, rules((BEN, DORA)), utc(24, 17)) == {BEN: ("a",)}


# --- people who are asked next


@pytest.mark.parametrize(
    ("one", "available", "now", "due"),
    [
        (waits("a", 12), {BEN: HERE}, utc(24, 15, 59), False),
        (waits("a", 12), {BEN: HERE}, utc(24, 16), True),
        (waits("a", 12, others_asked=True), {BEN: HERE}, utc(24, 16), False),
        (waits("a", 17), {BEN: HERE}, utc(24, 21), False),  # Two of the hours are on the next day.
        (waits("a", 17), {BEN: HERE}, utc(25, 9), True),
        (waits("a", 17), {BEN: HERE, DORA: Availability(CHICAGO)}, utc(24, 21), True),
        (waits("a", 12, asked=()), {BEN: away()}, utc(24, 12), True),  # Everybody is away.
    ],
)
def test_others_are_asked_after_four_hours_or_at_once_if_all_are_away(
    one: Undecided, available: dict[str, Availability], now: datetime, due: bool
) -> None:
    """Only the approvers' hours count. Others are asked once per request."""
    assert others_are_due(one, available, rules((BEN, DORA)), now) is due
