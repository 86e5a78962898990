"""Previews: offers with the decision of the rules about them, and clicks that need a confirmation first."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from bot.clock import MovedClock
from bot.errors import BuyingBlock, BuyingBlocked, NextStep, Refused, RequestChanged, TooLate
from bot.lifecycle.actions import quoting
from bot.lifecycle.actions.action import to_confirm
from bot.lifecycle.actions.deciding import Approve
from bot.lifecycle.actions.offers import offers_of_quote, quote_view
from bot.lifecycle.actions.renting import Rent
from bot.lifecycle.deps import Deps
from bot.model.account_facts import PAUSED, UNAUTHORIZED_SINCE, Pause
from bot.model.attempt import AttemptState
from bot.model.base import changed
from bot.model.person import Key, Person
from bot.model.state import State
from bot.policy.team.rules import Approvers, Rules
from store.db import Database
from tests.databases import ON_SQLITE, START
from tests.store import make
from tests.store.make import ANA, BEN

HOUR = timedelta(hours=1)
READER = Person(id=ANA, name="Ana")
APPROVER = Person(id=BEN, name="Ben")
KEY = Key(line="ssh-ed25519 AAAA", comment="", fingerprint="SHA256:abc")
DEAR = make.offer("dear", rate=Decimal("12.00"))
CHEAP = make.offer("cheap", rate=Decimal("2.15"))


pytestmark = ON_SQLITE


@pytest.fixture
def deps(database: Database, clock: MovedClock) -> Deps:
    return Deps(store=database, clock=clock, rules=Rules(approvers=Approvers(people=(BEN,))))


async def stored_quote(database: Database, *, changes: str | None = None) -> None:
    """Store a quote of a person with a key."""
    async with database.write() as tx:
        await tx.people.add_key(ANA, KEY)
        await tx.quotes.add(make.quote(offers=(CHEAP, DEAR), changes=changes))


async def test_only_an_offer_above_fifty_dollars_is_confirmed_first(database: Database, deps: Deps) -> None:
    await stored_quote(database)
    assert await to_confirm(deps, READER, Rent("q1", "cheap")) is None
    wanted = await to_confirm(deps, READER, Rent("q1", "dear"))
    assert wanted is not None
    assert (wanted.plan.choice.offer, wanted.plan.choice.needs_approval) == (DEAR, True)


async def test_an_offer_that_cannot_be_rented_is_refused_without_confirmation(
    database: Database, deps: Deps
) -> None:
    await stored_quote(database)
    with pytest.raises(TooLate, match="no longer exist"):
        await to_confirm(deps, READER, Rent("q1", "unknown"))
    for n in range(deps.rules.limits.per_person_rentals):
        await make.store_rental(database, make.rental(f"rent{n}"))
    with pytest.raises(Refused, match="limit"):
        await to_confirm(deps, READER, Rent("q1", "dear", another=True))


async def test_an_offer_is_not_confirmed_before_the_person_has_a_key(database: Database, deps: Deps) -> None:
    await stored_quote(database)
    async with database.write() as tx:
        await tx.people.remove_key(ANA, KEY.fingerprint)
    assert await to_confirm(deps, READER, Rent("q1", "dear")) is None


async def test_a_changed_request_includes_the_cost_of_earlier_attempts(database: Database, deps: Deps) -> None:
    waits = make.rental("k7mq2", state=State.AWAITING_APPROVAL, decision=make.decision(), attempts=1)
    await make.store_rental(database, waits, make.attempt("k7mq2", state=AttemptState.TERMINATED))
    async with database.write() as tx:
        machine = make.resource(
            "res-1", "k7mq2", status="deleted", terminated_at=START + HOUR, read_at=START + HOUR
        )
        row = make.ledger_row("res-1", "k7mq2", amount=45_000_000)
        await tx.rentals.apply(make.unchecked(waits, waits, resources=(machine,), ledger=(row,)))
    await stored_quote(database, changes="k7mq2")
    wanted = await to_confirm(deps, READER, Rent("q1", "cheap"))
    assert wanted is not None
    assert wanted.plan.choice.terms.total > 50_000_000


async def test_offers_are_refused_with_the_reason_why_buying_is_blocked(database: Database, deps: Deps) -> None:
    await stored_quote(database)
    async with database.write() as tx:
        await tx.account.set(UNAUTHORIZED_SINCE, START)
        await tx.account.set(PAUSED, Pause(by=ANA, at=START, why="the bill"))
    view = await offers_of_quote(deps, READER, "q1", most=1)
    (choice,) = view.choices
    assert isinstance(choice.refused, BuyingBlocked)
    assert choice.refused.block is BuyingBlock.PAUSED
    assert (choice.refused.at, choice.refused.why) == (START, "the bill")


async def test_the_short_answer_groups_a_vendors_regions_nearest_first(database: Database, deps: Deps) -> None:
    """The order of the quote's offers, which is the order of purchase, doesn't change."""
    regions = {"us-1": "US", "can-1": "Other", "nor-1": "EU"}
    offers = tuple(
        make.offer(name, vendor_region=name, region=region, rate=CHEAP.rate) for name, region in regions.items()
    )
    async with database.write() as tx:
        await tx.people.put(changed(READER, tz="Europe/Berlin"), START)
        await tx.quotes.add(make.quote(offers=(*offers, DEAR)))
    async with database.read() as tx:
        quote = await tx.quotes.get("q1")
        assert quote is not None
        short = await quote_view(tx, deps, quote, most=3)
    assert [(choice.offer.offer_id, choice.other_regions) for choice in short.choices] == [
        ("nor-1", 2),
        ("dear", 0),
    ]
    whole = await offers_of_quote(deps, READER, "q1", most=20)
    assert [choice.offer.offer_id for choice in whole.choices] == ["nor-1", "us-1", "can-1", "dear"]
    assert [one.offer_id for one in whole.quote.offers] == ["us-1", "can-1", "nor-1", "dear"]


async def test_a_quote_is_shown_only_to_its_owner(database: Database, deps: Deps) -> None:
    await stored_quote(database)
    with pytest.raises(Refused) as refused:
        await offers_of_quote(deps, APPROVER, "q1", most=3)
    assert refused.value.next_step is NextStep.ASK_FOR_YOUR_OWN
    with pytest.raises(TooLate) as late:
        await quoting.quote_to_ask_again(deps, READER, "gone")
    assert late.value.next_step is NextStep.ASK_AGAIN


@pytest.mark.parametrize(
    ("person", "version", "total", "confirms"),
    [
        (APPROVER, 1, 137_540_000, True),
        (APPROVER, 1, 50_000_000, False),
        (APPROVER, 2, 137_540_000, None),
        (READER, 1, 137_540_000, None),
    ],
)
async def test_an_approval_above_fifty_dollars_needs_a_confirmation(
    database: Database, deps: Deps, person: Person, *, version: int, total: int, confirms: bool | None
) -> None:
    """People who may not decide are refused before the confirmation."""
    terms = make.terms(total=total)
    await make.store_rental(
        database, make.rental(state=State.AWAITING_APPROVAL, decision=make.decision(), terms=terms)
    )
    action = Approve("k7mq2", version)
    if confirms is None:
        with pytest.raises((Refused, RequestChanged)):
            await to_confirm(deps, person, action)
    else:
        assert (await to_confirm(deps, person, action) is not None) is confirms
