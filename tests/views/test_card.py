"""The card and the thread below it, in the storyboard's words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot.model.attempt import Why
from bot.model.event import Event, EventKind
from bot.model.message import Message, MessageKind, to_channel
from bot.model.state import State
from handlers.views.render import render_message
from tests.views.showing import card, show, thread
from tests.views.stories import (
    ANA,
    BEN,
    CARL,
    READY_EVENT,
    RULES,
    H,
    M,
    S,
    clock,
    gone,
    happened,
    making,
    ready,
    waiting,
)

K = EventKind


class TestCard:
    def test_waiting_for_approval(self) -> None:
        assert card(waiting(), clock(14, 5)) == (
            "Waiting for approval: 8x H100 EU, Ana, p4wd9. Up to $21.16/h. Lapses today at 22:05.",
            ["Change", "Withdraw"],
        )

    def test_being_made_has_a_bar_for_the_eye_only(self) -> None:
        now = clock(12, 37, 40)
        text, buttons = card(making(), now)
        assert text == (
            "Being made: 1x H100 EU, Ana, k7mq2. 1 min 40 s of about 3 min. Hyperstack nor-1, $2.15/h."
        )
        assert buttons == ["Details", "Cancel"]
        shown = show(MessageKind.CARD, making(), now)
        assert shown.blocks[1]["elements"][0]["text"] == "▰▰▰▰▰▱▱▱▱▱"

    def test_ready(self) -> None:
        assert card(ready(), clock(12, 41)) == (
            "Ready: 1x H100 EU, Ana, k7mq2. $2.42/h since 12:37. Ends 18:40. fine-tune run 7",
            ["Details", "Extend", "Destroy k7mq2"],
        )

    def test_the_day_is_said_when_it_is_not_today(self) -> None:
        text, _ = card(ready(ends_at=clock(9, 0, day=25)), clock(12, 41))
        assert "Ends tomorrow at 09:00." in text

    def test_being_destroyed(self) -> None:
        text, buttons = card(ready(state=State.DESTROYING), clock(18, 40))
        assert (text, buttons) == ("Being destroyed: 1x H100 EU, Ana, k7mq2.", ["Details"])

    def test_not_confirmed_gone(self) -> None:
        details = ready(state=State.DESTROYING, alarm_at=clock(18, 46), alarms=1, taken_on_by=CARL)
        text, buttons = card(details, clock(18, 47))
        assert text == (
            "Being destroyed: 1x H100 EU, Ana, k7mq2. Not confirmed gone. "
            "It may still bill $2.42/h. Carl is on it."
        )
        assert buttons == ["Details"]

    def test_destroyed(self) -> None:
        assert card(gone(), clock(18, 42)) == ("Destroyed: 1x H100 EU, Ana, k7mq2. 6 h 4 min, $14.68.", [])

    def test_nothing_was_rented(self) -> None:
        assert card(waiting(state=State.DENIED), clock(14, 9)) == (
            "Denied: 8x H100 EU, Ana, p4wd9. Nothing was rented.",
            [],
        )


class TestThread:
    def test_renting_and_the_next_offer(self) -> None:
        first = happened(K.RENTING, clock(12, 36), vendor="hyperstack", rate=Decimal("2.15"))
        assert thread(first) == "Renting from Hyperstack at $2.15/h."
        failed = happened(K.ATTEMPT_FAILED, clock(12, 36), vendor="hyperstack", why=Why.SOLD_OUT, paid=False)
        assert thread(failed) == "Hyperstack sold out; it cost nothing."
        facts: dict[str, Any] = {
            "vendor": "nebius",
            "rate": Decimal("2.42"),
            "before": Decimal("2.15"),
            "max_rate": Decimal("2.47"),
        }
        then = happened(
            K.RENTING, clock(12, 37), **facts, before_vendor="hyperstack", why=Why.SOLD_OUT, paid=False
        )
        assert thread(then) == (
            "Hyperstack sold out; it cost nothing. Now Nebius at $2.42/h, +$0.27, within what you accepted."
        )

    def test_what_was_given_up_is_told_once(self) -> None:
        up = happened(K.GIVEN_UP, clock(12, 51), vendor="hyperstack", rate=Decimal("2.15"), why=Why.TOO_SLOW)
        assert thread(up) == (
            "Hyperstack did not get it ready. I'm destroying that machine; it may bill until it is gone. "
            "Then I look for the next offer."
        )
        then = happened(
            K.RENTING,
            clock(12, 52),
            vendor="nebius",
            rate=Decimal("2.05"),
            before=Decimal("2.15"),
            before_vendor="hyperstack",
            why=Why.TOO_SLOW,
        )
        assert thread(then) == "Now Nebius at $2.05/h, -$0.10."

    def test_it_never_says_that_it_cost_nothing_without_knowing(self) -> None:
        failed = happened(K.ATTEMPT_FAILED, clock(12, 36), vendor="hyperstack", why=Why.VENDOR_FAILED)
        assert thread(failed) == "Hyperstack could not make it."

    @pytest.mark.parametrize(
        ("event", "words"),
        [
            (
                happened(K.NO_ANSWER, clock(12, 36), vendor="hyperstack"),
                "I asked Hyperstack and got no answer: it may be rented. I'm checking and will say here. "
                "Don't rent again.",
            ),
            *(
                (
                    happened(K.NO_ANSWER, clock(12, 36), vendor="hyperstack", why=why),
                    f"{lead}: it may be rented. I'm checking and will say here. Don't rent again.",
                )
                for why, lead in (
                    (Why.RATE_LIMITED, "I asked Hyperstack, but Compute Clear asked me to slow down"),
                    (Why.UNAUTHORIZED, "I asked Hyperstack, but Compute Clear refuses my token"),
                    (Why.BOUGHT_BEFORE, "Compute Clear says that Hyperstack's offer was bought already"),
                )
            ),
            (
                happened(K.DENIED, clock(12, 40), BEN),
                "Denied by Ben at 12:40.",
            ),
            (READY_EVENT, "Ready after 2 min 51 s: Ana's 1x H100 (k7mq2)."),
            (
                happened(K.KEPT, clock(14, 40), ANA, until=clock(15, 40), span=H),
                "Ana keeps it. I ask again at 15:40; it ends 18:40 either way.",
            ),
            (
                happened(
                    K.ENDED,
                    clock(18, 41),
                    end=State.DESTROYED,
                    span=6 * H + 4 * M,
                    rate=Decimal("2.42"),
                    amount=14_681_333,
                    estimated=False,
                    estimate=14_520_000,
                ),
                "Gone 18:41, confirmed by the vendor. 6 h 4 min at $2.42/h: $14.68 computed. Estimate was $14.52.",
            ),
            (
                happened(
                    K.NOT_CONFIRMED,
                    clock(18, 46),
                    rate=Decimal("2.42"),
                    resource_id="3c90c3cc-0d44-4b50-8888-8dd25736052a",
                    detail="vendor timeout",
                ),
                "Not confirmed gone: k7mq2 may still bill $2.42/h (resource 3c90c3cc). I keep trying. "
                "Last answer: vendor timeout.",
            ),
            (
                happened(K.APPROVED, clock(14, 12), BEN, max_rate=Decimal("21.16"), hours=6 * H),
                "Approved by Ben at 14:12: up to $21.16/h for 6 h.",
            ),
            (
                happened(
                    K.ENDED, clock(12, 40), end=State.FAILED, why=Why.NOTHING_LEFT, amount=0, estimated=False
                ),
                "Failed 12:40: nothing is left within what was allowed. It cost nothing.",
            ),
            (
                happened(K.DESTROYING, clock(18, 40), why=Why.LEASE_ENDED, amount=14_520_000, estimated=False),
                "Being destroyed: its lease ended. $14.52 so far.",
            ),
            (
                happened(K.EXTENDED, clock(18, 10), ANA, span=2 * H, until=clock(20, 40)),
                "Ana extended it by 2 h: it ends 20:40.",
            ),
            (
                happened(K.LOST, clock(14, 10), why=Why.VENDOR_TOOK_IT, vendor="nebius"),
                "Lost 14:10: Nebius took it.",
            ),
        ],
    )
    def test_each_event_in_its_words(self, event: Event, words: str) -> None:
        assert thread(event) == words

    @pytest.mark.parametrize("kind", [K.ASKED, K.STARTED, K.PROGRESS, K.STILL_NEEDED, K.ENDING])
    def test_what_is_told_elsewhere_is_not_told_twice(self, kind: EventKind) -> None:
        message = Message(kind=MessageKind.THREAD, to=to_channel("C0TRAIN"), created_at=clock(12, 0))
        event = happened(kind, clock(12, 0))
        assert render_message(message, event, ready(), rules=RULES, now=clock(12, 0)) is None


def test_seconds_show_in_short_spans() -> None:
    event = happened(K.READY, clock(12, 40), span=51 * S)
    assert thread(event) == "Ready after 51 s: Ana's 1x H100 (k7mq2)."
