"""Numbers, spans, times and names as people read them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.attempt import Why
from bot.model.money import cost_at_most
from bot.model.request import Contract
from bot.model.state import State
from handlers.views import format
from handlers.views.blocks import cut, plain
from tests.slack_limits import loose_markup
from tests.views import strategies as some
from tests.views.stories import HYPERSTACK, clock, request


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0.00"),
        (1, "&lt;$0.01"),
        (9_999, "&lt;$0.01"),
        (10_000, "$0.01"),
        (14_681_333, "$14.68"),
        (14_685_000, "$14.68"),
        (14_685_001, "$14.69"),
        (1_234_567_890_000, "$1,234,567.89"),
        (-5_000_000, "-$5.00"),
    ],
)
def test_amounts(amount: int, shown: str) -> None:
    assert format.dollars(amount) == shown


@given(amount=some.amount)
def test_what_is_printed_as_the_most_is_never_less(amount: int) -> None:
    shown = Decimal(format.dollars_at_most(amount).replace("$", "").replace(",", ""))
    assert shown * 1_000_000 >= amount
    assert shown * 1_000_000 - amount < 10_000


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        ("2.15", "$2.15/h"),
        ("2.1501", "$2.16/h"),
        ("0.004", "&lt;$0.01/h"),
        ("0", "$0.00/h"),
        ("1234.5", "$1,234.50/h"),
    ],
)
def test_rates_are_rounded_up(rate: str, shown: str) -> None:
    assert format.per_hour(Decimal(rate)) == shown


def test_a_difference_is_that_of_the_prices_as_shown() -> None:
    assert format.difference(Decimal("2.1501"), Decimal("2.42")) == "+$0.26"
    assert format.difference(Decimal("2.42"), Decimal("2.15")) == "-$0.27"
    assert format.difference(Decimal("2.421"), Decimal("2.4299")) == "the same price"


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        ({"seconds": 0}, "0 s"),
        ({"seconds": 51.9}, "51 s"),
        ({"minutes": 2, "seconds": 51}, "2 min 51 s"),
        ({"minutes": 30}, "30 min"),
        ({"hours": 6, "minutes": 4, "seconds": 59}, "6 h 4 min"),
        ({"hours": 24}, "24 h"),
        ({"hours": 51}, "2 days 3 h"),
        ({"hours": 72}, "3 days"),
        ({"seconds": -5}, "0 s"),
    ],
)
def test_spans(length: dict[str, float], shown: str) -> None:
    assert format.span(timedelta(**length)) == shown


def test_estimates_are_told_to_the_minute() -> None:
    assert format.about(timedelta(seconds=10)) == "1 min"
    assert format.about(timedelta(minutes=2, seconds=51)) == "3 min"


def test_a_time_of_today_has_no_day_and_every_other_has() -> None:
    at = format.Times(now=clock(12, 0), zone="UTC")
    stamp = int(clock(18, 40).timestamp())
    assert at.at(clock(18, 40)) == f"<!date^{stamp}^{{time}}|18:40 UTC>"
    assert at.at(clock(18, 40), clock(9, 0, day=23)) == at.on(clock(18, 40))
    assert at.on(clock(18, 40)) == f"<!date^{stamp}^{{date_short_pretty}} at {{time}}|Tue 24 Nov 18:40 UTC>"


def test_today_is_the_readers_today() -> None:
    tokyo = format.Times(now=clock(12, 0), zone="Asia/Tokyo")
    assert "{date_short_pretty}" in tokyo.at(clock(16, 0))
    assert "{date_short_pretty}" not in tokyo.at(clock(14, 0))
    assert format.Times(now=clock(12, 0), zone="Nowhere/At all").at(clock(14, 0)).endswith("|14:00 UTC>")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("nvidia-h100-sxm5-80gb", "H100 SXM 80 GB"),
        ("<!here>", "&lt;!here&gt;"),
    ],
)
def test_a_gpu_is_shown_in_words_and_escaped(name: str, shown: str) -> None:
    assert format.gpu(name) == shown


def test_machines_and_wishes() -> None:
    assert format.variant(HYPERSTACK) == "SXM 80 GB"
    assert format.what(request(count=8, contract=Contract.SPOT)) == "8x H100 EU spot"
    assert format.what(request(region=None)) == "1x H100"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("hyperstack", "Hyperstack"),
        ("massed_compute", "Massed Compute"),
        ("runpod", "RunPod"),
        (None, "the vendor"),
    ],
)
def test_vendors(name: str | None, shown: str) -> None:
    assert format.vendor(name) == shown


@pytest.mark.parametrize(
    ("host", "port", "command"),
    [
        ("203.0.113.7", None, "ssh root@203.0.113.7"),
        ("203.0.113.7", 22, "ssh root@203.0.113.7"),
        ("gpu-1.example.com", 2222, "ssh -p 2222 root@gpu-1.example.com"),
        ("2001:db8::7", 2222, "ssh -p 2222 root@2001:db8::7"),
        ("127.0.0.1", 8022, "ssh -p 8022 root@127.0.0.1"),
        ("-oProxyCommand=x", 22, None),
        ("h; rm -rf /", 22, None),
        ("fe80::1%eth0", 22, None),
        ("203.0.113.7\n", 22, None),
        ("", 22, None),
        (None, 22, None),
        ("203.0.113.7", 0, None),
        ("203.0.113.7", 70_000, None),
    ],
)
def test_the_ssh_command_is_ours_or_there_is_none(host: str | None, port: int | None, command: str | None) -> None:
    assert format.ssh_command(host, port) == command


def test_every_state_and_reason_has_words() -> None:
    assert set(format.STATES) == set(State)
    for why in Why:
        assert "{" not in format.reason(why, "nebius")


@given(text=some.text, limit=st.integers(1, 300))
def test_foreign_text_is_one_short_harmless_line(text: str, limit: int) -> None:
    assert len(format.clean(text, limit)) <= limit
    shown = format.escape(text, limit)
    assert loose_markup(shown) == []
    assert "\n" not in shown
    assert "`" not in shown
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("a & b", "a &amp; b"),
        ("`x`", "'x'"),
        ("one\ntwo\r\n\tthree", "one two three"),
        ("\u202eabc\u2066", "abc"),
        ("abcdef", "abcd…"),
    ],
)
def test_escaping(text: str, shown: str) -> None:
    assert format.escape(text, 20 if len(text) != 6 else 5) == shown


@given(
    parts=st.lists(st.sampled_from(["&lt;", "`code`", "<!date^1^{time}|x>", "word ", "ü"])),
    limit=st.integers(10, 80),
)
def test_cutting_breaks_no_markup(parts: list[str], limit: int) -> None:
    short = cut("".join(parts), limit)
    assert len(short.encode()) <= limit
    assert loose_markup(short) == []


def test_plain_text_shows_what_was_escaped() -> None:
    assert plain("&lt;$0.01 &amp; &amp;lt;", 75)["text"] == "<$0.01 & &lt;"


def test_the_most_of_the_storyboard() -> None:
    length = timedelta(hours=6, minutes=30)
    assert format.dollars_at_most(cost_at_most(Decimal("2.47"), length)) == "$16.06"
    assert format.dollars_at_most(cost_at_most(Decimal("21.16"), length)) == "$137.54"
