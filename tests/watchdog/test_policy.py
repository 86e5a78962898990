"""The watchdog's messages and deletions after each poll, as a function without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.model.base import changed
from bot.model.watched_machine import WatchedMachine
from bot.watchdog import words
from bot.watchdog.policy import Kind, Message, decide, deleted, said
from bot.watchdog.state import Account, BotAnswer, Living, Options, Poll, State, Trouble

TWO = datetime(2026, 11, 24, 2, tzinfo=UTC)
"""The time at which the bot of most tests is killed: 02:00."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DEAD = BotAnswer(trouble=Trouble.UNREACHABLE, why="nothing accepts connections at its address")
SICK = BotAnswer(trouble=Trouble.NOT_WELL, why="the database can't be written")
STRANGE = BotAnswer(trouble=Trouble.UNUSABLE, why="it rejects my GPUBOT_MACHINES_TOKEN")


def machine(number: int, ends_at: datetime | None, **fields: object) -> WatchedMachine:
    usual = {
        "resource_id": f"res-{number}",
        "name": f"gpubot-k7mq{number}-1-ana",
        "rental_id": f"k7mq{number}",
        "owner": "U0ANA0000",
        "owner_name": "Ana",
        "rate": Decimal("2.10"),
        "ends_at": ends_at,
    }
    return WatchedMachine.model_validate(usual | fields)


def living(*numbers: int) -> tuple[Living, ...]:
    return tuple(
        Living(
            resource_id=f"res-{n}",
            name=f"gpubot-k7mq{n}-1-ana",
            rate=Decimal("2.10"),
            since=TWO,
            gpus="1x H100 SXM 80 GB",
        )
        for n in numbers
    )


class Watch:
    """A watchdog that polls every minute. Its bot was well until 02:00."""

    def __init__(self, *machines: WatchedMachine, destroy: bool = True) -> None:
        self.options = Options(destroy=destroy, admins=("U0CLEO000",), host="bastion")
        self.state = State()
        self.now = TWO
        self.account: tuple[Living, ...] | None = living(*range(1, len(machines) + 1))
        self.slack_takes = True
        self.clock_is_wrong = False
        self.market_fails: str | None = None
        self.said: list[tuple[datetime, Message]] = []
        self.deleted: list[tuple[datetime, str]] = []
        self.poll(BotAnswer(machines=machines))
        self.now += MINUTE

    def poll(self, bot: BotAnswer, *, continues: bool = True, token_refused: bool = False) -> None:
        """Poll once, at the current time."""
        trouble = "" if self.account is not None else "Compute Clear didn't answer."
        account = Account(living=self.account, trouble=trouble, token_refused=token_refused)
        found = Poll(at=self.now, continues=continues, bot=bot, account=account)
        decision = decide(self.state, found, self.options)
        self.state = decision.state
        for message in decision.say if self.slack_takes else ():
            self.said.append((self.now, message))
            self.state = said(self.state, message, self.now, clock_is_wrong=self.clock_is_wrong)
        for resource_id in decision.delete:
            self.deleted.append((self.now, resource_id))
            self.state = deleted(self.state, resource_id, self.now, failure=self.market_fails)
            if self.market_fails is None:
                self.account = tuple(one for one in self.account or () if one.resource_id != resource_id)
        # Use the state as the file stores it.
        self.state = State.model_validate_json(self.state.model_dump_json())

    def until(self, moment: datetime, bot: BotAnswer = DEAD, *, again: bool = False) -> None:
        """Poll every minute until `moment`. With `again`, as a new process."""
        while self.now <= moment:
            self.poll(bot, continues=not again)
            again = False
            self.now += MINUTE

    def times(self, kind: Kind) -> list[datetime]:
        return [at for at, message in self.said if message.kind is kind]

    def texts(self, kind: Kind = Kind.NOTE) -> list[str]:
        return [message.text for _, message in self.said if message.kind is kind]


def at(hours: float) -> datetime:
    """Return the time that is `hours` after 02:00."""
    return TWO + timedelta(hours=hours)


