"""Tests that each check of the soak finds the problem it is for, and nothing in an episode without problems."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sandbox.client import SeenMessage
from sandbox.use import Fault, Phase, Use
from soak.checks import CHECKS, check
from soak.evidence import GRACEFUL_DESTROY, NOT_SUBMITTED, Evidence, Jump, Machine, MachineUse, Post
from tests.soak.evidence import (
    CARD_TS,
    FINAL,
    MACHINE,
    PORT,
    PURCHASE,
    RENTAL,
    SHOWN_END,
    SUBJECT,
    TOKEN,
    at,
    button,
    for_all,
    good,
    message,
    private,
    reply,
    with_action,
    with_card,
    with_seen,
    without_answer,
)

SECOND = replace(MACHINE, resource_id="r-2", offer_id="o-2", name="gpubot-k7mq2-2", micros=0)
OTHER_RENTAL = replace(MACHINE, resource_id="r-3", name="gpubot-x9y8z-1")
ERROR = json.dumps({"event": "step.failed", "level": "error"})
STILL_BILLS = replace(MACHINE, end=None)
STRAY = replace(STILL_BILLS, resource_id="r-4", name="train-123456", port=None)
LATE = replace(MACHINE, end=at(14, 50))


def log(evidence: Evidence, line: str) -> Evidence:
    return replace(evidence, log=(*evidence.log, line))


def machines(evidence: Evidence, *found: Machine) -> Evidence:
    return replace(evidence, machines=found)


def posted_twice(evidence: Evidence) -> Evidence:
    """Return the evidence with one message posted a second time, with another timestamp."""
    first = evidence.posts[0]
    return replace(evidence, posts=(*evidence.posts, Post(first.channel, "11.0", first.message_id, first.text)))


BUSY = Use((Phase(percents=(95,)),), at(12, 5))
IDLE_AT_ITS_END = Use((Phase(percents=(95,), lasts=timedelta(minutes=110)), Phase()), at(12, 5))
UNSEEN = Use((Phase(fault=Fault.REFUSED),), at(13, 30))
MOVES = f"Ready: {SUBJECT}. It ends at 14:05, or at 15:05 at the latest if its GPUs are busy."


def with_flexible_end(evidence: Evidence, use: Use, *more: MachineUse) -> Evidence:
    """Return the evidence with a machine that ended at the earliest end of a flexible lease, used as given."""
    with_uses = replace(evidence, uses=(MachineUse(MACHINE.resource_id, use), *more))
    return in_order(machines(with_uses, replace(MACHINE, probe_runs=60)), message(17, MOVES, at(12, 41)))


def moves_on(evidence: Evidence, end: str) -> Evidence:
    """Return the evidence without the extension, and with a flexible end on the first version of the card.

    A later version of the card says that the machine is in use, and shows `end`.
    """

    def is_left(each: SeenMessage) -> bool:
        return "It ends" not in each.text and "extended" not in each.text

    seen = {name: tuple(filter(is_left, messages)) for name, messages in evidence.seen.items()}
    without = replace(evidence, seen=seen, actions=evidence.actions[:2])
    later = message(18, f"In use: {SUBJECT}. It ends at {end}.", at(14, 5))
    return in_order(without, message(13, MOVES, at(12, 5)), later)


def in_order(evidence: Evidence, *more: SeenMessage) -> Evidence:
    """Return the evidence with additional messages that the whole team saw, sorted in among the others."""
    added = for_all(evidence, *more)
    ordered = {name: tuple(sorted(each, key=lambda one: one.seq)) for name, each in added.seen.items()}
    return replace(added, seen=ordered)


def ana_left(evidence: Evidence) -> Evidence:
    """Return the evidence with a machine that still bills, and whose owner left."""
    return machines(replace(evidence, left={"Ana": at(13, 30)}), STILL_BILLS)


def asked(text: str) -> SeenMessage:
    """Return a question to the admin that is still open."""
    return private(60, text, at(14, 40), buttons=[button("Destroy train-123456", "q")], is_dm=True, only_you=False)


WAITS = (
    "On the waitlist: 1x H100 (x9y8z) in EU for Ben at up to $3.00/h.\n"
    "It costs at most $4.50. I'll look for an offer until 13:50."
)


def with_waitlist_entry(evidence: Evidence, text: str = WAITS, *, until: datetime) -> Evidence:
    """Return the evidence with a waitlist entry of Ben that waited from 12:10 and was withdrawn at `until`."""
    seen = [
        message(50, text, at(12, 10), ts="12.0"),
        message(51, "Withdrawn: 1x H100 (x9y8z) in EU for Ben. Nothing was rented.", until, ts="12.0"),
        message(52, "Ben withdrew this request at 12:00. Nothing was rented.", until, ts="12.1", thread_ts="12.0"),
    ]
    return for_all(evidence, *seen)


def destroyed_an_hour_late(evidence: Evidence) -> Evidence:
    """Return the evidence with a destroy an hour before the machine was terminated."""
    return with_action(evidence, kind="destroy_confirm", rental=RENTAL, at=at(13, 0))


def rented_again(evidence: Evidence) -> Evidence:
    """Return the evidence with a purchase, made after a restore, for a waitlist entry that Ana had withdrawn."""
    stopped = with_card(evidence, f"Withdrawn: {SUBJECT}. Nothing was rented.")
    bought = (replace(PURCHASE, at=at(14, 50)),)
    return replace(stopped, restored_at=at(14, 40), purchases=bought)


CASES: list[tuple[str, Callable[[Evidence], Evidence]]] = [
    ("nothing_lives_at_the_end", lambda e: machines(e, STILL_BILLS)),
    ("every_machine_is_on_a_card", lambda e: machines(e, MACHINE, OTHER_RENTAL)),
    ("somebody_is_asked_about_every_machine", lambda e: machines(e, MACHINE, STRAY)),
    (
        "somebody_is_asked_about_every_machine",
        lambda e: with_card(ana_left(e), f"Ready: {SUBJECT}. It ends at 15:30."),
    ),
    (
        "nothing_is_bought_twice",
        lambda e: replace(
            machines(e, MACHINE, SECOND),
            purchases=(PURCHASE, replace(PURCHASE, offer_id="o-2", name=SECOND.name, at=at(12, 30))),
        ),
    ),
    ("nothing_outlives_its_lease", lambda e: machines(e, LATE)),
    ("nothing_outlives_its_lease", lambda e: machines(e, STILL_BILLS)),
    ("nothing_outlives_its_lease", lambda e: replace(e, purchases=(replace(PURCHASE, failed=True),))),
    ("nothing_ends_before_its_time", lambda e: machines(e, replace(MACHINE, end=at(13, 40)))),
    ("busy_machines_go_on", lambda e: with_flexible_end(e, BUSY)),
    (
        "no_end_is_later_than_the_latest",
        lambda e: moves_on(e, "15:06, or at 16:06 at the latest if its GPUs are busy"),
    ),
    ("receipts_are_the_bill", lambda e: with_card(e, FINAL.replace("$5.00", "$5.01"))),
    ("receipts_are_the_bill", lambda e: with_card(e, FINAL.replace("$5.00", "an estimated $4.99"))),
    ("receipts_are_the_bill", lambda e: with_card(e, f"Ended: {SUBJECT}. It cost nothing.")),
    ("receipts_are_the_bill", lambda e: with_card(e, f"Ended: {SUBJECT}.")),
    ("receipts_are_the_bill", lambda e: with_card(e, f"Ended: {SUBJECT}. It cost <$0.01.")),
    ("no_message_is_posted_twice", posted_twice),
    (
        "each_transition_is_notified_once",
        lambda e: for_all(e, reply(41, "This machine ended at 14:06, confirmed by the vendor.", at(14, 6))),
    ),
    ("each_transition_is_notified_once", lambda e: for_all(e, reply(41, "Ready after 3 min: more.", at(14, 6)))),
    (
        "each_transition_is_notified_once",
        lambda e: for_all(e, *(message(42, "", at(14, 7), ts=m.ts, deleted=True) for m in e.thread(RENTAL)[-1:])),
    ),
    ("each_rental_has_one_card", lambda e: for_all(e, message(41, FINAL, at(14, 6), ts="11.0"))),
    ("cards_are_up_to_date", lambda e: with_card(e, f"Ready: {SUBJECT}. It ends at 14:05.")),
    ("cards_are_up_to_date", lambda e: machines(e, STILL_BILLS)),
    (
        "ended_rentals_have_no_buttons",
        lambda e: with_card(e, FINAL, buttons=[button("Destroy k7mq2", RENTAL)]),
    ),
    (
        "ended_rentals_have_no_buttons",
        lambda e: with_seen(
            e,
            "Ana",
            private(
                41,
                "It ends at 14:05.",
                at(13, 30),
                only_you=False,
                is_dm=True,
                buttons=(button("Extend 2 h", f"k7mq2:2:{SHOWN_END}"),),
            ),
        ),
    ),
    ("waitlist_entries_are_fulfilled", lambda e: with_waitlist_entry(e, until=at(12, 40))),
    ("every_request_is_answered", lambda e: without_answer(e, "Renting ")),
    (
        "every_request_is_answered",
        lambda e: with_seen(
            with_action(e, kind="command", text="get A100"), "Ana", private(60, "Looking for 1x A100.", at(14, 0))
        ),
    ),
    ("every_request_is_answered", lambda e: with_action(e, kind="rent_confirm", value="q2:o-9")),
    (
        "every_rent_has_a_card",
        lambda e: with_seen(e, "Ana", private(41, "Renting 1x A100 (x9y8z) in EU, from $1.00/h.", at(13, 0))),
    ),
    (
        "every_rent_has_a_card",
        lambda e: with_seen(
            e, "Ana", private(41, "Ben is away, so I've asked Cleo for approval of 8x H100 (x9y8z).", at(13, 0))
        ),
    ),
    ("every_destroy_ends_it", destroyed_an_hour_late),
    (
        "every_destroy_ends_it",
        lambda e: with_card(
            with_action(e, kind="destroy_confirm", rental=RENTAL), f"Ready: {SUBJECT}. It ends at 15:05."
        ),
    ),
    (
        "every_extension_counts_once",
        lambda e: for_all(e, reply(41, "Ana extended this machine by 1 h. It now ends at 15:05.", at(12, 41))),
    ),
    (
        "every_extension_counts_once",
        lambda e: for_all(
            with_action(e, kind="extend_lease", rental=RENTAL, value=f"k7mq2:{SHOWN_END}"),
            reply(41, "Ana extended this machine by 2 h. It now ends at 16:05.", at(12, 41)),
        ),
    ),
    (
        "every_extension_counts_once",
        lambda e: replace(with_action(e, kind="extend", who="Cleo", rental=RENTAL, value="k7mq2:2:1")),
    ),
    ("every_decision_counts", lambda e: with_action(e, kind="deny", who="Ben", rental=RENTAL, value="k7mq2:1")),
    ("what_had_ended_is_not_rented_again", rented_again),
    (
        "ssh_commands_are_for_owners_and_teammates",
        lambda e: with_seen(e, "Ben", private(41, f"ssh -p {PORT} root@h", at(13, 0))),
    ),
    (
        "ssh_commands_are_for_owners_and_teammates",
        lambda e: for_all(e, reply(41, f"ssh -p {PORT} root@h", at(13, 0))),
    ),
    (
        "strangers_read_nothing_in_private",
        lambda e: with_seen(e, "Gus", private(41, "Up to $21.16/h.", at(13, 0))),
    ),
    ("strangers_read_nothing_in_private", lambda e: replace(e, modals=(("Olga", "Approve? soaknote000001"),))),
    (
        "money_of_others_is_for_approvers",
        lambda e: for_all(
            with_seen(e, "Ana", private(41, "Ready: 1x A100 (x9y8z) for Ben. $1.00/h.", at(13, 0))),
            message(42, "Ready: 1x A100 (x9y8z) for Ben. It ends at 14:05.", at(13, 0), ts="11.5"),
        ),
    ),
    (
        "no_secret_is_logged",
        lambda e: log(e, json.dumps({"event": "interaction", "level": "info", "locals": TOKEN})),
    ),
    ("no_secret_is_logged", lambda e: log(e, json.dumps({"event": "x soaknote000001", "level": "info"}))),
    ("no_secret_is_logged", lambda e: log(e, "-----BEGIN OPENSSH PRIVATE KEY-----")),
    ("no_error_is_logged", lambda e: log(e, ERROR)),
    ("no_error_is_logged", lambda e: log(e, "Traceback (most recent call last):")),
]


def names(evidence: Evidence) -> set[str]:
    """Return the names of the checks that found a problem."""
    return {finding.split(": ")[0] for finding in check(evidence)}


def test_an_episode_without_problems_has_no_findings() -> None:
    evidence = good()
    assert check(evidence) == []
    assert evidence.cards[RENTAL].ts == CARD_TS


@pytest.mark.parametrize(("name", "change"), CASES, ids=[f"{n}-{name}" for n, (name, _) in enumerate(CASES)])
def test_a_planted_problem_is_found(name: str, change: Callable[[Evidence], Evidence]) -> None:
    assert name in names(change(good()))


def test_every_check_finds_a_planted_problem() -> None:
    assert {each.__name__ for each in CHECKS} == {name for name, _ in CASES}


def test_only_teammates_may_read_the_ssh_command() -> None:
    shared = with_card(good(), FINAL.replace("for Ana", "for Ana with Ben"))
    command = private(41, f"ssh -p {PORT} root@h", at(13, 0))
    assert names(with_seen(shared, "Ben", command)) == set()
    assert names(with_seen(shared, "Cleo", command)) == {"ssh_commands_are_for_owners_and_teammates"}


def test_a_machine_may_outlive_its_lease_during_downtime_or_slow_deletion() -> None:
    late = machines(good(), replace(MACHINE, end=at(14, 35), micros=5_000_000))
    down = Jump(at(14, 4), at(14, 35), excused=True)
    assert "nothing_outlives_its_lease" in names(late)
    assert "nothing_outlives_its_lease" not in names(replace(late, jumps=(down,)))
    slow = replace(late, slow_to_delete=frozenset({"nebius"}))
    assert "nothing_outlives_its_lease" not in names(slow)
    assert "nothing_outlives_its_lease" in names(
        machines(slow, replace(MACHINE, end=at(14, 5) + timedelta(hours=2)))
    )


def test_a_waitlist_entry_may_wait_without_offers_permission_or_calm() -> None:
    """An entry may wait if no offer matches, if the rules don't allow the rental, or while something fails."""
    late = with_waitlist_entry(good(), until=at(13, 0))
    assert names(late) == {"waitlist_entries_are_fulfilled"}
    assert names(with_waitlist_entry(good(), until=at(12, 30))) == set()
    assert names(with_waitlist_entry(good(), WAITS.replace("$3.00", "$1.50"), until=at(13, 0))) == set()
    not_allowed = "An offer matched this request, but I couldn't rent it. Ben has 8 rentals."
    assert names(for_all(late, message(53, not_allowed, at(12, 20), ts="12.2", thread_ts="12.0"))) == set()
    assert names(replace(late, calm_since=None)) == names(replace(late, calm_since=at(12, 50))) == set()
    assert names(replace(late, jumps=(Jump(at(12, 20), at(12, 50), excused=True),))) == set()


