"""Parsing of durations and prices, and normalization of text, without a request around them."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from handlers.typed.amounts import DURATION, Money, match_money, parse_duration
from handlers.typed.typed_text import normalize, normalize_within, plain_text, split_note


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("6h", 360),
        ("6 hours", 360),
        ("6hrs", 360),
        ("6-hour", 360),
        ("90m", 90),
        ("90 min", 90),
        ("1.5h", 90),
        ("1h30m", 90),
        ("1h30", 90),
        ("1 h 30 min", 90),
        ("1 hour and 30 minutes", 90),
        ("an hour", 60),
        ("half an hour", 30),
        ("six hours", 360),
        ("two days", 2 * 1440),
        ("2d", 2 * 1440),
        ("1w 1d", 8 * 1440),
        ("120s", 2),
        ("999999999 weeks", 1_000_000 * 60),
    ],
)
def test_every_spelling_of_a_duration_is_understood(text: str, minutes: int) -> None:
    assert re.fullmatch(DURATION, text)
    assert parse_duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["6", "h", "6x", "1.500h", "6h 2d", "6h 6h", "-3h", "1h 30", "8 h100s", "2-4h"])
def test_text_other_than_a_single_duration_is_rejected(text: str) -> None:
    assert not re.fullmatch(DURATION, text)


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("$3", Money(Decimal(3))),
        ("us$3", Money(Decimal(3))),
        ("usd 3", Money(Decimal(3))),
        ("3$", Money(Decimal(3))),
        ("3 dollars", Money(Decimal(3))),
        ("$.50", Money(Decimal("0.50"))),
        ("3/h", Money(Decimal(3), per_hour=True)),
        ("$3 an hour", Money(Decimal(3), per_hour=True)),
        ("$3 hourly", Money(Decimal(3), per_hour=True)),
        ("$3/gpu", Money(Decimal(3), per_gpu=True)),
        ("$3 each", Money(Decimal(3), per_gpu=True)),
        ("$3/gpu/h", Money(Decimal(3), per_gpu=True, per_hour=True)),
        ("$3/h/gpu", Money(Decimal(3), per_gpu=True, per_hour=True)),
        ("$3/gpu-hour", Money(Decimal(3), per_gpu=True, per_hour=True)),
        ("$3 per gpu and hour", Money(Decimal(3), per_gpu=True, per_hour=True)),
        ("$3 or less", Money(Decimal(3), limit=True)),
        ("$3/h max", Money(Decimal(3), per_hour=True, limit=True)),
        ("$20 in total", Money(Decimal(20), total=True)),
        ("$20 budget", Money(Decimal(20), total=True, limit=True)),
        ("$3/h budget", Money(Decimal(3), per_hour=True, limit=True)),
        ("$50/day", Money(Decimal(50), other_unit="/day")),
        ("$50 a month", Money(Decimal(50), other_unit="a month")),
    ],
)
def test_a_price_is_parsed_together_with_the_words_after_it(text: str, money: Money) -> None:
    assert match_money(text, 0) == (len(text), money)


@pytest.mark.parametrize("text", ["3", "$", "$-3", "$3k", "$1e9", "$2.500", "3 h", "€3"])
def test_text_other_than_a_price_is_rejected(text: str) -> None:
    assert match_money(text, 0) is None


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("2,50", "2.50"),
        ("$1.000,50", "$1000.50"),
        ("$1,000.50", "$1000.50"),
        ("2,500", "2,500"),
        ("2.500", "2.500"),
        ("h100,eu; spot", "h100 eu spot"),
        ("8×H100", "8xH100"),
        ("*8x H100*", "8x H100"),
        ("H100's", "H100s"),
        ("region: EU.", "region EU"),
        ("at 18:00", "at 18:00"),
        ("a\n\u200bb", "a b"),
    ],
)
def test_text_is_normalized_but_ambiguous_numbers_stay_unchanged(text: str, normalized: str) -> None:
    assert normalize(text) == normalized


def test_text_that_becomes_too_long_when_normalized_is_refused() -> None:
    assert normalize_within("ab", 2) == "ab"
    assert normalize_within("abc", 2) is None
    assert normalize_within("\ufdfa", 10) is None


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("&lt; $3 &amp; spot", "< $3 & spot"),
        ("&amp;lt;", "&lt;"),
        ("<@U12|ana> <#C1|gpus> <!here> <@U12>", "@ana #gpus @here @U12"),
        ("<https://x.io/a|x.io/a> <mailto:a@b.c>", "x.io/a a@b.c"),
        ("<!subteam^S1|@ml>", "@ml"),
        ("a\u202eb\n", "ab\n"),
    ],
)
def test_slack_markup_is_removed(text: str, plain: str) -> None:
    assert plain_text(text) == plain


@pytest.mark.parametrize(
    ("text", "request_part", "note"),
    [
        ("h100 -- run 7", "h100 ", "run 7"),
        ("h100 — run 7", "h100 ", "run 7"),
        ("h100 --eu", "h100 --eu", ""),
        ("h100 2 – 4 hours", "h100 2 – 4 hours", ""),
        ("h100 -- a -- b", "h100 ", "a -- b"),
    ],
)
def test_a_note_begins_after_a_dash_followed_by_a_space(text: str, request_part: str, note: str) -> None:
    assert split_note(text) == (request_part, note)
