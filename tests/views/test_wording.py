"""Each thing is said once, by the right name, in a sentence that reads aloud."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind
from bot.model.message import Message, MessageKind, stored_destination, to_channel, to_person
from bot.model.quote import Nearby, Quote, QuoteState
from bot.model.rental import Extension
from bot.model.request import Contract
from bot.model.state import State
from bot.model.summary import RentalDetails
from handlers.ids import Action
from handlers.views import lists, modals, offers
from handlers.views.format import Times
from handlers.views.offers import Row
from handlers.views.render import render_message
from tests.views.stories import (
    ANA,
    ASKED,
    BEN,
    CARL,
    HYPERSTACK,
    NEBIUS,
    RULES,
    SCALEWAY,
    H,
    M,
    clock,
    envelope,
    gone,
    happened,
    labels,
    making,
    offer,
    read,
    ready,
    request,
    waiting,
)

K = EventKind
QUOTE = Quote(
    id="q1",
    state=QuoteState.FOUND,
    owner=ANA,
    asked_in="C0TRAIN",
    card_channel="C0TRAIN",
    request=request(),
    created_at=clock(12, 35),
)
LONGER = Extension(
    envelope=envelope("2.42", "2.47", 101_000_000, version=2, lease=30 * H),
    ends_at=clock(18, 40, day=25),
    asked_by=ANA,
    asked_at=clock(18, 10),
)


def told(
    kind: MessageKind, details: RentalDetails, now: datetime, event: Event | None = None, *, to: str = ANA
) -> str:
    message = Message(kind=kind, to=stored_destination(to), rental_id="k7mq2", shown=1, envelope=1, created_at=now)
    rendered = render_message(message, event, details, rules=RULES, now=now)
    assert rendered is not None
    return read(rendered.text, now)


class TestTimes:
    def test_a_day_has_its_own_at(self) -> None:
        at = Times(now=clock(20, 44), zone="UTC")
        assert read(at.when(clock(22, 44)), clock(20, 44)) == "at 22:44"
        assert read(at.when(clock(1, 44, day=25)), clock(20, 44)) == "tomorrow at 01:44"

    def test_keeping_over_midnight(self) -> None:
        kept = happened(K.KEPT, clock(20, 44), ANA, until=clock(0, 44, day=25), since=clock(1, 44, day=25))
        assert told(MessageKind.THREAD, ready(kept), clock(20, 44), kept) == (
            "Ana keeps it. I ask again tomorrow at 00:44; it ends tomorrow at 01:44 either way."
        )

    def test_keeping_to_its_end(self) -> None:
        kept = happened(K.KEPT, clock(14, 40), ANA, until=clock(18, 40), since=clock(18, 40))
        assert told(MessageKind.THREAD, ready(kept), clock(14, 40), kept) == (
            "Ana keeps it. It ends 18:40; I don't ask again before."
        )

    def test_keeping_where_nobody_is_ever_asked(self) -> None:
        kept = happened(K.KEPT, clock(14, 40), ANA, since=clock(18, 40))
        assert told(MessageKind.THREAD, ready(kept), clock(14, 40), kept) == (
            "Ana keeps it. It ends 18:40; I don't ask again before."
        )

    def test_keeping_names_the_end_as_it_was_then(self) -> None:
        kept = happened(K.KEPT, clock(14, 40), ANA, until=clock(15, 40), since=clock(18, 40))
        later = ready(kept, ends_at=clock(9, 0, day=26))
        shown = lists.show(later, reader=ANA, sees_money=True, rules=RULES, now=clock(14, 41))
        assert "Ana keeps it. I ask again at 15:40; it ends 18:40 either way." in read(shown.text, clock(14, 41))

    def test_an_answer_read_the_day_after(self) -> None:
        approved = happened(K.APPROVED, clock(14, 12), BEN, envelope=1, max_rate=Decimal("21.16"), hours=6 * H)
        tomorrow = clock(9, 0, day=25)
        details = changed(waiting(approved), rental=gone().rental)
        assert told(MessageKind.APPROVAL, details, tomorrow, ASKED).startswith(
            "Approved by Ben yesterday at 14:12: up to $21.16/h"
        )

    def test_a_card_that_was_made_this_second_has_no_time_yet(self) -> None:
        assert told(MessageKind.CARD, making(), clock(12, 36)) == (
            "Being made: 1x H100 EU, Ana, k7mq2. Hyperstack nor-1, $2.15/h."
        )

    def test_a_history_says_the_time_once(self) -> None:
        denied = happened(K.DENIED, clock(14, 12), BEN, amount=0, estimated=False)
        details = waiting(denied, state=State.DENIED)
        shown = lists.show(details, reader=ANA, sees_money=True, rules=RULES, now=clock(14, 13))
        assert read(shown.text, clock(14, 13)).splitlines()[-1] == "14:12  Denied by Ben. Nothing was rented."


class TestOffers:
    def test_searches_that_read_the_same_are_one_button(self) -> None:
        cheap = offer("a", "1.90", "lambda", "us-1")
        near = (
            Nearby(request=request(), cheapest=HYPERSTACK),
            Nearby(request=request(region=None, max_gpu_rate=Decimal(2)), cheapest=cheap),
            Nearby(request=request(region=None), cheapest=cheap),
        )
        wanted = request(max_gpu_rate=Decimal(2))
        answer = offers.none_found(changed(QUOTE, request=wanted, nearby=near))
        assert labels(answer.blocks) == ["Show from $2.15 in EU", "Show anywhere from $1.90", "Change"]
        buttons = answer.blocks[1]["elements"]
        assert [button["value"] for button in buttons[:2]] == ["q1:0", "q1:1"]

    def test_what_is_near_fits_on_a_phone(self) -> None:
        far = request(count=8, region=None, vendor=None, contract=Contract.SPOT)
        near = Nearby(request=far, cheapest=offer("a", "21.76", "lambda", "us-1", count=8))
        asked = request(count=8, vendor="crusoe", contract=Contract.SPOT)
        assert offers.nearby_label(asked, near) == "Show any from $2.72/GPU"
        assert offers.nearby_label(changed(asked, vendor=None), near) == "Show anywhere from $2.72/GPU"

    def test_what_holds_for_all_is_said_once(self) -> None:
        why = "You have 4 rentals; your team's limit is 4 a person. Destroy one first: see /gpu list."
        rows = [Row(offer=one, envelope=envelope(), refused=why) for one in (HYPERSTACK, NEBIUS, SCALEWAY)]
        answer = offers.found(QUOTE, rows, rules=RULES, now=clock(12, 35))
        assert answer.text.splitlines()[1:3] == [
            f"Nothing here can be rented now. {why}",
            "$2.15/h  Hyperstack, nor-1",
        ]
        assert answer.text.count(why) == 1
        assert "Not for you" not in answer.text

    def test_a_change_says_what_it_will_be_and_its_button_what_it_spends(self) -> None:
        quote = changed(QUOTE, changes="p4wd9")
        answer = offers.found(quote, [Row(offer=HYPERSTACK, envelope=envelope())], rules=RULES, now=clock(12, 35))
        assert answer.text.startswith("Change p4wd9 to 1x H100 in EU, on demand, 6 h from ready")
        assert labels(answer.blocks)[0] == "Rent from $2.15/h"

    @pytest.mark.parametrize(
        ("changes", "head"),
        [
            (
                {"count": 8, "max_gpu_rate": Decimal("2.50")},
                "8x H100 in EU, on demand, under $2.50 per GPU, 6 h from ready",
            ),
            (
                {"count": 4, "max_gpu_rate": Decimal(8), "cap_said_per_gpu": False},
                "4x H100 in EU, on demand, under $8.00 per GPU, $32.00/h in all, 6 h from ready",
            ),
            ({"vendor": "nebius"}, "1x H100 in EU from Nebius, on demand, 6 h from ready"),
        ],
    )
    def test_the_first_line_says_all_that_was_understood(self, changes: dict[str, Any], head: str) -> None:
        quote = changed(QUOTE, request=changed(QUOTE.request, **changes))
        answer = offers.found(quote, [Row(offer=HYPERSTACK, envelope=envelope())], rules=RULES, now=clock(12, 35))
        assert answer.text.splitlines()[0] == head

    def test_a_refused_token_is_not_called_silence(self) -> None:
        answer = offers.unanswered(QUOTE, now=clock(12, 35), locked_out=True)
        assert answer.text == (
            "Compute Clear refuses my token, so I can't look now; the admins know. "
            "Nothing is rented, and I won't rent later on my own."
        )


class TestTelling:
    asked = happened(K.STILL_NEEDED, clock(14, 40), id=8, span=29 * M + 59 * H / 3600)

    def test_how_long_it_was_quiet_is_told_to_the_minute(self) -> None:
        assert "nothing here for 30 min." in told(MessageKind.DIRECT, ready(self.asked), clock(14, 40), self.asked)

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (
                happened(K.EXTENDED, clock(14, 41), ANA, id=9, span=2 * H, until=clock(20, 40)),
                "Still needed? k7mq2: yes. It ends 20:40.",
            ),
            (
                happened(K.EXTENDED, clock(14, 41), CARL, id=9, span=2 * H, until=clock(20, 40)),
                "Still needed? k7mq2: Carl extended it by 2 h: it ends 20:40.",
            ),
            (
                happened(K.EXTENSION_ASKED, clock(14, 41), ANA, id=9, until=clock(20, 40), since=clock(18, 40)),
                "Still needed? k7mq2: more time is asked for. An approver decides. "
                "Its end, 18:40, stands until then.",
            ),
        ],
    )
    def test_the_owner_is_not_spoken_of_by_name(self, answer: Event, words: str) -> None:
        assert told(MessageKind.DIRECT, ready(self.asked, answer), clock(14, 41), self.asked) == words

    def test_a_question_that_was_asked_again_says_when(self) -> None:
        again = happened(K.STILL_NEEDED, clock(17, 40), id=9)
        assert told(MessageKind.DIRECT, ready(self.asked, again), clock(17, 40), self.asked) == (
            "Still needed? k7mq2: no answer. I asked again at 17:40."
        )

    def test_who_is_on_it_reads_it_so(self) -> None:
        alarm = happened(K.NOT_CONFIRMED, clock(18, 46), id=11)
        details = ready(alarm, state=State.DESTROYING, alarms=1, taken_on_by=CARL)
        assert told(MessageKind.DIRECT, details, clock(18, 47), alarm, to=CARL).endswith("You are on it.")
        assert told(MessageKind.DIRECT, details, clock(18, 47), alarm, to=ANA).endswith("Carl is on it.")

    @pytest.mark.parametrize("kind", [K.STILL_NEEDED, K.ENDING])
    def test_questions_about_what_is_gone_say_that_and_no_money_again(self, kind: EventKind) -> None:
        event = happened(kind, clock(18, 10), id=8, until=clock(18, 40))
        assert told(MessageKind.DIRECT, gone(event), clock(18, 42), event) == "Destroyed 18:41: 1x H100 (k7mq2)."
        dying = ready(event, state=State.DESTROYING)
        assert told(MessageKind.DIRECT, dying, clock(18, 40), event) == "Being destroyed: 1x H100 (k7mq2)."

    @pytest.mark.parametrize(
        ("amount", "words"), [(0, "Nothing is rented."), (420_000, "$0.42 so far."), (None, "")]
    )
    def test_who_is_asked_again_reads_whether_something_is_rented(self, amount: int | None, words: str) -> None:
        again = happened(
            K.ASKED_AGAIN,
            clock(12, 39),
            why=Why.BUYING_BLOCKED,
            amount=amount,
            estimated=None if amount is None else False,
            rate=Decimal("1.90"),
        )
        told_then = f"Waiting for a decision: buying was held up too long. {words} Now $1.90/h.".replace("  ", " ")
        assert told(MessageKind.THREAD, making(), clock(12, 39), again) == told_then

    def test_a_wish_that_was_taken_back(self) -> None:
        back = happened(K.EXTENSION_WITHDRAWN, clock(18, 12), ANA, until=clock(18, 40))
        assert told(MessageKind.THREAD, ready(back), clock(18, 12), back) == (
            "Ana no longer asks for more time: it ends 18:40."
        )

    def test_what_was_withdrawn_by_command_reads_as_by_button(self) -> None:
        ended = happened(K.ENDED, clock(14, 9), ANA, end=State.WITHDRAWN, amount=0, estimated=False)
        assert told(MessageKind.THREAD, waiting(ended), clock(14, 9), ended) == (
            "Withdrawn by Ana at 14:09. Nothing was rented."
        )


class TestMoreTime:
    def test_a_wish_for_more_time_can_be_taken_back_on_the_card(self) -> None:
        message = Message(
            kind=MessageKind.CARD, to=to_channel("C0TRAIN"), rental_id="k7mq2", created_at=clock(18, 10)
        )
        rendered = render_message(message, None, ready(extension=LONGER), rules=RULES, now=clock(18, 10))
        assert rendered is not None
        assert labels(rendered.blocks) == ["Details", "Don't extend", "Destroy k7mq2"]
        assert rendered.blocks[-1]["elements"][1]["action_id"] == Action.WITHDRAW

    def test_a_wish_for_more_time_can_be_taken_back_in_the_message_that_it_is_ready(self) -> None:
        details = ready(extension=LONGER)
        message = Message(kind=MessageKind.DIRECT, to=to_person(ANA), rental_id="k7mq2", created_at=clock(18, 10))
        rendered = render_message(message, details.events[0], details, rules=RULES, now=clock(18, 10))
        assert rendered is not None
        assert labels(rendered.blocks) == ["Don't extend", "Destroy k7mq2"]

    def test_the_dialog_says_that_it_is_asked_for_already(self) -> None:
        view = modals.extend(ready(extension=LONGER), rules=RULES, now=clock(18, 10))
        assert view["blocks"][0]["text"]["text"] == "More time is asked for already. An approver decides."

    def test_who_approves_it_reads_how_much_more(self) -> None:
        view = modals.approve_confirm(ready(extension=LONGER), rules=RULES)
        assert view["blocks"][0]["text"]["text"].startswith("1x H100 EU, 24 h more, for Ana: ")

    def test_withdrawing_what_was_never_rented_names_no_money(self) -> None:
        view = modals.destroy_confirm(waiting())
        assert view["blocks"][0]["text"]["text"] == (
            "8x H100, Ana. It is not asked for any more. Nothing is rented."
        )


class TestLooking:
    @pytest.mark.parametrize("state", [State.AWAITING_APPROVAL, State.DENIED, State.EXPIRED, State.WITHDRAWN])
    def test_what_nobody_allowed_was_asked_for(self, state: State) -> None:
        shown = lists.show(waiting(state=state), reader=ANA, sees_money=True, rules=RULES, now=clock(14, 6))
        assert "Asked for: up to $21.16/h, $137.54 in all." in shown.text

    def test_help_names_every_command(self) -> None:
        text = lists.help_(admin=True, user=True, rules=RULES).text
        for name in [
            "get",
            "key",
            "list",
            "show",
            "ssh",
            "extend",
            "keep",
            "destroy",
            "catalog",
            "pause",
            "resume",
        ]:
            assert f"/gpu {name}" in text