def test_waiting_for_a_start_time_counts_only_after_that_time() -> None:
    starts = WAITS.replace("It costs", "It starts at 12:45 and ends at 13:15. It costs")
    assert names(with_waitlist_entry(good(), starts, until=at(13, 0))) == set()
    assert names(with_waitlist_entry(good(), starts, until=at(13, 15))) == {"waitlist_entries_are_fulfilled"}


def test_a_machine_that_the_vendor_reclaimed_may_end_early() -> None:
    early = machines(good(), replace(MACHINE, end=at(13, 40)))
    assert "nothing_ends_before_its_time" in names(early)
    assert "nothing_ends_before_its_time" not in names(replace(early, reclaimed=frozenset({MACHINE.resource_id})))


def test_a_repeated_post_that_health_reports_is_not_a_finding() -> None:
    twice = posted_twice(good())
    assert names(twice) == {"no_message_is_posted_twice"}
    assert names(replace(twice, health={"perhaps_posted_twice": 1})) == set()


def test_an_answer_to_details_on_the_home_tab_may_keep_its_buttons() -> None:
    buttons = (button("Destroy k7mq2", RENTAL),)
    details = private(41, f"Ready: {SUBJECT}. $2.42/h.", at(13, 30), only_you=False, is_dm=True, buttons=buttons)
    assert names(with_seen(good(), "Ana", details)) == set()


