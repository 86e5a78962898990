"""The evidence of an episode without problems, which tests then modify.

In the episode, Ana rents one machine and extends it, and then its lease ends.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.client import SeenMessage
from soak.evidence import Evidence, Jump, Machine, MarketRequest, PerformedAction, Post, Purchase
from soak.world import PEOPLE

RENTAL, PORT = "k7mq2", 20022
TOKEN = "xoxb-secret"  # noqa: S105 - of no workspace
CARD_TS = "10.000001"
SUBJECT = "1x H100 (k7mq2) in EU for Ana"
FINAL = f"Ended at 14:06: {SUBJECT}.\nIt cost $5.00. It ran for 2 h 4 min at $2.42/h."
MACHINE = Machine(
    resource_id="r-1",
    offer_id="o-1",
    name="gpubot-k7mq2-1",
    vendor="nebius",
    port=PORT,
    start=datetime(2026, 11, 24, 12, 2, tzinfo=UTC),
    end=datetime(2026, 11, 24, 14, 6, tzinfo=UTC),
    micros=5_000_000,
)
PURCHASE = Purchase("o-1", "nebius", MACHINE.name, MACHINE.start)
SHOWN_END = 1795525500


def at(hour: int, minute: int) -> datetime:
    """Return a time on the day of the episode."""
    return datetime(2026, 11, 24, hour, minute, tzinfo=UTC)


def message(seq: int, text: str, when: datetime, **more: Any) -> SeenMessage:
    """Return a version of a message of the bot. It is the rental's card, unless `more` says otherwise."""
    fields: dict[str, Any] = {
        "seq": seq,
        "at": when,
        "channel": "C0TRAIN00",
        "channel_name": "training",
        "is_dm": False,
        "ts": CARD_TS,
        "author": "gpubot",
        "only_you": False,
        "text": text,
        "reads": text,
    }
    return SeenMessage.model_validate(fields | more)


def button(text: str, value: str) -> dict[str, str]:
    """Return a button in the sandbox's format."""
    return {"text": text, "value": value, "action_id": "destroy", "block_id": "b"}


def reply(seq: int, text: str, when: datetime) -> SeenMessage:
    """Return a reply below the card."""
    return message(seq, text, when, ts=f"10.0001{seq:02d}", thread_ts=CARD_TS)


def private(seq: int, text: str, when: datetime, **more: Any) -> SeenMessage:
    """Return a message that only one person sees."""
    return message(seq, text, when, ts=f"10.0002{seq:02d}", **({"only_you": True} | more))


CARD = (
    message(
        11,
        f"Starting: {SUBJECT}. Nebius is starting the machine at $2.42/h.",
        at(12, 2),
        buttons=[button("Cancel", RENTAL)],
    ),
    message(
        13,
        f"Ready: {SUBJECT}. It ends at 13:05. It has cost $2.42/h since 12:02.",
        at(12, 5),
        buttons=[button("Destroy k7mq2", RENTAL)],
    ),
    message(16, f"Ready: {SUBJECT}. It ends at 14:05. It has cost $2.42/h since 12:02.", at(12, 40)),
    message(18, f"Being destroyed: {SUBJECT}.", at(14, 5)),
    message(20, FINAL, at(14, 6)),
)
THREAD = (
    reply(12, "Renting from Nebius at $2.42/h", at(12, 2)),
    reply(14, "Ready after 3 min: Ana's 1x H100 (k7mq2).", at(12, 5)),
    reply(17, "Ana extended this machine by 1 h. It now ends at 14:05.", at(12, 40)),
    reply(
        21,
        "This machine ended at 14:06, confirmed by the vendor. It cost $5.00.",
        at(14, 6),
    ),
)
PRIVATE = (
    private(5, "1x H100 in EU · 6 h\n$2.42/h Nebius\nPrices are valid until 12:30.", at(12, 0)),
    private(9, "Renting 1x H100 (k7mq2) in EU, from $2.42/h. Follow it in #training.", at(12, 1)),
    private(15, f"`ssh -p {PORT} root@127.0.0.1`", at(12, 5), only_you=False, is_dm=True, channel="D0ANA0000"),
)
ACTIONS = (
    PerformedAction(at=at(12, 0), after=4, who="Ana", kind="command", text="get H100 EU", ok=True),
    PerformedAction(at=at(12, 1), after=8, who="Ana", kind="rent", value="q1:o-1", ok=True),
    PerformedAction(
        at=at(12, 40), after=15, who="Ana", kind="extend", value=f"k7mq2:1:{SHOWN_END}", rental=RENTAL, ok=True
    ),
)


def good() -> Evidence:
    """Return the evidence at the end of the episode."""
    public = (*CARD, *THREAD)
    seen: dict[str, tuple[SeenMessage, ...]] = {"Ana": (*public, *PRIVATE), "Ben": public, "Cleo": public}
    newest = {(each.channel, each.ts): each for each in (*public, PRIVATE[-1])}
    return Evidence(
        now=at(15, 0),
        grace=timedelta(minutes=10),
        people=PEOPLE,
        admin="Cleo",
        approvers=("Ben",),
        seen={**seen, "Dan": (), "Gus": (), "Olga": ()},
        modals=(),
        actions=ACTIONS,
        jumps=(Jump(at(12, 0), at(15, 0), excused=False),),
        machines=(MACHINE,),
        purchases=(PURCHASE,),
        market=(MarketRequest(at(14, 5), "delete_resource", "/resources/r-1", 200),),
        posts=tuple(Post(each.channel, each.ts, str(n), each.text) for n, each in enumerate(newest.values())),
        slow_to_delete=frozenset(),
        uses=(),
        left={},
        reclaimed=frozenset(),
        restored_at=None,
        log=(json.dumps({"event": "interaction", "level": "info"}),),
        secrets=(TOKEN,),
        health={"perhaps_posted_twice": 0},
        cheapest={"1x H100 in EU": Decimal("2.15")},
        calm_since=at(12, 0),
    )


def with_seen(evidence: Evidence, name: str, *more: SeenMessage) -> Evidence:
    """Return the evidence with additional messages that one person saw."""
    return replace(evidence, seen={**evidence.seen, name: (*evidence.seen[name], *more)})


def for_all(evidence: Evidence, *more: SeenMessage) -> Evidence:
    """Return the evidence with additional messages that the whole team saw."""
    for name in ("Ana", "Ben", "Cleo"):
        evidence = with_seen(evidence, name, *more)
    return evidence


def with_card(evidence: Evidence, text: str, **more: Any) -> Evidence:
    """Return the evidence with another text on the card at the end."""
    return for_all(evidence, message(40, text, at(14, 30), **more))


def with_action(evidence: Evidence, **fields: Any) -> Evidence:
    """Return the evidence with an additional acknowledged action of Ana."""
    action: dict[str, Any] = {"at": at(14, 0), "after": 50, "who": "Ana", "ok": True}
    return replace(evidence, actions=(*evidence.actions, PerformedAction(**(action | fields))))


def without_answer(evidence: Evidence, text: str) -> Evidence:
    """Return the evidence without the messages that Ana saw and that contain `text`."""
    left = tuple(each for each in evidence.seen["Ana"] if text not in each.text)
    return replace(evidence, seen={**evidence.seen, "Ana": left})
