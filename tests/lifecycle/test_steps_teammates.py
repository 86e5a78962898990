"""Teammates while steps run: the keys that can log in, and the people who are notified."""

from __future__ import annotations

import pytest

from bot.errors import Mistake
from bot.lifecycle.actions import queries, quoting, sharing
from bot.lifecycle.actions.action import carry_out
from bot.model.base import EVER, changed
from bot.model.event import EventKind as E
from bot.model.person import Key, Person
from bot.model.rental import Rental
from bot.model.state import State
from tests.lifecycle.test_steps_startup_script import can_log_in, new_key
from tests.lifecycle.world import ANA, BEN, CLEO, DORA, FOREVER, HOUR, MINUTE, World

EVE = Person(id="U0EVE", name="Eve")
"""A member without any role."""


async def add_eve(here: World) -> None:
    async with here.deps.store.write() as tx:
        await tx.people.put(EVE, FOREVER)


async def readable_by(here: World, person: Person, rental: Rental) -> bool:
    """Return whether a person may still read direct messages about a rental."""
    async with here.deps.store.read() as tx:
        known = await tx.people.get(person.id, EVER)
        assert known is not None
        return await queries.details_for_direct_message(tx, here.deps, known, rental) is not None


async def test_teammates_are_notified_of_ready_and_the_last_notice(here: World) -> None:
    await add_eve(here)
    await new_key(here, EVE, "eve@laptop")
    rental = await here.ready(teammates=(EVE.id,), lease=14 * HOUR)
    for notices_before in (3 * HOUR, 2 * HOUR, 40 * MINUTE):
        await here.be_down(rental.running_lease.ends_at - notices_before - here.now)
    await here.until(rental, State.DESTROYED, within=2 * HOUR)
    direct = await here.direct(rental)
    assert [kind for to, kind in direct if to == EVE.id] == [E.READY, E.ENDING]
    assert [kind for to, kind in direct if to == ANA.id].count(E.ENDING) >= 1


async def test_a_teammate_without_a_key_is_only_asked_to_add_one(
    here: World,
) -> None:
    """The teammate isn't notified when the machine is ready."""
    await add_eve(here)
    rental = await here.ready(teammates=(EVE.id,))
    assert [kind for to, kind in await here.direct(rental) if to == EVE.id] == [E.TEAMMATE_ADDED]
    assert (ANA.id, E.READY) in await here.direct(rental)


async def test_a_teammate_who_removed_their_key_is_asked_for_one_at_ready(
    here: World,
) -> None:
    await add_eve(here)
    await new_key(here, EVE, "eve@laptop")
    rental = await here.get(teammates=(EVE.id,))
    async with here.deps.store.write() as tx:
        for key in await tx.people.keys(EVE.id):
            await tx.people.remove_key(EVE.id, key.fingerprint)
    await here.until(rental, State.READY)
    assert [kind for to, kind in await here.direct(rental) if to == EVE.id] == [E.READY]


async def test_a_teammate_is_notified_that_their_extension_was_denied(here: World) -> None:
    await add_eve(here)
    rental = await here.ready(teammates=(EVE.id, CLEO.id))
    await here.extend(rental, 48 * HOUR, EVE)
    await here.deny(rental)
    denied = [to for to, kind in await here.direct(rental) if kind is E.EXTENSION_DENIED]
    assert sorted(denied) == sorted([ANA.id, EVE.id])


async def test_a_teammate_who_adds_a_key_in_time_can_log_in(here: World) -> None:
    """The teammate is asked for a key only once."""
    await add_eve(here)
    rental = await here.get(teammates=(EVE.id,), count=8)
    assert rental.state is State.AWAITING_APPROVAL
    assert await here.direct(rental) == [(EVE.id, E.TEAMMATE_ADDED)]
    await carry_out(here.deps, ANA, sharing.Share(rental.id, [EVE.id]))
    assert await here.direct(rental) == [(EVE.id, E.TEAMMATE_ADDED)]
    key = await new_key(here, EVE, "eve@laptop")
    await here.approve(rental)
    rental = await here.until(rental, State.READY)
    assert await can_log_in(rental, key)


async def test_keys_too_large_for_the_startup_script_are_refused(here: World) -> None:
    await add_eve(here)
    async with here.deps.store.write() as tx:
        for n in range(5):
            large = Key(line=f"ssh-rsa {n}" + "A" * 3000, comment="", fingerprint=f"SHA256:{n}")
            await tx.people.add_key(EVE.id, large)
    rental = await here.get(count=8)
    with pytest.raises(Mistake, match=r"15 kB is the limit\. It has 5 keys"):
        await carry_out(here.deps, ANA, sharing.Share(rental.id, [EVE.id]))
    with pytest.raises(Mistake, match=r"15 kB is the limit\. It has 5 keys"):
        await here.ask(teammates=(EVE.id,))
    assert (await here.rental(rental.id)).teammates == ()