def test_a_direct_message_to_somebody_who_left_may_keep_its_buttons() -> None:
    buttons = (button("Extend 2 h", f"k7mq2:2:{SHOWN_END}"),)
    notice = private(41, "It ends at 14:05.", at(13, 30), only_you=False, is_dm=True, buttons=buttons)
    seen = with_seen(good(), "Ana", notice)
    assert names(seen) == {"ended_rentals_have_no_buttons"}
    assert "ended_rentals_have_no_buttons" not in names(replace(seen, left={"Ana": at(13, 31)}))


def test_a_machine_may_end_at_its_earliest_end_if_idle_or_not_observable() -> None:
    """A machine may be unobservable while the bot is down, or while most probe runs fail."""
    other = replace(MACHINE, resource_id="r-9", name="gpubot-x9y8z-1", probe_runs=9)
    unseen = MachineUse(other.resource_id, UNSEEN)
    down = Jump(at(13, 50), at(13, 55), excused=True)
    assert names(with_flexible_end(good(), BUSY)) == {"busy_machines_go_on"}
    assert names(with_flexible_end(good(), IDLE_AT_ITS_END)) == set()
    second = with_flexible_end(good(), BUSY, unseen)
    assert "busy_machines_go_on" in names(second)
    assert "busy_machines_go_on" not in names(machines(second, *second.machines, other))
    assert names(replace(with_flexible_end(good(), BUSY), jumps=(down,))) == set()


