"""Numbers, durations, times and names as people read them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from bot.model.attempt import Why
from bot.model.money import cost_at_most
from bot.model.request import Contract
from bot.model.state import State
from bot.model.text import about_span, plural, rough_span, say_at_most, span
from handlers.phrases import format, rental_text
from handlers.phrases.blocks import cut, plain
from tests.slack_limits import unescaped_markup
from tests.views import strategies as some
from tests.views.stories import HYPERSTACK, clock, request, terms


def test_amounts_are_rounded_to_the_cent() -> None:
    amounts = (0, 1, 9_999, 10_000, 14_681_333, 14_685_000, 14_685_001, 1_234_567_890_000, -5_000_000)
    assert {amount: format.dollars(amount) for amount in amounts} == snapshot(
        {
            0: "$0.00",
            1: "&lt;$0.01",
            9999: "&lt;$0.01",
            10000: "$0.01",
            14681333: "$14.68",
            14685000: "$14.68",
            14685001: "$14.69",
            1234567890000: "$1,234,567.89",
            -5000000: "-$5.00",
        }
    )


@given(amount=some.amount)
def test_an_amount_shown_as_the_highest_is_never_too_low(amount: int) -> None:
    shown = Decimal(say_at_most(amount).replace("$", "").replace(",", ""))
    assert shown * 1_000_000 >= amount
    assert shown * 1_000_000 - amount < 10_000


def test_the_highest_cost_includes_provisioning_and_the_grace_period() -> None:
    length = timedelta(hours=6, minutes=30)
    rates = ("2.47", "21.16")
    assert [say_at_most(cost_at_most(Decimal(rate), length)) for rate in rates] == snapshot(["$16.06", "$137.54"])


def test_prices_are_rounded_up_and_then_marked_with_about() -> None:
    rates = ("2.15", "2.1501", "0.004", "0", "1234.5")
    assert {rate: format.per_hour(Decimal(rate)) for rate in rates} == snapshot(
        {
            "2.15": "$2.15/h",
            "2.1501": "about $2.16/h",
            "0.004": "&lt;$0.01/h",
            "0": "$0.00/h",
            "1234.5": "$1,234.50/h",
        }
    )


def test_limits_are_rounded_down_and_never_marked_with_about() -> None:
    rates = ("2.47", "2.4799", "0.004", "0", "1234.5")
    assert {rate: format.limit_per_hour(Decimal(rate)) for rate in rates} == snapshot(
        {"2.47": "$2.47/h", "2.4799": "$2.47/h", "0.004": "&lt;$0.01/h", "0": "$0.00/h", "1234.5": "$1,234.50/h"}
    )


def test_a_limit_equal_to_the_clicked_price_is_shown_exactly() -> None:
    all_terms = (terms("2.1501", "2.1501"), terms("2.1501", "2.47"), terms("2.15", "2.4799"))
    assert [format.highest(each) for each in all_terms] == snapshot(["about $2.16/h", "$2.47/h", "$2.47/h"])


def test_a_difference_is_computed_from_the_exact_prices() -> None:
    pairs = (("2.1501", "2.42"), ("2.42", "2.15"), ("2.421", "2.4299"))
    assert [format.difference(Decimal(before), Decimal(rate), "that") for before, rate in pairs] == snapshot(
        ["about $0.27 more than that", "$0.27 less than that", "&lt;$0.01 more than that"]
    )


def test_a_span_has_two_units_at_most() -> None:
    seconds = (-5, 0, 51.9, 171, 1800, 21_899, 86_400, 183_600, 259_200)
    assert {each: span(timedelta(seconds=each)) for each in seconds} == snapshot(
        {
            -5: "0 s",
            0: "0 s",
            51.9: "51 s",
            171: "2 min 51 s",
            1800: "30 min",
            21899: "6 h 4 min",
            86400: "24 h",
            183600: "2 days 3 h",
            259200: "3 days",
        }
    )


def test_an_estimated_span_is_in_whole_minutes() -> None:
    assert [about_span(timedelta(seconds=each)) for each in (10, 171)] == snapshot(["1 min", "3 min"])


def test_a_rough_span_has_one_unit() -> None:
    seconds = (-5, 0.5, 40, 119, 3599, 7300, 400_000)
    assert [rough_span(timedelta(seconds=each)) for each in seconds] == snapshot(
        ["a moment", "a moment", "40 s", "1 min", "59 min", "2 h", "111 h"]
    )


def test_only_times_on_other_days_show_their_day() -> None:
    times = format.Times(now=clock(12, 0), zone="UTC")
    assert [
        times.time(clock(18, 40)),
        times.time(clock(18, 40), clock(9, 0, day=23)),
        times.at_time(clock(18, 40)),
        times.at_time(clock(1, 44, day=25)),
        times.date_and_time(clock(18, 40)),
    ] == snapshot(
        [
            "<!date^1795545600^{time}|18:40 UTC>",
            "<!date^1795545600^{date_short_pretty} at {time}|Tue 24 Nov 18:40 UTC>",
            "at <!date^1795545600^{time}|18:40 UTC>",
            "<!date^1795571040^{date_short_pretty} at {time}|Wed 25 Nov 01:44 UTC>",
            "<!date^1795545600^{date_short_pretty} at {time}|Tue 24 Nov 18:40 UTC>",
        ]
    )


def test_an_estimated_time_is_to_the_hour_within_two_days_and_then_to_the_day() -> None:
    times = format.Times(now=clock(12, 0), zone="Asia/Kolkata")
    seen = (clock(12, 59), clock(13, 50), clock(18, 40), clock(11, 59, day=26), clock(12, 0, day=26))
    assert [times.about_when(each) for each in seen] == snapshot(
        [
            "within an hour",
            "at about <!date^1795527000^{time}|13:30 UTC>",
            "<!date^1795545000^{date_short_pretty} at about {time}|on Tue 24 Nov at about 18:30 UTC>",
            "<!date^1795692600^{date_short_pretty} at about {time}|on Thu 26 Nov at about 11:30 UTC>",
            "on <!date^1795692600^{date_short_pretty}|Thu 26 Nov>",
        ]
    )


def test_the_day_is_determined_in_the_readers_time_zone() -> None:
    tokyo = format.Times(now=clock(12, 0), zone="Asia/Tokyo")
    assert "{date_short_pretty}" in tokyo.time(clock(16, 0))
    assert "{date_short_pretty}" not in tokyo.time(clock(14, 0))
    assert format.Times(now=clock(12, 0), zone="Nowhere/At all").time(clock(14, 0)).endswith("|14:00 UTC>")


def test_gpus_and_vendors_have_their_usual_spelling() -> None:
    gpus = ("nvidia-h100-sxm5-80gb", "<!here>")
    vendors = ("hyperstack", "massed_compute", "runpod", None)
    assert {name: rental_text.gpu(name) for name in gpus} == snapshot(
        {"nvidia-h100-sxm5-80gb": "H100 SXM 80 GB", "<!here>": "&lt;!here&gt;"}
    )
    assert {name: rental_text.vendor(name) for name in vendors} == snapshot(
        {"hyperstack": "Hyperstack", "massed_compute": "Massed Compute", "runpod": "RunPod", None: "the vendor"}
    )
    assert [
        rental_text.variant(HYPERSTACK.gpu, HYPERSTACK.family),
        rental_text.describe(request(count=8, contract=Contract.SPOT)),
        rental_text.describe(request(region=None)),
    ] == snapshot(["SXM 80 GB", "8x H100 in EU (spot)", "1x H100"])


def test_every_state_and_reason_has_a_text() -> None:
    assert set(rental_text.STATES) == set(State)
    assert (
        snapshot(
            {
                State.AWAITING_APPROVAL: "Waiting for approval",
                State.QUEUED: "On the waitlist",
                State.PROCURING: "Starting",
                State.PROVISIONING: "Starting",
                State.READY: "Ready",
                State.DESTROYING: "Being destroyed",
                State.DESTROYED: "Ended",
                State.FAILED: "Failed",
                State.CANCELLED: "Cancelled",
                State.LOST: "Lost",
                State.DENIED: "Declined",
                State.EXPIRED: "Expired",
                State.WITHDRAWN: "Withdrawn",
            }
        )
        == rental_text.STATES
    )
    assert {why.value: rental_text.reason(why, "nebius") for why in Why} == snapshot(
        {
            "sold_out": "Nebius seems to be sold out",
            "answered_failed": "Nebius reported that the purchase failed",
            "expired": "Nebius's price was no longer valid",
            "refused": "Nebius rejected the purchase",
            "script_refused": "Nebius doesn't accept startup scripts",
            "bought_before": "Nebius's offer was already taken",
            "no_answer": "Nebius didn't confirm the purchase",
            "rate_limited": "Compute Clear asked me to slow down",
            "vendor_failed": "Nebius couldn't create the machine",
            "too_slow": "Nebius didn't get the machine ready in time",
            "nothing_left": "no offer is left that matches the request",
            "too_little_time": "the requested end is too soon for a machine to start",
            "no_key": "its owner no longer has an SSH key",
            "too_many_attempts": "too many offers failed",
            "dearer": "the offers that are left cost more than the price accepted before",
            "other_gpu": "only a different GPU is left",
            "over_budget": "a budget no longer has room for it",
            "buying_blocked": "buying was on hold for too long",
            "outage": "Compute Clear isn't responding",
            "paused": "buying is paused",
            "unauthorized": "Compute Clear rejects my API token",
            "asked": "someone asked for it",
            "lease_ended": "its lease ended",
            "vendor_took_it": "Nebius took the machine back",
            "put_back": "my database was restored from an older backup",
            "ended_while_away": "the vendor took the machine back, or somebody destroyed it",
            "ended_since_copy": (
                "somebody probably destroyed it; I don't know who, because my database was restored from a backup"
            ),
            "ssh_silent": "nothing answers on its SSH port",
            "replaced": "another machine takes its place",
            "bought_later": "its machine was found in the Compute Clear account",
            "nothing_fitted": "no offer matched in time",
            "beyond_terms": "it is beyond the terms of the token",
            "not_allowed": "the rules no longer allowed it",
            "unproven": "I'm first checking that nothing was rented",
        }
    )


@given(text=some.text, limit=st.integers(1, 300))
def test_foreign_text_is_one_short_harmless_line(text: str, limit: int) -> None:
    assert len(format.clean(text, limit)) <= limit
    shown = format.escape(text, limit)
    assert unescaped_markup(shown) == []
    assert "\n" not in shown
    assert "`" not in shown
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("a & b", "a &amp; b"),
        ("`x`", "'x'"),
        ("*bold* _it_ ~no~", "J*JboldJ*J J_JitJ_J J~JnoJ~J"),
        (":tada: users:read", ":Jtada: users:read"),
        ("at 18:00 :tada", "at 18:00 :Jtada"),
        ("> said Ben", "J&gt; said Ben"),
        ("eu_north 2*3", "eu_north 2*3"),
        ("a\u2060b", "ab"),
        ("one\ntwo\r\n\tthree", "one two three"),
        ("\u202eabc\u2066", "abc"),
        ("abcdefghijklmnopqrstu", "abcdefghijklmnopqrs…"),
    ],
)
def test_foreign_text_is_escaped(text: str, shown: str) -> None:
    assert format.escape(text, 20).replace(format.JOINER, "J") == shown


def test_ids_and_commands_that_people_copy_have_no_joiner() -> None:
    fingerprint = "SHA256:Vx1abcdefghijklmnopqrstuvwxyz0123456789+/AB"
    assert format.identifier(fingerprint) == fingerprint
    assert format.identifier("*x*") == format.escape("*x*")
    assert format.literal("tee -a authorized_keys <*_a_ :b:") == "tee -a authorized_keys &lt;*_a_ :b:"


@given(
    parts=st.lists(st.sampled_from(["&lt;", "`code`", "<!date^1^{time}|x>", "word ", "ü"])),
    limit=st.integers(10, 80),
)
def test_cutting_breaks_no_markup(parts: list[str], limit: int) -> None:
    short = cut("".join(parts), limit)
    assert len(short.encode()) <= limit
    assert unescaped_markup(short) == []


def test_names_of_people_and_channels_never_ping_unless_mentioned_on_purpose() -> None:
    names = {"U0ANA": "Ana", "U0EVE": "<!channel>"}
    assert {user: format.person(names, user) for user in ("U0ANA", "U0EVE", "U0BEN", None)} == snapshot(
        {"U0ANA": "Ana", "U0EVE": "&lt;!channel&gt;", "U0BEN": "U0BEN", None: "gpubot"}
    )
    assert [
        format.mention("U0ANA"),
        format.mention("<!channel>"),
        format.mention_group("S0GPU"),
        format.mention_group("<!here>"),
        format.channel("C0GPUS"),
        format.channel("D0ANA"),
    ] == snapshot(
        ["<@U0ANA>", "&lt;!channel&gt;", "<!subteam^S0GPU>", "&lt;!here&gt;", "<#C0GPUS>", "a direct message"]
    )


def test_a_lowercase_name_is_not_capitalized_at_the_start_of_a_sentence() -> None:
    names = {"U0ANA": "ana", "U0BEN": "Ben"}
    shown = [format.sentence(format.person(names, one)) for one in names]
    shown += [format.sentence(rental_text.vendor(one)) for one in ("xAI", "the_vendor")]
    assert [one.replace(format.JOINER, "") for one in shown] == ["ana.", "Ben.", "xAI.", "The Vendor."]


def test_clauses_become_sentences() -> None:
    assert [
        format.join("Nothing was rented.", None, "", "It ends."),
        format.sentence("nebius sold out"),
        format.with_full_stop("Another one?"),
        plural(1, "machine"),
        plural(2, "search", "searches"),
    ] == snapshot(["Nothing was rented. It ends.", "Nebius sold out.", "Another one?", "1 machine", "2 searches"])


def test_plain_text_shows_what_was_escaped() -> None:
    assert plain("&lt;$0.01 &amp; &amp;lt;", 75)["text"] == "<$0.01 & &lt;"
