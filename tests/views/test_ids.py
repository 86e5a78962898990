"""IDs and values of buttons: encoded values can be decoded, and anything else is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Mistake
from bot.model.budget import TEAM, Scope, ScopeKind
from bot.model.spend import RowsOf
from handlers.ids import (
    ACTION_VALUES,
    MODAL_VALUES,
    NO_VALUE,
    Action,
    ActionId,
    Callback,
    CallbackId,
    CodeValue,
    EndValue,
    ExtendValue,
    Field,
    GithubKeysValue,
    GithubNameValue,
    HoursValue,
    KeyValue,
    LoginValue,
    NearbyValue,
    NoValue,
    OfferValue,
    QuestionValue,
    QuoteValue,
    RentalValue,
    ScriptName,
    ScriptValue,
    ShareValue,
    SpanValue,
    SpendRowsValue,
    SpendValue,
    TokenValue,
    TokenVersionValue,
    UntilValue,
    Value,
    VersionValue,
    action_of,
    numbered,
)

END = datetime.fromtimestamp(1763982000, UTC)
DIGEST = "OOKXh2ZJ8VkfSuEMB3YQZaqjl+0++ZgebLSzZTGZbr8"
TOKEN = "n8f3mz2kq7wx"  # noqa: S105 - the ID of a token, not a secret
LOGIN = "-J3_kQ7wxn8f3mz2kQ7wxn8f3mz2kQ7wxn8f3mz2kQ_"
scopes = st.sampled_from(
    [
        TEAM,
        Scope(kind=ScopeKind.PERSON, name="U0ANA"),
        Scope(kind=ScopeKind.PROJECT, name="vision"),
        Scope(kind=ScopeKind.PROJECT, name="3d_vision-2"),
    ]
)
digest = st.from_regex(r"[A-Za-z0-9+/]{43}", fullmatch=True)
github_name = st.from_regex(r"[A-Za-z0-9-]{1,39}", fullmatch=True)
rental = st.from_regex(r"[a-z0-9]{5}", fullmatch=True)
quote = st.from_regex(r"[a-z0-9]{12}", fullmatch=True)
fingerprint = digest.map(lambda found: f"SHA256:{found}")
hours = st.integers(1, 9999).map(lambda n: timedelta(hours=n))
seconds = st.integers(1, 10**9 - 1).map(lambda n: timedelta(seconds=n))
odd_seconds = seconds.filter(lambda span: bool(span % timedelta(hours=1)))
moments = st.integers(1, 10**11 - 1).map(lambda n: datetime.fromtimestamp(n, UTC))
VALUES: list[st.SearchStrategy[Value]] = [
    st.just(NO_VALUE),
    st.builds(RentalValue, rental_id=rental),
    st.builds(VersionValue, rental_id=rental, version=st.integers(1, 10**9 - 1)),
    st.builds(UntilValue, rental_id=rental, by=moments),
    st.builds(ShareValue, rental_id=rental, people=st.sampled_from([(), ("U0BEN",), ("U0BEN", "W0CLEO")])),
    st.builds(SpanValue, rental_id=rental, span=seconds),
    st.builds(HoursValue, rental_id=rental, span=hours),
    st.builds(ExtendValue, rental_id=rental, by=hours | odd_seconds, shown_end=moments),
    st.builds(EndValue, rental_id=rental, shown_end=moments),
    st.builds(QuoteValue, quote_id=quote),
    st.builds(OfferValue, quote_id=quote, offer_id=st.from_regex(r"[!-~]{1,255}", fullmatch=True)),
    st.builds(NearbyValue, quote_id=quote, index=st.integers(0, 99)),
    st.builds(QuestionValue, question_id=rental, version=st.integers(1, 10**9 - 1)),
    st.builds(SpendValue, month=st.sampled_from(["2026-11", "2027-01"]), scope=scopes),
    st.builds(
        SpendRowsValue,
        period=st.sampled_from(["today", "week", "2026-11"]),
        scope=scopes,
        rows=st.sampled_from(RowsOf),
    ),
    st.builds(ScriptValue, script=st.sampled_from(ScriptName)),
    st.builds(TokenValue, token_id=quote),
    st.builds(CodeValue, code=st.from_regex(r"[A-Z]{8}", fullmatch=True)),
    st.builds(LoginValue, token_id=quote, login_id=st.from_regex(r"[A-Za-z0-9_-]{43}", fullmatch=True)),
    st.builds(TokenVersionValue, token_id=quote, version=st.integers(1, 10**9 - 1)),
    st.builds(KeyValue, fingerprint=fingerprint),
    st.builds(GithubNameValue, name=github_name),
    st.builds(
        GithubKeysValue, name=github_name, fingerprints=st.lists(fingerprint, min_size=1, max_size=20).map(tuple)
    ),
]


@given(value=st.one_of(VALUES))
def test_a_decoded_value_equals_the_one_that_was_encoded(value: Value) -> None:
    assert type(value).decode(value.encode()) == value
    assert len(value.encode()) <= 2000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NO_VALUE, ""),
        (RentalValue(rental_id="k7mq2"), "k7mq2"),
        (VersionValue(rental_id="k7mq2", version=2), "k7mq2:2"),
        (HoursValue(rental_id="k7mq2", span=timedelta(hours=4)), "k7mq2:4"),
        (EndValue(rental_id="k7mq2", shown_end=END), "k7mq2:1763982000"),
        (ExtendValue(rental_id="k7mq2", by=timedelta(hours=2), shown_end=END), "k7mq2:2:1763982000"),
        (ExtendValue(rental_id="k7mq2", by=timedelta(minutes=90), shown_end=END), "k7mq2:5400s:1763982000"),
        (UntilValue(rental_id="k7mq2", by=END), "k7mq2:1763982000"),
        (SpanValue(rental_id="k7mq2", span=timedelta(minutes=90)), "k7mq2:5400s"),
        (ShareValue(rental_id="k7mq2", people=("U0BEN", "U0CLEO")), "k7mq2:U0BEN,U0CLEO"),
        (QuoteValue(quote_id="q1"), "q1"),
        (OfferValue(quote_id="q1", offer_id="a:b"), "q1:a:b"),
        (NearbyValue(quote_id="q1", index=0), "q1:0"),
        (QuestionValue(question_id="u7mq2", version=3), "u7mq2:3"),
        (TokenValue(token_id=TOKEN), TOKEN),
        (CodeValue(code="KTRWXQMB"), "KTRWXQMB"),
        (LoginValue(token_id=TOKEN, login_id=LOGIN), f"{TOKEN}:{LOGIN}"),
        (TokenVersionValue(token_id=TOKEN, version=2), f"{TOKEN}:2"),
        (SpendValue(month="2026-11", scope=TEAM), "2026-11:team:"),
        (
            SpendValue(month="2026-11", scope=Scope(kind=ScopeKind.PROJECT, name="vision")),
            "2026-11:project:vision",
        ),
        (SpendRowsValue(period="week", scope=TEAM, rows=RowsOf.PROJECTS), "week:team::projects"),
        (KeyValue(fingerprint=f"SHA256:{DIGEST}"), f"SHA256:{DIGEST}"),
        (GithubNameValue(name="ana-dev"), "ana-dev"),
        (GithubKeysValue(name="ana-dev", fingerprints=(f"SHA256:{DIGEST}",) * 2), f"ana-dev:{DIGEST},{DIGEST}"),
    ],
)
def test_values_keep_the_format_of_messages_already_in_slack(value: Value, text: str) -> None:
    assert value.encode() == text
    assert type(value).decode(text) == value


@pytest.mark.parametrize(
    ("kind", "nonsense"),
    [
        (NoValue, "k7mq2"),
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
        (UntilValue, "k7mq2:0"),
        (UntilValue, "k7mq2:999999999999"),
        (SpanValue, "k7mq2:5400"),
        (ShareValue, "k7mq2"),
        (ShareValue, "k7mq2:u0ben"),
        (ShareValue, "k7mq2:U0BEN,"),
        (SpanValue, "k7mq2:0s"),
        (SpendRowsValue, "2026-11:team:"),
        (SpendRowsValue, "tomorrow:team::people"),
        (SpendRowsValue, "week:team::rents"),
        (SpendValue, "2026-13:team:"),
        (SpendValue, "2026-11:everyone:"),
        (SpendValue, "2026-11:team"),
        (OfferValue, "q1:"),
        (OfferValue, "q1:a b"),
        (OfferValue, "q1:" + "x" * 256),
        (NearbyValue, "q1:x"),
        (TokenValue, "gpb_9fK2"),
        (TokenVersionValue, "n8f3mz2kq7wx:0"),
        (QuestionValue, "u7mq2"),
        (QuestionValue, "u7mq2:0"),
        (KeyValue, DIGEST),
        (KeyValue, f"SHA256:{DIGEST}="),
        (GithubNameValue, "ana_dev"),
        (GithubNameValue, "a" * 40),
        (GithubKeysValue, "ana-dev:"),
        (GithubKeysValue, f"ana-dev:{DIGEST},"),
        (GithubKeysValue, "ana-dev:" + ",".join([DIGEST] * 21)),
    ],
)
def test_text_in_a_different_format_is_refused(kind: type[Value], nonsense: str) -> None:
    with pytest.raises(Mistake):
        kind.decode(nonsense)


def test_an_offer_id_that_is_too_long_for_a_value_is_refused() -> None:
    with pytest.raises(Mistake):
        OfferValue(quote_id="q1", offer_id="two words").encode()


@pytest.mark.parametrize(
    ("type_name", "text", "value"),
    [
        ("quote", "q1", QuoteValue(quote_id="q1")),
        ("version", "k7mq2:2", VersionValue(rental_id="k7mq2", version=2)),
        ("none", "", NO_VALUE),
    ],
)
def test_a_modals_value_is_decoded_as_the_given_type(type_name: str, text: str, value: Value) -> None:
    assert Callback.FORM.decode(text, type_name) == value


@pytest.mark.parametrize(
    ("type_name", "text"), [("offer", "q1:o1"), ("quote", "k7mq2:2"), ("", "k7mq2:2"), ("unknown", "")]
)
def test_an_invalid_modal_value_is_refused(type_name: str, text: str) -> None:
    with pytest.raises(Mistake):
        Callback.FORM.decode(text, type_name)


@pytest.mark.parametrize("action_id", ACTION_VALUES)
def test_a_numbered_button_has_the_same_action_as_the_first(action_id: str) -> None:
    assert [action_of(numbered(action_id, n)) for n in (1, 2, 25)] == [action_id] * 3


@pytest.mark.parametrize(
    "name", ["", "nonsense", "keep.", "KEEP", "xkeep", "keep\n", "keep.x", "keep.2.3", "keep.123"]
)
def test_an_unknown_action_is_refused(name: str) -> None:
    with pytest.raises(Mistake):
        action_of(name)


def test_ids_are_unique_and_within_slacks_limits() -> None:
    assert not set(ACTION_VALUES) & set(MODAL_VALUES)
    assert len(ACTION_VALUES) == sum(isinstance(declared, ActionId) for declared in vars(Action).values())
    assert len(MODAL_VALUES) == sum(isinstance(declared, CallbackId) for declared in vars(Callback).values())
    assert all(0 < len(each) <= 255 for each in [*ACTION_VALUES, *MODAL_VALUES, *Field])
