"""The eight messages that matter most: each has its facts, in blocks of any kind and in its fallback text.

A workspace that refuses newer blocks shows classic ones; a notification and a screen reader have the text alone.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

import pytest

from bot.model.attempt import AttemptState, Why
from bot.model.base import changed
from bot.model.budget import UseCosts
from bot.model.event import EventKind
from bot.model.message import MessageKind
from bot.model.summary import OfferChoice
from handlers.messages import offers
from handlers.phrases.blocks import Json, Rendered
from handlers.phrases.classic import classic
from sandbox.slack.render import Reader, mrkdwn, reads
from tests.views.boot_script_stories import FIRST, HOST_KEY, key, line, sent
from tests.views.screens import outbox
from tests.views.stories import (
    ANA,
    ASKED,
    BEN,
    HYPERSTACK,
    NEBIUS,
    QUOTE,
    READY_EVENT,
    SCALEWAY,
    M,
    attempt,
    clock,
    envelope,
    gone,
    happened,
    making,
    reading,
    ready,
    request,
    view_of,
    waiting,
)

NAME = r"1x H100 \(k7mq2\)"
BENS = key(BEN, "ben@laptop", line(2))
DISK = r"disk is deleted|deleted with"
SSH = r"ssh root@203\.0\.113\.7"
STOPS = r"(?i)shut\w+ (?:it )?down from inside doesn't stop billing"


COSTS = UseCosts(used=7_381_333, connected=3_000_000, idle=3_100_000, unknown=1_200_000)


class Told(NamedTuple):
    """One of the eight messages, as its reader gets it."""

    rendered: Rendered | None
    now: datetime
    facts: dict[str, str]
    """What it must say, each as a pattern."""
    never: str = "<!|undefined|None"


def _offers() -> Told:
    now = clock(12, 35)
    rows = [OfferChoice(offer=each, envelope=envelope(), usual=3 * M) for each in (HYPERSTACK, NEBIUS, SCALEWAY)]
    rendered = offers.found(view_of(QUOTE, rows), reading(now), everything=False)
    facts = {
        "what": r"1x H100 in EU",
        "how long": r"\b6 h\b",
        "first": r"\$2\.15/h\W+Hyperstack",
        "second": r"\$2\.42/h\W+Nebius",
        "third": r"\$3\.11/h\W+Scaleway",
        "about": r"\$12\.90",
        "at most": r"at most\W+\$16\.06",
        "if it sells out": r"up to \$2\.47/h",
        "valid until": r"valid until \d\d:\d\d",
    }
    return Told(rendered, now, facts)


def _card_starting() -> Told:
    now = clock(12, 38, 40)
    known = {"rate": NEBIUS.rate, "vendor": "nebius", "vendor_region": "eu-north1", "attempts": 2}
    first, second = (
        changed(attempt(1, HYPERSTACK, clock(12, 36), AttemptState.FAILED), why=Why.SOLD_OUT),
        attempt(2, NEBIUS, clock(12, 37)),
    )
    details = making()
    details = changed(details, rental=changed(details.rental, **known), attempts=(first, second))
    facts = {
        "what": NAME,
        "place": "EU",
        "whose": "Ana",
        "state": "Starting",
        "before": "Hyperstack[^.]*sold out",
        "now": "Nebius",
        "price": r"\$2\.42/h",
        "how far": "2 min 40 s",
        "how long": "about 3 min",
    }
    return Told(outbox(MessageKind.CARD, details, now), now, facts)


def _card_ready() -> Told:
    now = clock(12, 45)
    facts = {
        "what": NAME,
        "state": "Ready",
        "whose": "Ana",
        "end": "18:40",
        "price": r"\$2\.42/h since 12:37",
        "note": "fine-tune run 7",
    }
    return Told(outbox(MessageKind.CARD, ready(), now), now, facts)


def _ready() -> Told:
    now = READY_EVENT.at
    details = sent(FIRST, BENS, setup="torch", probe=True, request=request(setup="torch"))
    facts = {
        "what": NAME,
        "state": "is ready",
        "login": SSH,
        "end": "18:40",
        "price": r"\$2\.42/h",
        "highest price": r"at most \$16\.06",
        "own key": '"you@laptop"',
        "other keys": "Ben's",
        "place": "Nebius eu-north1",
        "disk": DISK,
        "billing": STOPS,
        "host key": re.escape(HOST_KEY),
        "setup": "/var/lib/gpubot/setup.log",
        "monitored": "every 2 min",
    }
    return Told(outbox(MessageKind.DIRECT, details, now, READY_EVENT, to=ANA), now, facts)


def _shared() -> Told:
    now = READY_EVENT.at
    details = changed(
        sent(FIRST, BENS, setup="torch", probe=True, request=request(setup="torch")), sees_money=False
    )
    facts = {
        "whose": "Ana",
        "what": NAME,
        "login": SSH,
        "end": "18:40",
        "own key": '"ben@laptop"',
        "disk": DISK,
        "billing": STOPS,
        "host key": re.escape(HOST_KEY),
        "setup": "/var/lib/gpubot/setup.log",
        "monitored": "every 2 min",
    }
    return Told(outbox(MessageKind.DIRECT, details, now, READY_EVENT, to=BEN), now, facts, never=r"\$\d")


def _approval() -> Told:
    now = clock(14, 5)
    facts = {
        "highest price": r"\$137\.54",
        "who": "Ana",
        "what": r"8x H100 \(p4wd9\) in EU",
        "how long": r"\b6 h\b",
        "why": "fine-tune run 7",
        "price": r"\$18\.40/h",
        "highest rate": r"up to \$21\.16/h",
        "limits": r"\$10\.00/h(?:,| and) \$100\.00",
        "other machines": r"1x A100 \(a2bc3\)",
        "expires": "22:05",
    }
    return Told(outbox(MessageKind.APPROVAL, waiting(), now, ASKED, to="C0GPUS"), now, facts)


def _receipt() -> Told:
    now = clock(18, 42)
    event = happened(EventKind.ENDING, clock(18, 10), id=9, until=clock(18, 40), span=30 * M)
    facts = {
        "what": NAME,
        "ended": "18:41",
        "total": r"\$14\.68",
        "runtime": "6 h 4 min",
        "price": r"\$2\.42/h",
        "idle": r"\$3\.10",
        "deletion": "confirm",
    }
    details = changed(gone(event), use_costs=COSTS)
    return Told(outbox(MessageKind.DIRECT, details, now, event), now, facts)


MESSAGES = {
    "offers": _offers,
    "card that starts": _card_starting,
    "card that is ready": _card_ready,
    "ready, to the owner": _ready,
    "ready, to a teammate": _shared,
    "approval": _approval,
    "receipt": _receipt,
}


def _shown(blocks: list[Json], now: datetime) -> str:
    return reads(blocks, _reader(now))


def _reader(now: datetime) -> Reader:
    return Reader("UTC", now, lambda _: None, lambda _: None, lambda _: None)


@pytest.mark.parametrize("name", MESSAGES)
def test_each_message_has_its_facts_in_newer_blocks_in_classic_blocks_and_in_its_text(name: str) -> None:
    told = MESSAGES[name]()
    assert told.rendered is not None
    blocks = list(told.rendered.blocks)
    ways = {
        "newer blocks": _shown(blocks, told.now),
        "classic blocks": _shown(classic(blocks), told.now),
        "text": mrkdwn(told.rendered.text, _reader(told.now)),
    }
    missing = [
        f"{way}: {fact}"
        for way, words in ways.items()
        for fact, pattern in told.facts.items()
        if not re.search(pattern, words)
    ]
    assert missing == [], ways
    assert not [way for way, words in ways.items() if re.search(told.never, words)]
