"""The facts that each of the eight most important messages must contain, by recipient.

Each fact has to be in the blocks, in the classic blocks for a workspace that refuses newer ones, and in the
fallback text, which notifications and screen readers use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import pytest

from bot.model.attempt import AttemptState, Why
from bot.model.base import changed
from bot.model.budget import Balance, Demand, Scope, ScopeKind
from bot.model.event import Event, EventKind
from bot.model.facts import OtherOffer
from bot.model.machine_use import OnEnding, OnEndingState
from bot.model.message import MessageKind
from bot.model.summary import OfferChoice, RentalDetails
from handlers.messages import offers
from handlers.phrases.blocks import Rendered
from handlers.phrases.classic import classic, new_types
from tests.slack_limits import problems_of_message
from tests.views.screens import labels, lines_of, outbox, read
from tests.views.startup_script_stories import HOST_KEY
from tests.views.stories import (
    ANA,
    ASKED,
    BEN,
    HYPERSTACK,
    NEBIUS,
    QUOTE,
    READY_EVENT,
    M,
    attempt,
    clock,
    gone,
    happened,
    making,
    reading,
    ready,
    request,
    terms,
    view_of,
    waiting,
)
from tests.views.test_probe_text import probed
from tests.views.test_question_message import IDLE, asked_about, question
from tests.views.test_teammate_message import with_bens_key

K = EventKind
Facts = Mapping[str, str | tuple[str, str]]
"""The required texts by name. A tuple has the text in the blocks and a different one in the fallback text."""
NOTICE = happened(K.ENDING, clock(18, 10), id=10, until=clock(18, 40))
THERE = OnEnding(state=OnEndingState.THERE)
MODEL = "nvidia-h100-sxm5-80gb"


def _model(details: RentalDetails) -> RentalDetails:
    """Return the rental with the model that was bought, so that messages show its full name."""
    return changed(details, rental=changed(details.rental, gpu=MODEL))


def _direct(event: Event, details: RentalDetails, to: str = ANA) -> Rendered | None:
    return outbox(MessageKind.DIRECT, _model(details), event.at, event, to=to)


def _offers() -> Rendered:
    quote = changed(QUOTE, request=request(setup="torch"))
    choices = [OfferChoice(offer=each, terms=terms(), usual=3 * M) for each in (HYPERSTACK, NEBIUS)]
    return offers.found(view_of(quote, choices, teammates=("Ben",)), reading(clock(12, 35), ANA))


def _starting() -> Rendered | None:
    failed = changed(attempt(1, HYPERSTACK, clock(12, 36), AttemptState.FAILED), why=Why.SOLD_OUT)
    approved = happened(K.APPROVED, clock(12, 35), BEN)
    details = changed(
        making(),
        attempts=(failed, attempt(2, NEBIUS, clock(12, 37))),
        events=(approved,),
        rental=changed(making().rental, vendor="nebius", rate=Decimal("2.42")),
    )
    return outbox(MessageKind.CARD, _model(details), clock(12, 37, 40))


def _card_ready() -> Rendered | None:
    details = ready(teammates=(BEN,), on_ending=THERE, on_ending_at=clock(12, 50))
    return outbox(MessageKind.CARD, _model(details), clock(12, 50))


def _notice() -> Rendered | None:
    return _direct(NOTICE, ready(NOTICE, on_ending=THERE, on_ending_at=clock(12, 50)))


def _receipt() -> Rendered | None:
    return outbox(MessageKind.DIRECT, _model(gone(NOTICE)), clock(18, 42), NOTICE)


def _approval() -> Rendered | None:
    other = OtherOffer(vendor="nebius", vendor_region="eu-north1", rate=Decimal("19.36"))
    asked = changed(ASKED, facts=changed(ASKED.facts, read_at=clock(14, 3), other=other))
    vision = Scope(kind=ScopeKind.PROJECT, name="vision")
    balance = Balance(scope=vision, month="2026-11", reserved=89_600_000, spent=1_700_000_000)
    used_up_at = clock(16, 0, day=28)
    demand = Demand(balance=balance, budget=3_000_000_000, more=137_540_000, used_up_at=used_up_at)
    return outbox(MessageKind.APPROVAL, changed(waiting(asked), demands=(demand,)), clock(14, 5), asked, shown=0)


CASES: Mapping[str, tuple[Callable[[], Rendered | None], Facts]] = {
    "offers, to the person who asked": (
        _offers,
        {
            "what was understood": "*1x H100 in EU*",
            "for how long": "6 h",
            "the setup script": "setup torch",
            "who shares it": "shared with Ben",
            "the price": "*$2.15/h*",
            "where": "Hyperstack nor-1, SXM 80 GB",
            "what it probably costs": "About $12.90",
            "the most that it can cost": "*at most $16.06* including startup and shutdown",
            "that it can sell out, and what happens": "If this offer sells out, I'll take another up to $2.47/h.",
            "the next offer": "*$2.42/h* Nebius eu-north1",
            "until when prices are valid": "Prices are valid until 13:05.",
        },
    ),
    "the card while it starts, to the channel": (
        _starting,
        {
            "which machine": "Starting: 1x H100 SXM 80 GB (k7mq2) in EU",
            "for whom": "for Ana",
            "who approved it": "Ben approved it",
            "what failed": "Hyperstack seems to be sold out",
            "where it starts": ("Nebius at $2.42/h", "Nebius is starting the machine at $2.42/h."),
            "how far it is": ("1 min 40 s of about 3 min", "1 min 40 s of about 3 min have passed."),
        },
    ),
    "the card once ready, to the channel": (
        _card_ready,
        {
            "which machine": "Ready: 1x H100 SXM 80 GB (k7mq2) in EU",
            "whose": ("Owner: Ana with Ben", "for Ana with Ben"),
            "its end": ("Ends: 18:40", "It ends at 18:40."),
            "its price": ("Price: $2.42/h since 12:37", "It has cost $2.42/h since 12:37."),
            "the note": "fine-tune run 7",
            "the script before its end": "on-ending.sh starts at 18:25.",
        },
    ),
    "ready, to the owner": (
        lambda: _direct(READY_EVENT, probed()),
        {
            "which machine": "Your 1x H100 SXM 80 GB (k7mq2) is ready",
            "how to log in": "ssh root@203.0.113.7",
            "its end": ("Ends: 18:40", "It ends at 18:40."),
            "its price and the most it can cost": (
                "Price: $2.42/h, at most $16.06",
                "It costs $2.42/h, at most $16.06 in all.",
            ),
            "the key that works": '"you@laptop"',
            "keys that don't work yet": 'your key "you@desk" and Ben\'s keys',
            "where": ("Place: Nebius eu-north1", "It runs at Nebius eu-north1."),
            "that the disk is deleted": "*The disk is deleted when the machine ends*,",
            "what doesn't stop billing": "Shutting down from inside doesn't stop billing.",
            "the host key to compare": f"Host key: {HOST_KEY}. Don't connect if ssh shows another.",
            "the setup's log": "/var/lib/gpubot/setup.log",
            "what is monitored": "I check GPU load and SSH connections every 2 min.",
        },
    ),
    "ready, to a teammate": (
        lambda: _direct(READY_EVENT, with_bens_key(host_key=HOST_KEY), BEN),
        {
            "who shares which machine": "Ana shared 1x H100 SXM 80 GB (k7mq2) with you",
            "how to log in": "ssh root@203.0.113.7",
            "its end": ("Ends: 18:40", "It ends at 18:40."),
            "the key, and that it may not work": (
                'Keys: Your key "ben@desk" will work if the vendor runs the startup script.',
                'Your key "ben@desk" will work if the vendor runs the startup script.',
            ),
            "what to do then": "Ana can add it with /gpu share k7mq2",
            "that the disk is deleted": "*The disk is deleted when the machine ends*,",
            "what doesn't stop billing": "Shutting down from inside doesn't stop billing.",
            "the host key to compare": f"Host key: {HOST_KEY}. Don't connect if ssh shows another.",
        },
    ),
    "the request for approval, to the approvers": (
        _approval,
        {
            "what to decide": "Approve up to $137.54?",
            "who wants which machine for how long": "Ana wants *8x H100 (p4wd9) in EU for 6 h*",
            "why": '"fine-tune run 7"',
            "who is asked": "<!subteam^S0GPU>, <@U0BEN>",
            "the price and the highest one": (
                "Price: $18.40/h, or up to $21.16/h if the chosen offer sells out",
                "It costs $18.40/h ($2.30 per GPU-hour), or up to $21.16/h if the chosen offer sells out.",
            ),
            "the limits that it is over": (
                "Exceeds: the limits of $10.00/h and $100.00 per rental",
                "The request exceeds the limits of $10.00/h and $100.00 per rental.",
            ),
            "the budget": "$1,210.40",
            "what is left of it": "$1,072.86 after this",
            "when it is used up": "At today's rate, the budget will be used up on Nov 28.",
            "what the requester already has": "1x A100 (a2bc3)",
            "the alternative": "$19.36/h, Nebius eu-north1",
            "when the prices were read": "14:03",
            "when it expires": "The request expires at 22:05.",
        },
    ),
    "the idle question, to the owner": (
        lambda: _direct(question(IDLE), asked_about(IDLE)),
        {
            "which machine": "Still using your 1x H100 SXM 80 GB (k7mq2)?",
            "how long it has been idle": "It's been idle for 35 min.",
            "what it costs": ("Cost: $2.42/h, $4.96 so far", "It costs $2.42/h, $4.96 so far."),
            "the evidence": ("GPUs: all at 0% since 14:05", "All its GPUs have been at 0% since 14:05."),
            "who is connected": ("Connections: none", "Nobody is connected."),
            "its end": ("Ends: 18:40", "It ends at 18:40."),
            "that nothing is destroyed because of this": "Machines are never destroyed just because they're idle.",
        },
    ),
    "the notice of the end, to the owner": (
        _notice,
        {
            "which machine, and when it ends": "Your 1x H100 SXM 80 GB (k7mq2) ends at 18:40, in 30 min.",
            "that the disk is deleted": "Copy your results off: the disk is deleted with it.",
            "the script before its end": "on-ending.sh starts at 18:25.",
        },
    ),
    "the receipt, to the owner": (
        _receipt,
        {
            "which machine, and when it ended": "Ended at 18:41: 1x H100 SXM 80 GB (k7mq2)",
            "the total": ("Total: $14.68", "It cost $14.68."),
            "how long at which price": ("Runtime: 6 h 4 min at $2.42/h", "It ran for 6 h 4 min at $2.42/h."),
            "that it is deleted": ("Deletion: confirmed", "The vendor confirmed the deletion."),
            "what decides": "the invoice may differ",
        },
    ),
}
CLOCK = clock(12, 0)
"""A clock time in the stories' day, for finding times without a day."""