async def test_a_teammate_added_before_the_purchase_can_log_in(here: World) -> None:
    key = await new_key(here, BEN, "ben@laptop")
    rental = await here.get(count=8)
    shared = await carry_out(here.deps, ANA, sharing.Share(rental.id, [BEN.id], version=1))
    assert (shared.names, shared.without_key, shared.key_lines) == (("Ben",), (), ())
    assert await here.direct(rental) == []
    await here.approve(rental, DORA)
    assert await can_log_in(await here.until(rental, State.READY), key)


async def test_a_pending_change_keeps_a_newly_added_teammate(here: World) -> None:
    await add_eve(here)
    rental = await here.get(count=8, teammates=(BEN.id,))
    change = await here.ask(count=8, lease=HOUR, changes=rental.id)
    here.jump(MINUTE)
    await carry_out(here.deps, ANA, sharing.Share(rental.id, [EVE.id]))
    refreshed = await quoting.quote_to_ask_again(here.deps, ANA, change.id)
    assert refreshed.request.teammates == (EVE.id,)
    rental = await here.rent(change)
    assert (rental.request.lease, rental.teammates) == (HOUR, (EVE.id,))


async def test_a_rental_can_be_shared_with_at_most_20_people(here: World) -> None:
    people = [Person(id=f"U{n}", name=f"Person {n}") for n in range(21)]
    async with here.deps.store.write() as tx:
        for person in people:
            await tx.people.put(person, FOREVER)
    rental = await here.get(teammates=tuple(person.id for person in people[:19]))
    await carry_out(here.deps, ANA, sharing.Share(rental.id, [people[19].id]))
    with pytest.raises(Mistake, match="A machine can be shared with at most 20 people"):
        await carry_out(here.deps, ANA, sharing.Share(rental.id, [people[20].id]))
    await here.settle()
    assert len((await here.rental(rental.id)).teammates) == 20


async def test_a_teammate_added_during_the_start_needs_a_key_line(here: World) -> None:
    """The owner has to add the line to the machine."""
    await new_key(here, BEN, "ben@laptop")
    rental = await here.get()
    assert rental.state is State.PROVISIONING
    shared = await carry_out(here.deps, ANA, sharing.Share(rental.id, [BEN.id]))
    assert len(shared.key_lines) == 2
    await here.until(rental, State.READY)
    assert [kind for to, kind in await here.direct(rental) if to == BEN.id] == [E.READY]


async def test_a_teammate_who_became_a_guest_cannot_log_in(here: World) -> None:
    await add_eve(here)
    eve = await new_key(here, EVE, "eve@laptop")
    ben = await new_key(here, BEN, "ben@laptop")
    here.people.changed[EVE.id] = changed(EVE, guest=True)
    rental = await here.ready(teammates=(EVE.id, BEN.id))
    assert [await can_log_in(rental, key) for key in (eve, ben)] == [False, True]
    assert not await readable_by(here, EVE, rental)
    assert await readable_by(here, BEN, rental)


async def test_only_people_with_access_see_the_current_keys(here: World) -> None:
    await add_eve(here)
    await new_key(here, EVE, "eve@laptop")
    rental = await here.ready(teammates=(EVE.id,))
    await new_key(here, ANA, "ana@desk")
    await new_key(here, BEN, "ben@laptop")
    await carry_out(here.deps, ANA, sharing.Share(rental.id, [BEN.id]))
    await here.settle()
    async with here.deps.store.write() as tx:
        await tx.people.put(changed(EVE, guest=True), FOREVER)
    for reader in (ANA, BEN):
        details = await queries.ssh_details(here.deps, reader, rental.id)
        comments = {person: [key.comment for key in keys] for person, keys in details.keys_now.items()}
        assert comments == {ANA.id: ["", "ana@desk"], BEN.id: ["", "ben@laptop"]}
    assert (await queries.show(here.deps, CLEO, rental.id)).keys_now == {}


async def test_a_teammate_who_left_gets_no_notice_of_the_end(here: World) -> None:
    await add_eve(here)
    rental = await here.ready(teammates=(EVE.id,))
    assert await readable_by(here, EVE, rental)
    here.people.changed[EVE.id] = changed(EVE, deactivated=True)
    await here.be_down(HOUR)
    rental = await here.until_event(rental, E.ENDING, within=2 * HOUR)
    assert not await readable_by(here, EVE, rental)
