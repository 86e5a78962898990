"""The effects of events: who gets a direct message or an alert, and whether the thread gets a reply."""

from __future__ import annotations

from typing import Any

import pytest

from bot.lifecycle.changes.notifications import alerted, messages_of, readers_of
from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import EFFECTS, Event, EventKind, OpenQuestion, open_question, resolved_by
from bot.model.facts import EndedFacts
from bot.model.message import MessageKind
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import Lease, Rules
from tests.lifecycle.world import ANA, BEN, CLEO, HOUR, MINUTE, RULES
from tests.store import make
from tests.views.stories import happened, lease, rental

E = EventKind
OF_ANA = rental(State.READY, owner=ANA.id)


def event(kind: EventKind, actor: str | None = None, **facts: Any) -> Event:
    return happened(kind, OF_ANA.created_at, actor, **facts)


def readers(kind: EventKind, actor: str | None = None, **facts: Any) -> tuple[str, ...]:
    return readers_of(event(kind, actor, **facts), OF_ANA, RULES)


def test_the_owner_is_pinged_only_for_urgent_events() -> None:
    """An event is urgent if the owner has to act or should know about it now."""
    assert {kind for kind in E if ANA.id in readers(kind)} == {
        E.READY,
        E.ENDING,
        E.ENDS_AGAIN,
        E.STILL_NEEDED,
        E.HOST_KEY_CHANGED,
        E.GPU_MISMATCH,
        E.GPU_FAULT,
        E.ADOPTED,
        E.OWNER_CHANGED,
        E.ASKED_FOR,
        E.LOST,
        E.ASKED_AGAIN,
        E.DENIED,
        E.EXPIRED,
        E.WITHDRAWN,
        E.EXTENSION_DENIED,
        E.APPROVED_NOT_READY,
        E.NOT_CONFIRMED,
        E.NOT_ALLOWED_NOW,
        E.NOTHING_FITS,
        E.GRACEFUL_DESTROY,
        E.SCRIPT_FAILED,
        E.KEPT_AFTER_FAILURE,
        E.JOBS_ENDED,
        E.JOB_DONE,
        E.NO_JOB,
        E.HEARTBEAT_LOST,
        E.HEARTBEAT_ENDS,
    }


OF_PROGRAM = changed(OF_ANA, program=make.program(), teammates=(BEN.id,))
"""A machine that a program rented with Ana's token, and that Ana shared with Ben."""


def test_the_owner_of_a_programs_machine_is_pinged_only_if_asked_or_warned() -> None:
    """The program itself knows that the machine is ready, when it ends, and what became of a request."""
    without = {kind for kind in E if ANA.id in readers(kind)} - {
        kind for kind in E if ANA.id in readers_of(event(kind), OF_PROGRAM, RULES)
    }
    assert without == {
        E.READY,
        E.ENDING,
        E.JOB_DONE,
        E.DENIED,
        E.EXPIRED,
        E.WITHDRAWN,
        E.APPROVED_NOT_READY,
        E.NOT_ALLOWED_NOW,
        E.NOTHING_FITS,
    }
    for kind, facts in (
        (E.ACCEPTED, {"since": lease().ready_at}),
        (E.ASKED_AGAIN, {"admins_decide": False}),
        (E.ENDED, {"end": State.FAILED}),
    ):
        assert readers(kind, **facts) == (ANA.id,)
        assert readers_of(event(kind, **facts), OF_PROGRAM, RULES) == ()


def test_the_owner_learns_that_another_person_destroyed_a_programs_machine() -> None:
    for kind in (E.DESTROYING, E.GRACEFUL_DESTROY, E.ENDED):
        by_ben = event(kind, BEN.id, **({} if kind is E.GRACEFUL_DESTROY else {"end": State.DESTROYED}))
        assert readers_of(by_ben, OF_PROGRAM, RULES) == (ANA.id,)


def test_teammates_of_a_programs_machine_get_their_usual_messages() -> None:
    ready = readers_of(event(E.READY), OF_PROGRAM, RULES)
    last = readers_of(happened(E.ENDING, lease().ends_at), changed(OF_PROGRAM, lease=lease()), RULES)
    assert ready == last == (BEN.id,)


def test_the_thread_of_a_programs_card_gets_only_facts_that_no_other_message_states() -> None:
    replies = {}
    for one in (OF_ANA, OF_PROGRAM):
        events = [event(kind, **({"why": Why.NO_ANSWER} if kind is E.ACCEPTED else {})) for kind in E]
        queued = messages_of(Change(one, one, tuple(events)), RULES, OF_ANA.created_at)
        replies[one.program is None] = {
            events[n or 0].kind for n, each in queued if each.kind is MessageKind.THREAD
        }
    assert replies[True] > replies[False] == {E.NO_ANSWER, E.ACCEPTED, E.ORPHANED_RESOURCE, E.ORPHAN_TERMINATED}


@pytest.mark.parametrize("kind", E)
def test_nobody_is_pinged_about_their_own_action(kind: EventKind) -> None:
    ends = [{"end": end} for end in State] if EFFECTS[kind].facts is EndedFacts else [{}]
    for end in ends:
        assert ANA.id not in readers(kind, ANA.id, **end)
        assert CLEO.id not in readers(kind, CLEO.id, **end)


