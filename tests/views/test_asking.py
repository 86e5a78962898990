"""What is answered to who asks for GPUs, in the storyboard's words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bot.model.base import changed
from bot.model.event import EventKind
from bot.model.person import Channel
from bot.model.quote import Nearby, Quote, QuoteState
from bot.model.request import Contract
from bot.model.state import State
from handlers.views import offers
from handlers.views.offers import Row
from tests.views.stories import (
    ANA,
    HYPERSTACK,
    NEBIUS,
    RULES,
    SCALEWAY,
    M,
    buttons,
    clock,
    envelope,
    labels,
    offer,
    read,
    rental,
    request,
)

K = EventKind


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
        # Its label is that of every dear offer; a screen reader says which one it is.
        aloud = [one["accessibility_label"] for one in buttons(answer.blocks) if "accessibility_label" in one]
        assert aloud == ["Ask for $18.40/h, Nebius eu-north1"]
        assert "$18.40/h ($2.30 per GPU)  Nebius, eu-north1\nNot for you: Only $3.00/h is left." in answer.text

    @pytest.mark.parametrize(
        ("room", "words"),
        [
            (
                Channel(id="C0TRAIN", member=False),
                "I'm not in <#C0TRAIN>, so the card will go to <#C0GPUS>. Or: /invite @gpubot",
            ),
            (
                Channel(id="C0TRAIN", member=True, shared=True),
                "People from outside read <#C0TRAIN>, so the card will go to <#C0GPUS>.",
            ),
            (Channel(id="D0ANA", member=True, direct=True), "The card will go to <#C0GPUS>."),
        ],
    )
    def test_it_says_where_the_card_goes_when_not_here(self, room: Channel, words: str) -> None:
        quote = changed(self.quote, card_channel="C0GPUS")
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
        quote = changed(self.quote, state=QuoteState.NONE, request=wanted, nearby=near)
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
