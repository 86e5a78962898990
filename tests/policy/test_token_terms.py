"""The terms of API tokens: which are allowed, which need an approver, and which requests exceed them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import WrongTerm
from bot.model.base import changed
from bot.model.money import micros
from bot.model.offer import Catalog
from bot.model.person import Person
from bot.model.rental import GracefulDestroy
from bot.model.request import Request
from bot.model.state import State
from bot.model.summary import Over
from bot.model.token import (
    Access,
    BeyondTerms,
    DecidedTerms,
    RequestedTerms,
    Token,
    TokenEnd,
    TokenState,
    TokenTerms,
    TokenUse,
    WhenLost,
)
from bot.policy.buying.spending import over_limits
from bot.policy.team.rules import Always, Approval, AutoApprove, Limits, Project, Rules
from bot.policy.team.token_terms import (
    beyond,
    beyond_longer_lease,
    check_terms,
    covers,
    due_at,
    end_of,
    end_of_day,
    is_tighter,
    last_day_at_most,
    over_limits_of,
    rules_of_token,
    works,
)
from tests.store import make

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANA = Person(id="U0ANA", name="Ana", tz="Europe/Berlin")
RULES = Rules()
TERMS = TokenTerms(
    access=Access.RENT,
    models=("H100", "L40S"),
    per_hour=Decimal(5),
    total=micros(Decimal(200)),
    at_once=2,
    per_day=6,
    longest=4 * HOUR,
    until=NOW + 20 * DAY,
)
TOKEN = Token(
    id="t1",
    owner=ANA.id,
    name="nightly eval",
    state=TokenState.LIVE,
    terms=TERMS,
    approved_by="U0BEN",
    decided=DecidedTerms(version=1, approved=True, by="U0BEN", at=NOW),
    secret_hash="0" * 64,
    created_at=NOW,
)
CATALOG = Catalog(
    gpus={"H100": ("nvidia-h100-sxm5-80gb", "nvidia-h100-pcie-80gb"), "L40S": ("nvidia-l40s-48gb",)},
    vendors=(),
    regions=(),
    contracts=(),
    read_at=NOW,
)


def terms(**fields: Any) -> TokenTerms:
    return changed(TERMS, **fields)


def asks(**fields: Any) -> Request:
    return Request(**{"gpu": "H100", "count": 1, "lease": 4 * HOUR, **fields})


def words(request: Request, use: TokenUse | None = None, token: Token = TOKEN, **more: Any) -> str | None:
    """Return the answer to a request, or None if it is within the terms."""
    rules = more.pop("rules", RULES)
    found = beyond(token, "Ana", use or TokenUse(), request, now=NOW, rules=rules, **more)
    return None if found is None else found.words


# --- which terms are allowed


def test_terms_within_all_rules_are_allowed() -> None:
    check_terms("nightly eval", TERMS, ANA, RULES, NOW, catalog=CATALOG)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("until", NOW),
        ("until", NOW + 32 * DAY),
        ("project", "secret"),
        ("models", ()),
        ("models", ("H100", "B300")),
        ("models", ("H100",) * 21),
        ("per_hour", Decimal(0)),
        ("per_hour", Decimal(101)),
        ("total", 0),
        ("total", micros(Decimal(2_000_000))),
        ("at_once", 5),
        ("per_day", 5000),
        ("longest", timedelta(0)),
        ("longest", 73 * HOUR),
    ],
)
def test_a_term_outside_the_rules_is_refused_by_its_name(field: str, value: Any) -> None:
    rules = changed(RULES, projects={"secret": Project(people=("U0BEN",))})
    with pytest.raises(WrongTerm) as refused:
        check_terms("nightly eval", terms(**{field: value}), ANA, rules, NOW, catalog=CATALOG)
    assert refused.value.field == field


@pytest.mark.parametrize("name", ["", "  ", "\u202e\u200b"])
def test_a_name_that_cannot_be_seen_is_refused(name: str) -> None:
    with pytest.raises(WrongTerm) as refused:
        check_terms(name, TERMS, ANA, RULES, NOW)
    assert refused.value.field == "name"


def test_a_token_that_only_looks_needs_no_amounts() -> None:
    look = TokenTerms(access=Access.LOOK, until=NOW + DAY)
    check_terms("watcher", look, ANA, RULES, NOW, catalog=CATALOG)
    assert over_limits_of(look, RULES) == ()


def test_the_last_day_is_a_whole_day_in_the_owners_zone() -> None:
    """At 12:00 UTC on 24 Nov, 30 days later it is 24 Dec in Berlin, whose end is 23:00 UTC."""
    berlin = ZoneInfo("Europe/Berlin")
    last = last_day_at_most(berlin, RULES, NOW)
    assert last == date(2026, 12, 24)
    end = end_of_day(last, berlin)
    assert end == datetime(2026, 12, 24, 23, tzinfo=UTC)
    check_terms("x", terms(until=end), ANA, RULES, NOW)
    with pytest.raises(WrongTerm, match="Choose 24 Dec or earlier"):
        check_terms("x", terms(until=end + timedelta(seconds=1)), ANA, RULES, NOW)


# --- which terms need an approver


@pytest.mark.parametrize(
    ("fields", "rules", "over"),
    [
        ({"total": micros(Decimal(100))}, RULES, ()),
        ({"total": micros(Decimal(100)) + 1}, RULES, (Over.TOTAL,)),
        ({"per_hour": Decimal("10.01"), "total": 1}, RULES, (Over.PER_HOUR,)),
        ({"total": 1}, Rules(approval=Approval(always=Always(models=("H100 PCIe",)))), (Over.ALWAYS,)),
        ({"total": 1}, Rules(approval=Approval(always=Always(models=("H200",)))), ()),
        ({"total": 1}, Rules(approval=Approval(always=Always(gpus_from=2))), ()),
        (
            {"project": "vision"},
            Rules(projects={"vision": Project(auto_approve=AutoApprove(total=Decimal(200)))}),
            (),
        ),
    ],
)
def test_terms_over_the_limits_of_their_project_need_an_approver(
    fields: dict[str, Any], rules: Rules, over: tuple[Over, ...]
) -> None:
    assert over_limits_of(terms(**fields), rules) == over


OFFERED = [
    ("H100", "nvidia-h100-sxm5-80gb", Decimal(2)),
    ("H100", "nvidia-h100-pcie-80gb", Decimal(1)),
    ("L40S", "nvidia-l40s-48gb", Decimal("0.80")),
]


@st.composite
def any_terms(draw: st.DrawFn) -> TokenTerms:
    names = ("H100", "H100 SXM", "nvidia-h100-pcie-80gb", "L40S")
    return terms(
        access=draw(st.sampled_from([Access.RENT, Access.RENT, Access.LOOK])),
        models=tuple(draw(st.lists(st.sampled_from(names), min_size=2, unique=True))),
        project=draw(st.sampled_from(["unassigned", "vision"])),
        per_hour=Decimal(draw(st.sampled_from([2, 3, 20]))),
        total=draw(st.sampled_from([1000, 2000, micros(Decimal(150))])),
        at_once=draw(st.integers(1, 2)),
        per_day=draw(st.integers(1, 2)),
        longest=draw(st.integers(2, 3)) * HOUR,
        until=NOW + draw(st.integers(2, 3)) * HOUR,
        beyond=draw(st.sampled_from(BeyondTerms)),
        lost=draw(st.sampled_from([None, *WhenLost])),
    )


@st.composite
def two_terms(draw: st.DrawFn) -> tuple[TokenTerms, TokenTerms]:
    """Return terms, and the same terms with up to three others, so that many of the latter are tighter."""
    old, other = draw(any_terms()), draw(any_terms())
    names = draw(st.lists(st.sampled_from(sorted(TokenTerms.model_fields)), min_size=1, max_size=3))
    return old, changed(old, **{name: getattr(other, name) for name in names})


@st.composite
def any_request(draw: st.DrawFn) -> Request:
    return asks(lease=draw(st.integers(1, 3)) * HOUR)


@st.composite
def any_use(draw: st.DrawFn) -> TokenUse:
    return TokenUse(
        spent=draw(st.sampled_from([0, 1000])),
        per_hour=Decimal(draw(st.integers(0, 1))),
        live=("k7mq1",)[: draw(st.integers(0, 1))],
        begun=(NOW - HOUR,)[: draw(st.integers(0, 1))],
    )


TIGHTER: list[dict[str, Any]] = [
    {},
    {"access": Access.LOOK},
    {"models": ("H100",)},
    {"models": ("H100 PCIe", "nvidia-l40s-48gb")},
    {"per_hour": Decimal("4.99"), "total": 1, "at_once": 1, "per_day": 1, "longest": HOUR, "until": NOW + DAY},
    {"lost": WhenLost.TELL},
    {"lost": WhenLost.END_IF_BUSY},
]
LOOSER: list[dict[str, Any]] = [
    {"models": ("H100", "L40S", "H200")},
    {"models": ("H200",)},
    {"project": "vision"},
    {"per_hour": Decimal("5.01")},
    {"total": TERMS.total + 1},
    {"at_once": 3},
    {"per_day": 7},
    {"longest": 5 * HOUR},
    {"until": TERMS.until + DAY},
    {"access": Access.LOOK, "until": TERMS.until + DAY},
    {"beyond": BeyondTerms.ASK},
]


@pytest.mark.parametrize("fields", TIGHTER, ids=str)
def test_terms_of_which_none_is_more_generous_are_tighter(fields: dict[str, Any]) -> None:
    assert is_tighter(terms(**fields), TERMS)


@pytest.mark.parametrize("fields", LOOSER, ids=str)
def test_one_more_generous_term_makes_a_change_not_tighter(fields: dict[str, Any]) -> None:
    """Such a change isn't tighter even if the hourly price and the total are lower at the same time."""
    assert not is_tighter(changed(terms(per_hour=Decimal(1), total=1), **fields), TERMS)


