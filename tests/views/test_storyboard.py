"""Message by message, the storyboard's words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from bot.model.attempt import Why
from bot.model.event import Event, EventKind, Facts
from bot.model.message import Message, MessageKind
from bot.model.person import Room
from bot.model.quote import Nearby, Quote, QuoteState
from bot.model.rental import Decider, Extension
from bot.model.request import Contract
from bot.model.state import State
from bot.model.story import Story
from handlers.views import offers
from handlers.views.blocks import Rendered
from handlers.views.offers import Row
from handlers.views.render import render_message
from tests.slack_limits import problems_of_message
from tests.views.stories import (
    ANA,
    ASKED,
    BEN,
    CARL,
    HYPERSTACK,
    NEBIUS,
    READY_EVENT,
    RULES,
    SCALEWAY,
    H,
    M,
    S,
    clock,
    envelope,
    gone,
    happened,
    labels,
    making,
    offer,
    read,
    ready,
    rental,
    request,
    waiting,
)

K = EventKind


def show(
    kind: MessageKind,
    story: Story | None,
    now: datetime,
    event: Event | None = None,
    *,
    to: str = ANA,
    shown: int = 0,
) -> Rendered:
    message = Message(kind=kind, to=to, rental_id="k7mq2", shown=shown, envelope=1, created_at=now)
    rendered = render_message(message, event, story, rules=RULES, now=now)
    assert rendered is not None
    assert not (rendered.closed and labels(rendered.blocks))
    return rendered


def card(story: Story, now: datetime) -> tuple[str, list[str]]:
    rendered = show(MessageKind.CARD, story, now)
    return read(rendered.text, now), labels(rendered.blocks)


def thread(event: Event, story: Story | None = None) -> str:
    return read(show(MessageKind.THREAD, story or ready(), event.at, event).text, event.at)


def direct(event: Event, story: Story, now: datetime, *, to: str = ANA) -> tuple[str, list[str]]:
    rendered = show(MessageKind.DIRECT, story, now, event, to=to)
    return read(rendered.text, now), labels(rendered.blocks)


class TestAsking:
    quote = Quote(
        id="q1",
        state=QuoteState.FOUND,
        owner=ANA,
        asked_in="C0TRAIN",
        card_channel="C0TRAIN",
        request=request(),
        created_at=clock(12, 35),
        offers=(HYPERSTACK, NEBIUS, SCALEWAY),
    )

    def rows(self, count: int = 3) -> list[Row]:
        more = [offer(f"o-{n}", "4.00", "lambda", "de-1") for n in range(count - 3)]
        known = (HYPERSTACK, NEBIUS, SCALEWAY, *more)
        return [Row(offer=one, envelope=envelope(), usual=3 * M) for one in known]

    def test_the_offers_are_a_plan_with_one_recommended_button(self) -> None:
        now = clock(12, 35)
        answer = offers.found(self.quote, self.rows(8), rules=RULES, now=now)
        assert read(answer.text, now).splitlines() == [
            "1x H100 in EU, on demand, 6 h from ready",
            "$2.15/h  Hyperstack, nor-1: SXM 80 GB, 28 vCPU, 180 GB memory. Usually ready in 3 min.",
            "About $12.90, at most $16.06: if it sells out I take the next, up to $2.47/h.",
            "$2.42/h  Nebius, eu-north1",
            "$3.11/h  Scaleway, fr-par-2",
            "Prices stand until 13:05; stock is reserved by no one.",
        ]
        assert labels(answer.blocks) == [
            "Rent from $2.15/h",
            "Rent from $2.42/h",
            "Rent from $3.11/h",
            "All 8",
            "Refresh",
            "Change",
        ]
        styles = [block["accessory"].get("style") for block in answer.blocks if "accessory" in block]
        assert styles == ["primary", None, None]

    def test_all_shows_every_offer_with_its_equipment(self) -> None:
        now = clock(12, 35)
        answer = offers.found(self.quote, self.rows(8), rules=RULES, now=now, everything=True)
        assert labels(answer.blocks)[8:] == ["Refresh", "Change"]
        assert "$2.42/h  Nebius, eu-north1: SXM 80 GB, 28 vCPU, 180 GB memory." in read(answer.text, now)

    def test_over_a_limit_the_button_asks_and_what_is_refused_has_none(self) -> None:
        big = offer("o-big", "18.40", "nebius", "eu-north1", count=8)
        rows = [
            Row(offer=big, envelope=envelope("18.40", "21.16", 137_540_000, count=8), needs_approval=True),
            Row(
                offer=big,
                envelope=envelope("18.40", "21.16", 137_540_000, count=8),
                refused="Only $3.00/h is left.",
            ),
        ]
        answer = offers.found(self.quote, rows, rules=RULES, now=clock(12, 35))
        assert labels(answer.blocks) == ["Ask: over $10.00/h", "Refresh", "Change"]
        assert "$18.40/h ($2.30 per GPU)  Nebius, eu-north1\nNot for you: Only $3.00/h is left." in answer.text

    @pytest.mark.parametrize(
        ("room", "words"),
        [
            (
                Room(id="C0TRAIN", member=False),
                "I'm not in <#C0TRAIN>, so the card will go to <#C0GPUS>. Or: /invite @gpubot",
            ),
            (
                Room(id="C0TRAIN", member=True, shared=True),
                "People from outside read <#C0TRAIN>, so the card will go to <#C0GPUS>.",
            ),
            (Room(id="D0ANA", member=True, direct=True), "The card will go to <#C0GPUS>."),
        ],
    )
    def test_it_says_where_the_card_goes_when_not_here(self, room: Room, words: str) -> None:
        quote = self.quote.model_copy(update={"card_channel": "C0GPUS"})
        answer = offers.found(quote, self.rows(), rules=RULES, now=clock(12, 35), asked_in=room)
        assert answer.text.splitlines()[-1] == words

    def test_looking(self) -> None:
        assert offers.looking(self.quote).text == "Looking for 1x H100 in EU."

    def test_none_found_shows_what_is_near_and_buys_nothing(self) -> None:
        wanted = request(max_gpu_rate=Decimal("2.00"))
        near = (
            Nearby(request=request(), cheapest=HYPERSTACK),
            Nearby(
                request=request(region="US", max_gpu_rate=Decimal("2.00")),
                cheapest=offer("a", "1.90", "nebius", "us"),
            ),
            Nearby(
                request=request(contract=Contract.SPOT, max_gpu_rate=Decimal("2.00")),
                cheapest=offer("b", "1.20", "nebius", "eu"),
            ),
        )
        quote = self.quote.model_copy(update={"state": QuoteState.NONE, "request": wanted, "nearby": near})
        answer = offers.none_found(quote)
        assert answer.blocks[0]["text"]["text"] == "No H100 in EU under $2.00 per GPU and hour now."
        assert labels(answer.blocks) == [
            "Show from $2.15 in EU",
            "Show US from $1.90",
            "Show spot from $1.20",
            "Change",
        ]

    def test_a_key_is_needed_first(self) -> None:
        answer = offers.waiting_for_key()
        assert answer.text.startswith("Before I rent I need your public SSH key: it lets you in.")
        assert labels(answer.blocks) == ["Add SSH key"]
        assert answer.blocks[-1]["elements"][0]["text"] == "or  /gpu key ssh-ed25519 AAAA... you@laptop"

    def test_the_same_is_rented_already(self) -> None:
        answer = offers.rents_already(rental(State.READY), "q1", "o-hyper")
        assert answer.text == "You already rent 1x H100 EU (k7mq2, ready). Another one?"
        assert labels(answer.blocks) == ["Rent another", "Show k7mq2"]

    def test_no_answer(self) -> None:
        answer = offers.unanswered(self.quote, now=clock(12, 37))
        assert answer.text == (
            "Compute Clear hasn't answered for 2 min. Nothing is rented, and I won't rent later on my own."
        )
        assert labels(answer.blocks) == ["Try again"]


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
        story = ready(state=State.DESTROYING, alarm_at=clock(18, 46), alarms=1, taken_on_by=CARL)
        text, buttons = card(story, clock(18, 47))
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
        message = Message(kind=MessageKind.THREAD, to="C0TRAIN", created_at=clock(12, 0))
        event = happened(kind, clock(12, 0))
        assert render_message(message, event, ready(), rules=RULES, now=clock(12, 0)) is None


class TestDirect:
    def test_ready_has_the_command_and_the_key(self) -> None:
        text, buttons = direct(READY_EVENT, ready(), clock(12, 40))
        assert text.splitlines() == [
            "Your 1x H100 (k7mq2) is ready until 18:40, at $2.42/h.",
            "`ssh root@203.0.113.7`",
            'Your key "you@laptop" opens it. First look: nvidia-smi. Its disk goes when it goes.',
            "/gpu ssh k7mq2 shows this again.",
        ]
        assert buttons == ["Extend", "Destroy k7mq2"]

    def test_ready_on_another_port(self) -> None:
        text, _ = direct(READY_EVENT, ready(host="2001:db8::7", port=2222), clock(12, 40))
        assert "`ssh -p 2222 root@2001:db8::7`" in text

    def test_nobody_else_is_told_the_command(self) -> None:
        text, _ = direct(READY_EVENT, ready(), clock(12, 40), to=CARL)
        assert text == "Ana's 1x H100 (k7mq2) is ready until 18:40, at $2.42/h."

    def test_ready_tells_how_it_ended_and_has_no_button_left(self) -> None:
        assert direct(READY_EVENT, gone(), clock(18, 42)) == (
            "Destroyed 18:41: your 1x H100 (k7mq2).",
            [],
        )

    asked = happened(K.STILL_NEEDED, clock(14, 40), id=8, span=2 * H, amount=4_960_000, estimated=False)

    def test_still_needed(self) -> None:
        assert direct(self.asked, ready(self.asked), clock(14, 40)) == (
            "Still needed? k7mq2: nothing here for 2 h. I can't see inside; it may be busy or idle. $4.96 so far.",
            ["Destroy k7mq2", "Keep, ask in 1 h", "Keep, ask in 4 h"],
        )

    def test_still_needed_once_answered(self) -> None:
        kept = happened(K.KEPT, clock(14, 41), ANA, id=9, until=clock(15, 41), span=H)
        assert direct(self.asked, ready(self.asked, kept), clock(14, 41)) == (
            "Still needed? k7mq2: yes. I ask again at 15:41; it ends 18:40 either way.",
            [],
        )

    ending = happened(K.ENDING, clock(18, 10), id=10, until=clock(18, 40))

    def test_its_end_is_near(self) -> None:
        assert direct(self.ending, ready(self.ending), clock(18, 10)) == (
            "Ends 18:40, in 30 min: 1x H100 (k7mq2). Copy results off: the disk goes too.",
            ["Extend 2 h, about $4.84", "Destroy k7mq2"],
        )

    def test_its_end_was_near_and_it_was_extended(self) -> None:
        assert direct(self.ending, ready(self.ending, ends_at=clock(20, 40)), clock(18, 11)) == (
            "Extended: 1x H100 (k7mq2). It ends 20:40 now.",
            [],
        )

    alarm = happened(
        K.NOT_CONFIRMED,
        clock(18, 46),
        id=11,
        rate=Decimal("2.42"),
        resource_id="3c90c3cc",
        detail="vendor timeout",
    )

    def test_not_confirmed_gone_until_someone_is_on_it_and_until_it_is(self) -> None:
        words = (
            "Not confirmed gone: k7mq2 may still bill $2.42/h (resource 3c90c3cc). I keep trying. "
            "Last answer: vendor timeout."
        )
        destroying: dict[str, Any] = {"state": State.DESTROYING, "alarm_at": clock(18, 46)}
        assert direct(self.alarm, ready(self.alarm, **destroying), clock(18, 46), to=CARL) == (
            words,
            ["I'm on it"],
        )
        taken = ready(self.alarm, **destroying, taken_on_by=CARL)
        assert direct(self.alarm, taken, clock(18, 47)) == (f"{words} Carl is on it.", [])
        assert direct(self.alarm, gone(self.alarm), clock(18, 59)) == (
            "Confirmed gone: 1x H100 (k7mq2), Ana. Destroyed 18:41. 6 h 4 min, $14.68.",
            [],
        )

    def test_a_dearer_offer_is_for_the_owner_to_take(self) -> None:
        again = happened(
            K.ASKED_AGAIN,
            clock(12, 39),
            id=5,
            why=Why.DEARER,
            envelope=2,
            rate=Decimal("2.90"),
            before=Decimal("2.47"),
            vendor="scaleway",
            vendor_region="fr-par-2",
            until=clock(20, 39),
        )
        story = making().model_copy(
            update={
                "rental": rental(
                    State.AWAITING_APPROVAL,
                    decider=Decider.OWNER,
                    envelope=envelope("2.90", "2.90", 18_850_000, version=2),
                    lapses_at=clock(20, 39),
                ),
                "events": (again,),
            }
        )
        assert direct(again, story, clock(12, 39)) == (
            "Waiting for you: your 1x H100 EU, k7mq2. What is left costs more than was allowed. "
            "Now $2.90/h from Scaleway fr-par-2, +$0.43. Lapses today at 20:39. At most $18.85 in all.",
            ["Go on up to $2.90/h", "Withdraw"],
        )

    @pytest.mark.parametrize(
        ("event", "words"),
        [
            (
                happened(K.DENIED, clock(14, 9), BEN, amount=0, estimated=False),
                "Denied by Ben at 14:09: your 1x H100 EU, k7mq2. It cost nothing.",
            ),
            (
                happened(K.LAPSED, clock(22, 5), amount=0, estimated=False),
                "Lapsed at 22:05: your 1x H100 EU, k7mq2. It cost nothing. Ask again: /gpu get",
            ),
            (
                happened(K.EXTENSION_DENIED, clock(18, 12), BEN, until=clock(18, 40)),
                "More time denied by Ben: your 1x H100 EU, k7mq2. It ends 18:40.",
            ),
            (
                happened(K.LOST, clock(14, 10), why=Why.VENDOR_TOOK_IT, vendor="nebius"),
                "Lost 14:10: your 1x H100 EU, k7mq2. Nebius took it. Ask again: /gpu get",
            ),
        ],
    )
    def test_what_the_owner_only_has_to_know(self, event: Event, words: str) -> None:
        assert direct(event, ready(event), event.at) == (words, [])


class TestApproving:
    def test_the_request_mentions_the_approvers_once(self) -> None:
        now = clock(14, 5)
        first = show(MessageKind.APPROVAL, waiting(), now, ASKED)
        assert read(first.text, now).splitlines() == [
            "Approve up to $137.54? 8x H100 EU, 6 h, for Ana: fine-tune run 7 (p4wd9)",
            "Over the $10.00/h and $100.00 limits. $18.40/h now ($2.30 per GPU, as of 14:05); "
            "allows $21.16/h if it sells out.",
            "Ana runs now: 1x A100, since 09:12. Lapses today at 22:05.",
            "Asked: <!subteam^S0GPU>, <@U0BEN>.",
        ]
        assert labels(first.blocks) == ["Approve up to $137.54", "Deny"]
        again = show(MessageKind.APPROVAL, waiting(), now, ASKED, shown=1)
        assert "<@" not in again.text
        assert "<!subteam" not in again.text
        assert not problems_of_message(again.text, again.blocks)

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (
                happened(K.APPROVED, clock(14, 12), BEN, envelope=1, max_rate=Decimal("21.16"), hours=6 * H),
                "Approved by Ben at 14:12: up to $21.16/h for 6 h. 8x H100 EU for Ana, p4wd9.",
            ),
            (
                happened(K.DENIED, clock(14, 12), BEN, amount=0, estimated=False),
                "Denied by Ben at 14:12. Nothing was rented. 8x H100 EU for Ana, p4wd9.",
            ),
            (
                happened(K.CHANGED, clock(14, 10), ANA, envelope=2),
                "Changed by Ana at 14:10: 8x H100 EU for Ana, p4wd9. Nothing is left to decide here.",
            ),
        ],
    )
    def test_the_same_message_then_says_the_answer(self, answer: Event, words: str) -> None:
        story = waiting(answer, envelope=envelope("18.40", "21.16", 137_540_000, count=8, version=2))
        rendered = show(MessageKind.APPROVAL, story, clock(14, 12), ASKED, shown=1)
        assert read(rendered.text, clock(14, 12)) == words
        assert rendered.closed
        assert labels(rendered.blocks) == []

    def test_a_longer_lease(self) -> None:
        asked = happened(K.EXTENSION_ASKED, clock(18, 10), ANA, id=9, envelope=2, until=clock(18, 40, day=25))
        longer = Extension(
            envelope=envelope("2.42", "2.47", 101_000_000, version=2, lease=30 * H),
            ends_at=clock(18, 40, day=25),
            asked_by=ANA,
            asked_at=clock(18, 10),
        )
        story = ready(asked, extension=longer, spent=13_430_000)
        message = Message(
            kind=MessageKind.APPROVAL,
            to="C0GPUS",
            rental_id="k7mq2",
            envelope=2,
            shown=1,
            created_at=clock(18, 10),
        )
        rendered = render_message(message, asked, story, rules=RULES, now=clock(18, 10))
        assert rendered is not None
        assert read(rendered.text, clock(18, 10)).splitlines() == [
            "Approve up to $101.00? 1x H100 EU, 24 h more, for Ana: fine-tune run 7 (k7mq2)",
            "Over the $100.00 limit. Ana asks for it until tomorrow at 18:40, at $2.42/h; $13.43 so far.",
            "Ana runs nothing else. It ends today at 18:40 if nobody decides.",
        ]
        decided = happened(
            K.EXTENSION_APPROVED, clock(18, 20), BEN, id=10, envelope=2, until=clock(18, 40, day=25)
        )
        after = render_message(message, asked, ready(asked, decided), rules=RULES, now=clock(18, 20))
        assert after is not None
        assert read(after.text, clock(18, 20)) == (
            "More time approved by Ben: it ends tomorrow at 18:40. 1x H100 EU for Ana, k7mq2."
        )


class TestAdmins:
    @pytest.mark.parametrize(
        ("kind", "facts", "words"),
        [
            (
                K.UNKNOWN_MACHINE,
                Facts(gpu="H100", rate=Decimal("2.10"), since=clock(9, 12), name="train-3"),
                "A machine I don't know is running: H100, $2.10/h, since 09:12, named train-3. "
                "I leave it alone. Not needed? End it in Compute Clear.",
            ),
            (
                K.EMPTY_STORE,
                Facts(count=3),
                "My database is empty but the account has 3 machines named gpubot-*. Buying is paused. "
                "/gpu resume when sure.",
            ),
        ],
    )
    def test_notices(self, kind: EventKind, facts: Facts, words: str) -> None:
        event = Event(rental_id=None, kind=kind, at=clock(13, 0), facts=facts)
        assert read(show(MessageKind.NOTICE, None, clock(13, 0), event).text, clock(13, 0)) == words


def test_seconds_show_in_short_spans() -> None:
    event = happened(K.READY, clock(12, 40), span=51 * S)
    assert thread(event) == "Ready after 51 s: Ana's 1x H100 (k7mq2)."
