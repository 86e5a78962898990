"""The rules of delivery that need neither Slack nor a store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from slack_sdk.errors import SlackApiError

from bot.model.base import changed
from bot.model.message import Destination, Message, MessageKind, to_channel, to_person
from bot.policy.rules import Rules
from handlers.delivery.duplicates import other_posts
from handlers.delivery.fallback import next_destination
from handlers.delivery.posting import digest, post_target
from handlers.delivery.read_back import Place
from handlers.delivery.reposts import LONGEST_WAIT, SEARCH_AFTER, Repost, due
from handlers.slack_api.error_codes import is_temporary
from handlers.views.blocks import Rendered
from tests.handlers.team import NOON
from tests.store import make

CARD, THREAD, APPROVAL = MessageKind.CARD, MessageKind.THREAD, MessageKind.APPROVAL
TRAINING, HOME = to_channel("C0TRAIN"), to_channel("C0HOME")
ANA, BEN, CLEO = to_person("U0ANA"), to_person("U0BEN"), to_person("U0CLEO")
RULES = Rules(home_channel=HOME.value, admins=(BEN.value, CLEO.value))
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("kind", "owner", "chain"),
    [
        (CARD, ANA, [TRAINING, HOME, ANA, BEN, CLEO]),
        (THREAD, ANA, [TRAINING, HOME, ANA, BEN, CLEO]),
        (CARD, CLEO, [TRAINING, HOME, CLEO, BEN]),
        (APPROVAL, ANA, [TRAINING, HOME, BEN, CLEO]),
        (MessageKind.DIRECT, ANA, [ANA]),
        (MessageKind.NOTICE, ANA, [BEN]),
        (MessageKind.REPLY, ANA, [ANA]),
    ],
)
def test_a_refused_message_goes_to_the_home_channel_then_the_owner_then_the_admins(
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
def test_a_thread_reply_is_posted_below_its_card_and_any_other_message_to_its_destination(
    kind: MessageKind, card: tuple[str | None, str | None] | None, target: tuple[Destination, str | None]
) -> None:
    """The channel of a posted card is the one that Slack answered with."""
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
def test_every_error_that_is_not_documented_as_temporary_refuses_the_destination(
    code: str, *, temporary: bool
) -> None:
    assert is_temporary(refused(code)) is temporary


@pytest.mark.parametrize(
    ("places", "others"),
    [
        ([], []),
        ([("C1", "2.0")], []),
        ([("C1", "1.0"), ("C1", "2.0")], [("C1", "1.0")]),
        ([("C1", "3.0"), ("C1", "2.0"), ("C1", "1.0")], [("C1", "3.0"), ("C1", "1.0")]),
        ([("C2", "2.0")], [("C2", "2.0")]),
    ],
)
def test_of_several_posts_of_a_message_the_one_that_the_outbox_knows_keeps_its_buttons(
    places: list[Place], others: list[Place]
) -> None:
    known = changed(message(CARD, TRAINING), channel="C1", ts="2.0")
    assert other_posts(known, places) == others


@pytest.mark.parametrize(
    ("times", "wait"), [(1, 10 * MINUTE), (2, 20 * MINUTE), (3, 40 * MINUTE), (6, 320 * MINUTE), (7, LONGEST_WAIT)]
)
def test_each_further_post_in_an_unreadable_conversation_waits_twice_as_long(times: int, wait: timedelta) -> None:
    assert Repost(at=NOON, times=times).next_repost_at == NOON + wait
    assert Repost(at=NOON, times=times + 1000).next_repost_at == NOON + LONGEST_WAIT


def test_the_other_post_is_searched_for_five_times_and_then_no_more() -> None:
    searches = [Repost(at=NOON, looks=looks).search_at for looks in range(len(SEARCH_AFTER) + 1)]
    assert searches == [*(NOON + after for after in SEARCH_AFTER), None]


def test_searches_are_due_at_their_time_and_so_is_the_removal_of_what_needs_none() -> None:
    known = {1: Repost(at=NOON), 2: Repost(at=NOON, looks=1), 3: Repost(at=NOON, looks=len(SEARCH_AFTER))}
    assert due(known, NOON) == [3]
    assert due(known, NOON + SEARCH_AFTER[0]) == [1, 3]
    assert due(known, NOON + SEARCH_AFTER[1]) == [1, 2, 3]


def test_a_digest_changes_with_the_text_and_with_the_blocks_alone() -> None:
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
