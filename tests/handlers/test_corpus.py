"""Requests as people type them are understood as intended, or get suggestions that keep what was understood.

`now` rents only requests with a single meaning, and no suggested line rents anything.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake, RequestMistake
from bot.model.base import changed
from bot.model.request import Request
from handlers.typed.draft import Get
from handlers.typed.requests import request_text
from handlers.typed.typed_text import as_slack_sends_it
from tests.handlers.parsing_helpers import LEASE, command
from tests.handlers.requests_as_typed import TYPED
from tests.handlers.requests_corpus import CORPUS

BEN = "<@U0BEN0000|ben>"
NOTE = re.compile(r"\s*(?:--|—|–)(?=\s|$).*|$")
UNAMBIGUOUS = [text for text, meant in CORPUS if meant.startswith("=")]
OTHER = [text for text, meant in CORPUS if not meant.startswith("=")]


def says_now(text: str) -> bool:
    return "now" in NOTE.split(text)[0].lower().split()


def with_now(text: str) -> str:
    """Return the text with `now` inserted in front of its note."""
    return text if says_now(text) else NOTE.sub(lambda note: " now" + note.group(), text, count=1)


def meaning_of(text: str) -> Request | str:
    """Return the request, or the first sentence of the error in lower case."""
    try:
        found = command(text)
    except Mistake as refused:
        return re.split("Try:|Without it:", refused.words)[0].lower()
    assert isinstance(found, Get)
    return changed(found.request, note=found.request.note.lower())


def got(text: str) -> Get:
    found = command(text)
    assert isinstance(found, Get)
    return found


def mistake(text: str) -> RequestMistake:
    with pytest.raises(RequestMistake) as caught:
        command(text)
    return caught.value


@pytest.mark.parametrize(("table", "least"), [(CORPUS, 260), (TYPED, 240)])
def test_the_tables_are_large_and_contain_no_duplicates(table: list[tuple[str, ...]], least: int) -> None:
    assert len(table) >= least
    assert len({text for text, *_ in table}) == len(table)


def each(check: Callable[..., None], rows: Iterable[tuple[Any, ...]]) -> None:
    """Check each row, and report all rows that fail. A separate test for each row would take ten times as long."""
    wrong = []
    for row in rows:
        try:
            check(*row)
        except (Exception, pytest.fail.Exception) as error:
            wrong.append(f"{row}: {type(error).__name__}: {error}")
    assert wrong == [], "\n\n".join(wrong)


def texts(*of: str) -> list[tuple[str]]:
    return [(text,) for text in of]


def is_read_as_meant(text: str, meant: str) -> None:
    sign, _, words = meant.partition(" ")
    if sign == "!":
        with pytest.raises(Mistake) as caught:
            command(text)
        assert words in caught.value.words
        assert len(caught.value.words) < 400
    else:
        found = command(text)
        assert isinstance(found, Get)
        assert request_text(found.request, default_lease=LEASE) == words


def test_each_request_is_understood_as_intended() -> None:
    each(is_read_as_meant, CORPUS)


def is_read_or_has_these_lines(text: str, meant: str, *lines: str) -> None:
    sign, _, words = meant.partition(" ")
    if sign != "!":
        assert (request_text(got(text).request, default_lease=LEASE), lines) == (words, ())
        assert got(with_now(text)).now == (sign == "=")
        return
    refused = mistake(text)
    assert refused.words.startswith(words)
    assert tuple(line.shown for line in refused.lines) == lines


def test_each_typed_request_is_understood_or_gets_exactly_these_lines() -> None:
    each(is_read_or_has_these_lines, TYPED)


MISTAKES = [text for text, meant, *_ in (*CORPUS, *TYPED) if meant.startswith("!")]


def test_every_suggested_line_parses_as_stated_and_rents_nothing() -> None:
    each(has_lines_that_rent_nothing, texts(*MISTAKES))


def has_lines_that_rent_nothing(text: str) -> None:
    refused = mistake(text)
    assert all(f"/gpu get {line.shown}" in refused.words for line in refused.lines)
    for line in refused.lines:
        found = got(f"get {line.text}")
        assert not found.now
        if not re.search("in all|any vendor|until|gb| at ", line.shown):
            written = {request_text(found.request, default_lease=default) for default in (None, LEASE)}
            assert line.shown in written


@pytest.mark.parametrize(
    "text",
    ["h100 without a spot", "h100 not in us", "h100 outside eu", "h100 except nebius", "h100 anyone but nebius",
     "h100 over $3", "h100 more than $3", "h100 > $3", "h100 at least 6h", "h100 minimum 6h", "h100 never us",
     "h100 avoid nebius", "h100 tired of nebius", "h100 eu max 2.50€", "h100 3 eur", "h100 under 20 sek",
     "h100 in paris us", "h100 in london", "h100 in narnia", "h100 for 100h", "h100 2-4h", "h100 in 2 hours",
     "1.5x h100", "2² h100", "h100 us-east-1 eu", "h100 tomorrow",
     "h100 for 3 months", "h100 vendor 2²", "27 nov 18:00 h100", "h100 vendor €", "h100 aa bb cc dd"],
)  # fmt: skip
def test_no_line_changes_a_number_currency_place_or_exclusion(text: str) -> None:
    assert mistake(f"get {text}").lines == ()


PARTS = {
    "gpu": ("h100", "H100"), "count": ("8x", "8x "), "region": ("eu", " EU"), "contract": ("spot", " spot"),
    "price": ("under $2.50/gpu/h", " under $2.50/GPU/h"), "vendor": ("from nebius", " vendor nebius"),
    "setup": ("setup torch", " setup torch"), "time": ("for 6h", " for 6h"),
    "people": (f"with {BEN}", " with @ben"),
}  # fmt: skip
"""Parts of a request, as people type them and as a suggested line writes them."""
UNREAD = {
    "asdf": {"": ""}, "erope": {"region": " EU"}, "paris": {"region": " EU"}, "us-east-1": {"region": " US"},
    "sopt": {"contract": " spot"}, "at 3.50": {"price": " under $3.50/h"}, "7 hous": {"time": " for 7h"},
    "--foo": {"": ""}, "from aws": {"vendor": " from any vendor"}, "9 gpsu": {"count": "9x "},
    "from nebuis": {"vendor": " vendor nebius"}, "setup torch x": {"setup": " setup torch"},
    "max 2,50€/h": {}, "except nebius": {}, "not us": {}, "2-4h": {}, "in 2 hours": {}, "at least 4x": {},
}  # fmt: skip
"""Unreadable texts as people type them, with the texts that may replace each in a suggested line.