def test_the_end_of_a_busy_machine_may_move_to_its_latest_end() -> None:
    late = machines(good(), replace(MACHINE, end=at(15, 6)))
    assert names(moves_on(late, "15:05, its latest end")) == set()
    assert names(moves_on(good(), "15:05, its latest end")) == {"nothing_ends_before_its_time"}


def test_a_machine_without_an_owner_may_run_while_the_admin_is_asked() -> None:
    running = with_card(ana_left(good()), f"Ready: {SUBJECT}. It ends at 15:30.")
    stray = machines(good(), MACHINE, STRAY)
    for evidence, text in (
        (running, "Ana left the workspace. 1x H100 (k7mq2) is running."),
        (stray, "A machine that wasn't rented through me is running: train-123456, 1x H100, $2.10/h."),
    ):
        assert "somebody_is_asked_about_every_machine" in names(
            with_seen(evidence, "Cleo", asked("Rent another?"))
        )
        assert "somebody_is_asked_about_every_machine" not in names(with_seen(evidence, "Cleo", asked(text)))


def test_after_a_restore_the_admin_must_be_asked_about_forgotten_machines() -> None:
    """The restored database lacks a machine if the machine's card hasn't been edited since the restore."""
    bills = with_card(machines(good(), STILL_BILLS), f"Ready: {SUBJECT}.", buttons=[button("Details", RENTAL)])
    restored, kept = (replace(bills, restored_at=at(14, minute)) for minute in (40, 0))
    backup = "My database seems to be an older backup: it lacks 1 machine that I rented and that is running."
    notified = with_seen(restored, "Cleo", asked(f"{backup}\n1x H100 (k7mq2), Ana's."))
    assert "somebody_is_asked_about_every_machine" in names(restored)
    assert "somebody_is_asked_about_every_machine" not in names(kept) | names(notified)
    assert "nothing_outlives_its_lease" in names(restored)
    assert "nothing_outlives_its_lease" not in names(notified)


