"""Buttons that an older version posted act on the rentals that it stored, after the upgrade of its database.

Their ids and values are copied from that version: none of them is made by the code under test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.quote import QuoteState
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.rules import Limits
from sandbox.slack import default
from sandbox.slack.default import TRAINING
from tests.databases import postgres
from tests.handlers.team import KEY_LINE, Team, team
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, RULES
from tests.rentals import ending
from tests.store.old_databases import STORED, WAITS_FOR_KEY, kind, old_url, run

__all__ = ["kind", "old_url", "postgres"]

H = timedelta(hours=1)
OPEN_QUOTE, OFFER = "q8f3mz2kq7wx", "7ea09323-81b8-46b4-8208-d1b653ddcb19"
"""A search of Ben's from which nobody rented yet, and its cheapest offer: those of the rental `blocked`."""
COPIED = (
    "state, asked_in, card_channel, request, rent_now, reply_url, replaces, created_at, found_at, offers, nearby"
)


@pytest.fixture
def schema() -> str:
    """The revision of the older version's database."""
    return "0004"


@pytest.fixture
async def ours(tmp_path: Path, old_url: str, schema: str) -> AsyncIterator[Team]:
    """The team at the time of the dump, with the upgraded database and its people. An admin resumed buying."""
    await run(
        old_url,
        f"INSERT INTO quotes (id, owner, {COPIED}) SELECT '{OPEN_QUOTE}', '{BEN.id}', {COPIED} "  # noqa: S608  constants
        f"FROM quotes WHERE rental_id = '{STORED[schema].blocked}'",
    )
    rules = changed(RULES, limits=Limits(per_person_rentals=30, team_per_hour=Decimal(1000)))
    async with team(tmp_path, rules=rules, url=old_url) as made:
        workspace = made.world.sandbox.workspace
        people = {ANA: default.ANA, BEN: default.BEN, CLEO: default.CLEO, DORA: default.BEN}
        for person, like in people.items():
            workspace.people[person.id] = replace(workspace.people[like], id=person.id, name=person.name)
        training = workspace.channels[TRAINING]
        members = training.members | {person.id for person in people}
        workspace.channels[TRAINING] = replace(training, members=members)
        made.clock.put(STORED[schema].dumped)
        await made.command(CLEO.id, "resume")
        yield made


async def click(ours: Team, user: str, action_id: str, value: str, *, confirm: bool = False) -> Rental:
    """Click an old button, and with `confirm` the button of the dialog that it opens. Return the rental."""
    await ours.forge(user, action_id, value)
    if confirm:
        assert (await ours.submit(user))["ok"]
    return await ours.rental(value.partition(":")[0])


@pytest.mark.parametrize(
    ("schema", "shown_end", "expired"), [("0004", 1795645288, "3zha9"), ("0005", 1795646186, "t66dv")]
)
async def test_old_buttons_decide_extend_and_destroy_the_rentals_of_an_upgraded_database(
    ours: Team, schema: str, shown_end: int, expired: str
) -> None:
    stored = STORED[schema]
    approved = await click(ours, BEN.id, "approve", f"{stored.for_approver}:1", confirm=True)
    assert (approved.state, approved.approved_by) == (State.PROCURING, BEN.id)
    accepted = await click(ours, ANA.id, "accept", f"{stored.for_owner}:2")
    assert accepted.state is State.PROCURING
    await click(ours, BEN.id, "deny", f"{stored.changed}:2")
    await ours.submit(BEN.id)
    assert (await ours.rental(stored.changed)).state is State.DENIED

    ends_at = (await ours.rental(stored.extended)).running_lease.ends_at
    for _ in range(2):
        extended = await click(ours, ANA.id, "extend", f"{stored.extended}:2:{shown_end}")
        assert extended.running_lease.ends_at == ends_at + 2 * H
    ours.clock.put(ours.clock.now() + timedelta(minutes=3))  # she kept it a moment before
    kept = await click(ours, ANA.id, "keep", f"{stored.kept}:4")
    assert kept.running_lease.question.silent_until == ours.clock.now() + 4 * H

    destroyed = await click(ours, ANA.id, "destroy", stored.in_use, confirm=True)
    assert (ending(destroyed).outcome, ending(destroyed).by) == (State.DESTROYED, ANA.id)
    cancelled = await click(ours, ANA.id, "cancel", stored.starting, confirm=True)
    assert (ending(cancelled).outcome, ending(cancelled).why) == (State.CANCELLED, Why.ASKED)

    over = await ours.rental(expired)
    assert await click(ours, BEN.id, "approve", f"{expired}:1") == over
    assert f"{expired} expired before anyone decided. I changed nothing." in (await ours.replies())[-1]


async def test_an_old_rent_button_rents_while_its_offer_stands_and_an_old_key_button_lets_the_search_go_on(
    ours: Team,
) -> None:
    async def rented_by_ben() -> list[tuple[State, str | None]]:
        return [(rental.state, rental.clicked_offer) for rental in await ours.rentals() if rental.owner == BEN.id]

    await ours.forge(BEN.id, "rent", f"{OPEN_QUOTE}:{OFFER}")
    assert await rented_by_ben() == [(State.PROCURING, OFFER)]

    await ours.forge(DORA.id, "add_key", None)
    assert (await ours.submit(DORA.id, key_line=KEY_LINE))["ok"]
    async with ours.deps.store.read() as tx:
        quote = await tx.quotes.get(WAITS_FOR_KEY)
    assert quote is not None
    assert quote.state is QuoteState.LOOKING


async def test_an_old_rent_button_whose_offer_has_expired_rents_nothing_and_offers_to_search_again(
    ours: Team,
) -> None:
    ours.clock.put(datetime.fromisoformat("2026-11-25T00:48:31+00:00"))
    await ours.forge(BEN.id, "rent", f"{OPEN_QUOTE}:{OFFER}")
    assert [rental for rental in await ours.rentals() if rental.owner == BEN.id] == []
    assert "These prices no longer stand. Nothing was rented." in (await ours.replies())[-1]
