"""Direct messages, approvals and notices, in the storyboard's words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.event import Event, EventKind, Facts
from bot.model.message import Message, MessageKind, to_channel
from bot.model.rental import Decider, Extension
from bot.model.state import State
from handlers.views.render import render_message
from tests.slack_limits import problems_of_message
from tests.views.showing import direct, show
from tests.views.stories import (
    ANA,
    ASKED,
    BEN,
    CARL,
    READY_EVENT,
    RULES,
    H,
    M,
    clock,
    envelope,
    gone,
    happened,
    labels,
    making,
    read,
    ready,
    rental,
    waiting,
)

K = EventKind


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

    def test_a_shorter_lease_than_asked_for_says_why(self) -> None:
        text, _ = direct(READY_EVENT, ready(ends_at=clock(17, 40)), clock(12, 40))
        assert text.splitlines()[0] == (
            "Your 1x H100 (k7mq2) is ready until 17:40, at $2.42/h. "
            "That is sooner than asked: it bills more than planned, and at most $16.06 was accepted."
        )

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
        details = changed(
            making(),
            rental=rental(
                State.AWAITING_APPROVAL,
                decider=Decider.OWNER,
                envelope=envelope("2.90", "2.90", 18_850_000, version=2),
                lapses_at=clock(20, 39),
            ),
            events=(again,),
        )
        assert direct(again, details, clock(12, 39)) == (
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
                happened(K.EXPIRED, clock(22, 5), amount=0, estimated=False),
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
        details = waiting(answer, envelope=envelope("18.40", "21.16", 137_540_000, count=8, version=2))
        rendered = show(MessageKind.APPROVAL, details, clock(14, 12), ASKED, shown=1)
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
        details = ready(asked, extension=longer, spent=13_430_000)
        message = Message(
            kind=MessageKind.APPROVAL,
            to=to_channel("C0GPUS"),
            rental_id="k7mq2",
            envelope=2,
            shown=1,
            created_at=clock(18, 10),
        )
        rendered = render_message(message, asked, details, rules=RULES, now=clock(18, 10))
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
            (
                K.STEP_FAILED,
                Facts(name="k7mq2", number="E-4F2K", count=3, until=clock(19, 10)),
                "I can't look after k7mq2: that failed 3 times in a row. I keep trying. If it goes on, I delete "
                "its machine at 19:10. Tell an admin the number E-4F2K; it is in my log.",
            ),
            (
                K.STEP_FAILED,
                Facts(name="k7mq2", number="E-4F2K", count=4),
                "I can't look after k7mq2: that failed 4 times in a row. I keep trying. "
                "Tell an admin the number E-4F2K; it is in my log.",
            ),
            (K.STEP_WORKS, Facts(name="k7mq2", number="E-4F2K"), "I look after k7mq2 again (E-4F2K)."),
            (
                K.DELETED_OVERDUE,
                Facts(name="k7mq2", since=clock(18, 40)),
                "Deleted k7mq2's machine: it should have ended at 18:40, and my usual way failed. "
                "The vendor has yet to confirm it.",
            ),
            (
                K.NO_WRITES,
                Facts(span=30 * M),
                "My database takes no writes, so nothing can be rented, extended or decided. "
                "What runs is still deleted, 30 min after its end. Make room on its disk and I go on.",
            ),
            (
                K.NO_WRITES,
                Facts(name="k7mq2", since=clock(18, 40), until=clock(19, 10)),
                "Extend can't be written now for k7mq2: my database takes no writes. It ends at 18:40 and is "
                "deleted at 19:10. Copy results off: the disk goes too.",
            ),
            (
                K.NO_READS,
                Facts(),
                "I can't read my database, so I delete nothing, and what runs bills on past its end. "
                "Bring it back and I go on. Until then, end machines in Compute Clear.",
            ),
            (K.STORE_BACK, Facts(), "My database works again. I go on where I was."),
            (K.STORE_BACK, Facts(name="k7mq2"), "Extend works again for k7mq2."),
        ],
    )
    def test_notices(self, kind: EventKind, facts: Facts, words: str) -> None:
        event = Event(rental_id=None, kind=kind, at=clock(13, 0), facts=facts)
        assert read(show(MessageKind.NOTICE, None, clock(13, 0), event).text, clock(13, 0)) == words
