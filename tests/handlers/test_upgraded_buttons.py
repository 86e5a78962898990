"""Buttons that an earlier release posted act on that release's rentals after the database was upgraded.

Their values are written out here. None of them is created by the code under test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.model.attempt import Why
from bot.model.base import changed
from bot.model.offer import Offer
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.team.rules import Limits
from sandbox.slack import default
from sandbox.slack.default import TRAINING
from sandbox.slack.state import BOT_USER
from store.db import migrate
from tests.databases import postgres
from tests.handlers.team import KEY_LINE, Team, team
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, RULES
from tests.rentals import ending
from tests.store.released import Stored, kind, release, released_url, stored

__all__ = ["kind", "postgres", "release", "released_url", "stored"]

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])  # tests/store has upgrades on both databases

H = timedelta(hours=1)


@pytest.fixture
async def ours(tmp_path: Path, released_url: str, stored: Stored) -> AsyncIterator[Team]:
    """Yield the team at the time of the dump, with the upgraded database and its people.

    An admin has resumed buying.
    """
    rules = changed(RULES, limits=Limits(per_person_rentals=30, team_per_hour=Decimal(1000)))
    await migrate(released_url)
    async with team(tmp_path, rules=rules, url=released_url) as made:
        workspace = made.world.sandbox.workspace
        people = {ANA: default.ANA, BEN: default.BEN, CLEO: default.CLEO, DORA: default.BEN}
        for person, like in people.items():
            workspace.people[person.id] = replace(workspace.people[like], id=person.id, name=person.name)
        training = workspace.channels[TRAINING]
        members = training.members | {person.id for person in people}
        workspace.channels[TRAINING] = replace(training, members=members)
        made.clock.put(stored.dumped)
        await made.command(CLEO.id, "resume")
        yield made


async def click(ours: Team, user: str, action_id: str, value: str, *, confirm: bool = False) -> Rental:
    """Click an old button, with `confirm` also the button of the dialog that it opens, and return the rental."""
    await ours.forge(user, action_id, value)
    if confirm:
        assert (await ours.submit(user))["ok"]
    return await ours.rental(value.partition(":")[0])


async def test_old_buttons_still_work_after_a_database_upgrade(ours: Team, stored: Stored) -> None:
    approved = await click(ours, BEN.id, "approve", f"{stored.for_approver}:1", confirm=True)
    assert (approved.state, approved.approved_by) == (State.PROCURING, BEN.id)
    accepted = await click(ours, ANA.id, "accept", f"{stored.for_owner}:2")
    assert accepted.state is State.PROCURING
    await click(ours, BEN.id, "deny", f"{stored.changed}:2")
    await ours.submit(BEN.id)
    assert (await ours.rental(stored.changed)).state is State.DENIED

    ends_at = (await ours.rental(stored.extended)).running_lease.ends_at
    shown_end = int(ends_at.timestamp())
    for _ in range(2):
        extended = await click(ours, ANA.id, "extend", f"{stored.extended}:2:{shown_end}")
        assert extended.running_lease.ends_at == ends_at + 2 * H
    ours.clock.put(ours.clock.now() + timedelta(minutes=3))  # the stored Keep is only a moment old
    kept = await click(ours, ANA.id, "keep", f"{stored.kept}:4")
    assert kept.running_lease.question.quiet_until == ours.clock.now() + 4 * H

    destroyed = await click(ours, ANA.id, "destroy", stored.in_use, confirm=True)
    assert (ending(destroyed).outcome, ending(destroyed).by) == (State.DESTROYED, ANA.id)
    cancelled = await click(ours, ANA.id, "cancel", stored.starting, confirm=True)
    assert (ending(cancelled).outcome, ending(cancelled).why) == (State.CANCELLED, Why.ASKED)

    over = await ours.rental(stored.expired)
    assert await click(ours, BEN.id, "approve", f"{stored.expired}:1") == over
    assert f"{stored.expired} expired before anyone decided. Nothing was changed." in (await ours.replies())[-1]


async def first_offer(ours: Team, quote_id: str) -> Offer:
    async with ours.deps.store.read() as tx:
        quote = await tx.quotes.get(quote_id)
    assert quote is not None
    return quote.offers[0]


async def rented_from(ours: Team, quote_id: str) -> list[tuple[State, str]]:
    return [(one.state, one.clicked_offer) for one in await ours.rentals() if one.quote_id == quote_id]


async def test_old_rent_and_key_buttons_rent_while_their_offers_are_valid(ours: Team, stored: Stored) -> None:
    offer = await first_offer(ours, stored.searched)
    await ours.forge(BEN.id, "rent", f"{stored.searched}:{offer.offer_id}")
    assert await rented_from(ours, stored.searched) == [(State.PROCURING, offer.offer_id)]

    offer = await first_offer(ours, stored.clicked)
    await ours.forge(DORA.id, "add_key", None)
    assert (await ours.submit(DORA.id, key_line=KEY_LINE))["ok"]
    assert await rented_from(ours, stored.clicked) == [(State.PROCURING, offer.offer_id)]


async def test_an_old_rent_button_with_an_expired_offer_suggests_searching_again(
    ours: Team, stored: Stored
) -> None:
    offer = await first_offer(ours, stored.searched)
    ours.clock.put(offer.expires_at)
    await ours.forge(BEN.id, "rent", f"{stored.searched}:{offer.offer_id}")
    assert await rented_from(ours, stored.searched) == []
    assert "These prices are no longer valid. Nothing was rented." in (await ours.replies())[-1]


async def test_messages_of_an_earlier_release_get_the_new_form_when_changed(ours: Team, stored: Stored) -> None:
    """The card and the owner's message are edited in place, and neither is posted again."""
    workspace = ours.world.sandbox.workspace
    places = [(workspace.channels[TRAINING], f"*Ready*: 1x H100 SXM 80 GB EU, Ana, {stored.in_use}.")]
    places.append((workspace.dm(ANA.id), f"Your 1x H100 SXM 80 GB ({stored.in_use}) is ready until 18:40."))
    async with ours.deps.store.write() as tx:
        ready = [one for one in await tx.messages.direct_of(stored.in_use) if one.to.value == ANA.id]
        messages = [await tx.messages.card(stored.in_use), ready[0]]
        posted = []
        for message, (channel, words) in zip(messages, places, strict=True):
            assert message is not None
            section = {"type": "section", "text": {"type": "mrkdwn", "text": words}, "block_id": "old"}
            posted.append(workspace.post(channel, BOT_USER, words, blocks=[section]))
            await tx.messages.save(changed(message, channel=channel.id, ts=posted[-1].ts))
    rental = await ours.rental(stored.in_use)
    shown_end = int(rental.running_lease.ends_at.timestamp())
    await click(ours, ANA.id, "extend", f"{stored.in_use}:2:{shown_end}")
    await ours.deliver_all()

    card, direct = (workspace.messages[old.channel][old.ts] for old in posted)
    assert card.text.startswith(f"Ready: 1x H100 SXM 80 GB ({stored.in_use}) in EU for Ana")
    assert [block["type"] for block in card.blocks][:2] == ["section", "section"]
    assert "fields" in card.blocks[1]
    assert direct.blocks[0]["type"] == "header"
    assert direct.blocks[0]["text"]["text"] == f"Your 1x H100 SXM 80 GB ({stored.in_use}) is ready"
    assert "ssh " in str(next(block for block in direct.blocks if block["type"] == "rich_text"))
    for old in posted:
        about = [one for one in workspace.messages[old.channel].values() if stored.in_use in one.text]
        assert [one.ts for one in about if one.thread_ts is None and not one.only_for] == [old.ts]