@given(two=two_terms(), request_=any_request(), use=any_use(), offered=st.sampled_from(OFFERED))
@settings(max_examples=1000)
def test_tighter_terms_allow_nothing_that_the_old_terms_refuse(
    two: tuple[TokenTerms, TokenTerms], request_: Request, use: TokenUse, offered: tuple[str, str, Decimal]
) -> None:
    (old, new), (gpu, canonical, rate) = two, offered
    request_ = changed(request_, gpu=gpu)

    def allows(one: TokenTerms) -> bool:
        token = changed(TOKEN, terms=one)
        found = beyond(token, "Ana", use, request_, now=NOW, rules=RULES, gpu=canonical, rate=rate, total=1000)
        return found is None

    assert is_tighter(old, old)
    if is_tighter(new, old):
        assert allows(old) or not allows(new)
        assert set(over_limits_of(new, RULES)) <= set(over_limits_of(old, RULES))


def test_a_narrower_model_cannot_be_widened_to_its_family() -> None:
    narrow = terms(models=("nvidia-h100-sxm5-80gb",))
    assert not is_tighter(terms(models=("H100",)), narrow)
    assert not is_tighter(terms(lost=None), terms(lost=WhenLost.END))
    assert not is_tighter(TERMS, terms(access=Access.LOOK))