# --- the warning


@pytest.mark.parametrize("bot", [DEAD, SICK, STRANGE])
def test_one_warning_mentions_the_admins_15_minutes_into_an_outage(
    bot: BotAnswer,
) -> None:
    watch = Watch(machine(1, at(30)))
    watch.until(at(0.25) - MINUTE, bot)
    assert watch.said == []
    watch.until(at(12), bot)
    assert watch.times(Kind.WARNING) == [at(0.25)]
    assert [text.count("<@U0CLEO000>") for text in watch.texts(Kind.WARNING)] == [1]
    watch.poll(BotAnswer(machines=()))
    (again,) = watch.texts()
    assert again == "gpubot works again, after 12 h 1 min."


def test_a_bot_that_recovers_in_time_causes_no_message() -> None:
    watch = Watch(machine(1, at(1)))
    for _ in range(5):
        watch.until(watch.now + 13 * MINUTE)
        watch.until(watch.now, BotAnswer(machines=(machine(1, at(1)),)))
    assert watch.said == []


def test_a_restart_keeps_the_count_without_its_own_downtime() -> None:
    watch = Watch(machine(1, at(30)))
    watch.until(at(0) + 10 * MINUTE)
    watch.now += 5 * HOUR
    back = watch.now
    watch.until(back + 4 * MINUTE, again=True)
    assert watch.said == []
    watch.until(back + 5 * MINUTE)
    assert watch.times(Kind.WARNING) == [back + 5 * MINUTE]
    watch.until(watch.now + 2 * HOUR, again=True)
    assert len(watch.said) == 1, "a restart repeats no warning"


def test_a_warning_that_slack_did_not_take_is_posted_later() -> None:
    watch = Watch(machine(1, at(-3)))
    watch.slack_takes = False
    watch.until(at(8))
    assert (watch.said, watch.deleted) == ([], [])
    watch.slack_takes = True
    back = watch.now
    watch.until(back + 3 * HOUR)
    assert watch.times(Kind.WARNING) == [back]
    assert watch.times(Kind.ANNOUNCEMENT) == [back + HOUR]
    assert watch.deleted == [(back + 2 * HOUR, "res-1")]


def test_a_slack_problem_of_a_healthy_bot_is_reported_once() -> None:
    """The report comes after 15 minutes."""
    refused = BotAnswer(why="Slack refuses SLACK_BOT_TOKEN: all messages wait.", machines=())
    watch = Watch()
    watch.until(at(0.25), refused)
    assert watch.said == []
    watch.until(at(4), refused)
    (text,) = watch.texts()
    assert text == (
        "<@U0CLEO000> gpubot is running, but can't send messages: "
        "`Slack refuses SLACK_BOT_TOKEN: all messages wait.`"
    )
    watch.until(at(4.1), BotAnswer(machines=()))
    assert watch.texts()[1:] == [words.WELL_WITHOUT_BUT]
    watch.until(at(5), refused)
    assert len(watch.texts()) == 3


# --- deletions


def test_nothing_is_deleted_until_two_hours_after_the_end() -> None:
    """The bot was killed ten hours before the end."""
    watch = Watch(machine(1, at(10)))
    watch.until(at(20))
    assert watch.times(Kind.ANNOUNCEMENT) == [at(11)]
    assert watch.deleted == [(at(12), "res-1")]


def test_two_warnings_an_hour_apart_precede_every_deletion() -> None:
    """This is so however long ago the end was."""
    watch = Watch(machine(1, at(-5)))
    watch.until(at(4))
    assert (watch.times(Kind.WARNING), watch.times(Kind.ANNOUNCEMENT)) == ([at(0.25)], [at(1.25)])
    assert watch.deleted == [(at(2.25), "res-1")]
    (text,) = watch.texts(Kind.ANNOUNCEMENT)
    assert "04:15 UTC>, I'll delete these machines" in text
    assert "`1x H100 SXM 80 GB (k7mq1)` (`res-1`), `Ana`, $2.10/h" in text
    assert "To prevent that, start gpubot, or stop the watchdog on `bastion`" in text