@pytest.mark.parametrize("case", CASES)
def test_each_fact_is_in_newer_blocks_classic_blocks_and_the_fallback_text(case: str) -> None:
    render, facts = CASES[case]
    shown = render()
    assert shown is not None
    blocks, plain = lines_of(shown.blocks, CLOCK), classic(shown.blocks)
    classic_text, text = "\n".join(lines_of(plain, CLOCK)).replace("*", ""), read(shown.text, CLOCK)
    assert facts
    for what, words in facts.items():
        in_blocks, in_text = words if isinstance(words, tuple) else (words, words)
        assert in_blocks in "\n".join(blocks), what
        assert in_blocks.replace("*", "") in classic_text, what
        assert in_text in text, what
    assert not new_types(plain)
    # The check reports the mention of approvers in both, which is intended here because it pings them.
    assert {*problems_of_message(shown.text, plain)} <= {*problems_of_message(shown.text, shown.blocks)}


@pytest.mark.parametrize("case", ["ready, to a teammate"])
def test_a_teammate_sees_no_price_and_no_destroy_button(case: str) -> None:
    shown = CASES[case][0]()
    assert shown is not None
    assert "$" not in read(shown.text, CLOCK) + "".join(
        line for line in lines_of(shown.blocks, CLOCK) if not line.startswith("$ ssh ")
    )
    assert not any(label.startswith("Destroy") for label in labels(shown.blocks))


def test_headers_and_buttons_have_no_clock_time() -> None:
    """Slack doesn't render date tokens in headers and buttons."""
    for render, _ in CASES.values():
        shown = render()
        assert shown is not None
        headers = [block["text"]["text"] for block in shown.blocks if block["type"] == "header"]
        plans = [str(block) for block in shown.blocks if block["type"] == "plan"]
        assert not any(
            "<!date" in text or ":" in text.replace("Starting:", "") for text in labels(shown.blocks) + headers
        )
        assert "<!date" not in "".join(plans)