# --- when a token ends


def test_a_token_works_until_its_last_day_or_until_14_days_without_use() -> None:
    assert (works(TOKEN, NOW), due_at(TOKEN)) == (True, NOW + 14 * DAY)
    assert end_of(TOKEN, NOW + 14 * DAY) is TokenEnd.UNUSED
    used = changed(TOKEN, last_used_at=NOW + 10 * DAY)
    assert due_at(used) == TERMS.until
    assert (works(used, TERMS.until - HOUR), works(used, TERMS.until)) == (True, False)
    assert end_of(used, TERMS.until) is TokenEnd.LAST_DAY
    stopped = changed(used, state=TokenState.STOPPED)
    assert (works(stopped, NOW), due_at(stopped), end_of(stopped, NOW)) == (False, None, None)


def test_a_token_that_waits_for_approval_does_not_work() -> None:
    requested = RequestedTerms(terms=TERMS, version=1, asked_at=NOW, expires_at=NOW + DAY)
    asked = changed(TOKEN, state=TokenState.ASKED, terms=None, requested=requested, approved_by=None, decided=None)
    assert (works(asked, NOW), due_at(asked), end_of(asked, NOW)) == (False, NOW + DAY, None)
    assert end_of(asked, NOW + DAY) is TokenEnd.UNDECIDED