@pytest.mark.parametrize(
    ("case", "machines", "account"),
    [
        ("before its end, and until two hours after it", [machine(1, at(6))], living(1)),
        ("of unknown end", [machine(1, None)], living(1)),
        ("a stranger with the name of ours", [machine(1, at(-9))], (*living(2),)),
        ("not in the last answer", [], living(1)),
        ("of which nobody knows if it lives", [machine(1, at(-9))], None),
        ("that is gone", [machine(1, at(-9))], ()),
    ],
)
def test_no_other_machine_is_deleted(
    case: str, machines: Sequence[WatchedMachine], account: tuple[Living, ...] | None
) -> None:
    watch = Watch(*machines)
    if case == "a stranger with the name of ours" and account is not None:
        account = tuple(changed(one, name=machines[0].name) for one in account)
    watch.account = account
    watch.until(at(8) - MINUTE)
    assert watch.deleted == [], case
    assert len(watch.times(Kind.WARNING)) == 1


def test_without_the_option_machines_are_announced_once_and_not_deleted() -> None:
    watch = Watch(machine(1, at(-5)), machine(2, at(5)), destroy=False)
    watch.until(at(20))
    assert watch.deleted == []
    assert watch.times(Kind.ANNOUNCEMENT) == [at(1.25), at(6)]
    assert all(
        "I won't delete them, because the watchdog runs without --destroy" in text
        for text in watch.texts(Kind.ANNOUNCEMENT)
    )


def test_nothing_is_deleted_while_something_responds_at_the_bots_address() -> None:
    watch = Watch(machine(1, at(-5)))
    watch.until(at(9), STRANGE)
    assert watch.deleted == []
    assert "I won't delete them, because gpubot is probably running" in watch.texts(Kind.ANNOUNCEMENT)[0]
    watch.until(at(9.5))
    assert watch.times(Kind.ANNOUNCEMENT) == [at(1.25), at(9) + MINUTE], "now it is going to be deleted"
    watch.until(at(9.9), STRANGE)
    watch.until(at(12), STRANGE)
    assert watch.deleted == []


def test_an_extension_reported_by_an_unhealthy_bot_is_kept() -> None:
    watch = Watch(machine(1, at(0)))
    extended = changed(SICK, machines=(machine(1, at(0)),))
    watch.until(at(1.5), extended)
    assert watch.times(Kind.ANNOUNCEMENT) == [at(1.25)]
    watch.until(at(7) - MINUTE, changed(SICK, machines=(machine(1, at(5)),)))
    assert watch.deleted == []
    assert watch.times(Kind.ANNOUNCEMENT) == [at(1.25), at(6)]
    watch.until(at(7))
    assert watch.deleted == [(at(7), "res-1")]


def test_an_end_can_only_move_later_while_the_bot_is_not_well() -> None:
    watch = Watch(machine(1, at(6)), machine(2, None), machine(3, at(6)))
    early = tuple(machine(number, at(-9)) for number in (1, 2, 4))
    watch.account = living(1, 2, 3, 4)
    watch.until(at(1), changed(SICK, machines=(*early, machine(3, at(6)))))
    watch.until(at(2), changed(SICK, machines=()))
    watch.until(at(8) - MINUTE, changed(SICK, machines=(*early, machine(3, at(12)))))
    assert [resource for _, resource in watch.deleted] == ["res-4"], (
        "its first end came from a bot that isn't well"
    )
    watch.until(at(9), changed(SICK, machines=early))
    assert [resource for _, resource in watch.deleted] == ["res-4", "res-1"]
    watch.until(at(20), DEAD)
    assert len(watch.deleted) == 2, "one has no known end, and the last good answer doesn't name the other"
    watch.poll(BotAnswer(machines=(machine(1, at(3)),)))
    assert [one.ends_at for one in watch.state.machines] == [at(3)], "a bot that is well knows the end"


