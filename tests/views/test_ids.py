"""Ids and the values of buttons: what was encoded is decoded, anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake
from handlers.ids import (
    CARRIES,
    Action,
    Callback,
    EndValue,
    ExtendValue,
    Field,
    HoursValue,
    NearbyValue,
    OfferValue,
    QuoteValue,
    RentalValue,
    Value,
    VersionValue,
    action_of,
    numbered,
)

rental = st.from_regex(r"[a-z0-9]{5}", fullmatch=True)
quote = st.from_regex(r"[a-z0-9]{12}", fullmatch=True)
VALUES: list[st.SearchStrategy[Value]] = [
    st.builds(RentalValue, rental_id=rental),
    st.builds(VersionValue, rental_id=rental, version=st.integers(1, 10**9 - 1)),
    st.builds(HoursValue, rental_id=rental, hours=st.integers(1, 9999)),
    st.builds(ExtendValue, rental_id=rental, hours=st.integers(1, 9999), shown_end=st.integers(1, 10**12 - 1)),
    st.builds(ExtendValue, rental_id=rental, seconds=st.integers(1, 10**9 - 1), shown_end=st.integers(1, 10**9)),
    st.builds(EndValue, rental_id=rental, shown_end=st.integers(1, 10**12 - 1)),
    st.builds(QuoteValue, quote_id=quote),
    st.builds(OfferValue, quote_id=quote, offer_id=st.from_regex(r"[!-~]{1,255}", fullmatch=True)),
    st.builds(NearbyValue, quote_id=quote, index=st.integers(0, 99)),
]


@given(value=st.one_of(VALUES))
def test_values_come_back(value: Value) -> None:
    assert type(value).decode(value.encode()) == value
    assert len(value.encode()) <= 2000


def test_values_are_short_and_readable() -> None:
    assert VersionValue(rental_id="k7mq2", version=2).encode() == "k7mq2:2"
    assert HoursValue(rental_id="k7mq2", hours=4).encode() == "k7mq2:4"
    assert OfferValue(quote_id="q1", offer_id="a:b").encode() == "q1:a:b"
    assert OfferValue.decode("q1:a:b").offer_id == "a:b"


@pytest.mark.parametrize(
    ("kind", "nonsense"),
    [
        (RentalValue, None),
        (RentalValue, ""),
        (RentalValue, "K7MQ2"),
        (RentalValue, "k7mq2\n"),
        (RentalValue, "k7mq2:2"),
        (VersionValue, "k7mq2"),
        (VersionValue, "k7mq2:0"),
        (VersionValue, "k7mq2:-1"),
        (VersionValue, "k7mq2:٣"),
        (HoursValue, "k7mq2:99999"),
        (ExtendValue, "k7mq2:2"),
        (ExtendValue, "k7mq2:2m:1763982000"),
        (ExtendValue, "k7mq2:0s:1763982000"),
        (EndValue, "k7mq2"),
        (OfferValue, "q1:"),
        (OfferValue, "q1:a b"),
        (OfferValue, "q1:" + "x" * 256),
        (NearbyValue, "q1:x"),
    ],
)
def test_nonsense_is_refused(kind: type[Value], nonsense: str | None) -> None:
    with pytest.raises(Mistake):
        kind.decode(nonsense)


def test_an_id_that_cannot_travel_is_not_sent() -> None:
    with pytest.raises(Mistake):
        OfferValue(quote_id="q1", offer_id="two words").encode()


@given(action=st.sampled_from(Action), n=st.integers(1, 25))
def test_numbered_buttons_are_the_same_action(action: Action, n: int) -> None:
    assert action_of(numbered(action, n)) is action


@pytest.mark.parametrize(
    "name", ["", "nonsense", "keep.", "KEEP", "xkeep", "keep\n", "keep.x", "keep.2.3", "keep.123"]
)
def test_unknown_actions_are_refused(name: str) -> None:
    with pytest.raises(Mistake):
        action_of(name)


def test_ids_are_unique_and_every_action_is_listed() -> None:
    assert set(CARRIES) == set(Action)
    ids = [*Action, *Callback, *Field]
    assert len({str(each) for each in [*Action, *Callback]}) == len(Action) + len(Callback)
    assert all(0 < len(each) <= 255 for each in ids)