def test_an_end_pings_the_owner_only_if_it_is_unexpected() -> None:
    """An end is unexpected if nothing could be rented, or if another person ended the rental."""
    pinged = {end for end in State if end.over and readers(E.ENDED, end=end)}
    assert pinged == {State.FAILED}
    assert readers(E.ENDED, end=State.EXPIRED, why=Why.NOTHING_FITTED) == (ANA.id,)
    assert readers(E.ACCEPTED) == ()
    assert readers(E.ACCEPTED, since=lease().ready_at) == (ANA.id,)  # a machine that they waited for
    assert readers(E.DESTROYING, why=Why.LEASE_ENDED) == readers(E.DESTROYING, why=Why.NOTHING_LEFT) == ()
    for kind in (E.DESTROYING, E.ENDED):
        assert readers(kind, BEN.id, why=Why.ASKED, end=State.DESTROYED) == (ANA.id,)


def test_teammates_are_pinged_about_the_last_notice_of_an_end() -> None:
    """An end that comes without an earlier notice pings teammates too."""
    ours = changed(OF_ANA, lease=lease(), teammates=(BEN.id,))
    moves = changed(ours, lease=changed(lease(), latest_end=lease().ends_at + HOUR))
    early = changed(RULES, lease=Lease(notices=(2 * HOUR,)))

    def pinged(of: Rental, rules: Rules) -> list[bool]:
        ahead = (2 * HOUR, HOUR, 30 * MINUTE, 0 * HOUR)
        events = [happened(E.ENDING, of.running_lease.ends_at - each) for each in ahead]
        return [BEN.id in readers_of(each, of, rules) for each in events]

    assert pinged(ours, RULES) == pinged(moves, RULES) == [False, False, True, True]
    assert pinged(moves, early) == [True, True, True, True]


def test_an_unconfirmed_deletion_also_pings_the_admins() -> None:
    """An admin who owns the machine is pinged only once."""
    assert readers(E.NOT_CONFIRMED) == (ANA.id, CLEO.id)
    assert readers_of(event(E.NOT_CONFIRMED), rental(State.READY, owner=CLEO.id), RULES) == (CLEO.id,)


def test_each_kind_of_event_has_a_row() -> None:
    assert EFFECTS.keys() == set(EventKind)


def test_each_question_is_asked_and_resolved() -> None:
    rows = EFFECTS.values()
    assert (
        {row.asks for row in rows} - {None} == {each for row in rows for each in row.resolves} == {*OpenQuestion}
    )


def test_only_events_of_rentals_have_replies_or_direct_messages() -> None:
    account = [row for kind, row in EFFECTS.items() if list(E).index(kind) >= list(E).index(E.STEP_FAILED)]
    assert all(not row.direct and not row.thread(event(E.READY)) for row in account)
    assert not [kind for kind, row in EFFECTS.items() if row.alert and row not in account]


def test_an_alert_goes_to_owner_and_admins_but_not_to_its_actor() -> None:
    assert alerted(event(E.STEP_FAILED), RULES, ANA.id) == (ANA.id, CLEO.id)
    assert alerted(event(E.STEP_FAILED), RULES, CLEO.id) == (CLEO.id,)
    assert alerted(event(E.PAUSED, CLEO.id), RULES) == (RULES.home_channel,)
    assert alerted(event(E.NO_WRITES), RULES) == (CLEO.id,)
    assert alerted(event(E.NO_WRITES), RULES, ANA.id) == (ANA.id,)


def in_thread(kind: EventKind, **facts: Any) -> bool:
    return EFFECTS[kind].thread(event(kind, **facts))


def test_the_thread_leaves_out_what_the_card_shows() -> None:
    assert not in_thread(E.ACCEPTED)
    assert not in_thread(E.DESTROYING, why=Why.LEASE_ENDED)
    assert in_thread(E.DESTROYING, why=Why.NOTHING_LEFT)


def test_the_thread_reports_the_outcome_of_an_unanswered_purchase() -> None:
    assert in_thread(E.ACCEPTED, why=Why.NO_ANSWER)


def test_a_question_is_open_until_a_later_event_resolves_it() -> None:
    early, asked, kept, extended, again = (
        happened(kind, OF_ANA.created_at + n * MINUTE, id=n + 1)
        for n, kind in enumerate((E.KEPT, E.STILL_NEEDED, E.KEPT, E.EXTENDED, E.STILL_NEEDED))
    )
    assert resolved_by(asked, [early, asked]) is None
    assert resolved_by(asked, [early, asked, kept, extended]) == kept
    assert resolved_by(asked, [early, kept, extended]) == kept
    assert open_question([early, asked], OpenQuestion.NEEDED) == asked
    assert open_question([early, asked, kept], OpenQuestion.NEEDED) is None
    assert open_question([early, asked, kept, again], OpenQuestion.NEEDED) == again
    assert open_question([kept], OpenQuestion.NEEDED) is None