# --- what is left of the terms


def test_the_rest_of_the_terms_replaces_the_limits_for_people() -> None:
    rules = Rules(
        approval=Approval(always=Always(models=("H100",), gpus_from=1)), limits=Limits(per_rental_gpus=4)
    )
    use = TokenUse(spent=micros(Decimal(190)), per_hour=Decimal("2.084444444"))
    left = rules_of_token(rules, TERMS, use)
    assert (left.auto_approve.per_hour, left.auto_approve.total) == (Decimal("2.915555"), Decimal(10))
    assert left.approval == changed(rules.approval, always=Always())
    assert changed(left, auto_approve=rules.auto_approve, approval=rules.approval) == rules


def test_terms_that_are_used_up_allow_nothing() -> None:
    used = TokenUse(spent=TERMS.total + 5, per_hour=Decimal(6))
    rules = rules_of_token(RULES, TERMS, used)
    assert over_limits(Decimal("0.01"), 10_000, rules) == (Over.PER_HOUR, Over.TOTAL)


# --- requests beyond the terms


def test_a_request_within_the_terms_is_not_refused() -> None:
    assert words(asks()) is None
    assert words(asks(), gpu="nvidia-h100-sxm5-80gb", rate=Decimal(5), total=TERMS.total) is None


def test_a_price_beyond_the_terms_names_both_prices_and_a_next_step() -> None:
    assert words(asks(count=8), rate=Decimal("18.40")) == (
        "8x H100 costs at least $18.40/h, and nightly eval may spend $5.00/h. Nothing was rented, and repeating "
        "this won't help. Ask for fewer GPUs, or ask Ana to change the terms."
    )


def test_as_many_machines_as_allowed_are_named_by_their_keys() -> None:
    rentals = [
        changed(
            make.rental(f"k7mq{n}"), idempotency_key=f"run-81{n}", lease=make.lease(NOW + n * HOUR, ready_at=NOW)
        )
        for n in (1, 2)
    ]
    use = TokenUse(live=("k7mq1", "k7mq2"))
    assert words(asks(), use, rentals=rentals) == (
        "nightly eval has 2 machines (run-811, run-812), as many as its terms allow. Nothing was rented. "
        "Release one, or ask again after 13:00 UTC."
    )


def test_a_token_whose_machine_is_being_deleted_can_rent_again_in_a_minute() -> None:
    running, deleted = (
        changed(make.rental(f"k7mq{n}", state=state), idempotency_key=f"run-81{n}", lease=make.lease(NOW + HOUR))
        for n, state in ((1, State.READY), (2, State.DESTROYING))
    )
    graceful = GracefulDestroy(by=ANA.id, ends_at=NOW + HOUR)
    released = changed(running, lease=changed(running.running_lease, graceful_destroy=graceful))
    use = TokenUse(live=("k7mq1", "k7mq2"))
    for rentals, key in (((running, deleted), "run-812"), ((released, running), "run-811")):
        found = beyond(TOKEN, "Ana", use, asks(), now=NOW, rules=RULES, rentals=rentals)
        assert found is not None
        assert found.words.endswith(f"Nothing was rented. {key} is ending, so ask again in a minute.")
        assert found.again_at == NOW + timedelta(minutes=1)


def test_as_many_machines_a_day_as_allowed_tell_when_the_next_can_begin() -> None:
    begun = tuple(NOW - (23 - n) * HOUR for n in range(7))
    found = beyond(TOKEN, "Ana", TokenUse(begun=begun), asks(), now=NOW, rules=RULES)
    assert found is not None
    assert (found.crowded, found.again_at) == (True, NOW + 2 * HOUR)
    assert found.words == (
        "nightly eval has rented 7 machines within 24 h, as many as its terms allow. Nothing was rented. "
        "Ask again after 14:00 UTC."
    )


