"""Rules for the rentals that programs request with a token."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from bot.errors import BuyingBlock, BuyingBlocked, NeedsKey
from bot.model.base import changed
from bot.model.money import micros
from bot.model.token import TokenUse
from bot.policy.buying.programs import entry_of_program, first_terms, key_in_use, refusal_words, terms_for_offer
from bot.policy.buying.spending import with_price_of_total
from bot.policy.buying.waiting import ONCE_FOR, searched_again
from bot.policy.team.rules import Rules
from bot.policy.team.token_terms import rules_of_token
from tests.databases import START
from tests.lifecycle.programs import token
from tests.store import make

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = Rules(admins=("U0ADMIN",))
TERMS = token(START, until=START + DAY).newest_terms
REQUEST = make.request()


def test_a_waitlist_entry_ends_in_time_for_the_last_day() -> None:
    for wait_for, until in (
        (None, ONCE_FOR),
        (HOUR, HOUR),
        (30 * DAY, DAY - REQUEST.lease),
    ):
        entry = entry_of_program(REQUEST, wait_for, TERMS, START, RULES)
        assert (entry.until, entry.once) == (START + until, wait_for is None)
    named = make.request(until=START + 4 * HOUR)
    assert entry_of_program(named, DAY, TERMS, START, RULES).until == START + timedelta(hours=3, minutes=30)


def test_an_approved_request_is_searched_again_however_long_the_decision_took() -> None:
    later = START + 2 * DAY
    for wait_for in (None, HOUR):
        entry = searched_again(entry_of_program(REQUEST, wait_for, TERMS, START, RULES), later)
        assert entry.until == later + ONCE_FOR
        assert entry.since == (later if wait_for is None else START)


def test_the_first_terms_allow_what_the_request_and_the_token_allow() -> None:
    """The smallest amount counts: the hourly price, the total of the token, or the program's own total."""
    for use, total, rate in (
        (TokenUse(), None, "10.00"),
        (TokenUse(per_hour=Decimal(7)), None, "3.00"),
        (TokenUse(spent=micros(Decimal(190))), None, "2.22"),
        (TokenUse(), 20_000_000, "4.44"),
        (TokenUse(spent=micros(Decimal(200))), None, "0.00"),
    ):
        request = with_price_of_total(changed(REQUEST, max_total=total), RULES)
        found = first_terms(request, rules_of_token(RULES, TERMS, use))
        assert found.terms.max_rate == Decimal(rate)
        assert not found.over
        assert found.terms.total <= min(TERMS.total - use.spent, total or TERMS.total)


def test_the_terms_for_an_offer_stay_within_those_that_an_approver_has_seen() -> None:
    """An approval covers a price, so the margin for substitutes is limited by it."""
    offer = make.offer(rate=Decimal("2.15"))
    waits = make.rental(terms=make.terms(max_rate=Decimal("2.20"), total=9_000_000))
    rules = rules_of_token(RULES, TERMS, TokenUse())
    assert terms_for_offer(waits, offer, rules).terms.max_rate == Decimal("2.47")
    approved = terms_for_offer(changed(waits, approved_by="U0BEN"), offer, rules).terms
    assert (approved.max_rate, approved.total) == (Decimal("2.20"), 9_000_000)


def test_programs_read_no_commands_that_people_type() -> None:
    paused = BuyingBlocked(BuyingBlock.PAUSED, by="Cleo", why="audit")
    assert refusal_words(paused, "Ana") == (
        'Cleo paused all renting: "audit". Nothing was rented. Ask again later.'
    )
    assert refusal_words(NeedsKey(github=True), "Ana") == (
        "Ana has no SSH key, so nobody could log in. Nothing was rented. Send a public key with the request, or "
        "ask Ana to add one."
    )


def test_a_key_in_use_is_shown_on_one_line() -> None:
    words = key_in_use(make.rental(idempotency_key="run\n\x1b[31m8")).words
    assert words.isprintable()
    assert words.endswith("Repeat that request, or use a new key for a new machine.")
