"""Each check of the soak finds what it is there for, and nothing in an episode that is as it should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.model.base import changed
from soak.checks import CHECKS, check
from soak.evidence import Evidence, Machine, Post, Span
from tests.soak.evidence import (
    BOUGHT,
    CARD_TS,
    FINAL,
    MACHINE,
    PORT,
    RENTAL,
    SHOWN_END,
    TOKEN,
    WHOM,
    at,
    button,
    for_all,
    good,
    private,
    reply,
    said,
    with_card,
    with_deed,
    with_seen,
    without_answer,
)

SECOND = replace(MACHINE, resource_id="r-2", offer_id="o-2", name="gpubot-k7mq2-2", micros=0)
OTHERS = replace(MACHINE, resource_id="r-3", name="gpubot-x9y8z-1")
ERROR = json.dumps({"event": "step.failed", "level": "error"})
BILLS = replace(MACHINE, end=None)
LONG = replace(MACHINE, end=at(14, 50))


def log(evidence: Evidence, line: str) -> Evidence:
    return replace(evidence, log=(*evidence.log, line))


def machines(evidence: Evidence, *those: Machine) -> Evidence:
    return replace(evidence, machines=those)


def again(evidence: Evidence) -> Evidence:
    """One of its messages stands at another place too."""
    first = evidence.posts[0]
    return replace(evidence, posts=(*evidence.posts, Post(first.channel, "11.0", first.message_id, first.text)))


def lasting(evidence: Evidence) -> Evidence:
    """Ana destroyed it an hour before it was gone."""
    return with_deed(evidence, kind="destroy_confirm", rental=RENTAL, at=at(13, 0))


FAULTS: list[tuple[str, Callable[[Evidence], Evidence]]] = [
    ("nothing_lives_at_the_end", lambda e: machines(e, BILLS)),
    ("every_machine_is_on_a_card", lambda e: machines(e, MACHINE, OTHERS)),
    (
        "nothing_is_bought_twice",
        lambda e: replace(
            machines(e, MACHINE, SECOND),
            bought=(BOUGHT, replace(BOUGHT, offer_id="o-2", name=SECOND.name, at=at(12, 30))),
        ),
    ),
    ("nothing_outlives_its_lease", lambda e: machines(e, LONG)),
    ("nothing_outlives_its_lease", lambda e: machines(e, BILLS)),
    ("nothing_ends_before_its_time", lambda e: machines(e, replace(MACHINE, end=at(13, 40)))),
    ("receipts_are_the_bill", lambda e: with_card(e, FINAL.replace("$5.00", "$5.01"))),
    ("receipts_are_the_bill", lambda e: with_card(e, FINAL.replace("$5.00", "$4.99 estimated"))),
    ("receipts_are_the_bill", lambda e: with_card(e, f"Destroyed: {WHOM}. It cost nothing.")),
    ("receipts_are_the_bill", lambda e: with_card(e, f"Destroyed: {WHOM}.")),
    ("receipts_are_the_bill", lambda e: with_card(e, f"Destroyed: {WHOM}. 2 h 4 min, <$0.01.")),
    ("nothing_is_told_twice", again),
    ("each_transition_is_told_once", lambda e: for_all(e, reply(41, "Gone 14:06, confirmed.", at(14, 6)))),
    ("each_transition_is_told_once", lambda e: for_all(e, reply(41, "Ready after 3 min: more.", at(14, 6)))),
    (
        "each_transition_is_told_once",
        lambda e: for_all(e, *(said(42, "", at(14, 7), ts=m.ts, deleted=True) for m in e.thread(RENTAL)[-1:])),
    ),
    ("each_rental_has_one_card", lambda e: for_all(e, said(41, FINAL, at(14, 6), ts="11.0"))),
    ("cards_say_what_is", lambda e: with_card(e, f"Ready: {WHOM}. Ends 14:05.")),
    ("cards_say_what_is", lambda e: machines(e, BILLS)),
    (
        "nothing_of_what_is_over_can_be_clicked",
        lambda e: with_card(e, FINAL, buttons=[button("Destroy k7mq2", RENTAL)]),
    ),
    (
        "nothing_of_what_is_over_can_be_clicked",
        lambda e: with_seen(
            e,
            "Ana",
            changed(
                private(41, "Ends 14:05.", at(13, 30), only_you=False, is_dm=True),
                buttons=(button("Extend 2 h", f"k7mq2:2:{SHOWN_END}"),),
            ),
        ),
    ),
    ("every_question_is_answered", lambda e: without_answer(e, "Renting:")),
    (
        "every_question_is_answered",
        lambda e: with_seen(
            with_deed(e, kind="command", words="get A100"), "Ana", private(60, "Looking for 1x A100.", at(14, 0))
        ),
    ),
    ("every_question_is_answered", lambda e: with_deed(e, kind="rent_confirm", value="q2:o-9")),
    (
        "every_rent_has_a_card",
        lambda e: with_seen(e, "Ana", private(41, "Renting: 1x A100, x9y8z, from $1/h.", at(13, 0))),
    ),
    ("every_destroy_ends_it", lasting),
    (
        "every_destroy_ends_it",
        lambda e: with_card(with_deed(e, kind="destroy_confirm", rental=RENTAL), f"Ready: {WHOM}. Ends 15:05."),
    ),
    (
        "every_extension_counts_once",
        lambda e: for_all(e, reply(41, "Ana extended it by 1 h: it ends 15:05.", at(12, 41))),
    ),
    (
        "every_extension_counts_once",
        lambda e: for_all(
            with_deed(e, kind="extend_lease", rental=RENTAL, value=f"k7mq2:{SHOWN_END}"),
            reply(41, "Ana extended it by 2 h: it ends 16:05.", at(12, 41)),
        ),
    ),
    (
        "every_extension_counts_once",
        lambda e: replace(with_deed(e, kind="extend", who="Cleo", rental=RENTAL, value="k7mq2:2:1")),
    ),
    ("every_decision_counts", lambda e: with_deed(e, kind="deny", who="Ben", rental=RENTAL, value="k7mq2:1")),
    ("addresses_are_for_owners", lambda e: with_seen(e, "Ben", private(41, f"ssh -p {PORT} root@h", at(13, 0)))),
    ("addresses_are_for_owners", lambda e: for_all(e, reply(41, f"ssh -p {PORT} root@h", at(13, 0)))),
    (
        "strangers_read_nothing_in_private",
        lambda e: with_seen(e, "Gus", private(41, "Up to $21.16/h.", at(13, 0))),
    ),
    ("strangers_read_nothing_in_private", lambda e: replace(e, modals=(("Olga", "Approve? soaknote000001"),))),
    (
        "money_of_others_is_for_approvers",
        lambda e: for_all(
            with_seen(e, "Ana", private(41, "Ready: 1x A100, Ben, x9y8z. $1.00/h.", at(13, 0))),
            said(42, "Ready: 1x A100, Ben, x9y8z. Ends 14:05.", at(13, 0), ts="11.5"),
        ),
    ),
    ("no_secret_is_logged", lambda e: log(e, json.dumps({"event": "did", "level": "info", "locals": TOKEN}))),
    ("no_secret_is_logged", lambda e: log(e, json.dumps({"event": "x soaknote000001", "level": "info"}))),
    ("no_secret_is_logged", lambda e: log(e, "-----BEGIN OPENSSH PRIVATE KEY-----")),
    ("no_error_is_logged", lambda e: log(e, ERROR)),
    ("no_error_is_logged", lambda e: log(e, "Traceback (most recent call last):")),
]


def names(evidence: Evidence) -> set[str]:
    """The checks that found something."""
    return {finding.split(": ")[0] for finding in check(evidence)}


def test_nothing_is_found_in_an_episode_as_it_should_be() -> None:
    evidence = good()
    assert check(evidence) == []
    assert evidence.cards[RENTAL].ts == CARD_TS


@pytest.mark.parametrize(("name", "doctor"), FAULTS, ids=[f"{n}-{name}" for n, (name, _) in enumerate(FAULTS)])
def test_a_planted_fault_is_found(name: str, doctor: Callable[[Evidence], Evidence]) -> None:
    assert name in names(doctor(good()))


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert {each.__name__ for each in CHECKS} == {name for name, _ in FAULTS}


def test_what_could_not_be_helped_is_no_finding() -> None:
    late = machines(good(), replace(MACHINE, end=at(14, 35), micros=5_000_000))
    gone = Span(at(14, 4), at(14, 35), excused=True)
    assert "nothing_outlives_its_lease" in names(late)
    assert "nothing_outlives_its_lease" not in names(replace(late, spans=(gone,)))
    stubborn = replace(late, stubborn=frozenset({"nebius"}))
    assert "nothing_outlives_its_lease" not in names(stubborn)
    assert "nothing_outlives_its_lease" in names(
        machines(stubborn, replace(MACHINE, end=at(14, 5) + timedelta(hours=2)))
    )


def test_what_the_vendor_took_back_did_not_end_too_early() -> None:
    early = machines(good(), replace(MACHINE, end=at(13, 40)))
    assert "nothing_ends_before_its_time" in names(early)
    assert "nothing_ends_before_its_time" not in names(replace(early, taken_back=frozenset({MACHINE.resource_id})))


def test_a_post_that_health_admits_is_no_finding() -> None:
    twice = again(good())
    assert names(twice) == {"nothing_is_told_twice"}
    assert names(replace(twice, health={"perhaps_posted_twice": 1})) == set()