If the replacement is empty, there is no suggested line.
"""


@given(
    kinds=st.sets(st.sampled_from(sorted(PARTS))).map(lambda kinds: sorted(kinds | {"gpu"})),
    unread=st.sampled_from(sorted(UNREAD)),
    note=st.sampled_from(["", " -- run 7, not 8 & <b>"]),
    order=st.randoms(use_true_random=False),
)
def test_a_line_keeps_all_readable_parts_in_any_order(
    kinds: list[str], unread: str, note: str, order: random.Random
) -> None:
    typed = [PARTS[kind][0] for kind in kinds if kind != "setup" or not unread.startswith("setup")] + [unread]
    order.shuffle(typed)
    refused = mistake("get " + " ".join(typed) + as_slack_sends_it(note))
    assert UNREAD[unread] or not refused.lines
    for line in refused.lines:
        kept = {PARTS[kind][1] for kind in kinds} | set(UNREAD[unread].values()) | {note}
        if "9x " not in kept and "8x " not in kept:
            kept = {part.replace(" under $3.50/h", " under $3.50/GPU/h") for part in kept}
        assert all(part in line.shown for part in kept)
        assert len(line.shown) == sum(map(len, kept))
        read = got(f"get {line.text}")
        assert not read.now
        assert (read.request.teammates, read.request.note) == (("U0BEN0000",) * ("people" in kinds), note[4:])


def is_rented_with_now(text: str) -> None:
    assert got(with_now(text)).now


def test_now_rents_every_unambiguous_request() -> None:
    each(is_rented_with_now, texts(*UNAMBIGUOUS))


def test_now_rents_no_ambiguous_request() -> None:
    each(is_not_rented_with_now, texts(*OTHER))


def is_not_rented_with_now(text: str) -> None:
    with suppress(Mistake):
        for typed in (text, with_now(text), f"{text} now", f"{text} asap now"):
            found = command(typed)
            assert isinstance(found, Get)
            assert not found.now


def test_capitals_and_spaces_do_not_change_the_meaning() -> None:
    each(means_the_same_otherwise_written, texts(*(text for text, *_ in (*CORPUS, *TYPED))))


def means_the_same_otherwise_written(text: str) -> None:
    meaning = meaning_of(text)
    for typed in (text.lower(), f"  {text.upper().replace(' ', '  ')} "):
        assert meaning_of(typed) == meaning


def test_the_text_that_the_bot_writes_for_a_request_is_unambiguous() -> None:
    each(is_written_unambiguously, texts(*UNAMBIGUOUS))


def is_written_unambiguously(text: str) -> None:
    request = changed(got(text).request, note="")
    assert command(f"get {request_text(request, default_lease=LEASE)} now") == Get(request=request, now=True)