def test_after_a_restore_secrets_are_checked_but_actions_are_not() -> None:
    undone = destroyed_an_hour_late(replace(good(), restored_at=at(14, 0)))
    assert names(undone) == set()
    assert names(log(undone, f"token {TOKEN}")) >= {"no_secret_is_logged"}


def test_after_a_restore_a_request_that_is_approved_again_may_be_rented() -> None:
    decided = with_action(rented_again(good()), kind="approve", rental=RENTAL, at=at(14, 45))
    assert names(decided) == set()


def test_a_graceful_destroy_gets_time_for_its_script_unless_extended() -> None:
    """If somebody extends the lease after the destroy, the machine keeps running."""

    def graceful(hour: int, minute: int, after: int) -> Evidence:
        chosen = {"kind": "destroy_confirm", "rental": RENTAL, "text": GRACEFUL_DESTROY, "at": at(hour, minute)}
        return with_action(good(), **chosen, after=after)

    terminated = MACHINE.end
    assert terminated is not None
    soon = terminated - timedelta(minutes=10)
    assert names(graceful(soon.hour, soon.minute, 100)) == set()
    assert names(graceful(13, 0, 100)) == {"every_destroy_ends_it"}
    assert names(graceful(13, 0, 1)) == set()


def test_a_click_whose_modal_was_closed_needs_no_answer() -> None:
    clicked = with_action(good(), kind="rent", value="q2:o-9", after=50)
    closed = with_action(clicked, kind=NOT_SUBMITTED, value="q2:o-9", after=51)
    assert names(clicked) == {"every_request_is_answered"}
    assert names(closed) == set()


def test_amounts_of_others_may_stand_only_in_offers_and_beside_other_machines() -> None:
    found = "money_of_others_is_for_approvers"
    for text, is_found in (
        ("Ended in the last 7 days, for $5.00 in all: 1x H100 (k7mq2).", True),
        ("1x H100 (k7mq2); 1x A100 (f6rat), $1.00.", False),
        ("Ana is offering you 1x H100 (k7mq2) at $2.10/h.", False),
    ):
        assert (found in names(with_seen(good(), "Dan", private(60, text, at(14, 40))))) is is_found
