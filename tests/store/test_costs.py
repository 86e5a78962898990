"""The costs of all live rentals."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from bot.model.attempt import AttemptState
from bot.model.records import Billing, Change, LiveCost
from bot.model.state import State
from store.db import Database
from tests.databases import START
from tests.store import make

HOUR = timedelta(hours=1)


async def test_the_cost_of_a_live_rental_includes_what_alive_resources_bill(database: Database) -> None:
    rental = make.rental("aaaaa", state=State.READY, attempts=2, rate=Decimal("2.42"), teammates=(make.BEN,))
    offer = make.offer("offer-a", rate=Decimal("2.4200000000000001"))
    await make.store_rental(
        database,
        rental,
        make.attempt("aaaaa", state=AttemptState.TERMINATED),
        make.attempt("aaaaa", 2, offer=offer, state=AttemptState.BOUGHT, intended_at=START + HOUR),
    )
    dead = make.resource("dead", "aaaaa", terminated_at=START + HOUR)
    plain = make.resource("plain", "aaaaa", 2, rate=Decimal("2.42"), valid_from=START, valid_to=START + 9 * HOUR)
    back = make.resource("back", "aaaaa", 2)
    rows = (
        make.ledger_row("dead", "aaaaa", amount=1),
        make.ledger_row("back", "aaaaa", amount=20, ended_at=START + 3 * HOUR, estimated=True),
        make.ledger_row("back", "aaaaa", n=2, amount=300, ended_at=START + 4 * HOUR),
    )
    async with database.write() as tx:
        await tx.rentals.apply(Change(before=rental, after=rental, resources=(dead, plain, back), ledger=rows))
    async with database.read() as tx:
        (found,) = await tx.rentals.live_costs()
    assert found._replace(alive=()) == LiveCost(
        rental_id="aaaaa",
        owner=make.ANA,
        state=State.READY,
        rate=Decimal("2.42"),
        created_at=START,
        billed=321,
        estimated=True,
        alive=(),
    )
    of_attempt: dict[str, Any] = {"offer_rate": offer.rate, "intended_at": START + HOUR}
    assert sorted(found.alive, key=lambda one: one.rate is None) == [
        Billing(rate=plain.rate, valid_from=START, valid_to=plain.valid_to, billed_to=None, **of_attempt),
        Billing(rate=None, valid_from=None, valid_to=None, billed_to=START + 4 * HOUR, **of_attempt),
    ]


async def test_a_rental_that_is_over_is_left_out_despite_alive_resources(database: Database) -> None:
    for number, (name, state) in enumerate(
        (("later", State.READY), ("ended", State.LOST), ("first", State.PROCURING))
    ):
        made = make.rental(name, state=state, attempts=1, created_at=START - number * HOUR)
        await make.store_rental(database, made, make.attempt(name, state=AttemptState.BOUGHT))
        async with database.write() as tx:
            await tx.rentals.apply(
                Change(
                    before=made,
                    after=made,
                    resources=(make.resource(f"res-{name}", name),),
                    ledger=(make.ledger_row(f"res-{name}", name),),
                )
            )
    async with database.read() as tx:
        found = await tx.rentals.live_costs()
    assert [(one.rental_id, one.billed, len(one.alive)) for one in found] == [
        ("first", 2_150_000, 1),
        ("later", 2_150_000, 1),
    ]