@pytest.mark.parametrize(
    ("request_", "more", "reason"),
    [
        (asks(gpu="H200"), {}, "nightly eval can rent H100 or L40S, and not H200."),
        (asks(lease=5 * HOUR), {}, "nightly eval can rent for 4 h at most, and not for 5 h."),
        (
            asks(),
            {"use": TokenUse(per_hour=Decimal("4.16")), "rate": Decimal("2.08")},
            "1x H100 costs at least $2.08/h, and nightly eval has $0.84/h of its $5.00/h left.",
        ),
        (
            asks(),
            {"use": TokenUse(spent=micros(Decimal(195))), "total": micros(Decimal("10.76"))},
            "1x H100 can cost up to $10.76, and nightly eval has $5.00 of its $200.00 left.",
        ),
        (asks(), {"use": TokenUse(spent=TERMS.total)}, "nightly eval has $0.00 of its $200.00 left."),
    ],
)
def test_each_exceeded_term_has_its_reason(request_: Request, more: dict[str, Any], reason: str) -> None:
    answer = words(request_, **more)
    assert answer is not None
    assert answer.startswith(f"{reason} Nothing was rented")
    assert "Ana to change the terms." in answer or "Release a machine" in answer


def test_a_lease_beyond_the_last_day_is_refused_and_no_approver_can_allow_it() -> None:
    token = changed(TOKEN, terms=terms(until=NOW + 3 * HOUR))
    found = beyond(token, "Ana", TokenUse(), asks(), now=NOW, rules=RULES)
    assert found is not None
    assert (found.can_ask, found.reason) == (
        False,
        "The lease would end after 15:00 UTC, when nightly eval stops working.",
    )


def test_a_token_that_only_looks_rents_nothing() -> None:
    token = changed(TOKEN, terms=terms(access=Access.LOOK))
    assert (words(asks(), token=token) or "").startswith(
        "nightly eval can look at offers and machines, but not rent."
    )


def test_many_gpus_need_approval_unless_an_approver_saw_the_terms() -> None:
    rules = Rules(approval=Approval(always=Always(gpus_from=4)))
    unseen = changed(TOKEN, approved_by=None)
    assert words(asks(count=4), rules=rules) is None
    assert words(asks(count=3), rules=rules, token=unseen) is None
    answer = words(asks(count=4), rules=rules, token=unseen)
    assert answer is not None
    assert answer.startswith("4x H100 always needs approval, and no approver has seen the terms of nightly eval.")


def test_only_the_named_variant_of_a_family_is_covered() -> None:
    narrow = terms(models=("H100 SXM",))
    assert covers(narrow, "H100")
    assert covers(narrow, "nvidia-h100-sxm5-80gb")
    assert not covers(narrow, "nvidia-h100-pcie-80gb")


def test_a_longer_lease_must_be_within_the_same_terms() -> None:
    rental = changed(make.rental("k7mq2"), lease=make.lease(NOW + 2 * HOUR, ready_at=NOW))

    def reason(hours: int, more: int = 1, token: Token = TOKEN) -> str | None:
        found = beyond_longer_lease(
            token,
            "Ana",
            TokenUse(spent=micros(Decimal(190))),
            rental,
            NOW + hours * HOUR,
            more=micros(Decimal(more)),
            now=NOW,
        )
        return None if found is None else found.reason

    assert reason(4, 10) is None
    assert reason(5) == "nightly eval can rent for 4 h at most, and not for 5 h."
    assert reason(4, 11) == (
        "The longer lease can cost up to $11.00 more, and nightly eval has $10.00 of its $200.00 left."
    )
    ending = changed(TOKEN, terms=terms(until=NOW + 3 * HOUR))
    assert reason(4, token=ending) == "The lease would end after 15:00 UTC, when nightly eval stops working."
    looks = changed(TOKEN, terms=terms(access=Access.LOOK, beyond=BeyondTerms.ASK))
    assert reason(3, token=looks) == "nightly eval can look at offers and machines, but not rent."
