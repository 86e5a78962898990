"""Requests as people type them: each is read as it was meant, and `now` rents only what has one meaning."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest

from bot.errors import Mistake
from bot.model.base import changed
from bot.model.request import Request
from handlers.parsing.commands import Get
from handlers.parsing.request_text import request_text
from tests.handlers.parsing_helpers import LEASE, command
from tests.handlers.requests_corpus import CORPUS

NOTE = re.compile(r"\s*(?:--|—|–)(?=\s|$).*|$")
UNAMBIGUOUS = [text for text, meant in CORPUS if meant.startswith("=")]
OTHER = [text for text, meant in CORPUS if not meant.startswith("=")]


def says_now(text: str) -> bool:
    return "now" in NOTE.split(text)[0].lower().split()


def with_now(text: str) -> str:
    """Return the text with `now` in front of its note."""
    return text if says_now(text) else NOTE.sub(lambda note: " now" + note.group(), text, count=1)


def meaning_of(text: str) -> Request | str:
    """Return the request, or the first sentence of the mistake in lower case."""
    try:
        found = command(text)
    except Mistake as mistake:
        return mistake.words.partition("Try:")[0].lower()
    assert isinstance(found, Get)
    return changed(found.request, note=found.request.note.lower())


def test_the_corpus_is_large_and_has_no_request_twice() -> None:
    assert len(CORPUS) >= 260
    assert len({text for text, _ in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize(("text", "meant"), CORPUS)
def test_a_request_is_read_as_it_was_meant(text: str, meant: str) -> None:
    sign, _, words = meant.partition(" ")
    if sign == "!":
        with pytest.raises(Mistake) as caught:
            command(text)
        assert words in caught.value.words
        assert "Try: " in caught.value.words
        assert len(caught.value.words) < 400
    else:
        found = command(text)
        assert isinstance(found, Get)
        assert request_text(found.request, default_lease=LEASE) == words


MISTAKES = [text for text, meant in CORPUS if meant.startswith("!")]


@pytest.mark.parametrize("text", MISTAKES)
def test_the_command_that_a_mistake_suggests_is_readable(text: str) -> None:
    with pytest.raises(Mistake) as caught:
        command(text)
    for suggested in caught.value.words.rpartition("Try: ")[2].split(", or "):
        assert suggested.startswith("/gpu get ")
        assert isinstance(command(suggested), Get)


@pytest.mark.parametrize(
    "text",
    ["h100 no spot", "h100 without spot", "h100 not in us", "h100 outside eu", "h100 except nebius",
     "h100 over $3", "h100 more than $3", "h100 > $3", "h100 at least 6h", "h100 minimum 6h"],
)  # fmt: skip
def test_a_suggestion_leaves_out_words_after_a_negation_or_minimum(text: str) -> None:
    with pytest.raises(Mistake) as caught:
        command(f"get {text}")
    assert caught.value.words.endswith("Try: /gpu get H100")


@pytest.mark.parametrize("text", UNAMBIGUOUS)
def test_now_rents_an_unambiguous_request(text: str) -> None:
    found = command(with_now(text))
    assert isinstance(found, Get)
    assert found.now


@pytest.mark.parametrize("text", OTHER)
def test_now_rents_no_other_request(text: str) -> None:
    with suppress(Mistake):
        for typed in (text, with_now(text), f"{text} now", f"{text} asap now"):
            found = command(typed)
            assert isinstance(found, Get)
            assert not found.now


@pytest.mark.parametrize("text", [text for text, _ in CORPUS])
def test_capitals_and_spaces_do_not_change_the_meaning(text: str) -> None:
    meaning = meaning_of(text)
    for typed in (text.upper(), text.lower(), text.replace(" ", "  "), f"  {text} "):
        assert meaning_of(typed) == meaning


@pytest.mark.parametrize("text", UNAMBIGUOUS)
def test_the_text_that_the_bot_writes_for_a_request_is_unambiguous(text: str) -> None:
    found = command(text)
    assert isinstance(found, Get)
    request = changed(found.request, note="")
    assert command(f"get {request_text(request, default_lease=LEASE)} now") == Get(request=request, now=True)