def test_a_watchdog_that_was_stopped_to_prevent_a_deletion_announces_it_again() -> None:
    watch = Watch(machine(1, at(-5)))
    watch.until(at(2))
    watch.now += 2 * HOUR
    back = watch.now
    watch.until(back + 2 * HOUR, again=True)
    assert watch.times(Kind.ANNOUNCEMENT) == [at(1.25), back]
    assert watch.deleted == [(back + HOUR, "res-1")]


def test_a_short_restart_keeps_what_was_announced() -> None:
    watch = Watch(machine(1, at(-5)))
    watch.until(at(2))
    watch.now += 3 * MINUTE
    watch.until(at(3), again=True)
    assert watch.times(Kind.ANNOUNCEMENT) == [at(1.25)]
    assert watch.deleted == [(at(2.25), "res-1")]


@pytest.mark.parametrize("jump", [9 * HOUR, -9 * HOUR])
def test_deletions_are_announced_again_after_the_clock_was_set(jump: timedelta) -> None:
    watch = Watch(machine(1, at(-20)))
    watch.until(at(2))
    watch.now += jump
    back = watch.now
    watch.until(back + 59 * MINUTE, again=True)
    assert watch.deleted == []


def test_a_clock_that_differs_from_slacks_prevents_deletions() -> None:
    """People are notified of that once."""
    watch = Watch(machine(1, at(-5)))
    watch.clock_is_wrong = True
    watch.until(at(9))
    assert watch.deleted == []
    assert len(watch.times(Kind.ANNOUNCEMENT)) == 1
    assert watch.texts() == [words.CLOCK_IS_WRONG]
    watch.clock_is_wrong = False
    watch.until(at(12), again=True)
    assert watch.deleted[0][1] == "res-1"


def test_a_failed_deletion_is_retried_every_ten_minutes_and_reported_once() -> None:
    watch = Watch(machine(1, at(-5)))
    watch.market_fails = "Compute Clear reported an error (500)."
    watch.until(at(2.25) + 25 * MINUTE)
    assert [when for when, _ in watch.deleted] == [at(2.25) + timedelta(minutes=10 * n) for n in range(3)]
    (failure,) = watch.texts()
    assert failure.startswith(
        "gpubot's watchdog couldn't delete a machine that may still be billing: "
        "`1x H100 SXM 80 GB (k7mq1)` (`res-1`), `Ana`, $2.10/h, past its end since"
    )
    watch.market_fails = None
    watch.until(at(3))
    watch.poll(BotAnswer(machines=()))
    assert watch.texts()[1].startswith("gpubot's watchdog has deleted a machine: `1x H100 SXM 80 GB (k7mq1)`")
    assert watch.texts()[2] == (
        "gpubot works again, after 3 h 1 min. "
        "Its watchdog deleted 1 machine in the meantime, and won't delete any more."
    )


def test_nothing_more_is_deleted_once_the_bot_is_well() -> None:
    watch = Watch(machine(1, at(-5)))
    watch.until(at(2))
    watch.until(at(2.1), BotAnswer(machines=(machine(1, at(-5)),)))
    watch.until(at(4) - MINUTE)
    assert watch.deleted == []


def test_a_refused_token_of_the_watchdog_is_reported_once() -> None:
    watch = Watch(machine(1, at(9)))
    watch.account = None
    for refused in (True, True, False, True):
        watch.poll(BotAnswer(machines=()), token_refused=refused)
        watch.now += MINUTE
    assert len(watch.texts()) == 1
    assert watch.texts()[0].startswith("gpubot works, but Compute Clear rejects the watchdog's token")
    watch.account = ()
    for _ in range(2):
        watch.poll(BotAnswer(machines=()))
    again = words.ACCEPTED_AGAIN
    assert watch.texts()[1:] == [again]
    watch.account = None
    watch.poll(BotAnswer(machines=()), token_refused=True)
    assert len(watch.texts()) == 3
