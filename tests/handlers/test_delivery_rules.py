"""The rules of message delivery that need neither Slack nor a store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from slack_sdk.errors import SlackApiError

from bot.model.base import changed
from bot.model.message import Destination, Message, MessageKind, to_channel, to_person
from bot.policy.team.rules import Rules
from handlers.delivery.pending_saves import next_destination
from handlers.delivery.posting import digest, post_target, repost_wait
from handlers.phrases.blocks import Rendered
from handlers.slack_api.web_api import is_temporary
from tests.store import make

CARD, THREAD, APPROVAL = MessageKind.CARD, MessageKind.THREAD, MessageKind.APPROVAL
TRAINING, HOME = to_channel("C0TRAIN"), to_channel("C0HOME")
ANA, BEN, CLEO = to_person("U0ANA"), to_person("U0BEN"), to_person("U0CLEO")
RULES = Rules(home_channel=HOME.value, admins=(BEN.value, CLEO.value))


@pytest.mark.parametrize(
    ("kind", "owner", "chain"),
    [
        (CARD, ANA, [TRAINING, HOME, ANA, BEN, CLEO]),
        (THREAD, ANA, [TRAINING, HOME, ANA, BEN, CLEO]),
        (CARD, CLEO, [TRAINING, HOME, CLEO, BEN]),
        (APPROVAL, ANA, [TRAINING, HOME, BEN, CLEO]),
        (APPROVAL, CLEO, [ANA]),
        (MessageKind.DIRECT, ANA, [ANA]),
        (MessageKind.ALERT, ANA, [BEN]),
        (MessageKind.REPLY, ANA, [ANA]),
        (MessageKind.PROGRAM, ANA, [TRAINING]),
        (MessageKind.REPLY, ANA, [TRAINING]),
    ],
)
def test_a_refused_message_falls_back_to_home_channel_owner_then_admins(
    kind: MessageKind, owner: Destination, chain: list[Destination]
) -> None:
    tried = [chain[0]]
    while (to := next_destination(message(kind, tried[-1]), owner.value, RULES)) is not None:
        tried.append(to)
    assert tried == chain


@pytest.mark.parametrize(
    ("kind", "card", "target"),
    [
        (CARD, None, (TRAINING, None)),
        (APPROVAL, ("C0TRAIN", "1.0"), (TRAINING, None)),
        (THREAD, ("C0TRAIN", "1.0"), (TRAINING, "1.0")),
        (THREAD, ("D0ANA", "1.0"), (to_channel("D0ANA"), "1.0")),
        (THREAD, (None, None), (ANA, None)),
    ],
)
def test_a_thread_reply_is_posted_below_its_card_wherever_that_is(
    kind: MessageKind, card: tuple[str | None, str | None] | None, target: tuple[Destination, str | None]
) -> None:
    """The channel of a posted card is the one that Slack returned."""
    above = None if card is None else changed(message(CARD, ANA), channel=card[0], ts=card[1])
    assert post_target(message(kind, TRAINING), above) == target


@pytest.mark.parametrize(
    ("code", "temporary"),
    [
        ("ratelimited", True),
        ("rate_limited", True),
        ("fatal_error", True),
        ("internal_error", True),
        ("team_added_to_org", True),
        ("not_in_channel", False),
        ("restricted_action_read_only_channel", False),
        ("is_archived", False),
        ("some_error_of_next_year", False),
    ],
)
def test_undocumented_errors_count_as_a_refused_destination(code: str, *, temporary: bool) -> None:
    assert is_temporary(refused(code)) is temporary


@pytest.mark.parametrize(
    ("times", "minutes"), [(0, 0), (1, 10), (2, 20), (3, 40), (6, 320), (7, 360), (1000, 360)]
)
def test_each_further_post_in_an_unreadable_conversation_waits_twice_as_long(times: int, minutes: int) -> None:
    assert repost_wait(times) == timedelta(minutes=minutes)


def test_a_digest_depends_on_both_text_and_blocks() -> None:
    rendered = Rendered(
        text="Ready", blocks=({"type": "divider", "block_id": "b"},), refresh_after=timedelta(seconds=30)
    )
    assert digest(rendered) == digest(changed(rendered, closed=False, refresh_after=None))
    assert digest(rendered) == digest(changed(rendered, blocks=({"block_id": "b", "type": "divider"},)))
    assert digest(rendered) != digest(changed(rendered, text="Ready."))
    assert digest(rendered) != digest(changed(rendered, blocks=()))


def refused(code: str) -> SlackApiError:
    """Return the error that Slack's SDK raises for an answer with this code."""
    error: Callable[[str, dict[str, object]], SlackApiError] = SlackApiError
    return error("refused", {"ok": False, "error": code})


def message(kind: MessageKind, to: Destination) -> Message:
    return changed(make.message(kind), to=to)
