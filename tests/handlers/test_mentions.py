"""People in commands: teammates get access, and unclear mentions are questioned."""

from __future__ import annotations

import pytest

from bot.errors import Mistake
from handlers.typed.commands import Share
from handlers.typed.draft import Get
from tests.handlers.parsing_helpers import command, request_of

BEN, CLEO = "<@U0BEN0000|ben>", "<@U0CLEO000|cleo>"
IDS = ("U0BEN0000", "U0CLEO000")


@pytest.mark.parametrize(
    ("text", "people"),
    [
        (f"H100 EU with {BEN} for 6h", IDS[:1]),
        (f"with {BEN} H100 EU for 6h", IDS[:1]),
        (f"H100 EU for 6h with {BEN} {CLEO}", IDS),
        (f"H100 EU for 6h with {BEN} and {CLEO}", IDS),
        (f"H100 EU for 6h with {BEN}, {CLEO}", IDS),
        (f"H100 EU for 6h with {BEN} &amp; {CLEO}", IDS),
        (f"H100 EU with {BEN} for 6h with {CLEO}", IDS),
        (f"H100 EU  with  {BEN}{CLEO} for 6h", IDS),
        (f"H100 EU for 6h With {BEN} {BEN}", IDS[:1]),
        ("H100 EU for 6h with <@U0BEN0000>", IDS[:1]),
        (f"H100 EU for 6h -- the run of {BEN}", ()),
        (f"H100 EU for 6h -- with {BEN}", ()),
    ],
)
def test_the_people_after_with_become_teammates(text: str, people: tuple[str, ...]) -> None:
    request = request_of(text)
    assert (request.gpu, request.region, request.lease.total_seconds() / 3600) == ("H100", "EU", 6)
    assert request.teammates == people


@pytest.mark.parametrize("text", ["get H100 EU with ", "share k7mq2 "])
def test_more_than_20_people_are_refused(text: str) -> None:
    many = [f"<@U{n:08}>" for n in range(21)]
    assert command(text + " ".join(many[:20]))
    with pytest.raises(Mistake, match="A machine can be shared with at most 20 people"):
        command(text + " ".join(many))


def test_a_request_without_a_verb_can_also_have_people() -> None:
    found = command(f"H100 with {BEN}")
    assert isinstance(found, Get)
    assert found.request.teammates == IDS[:1]


def test_a_note_contains_the_names_of_mentioned_people() -> None:
    assert request_of(f"H100 -- ask {BEN} or <@U0CLEO000>").note == "ask @ben or @U0CLEO000"


@pytest.mark.parametrize("name", ["@ben", "@here", "<!here>", "<!subteam^S0ML|@ml>", "@ben.k"])
def test_a_name_unknown_to_slack_has_to_be_picked_from_the_list(name: str) -> None:
    with pytest.raises(Mistake) as caught:
        command(f"get H100 EU with {name}")
    assert caught.value.words.startswith("I don't know who \"@")
    assert caught.value.words.endswith("type @ and pick the name from Slack's list. Without it: /gpu get H100 EU")


def test_a_mention_without_with_is_questioned() -> None:
    with pytest.raises(Mistake) as caught:
        command(f"get H100 EU for {BEN}")
    assert (
        caught.value.words
        == 'Does @ben get access too? Then type "with" before the name. Try: /gpu get H100 EU with @ben'
    )


def test_suggested_commands_keep_the_people() -> None:
    with pytest.raises(Mistake) as caught:
        command(f"get H100 erope with {BEN} and {CLEO}")
    assert caught.value.words.endswith("Try: /gpu get H100 EU with @ben @cleo")


@pytest.mark.parametrize(
    "text",
    [f"share k7mq2 {BEN} {CLEO}", f"share k7mq2 with {BEN} and {CLEO}", f"share {BEN}, {CLEO} k7mq2"],
)
def test_share_accepts_a_rental_and_people(text: str) -> None:
    assert command(text) == Share(id="k7mq2", people=IDS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("share k7mq2 @ben", 'I don\'t know who "@ben" is. After /gpu share k7mq2, type @'),
        (f"shar k7mq2 {BEN}", "Similar: share. Try: /gpu share k7mq2, or /gpu help"),
    ],
)
def test_an_unclear_share_command_says_what_to_type(text: str, says: str) -> None:
    with pytest.raises(Mistake) as caught:
        command(text)
    assert says in caught.value.words
