"""The startup script of a purchase, and the keys that it installs.

A vendor that refuses the script costs nobody a machine.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import asyncssh
import pytest

from bot.errors import Mistake
from bot.model.attempt import AttemptState, SentScript, Why
from bot.model.base import changed
from bot.model.event import EventKind as E
from bot.model.facts import LeftOut
from bot.model.person import Key, Person
from bot.model.quote import QuoteState
from bot.model.rental import Rental
from bot.model.state import State
from bot.policy.access.probe_script import probe_line
from bot.policy.access.startup_script import GIVES_WAY, SCRIPT_VERSION
from bot.policy.use.probing import has_probe
from tests.lifecycle.checks import ends_as
from tests.lifecycle.world import ANA, BEN, CLEO, MINUTE, World
from tests.rentals import ending, waiting

SETUP = "#!/bin/sh\npip install torch\n"


@pytest.fixture
def here(here: World) -> World:
    """Return a world whose rules have the setup `torch`."""
    return with_setups(here, torch=SETUP)


def with_setups(here: World, **setups: str) -> World:
    here.restart(replace(here.deps, rules=changed(here.deps.rules, setup=setups)))
    return here


async def new_key(here: World, person: Person, comment: str) -> asyncssh.SSHKey:
    """Add a key to a person's keys, and return its private half."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    public = key.export_public_key().decode().strip()
    async with here.deps.store.write() as tx:
        stored = Key(line=public, comment=comment, fingerprint=key.get_fingerprint())
        await tx.people.add_key(person.id, stored)
    return key


async def remove_keys(here: World, person: Person) -> None:
    """Remove all keys of a person."""
    async with here.deps.store.write() as tx:
        for key in await tx.people.keys(person.id):
            await tx.people.remove_key(person.id, key.fingerprint)


async def can_log_in(rental: Rental, key: asyncssh.SSHKey) -> bool:
    """Return whether root can log in to the machine with this key."""
    try:
        async with asyncssh.connect(
            rental.host or "", rental.port or 0, username="root", client_keys=[key], known_hosts=None, config=None
        ) as ssh:
            return (await ssh.run("uptime")).exit_status == 0
    except asyncssh.PermissionDenied:
        return False


async def scripts(here: World) -> list[str | None]:
    """Return the startup script of each purchase call, in order. None if a call had none."""
    return [call["body"].get("cloud_init") for call in await here.calls("procure_offer")]


async def left_out(here: World, rental: Rental) -> list[LeftOut | None]:
    """Return the parts that each attempt left out of the script, in order."""
    return [event.facts.left_out for event in await here.events(rental) if event.kind is E.RENTING]


async def test_exactly_the_keys_of_owner_and_teammates_can_log_in(here: World) -> None:
    desk = await new_key(here, ANA, "ana@desk")
    ben = await new_key(here, BEN, "ben@laptop")
    stranger = await new_key(here, CLEO, "cleo@laptop")
    rental = await here.ready(teammates=(BEN.id,), setup="torch")
    assert [await can_log_in(rental, key) for key in (here.outside.key, desk, ben, stranger)] == [
        True,
        True,
        True,
        False,
    ]
    (attempt,) = await here.attempts(rental)
    assert attempt.public_key == here.outside.public_key
    assert attempt.script is not None
    assert (attempt.script.version, attempt.script.setup) == (SCRIPT_VERSION, "torch")
    assert [(key.person, key.comment, key.fingerprint) for key in attempt.script.keys] == [
        (ANA.id, "ana@desk", desk.get_fingerprint()),
        (BEN.id, "ben@laptop", ben.get_fingerprint()),
    ]
    (script,) = await scripts(here)
    assert SETUP in (script or "")
    assert await left_out(here, rental) == [None]


async def test_nothing_that_people_type_is_sent_to_the_market(here: World) -> None:
    """Neither the comments of keys nor notes nor names are sent."""
    typed = "zebra $(touch zebra) `zebra` '; zebra #"
    async with here.deps.store.write() as tx:
        (first,) = await tx.people.keys(ANA.id)
        await tx.people.add_key(ANA.id, changed(first, comment=typed))
        await tx.people.put(changed(BEN, name=typed), here.clock.real())
    await new_key(here, ANA, typed)
    await new_key(here, BEN, typed)
    rental = await here.get(teammates=(BEN.id,), setup="torch", note=typed)
    (call,) = await here.calls("procure_offer")
    assert call["body"]["ssh_public_key"] == here.outside.public_key
    assert "zebra" not in str(call["body"])
    (attempt,) = await here.attempts(rental)
    assert attempt.key_comment == typed


async def test_a_rental_with_one_key_and_no_setup_sends_no_script(here: World) -> None:
    rental = await here.get()
    assert await scripts(here) == [None]
    (attempt,) = await here.attempts(rental)
    assert attempt.script is None


async def test_a_simple_rental_sends_the_probe_unless_its_owner_opted_out(here: World) -> None:
    here.restart(replace(here.deps, probe_line=probe_line("ssh-ed25519 AAAAProbe")))
    seen, unseen = await here.get(), await here.get(probe=False)
    script, none = await scripts(here)
    assert here.deps.probe_line in (script or "")
    assert none is None
    (attempt,) = await here.attempts(seen)
    assert attempt.script == SentScript(version=SCRIPT_VERSION, probe=True, parts=GIVES_WAY)
    assert has_probe(seen, attempt, here.deps.rules)
    (attempt,) = await here.attempts(unseen)
    assert attempt.script is None


async def test_a_vendor_that_refuses_the_probe_sells_without_it(here: World) -> None:
    here.restart(replace(here.deps, probe_line=probe_line("ssh-ed25519 AAAAProbe")))
    await here.behaves("hyperstack", "refuses_cloud_init")
    rental = await here.until(await here.get(), State.READY)
    assert [script is None for script in await scripts(here)] == [False, True]
    assert await left_out(here, rental) == [None, LeftOut(refused=True, probe=True)]


async def test_a_refused_script_is_left_out_of_the_next_attempt(
    here: World,
) -> None:
    """The next attempt takes a fresh offer from the same vendor."""
    await new_key(here, ANA, "ana@desk")
    await here.behaves("hyperstack", "refuses_cloud_init")
    rental = await here.until(await here.get(setup="torch"), State.READY)
    refused, bought = await here.attempts(rental)
    assert (refused.state, refused.why) == (AttemptState.FAILED, Why.SCRIPT_REFUSED)
    assert refused.script is not None
    assert bought.script == SentScript(version=SCRIPT_VERSION, refused=True)
    assert (bought.called_offer.vendor, bought.called_offer.vendor_region) == (
        "hyperstack",
        refused.called_offer.vendor_region,
    )
    assert bought.called_offer.offer_id != refused.called_offer.offer_id
    assert [script is None for script in await scripts(here)] == [False, True]
    assert await left_out(here, rental) == [None, LeftOut(refused=True, setup="torch", key_count=1)]
    assert await can_log_in(rental, here.outside.key)
    await ends_as(here, await here.destroy(rental), State.DESTROYED)


async def test_the_chosen_vendor_is_tried_without_the_script_first(here: World) -> None:
    """A cheaper vendor comes only after that."""
    await here.behaves("nebius", "refuses_cloud_init")
    rental = await here.rent(await here.ask(setup="torch"), "nebius")
    assert [attempt.called_offer.vendor for attempt in await here.attempts(rental)] == ["nebius", "nebius"]
    assert rental.state is State.PROVISIONING


async def test_after_two_refusals_the_next_vendor_gets_the_script(
    here: World,
) -> None:
    """The first vendor refuses both with and without the script."""
    await here.fault("procure_offer", "status", status=422, times=2)
    rental = await here.get(setup="torch")
    assert [(attempt.called_offer.vendor, attempt.why) for attempt in await here.attempts(rental)] == [
        ("hyperstack", Why.SCRIPT_REFUSED),
        ("hyperstack", Why.REFUSED),
        ("nebius", None),
    ]
    assert [script is None for script in await scripts(here)] == [False, True, False]
    assert [found is None for found in await left_out(here, rental)] == [True, False, True]


async def test_a_refused_script_does_not_count_as_an_attempt(here: World) -> None:
    procure = changed(here.deps.rules.procure, attempts=1)
    here.restart(replace(here.deps, rules=changed(here.deps.rules, procure=procure)))
    await here.behaves("hyperstack", "refuses_cloud_init")
    rental = await here.get(setup="torch")
    assert (rental.state, rental.attempts) == (State.PROVISIONING, 2)


async def test_each_vendor_is_tried_once_with_and_once_without_the_script(here: World) -> None:
    await here.fault("procure_offer", "status", status=422, times=None)
    rental = await here.get(setup="torch")
    assert [(attempt.called_offer.vendor, attempt.why) for attempt in await here.attempts(rental)] == [
        ("hyperstack", Why.SCRIPT_REFUSED),
        ("hyperstack", Why.REFUSED),
        ("nebius", Why.SCRIPT_REFUSED),
        ("nebius", Why.REFUSED),
    ]
    assert waiting(rental).why is Why.DEARER


async def test_without_another_offer_the_next_vendor_gets_the_refused_script(
    here: World,
) -> None:
    await here.behaves("hyperstack", "refuses_cloud_init")
    quote = await here.ask(setup="torch")
    offers = await here.outside.offers("{region: EU, compute: {gpu_type: H100, gpu_count: 1}}")
    others = [offer for offer in offers if offer["vendor"] != "hyperstack"]
    await here.fault("get_offers", "garbage", body=json.dumps({"offers": others}))
    rental = await here.rent(quote)
    assert [attempt.called_offer.vendor for attempt in await here.attempts(rental)] == ["hyperstack", "nebius"]
    assert [script is None for script in await scripts(here)] == [False, False]


async def test_the_script_is_remembered_if_the_answer_was_lost(
    here: World,
) -> None:
    """The purchase is looked up."""
    desk = await new_key(here, ANA, "ana@desk")
    await here.fault("procure_offer", "cut_after")
    rental = await here.get()
    (attempt,) = await here.attempts(rental)
    assert (attempt.state, attempt.script is None) == (AttemptState.UNKNOWN, False)
    here.restart(here.deps)
    rental = await here.until(rental, State.READY)
    (attempt,) = await here.attempts(rental)
    assert attempt.script is not None
    assert [key.fingerprint for key in attempt.script.keys] == [desk.get_fingerprint()]
    assert await can_log_in(rental, desk)


async def test_a_setup_removed_from_the_rules_does_not_prevent_the_purchase(here: World) -> None:
    quote = await here.ask(setup="torch")
    rental = await here.rent(quote, settle=False)
    here = with_setups(here)
    await here.settle()
    rental = await here.until(rental, State.READY)
    assert await scripts(here) == [None]
    assert await left_out(here, rental) == [LeftOut(setup="torch")]


async def test_a_teammate_without_keys_is_left_out_and_named(here: World) -> None:
    ben = await new_key(here, BEN, "ben@laptop")
    quote = await here.ask(teammates=(BEN.id, CLEO.id))
    rental = await here.rent(quote, settle=False)
    await remove_keys(here, BEN)
    rental = await here.until(rental, State.READY)
    assert not await can_log_in(rental, ben)
    assert await left_out(here, rental) == [LeftOut(people=(BEN.id,))]


async def test_nothing_is_bought_for_an_owner_who_removed_all_keys(here: World) -> None:
    rental = await here.rent(await here.ask(teammates=(BEN.id,)), settle=False)
    await remove_keys(here, ANA)
    await here.settle()
    rental = await here.rental(rental.id)
    assert (rental.state, ending(rental).why) == (State.FAILED, Why.NO_KEY)
    assert await here.calls("procure_offer") == []


async def test_a_key_removed_during_the_search_cannot_log_in(here: World) -> None:
    desk = await new_key(here, ANA, "ana@desk")
    quote = await here.ask()
    here.jump(25 * MINUTE)
    rental = await here.rent(quote, settle=False)
    here.jump(10 * MINUTE)
    held = await here.fault("get_offers", "hold_before")
    buying = asyncio.create_task(here.settle())
    await here.until_hit(held)
    async with here.deps.store.write() as tx:
        assert await tx.people.remove_key(ANA.id, desk.get_fingerprint())
    await here.release(held)
    await buying
    rental = await here.until(rental, State.READY)
    assert not await can_log_in(rental, desk)
    assert await can_log_in(rental, here.outside.key)


async def test_keys_added_before_the_purchase_can_log_in(here: World) -> None:
    rental = await here.rent(await here.ask(), settle=False)
    desk = await new_key(here, ANA, "ana@desk")
    rental = await here.until(rental, State.READY)
    assert await can_log_in(rental, desk)


# --- keys and a setup that don't fit


async def add_large_keys(here: World, person: Person, count: int = 12) -> None:
    """Add 4096-bit keys to a person's keys. Twelve of them and a setup of 5.8 kB don't fit into a script."""
    async with here.deps.store.write() as tx:
        for n in range(count):
            line = f"ssh-rsa {person.id}{n:04}".ljust(724, "A")
            await tx.people.add_key(person.id, Key(line=line, comment="", fingerprint=f"SHA256:{n}"))


SIZES = (
    "The startup script would be 16.2 kB, and 15 kB is the limit. It has 12 keys besides the default one (8.7 kB) "
    'and setup "torch" (5.8 kB). '
)


async def test_a_script_that_is_too_large_is_refused_at_search_and_click(here: World) -> None:
    with_setups(here, torch=SETUP.ljust(5_800, "#"))
    quote = await here.ask(teammates=(BEN.id,), setup="torch")
    await add_large_keys(here, BEN)
    for refused in (here.ask(teammates=(BEN.id,), setup="torch"), here.rent(quote)):
        with pytest.raises(Mistake) as caught:
            await refused
        assert caught.value.words == f"{SIZES}Leave out the setup or a teammate, or remove a key."
    assert await here.rentals() == []
    assert (await here.ask(teammates=(BEN.id,))).state is QuoteState.FOUND


async def test_a_script_too_large_at_the_approval_is_refused(
    here: World,
) -> None:
    """The error tells the approver who can change it."""
    with_setups(here, torch=SETUP.ljust(5_800, "#"))
    rental = await here.rent(await here.ask(count=8, setup="torch"))
    await add_large_keys(here, ANA)
    with pytest.raises(Mistake) as caught:
        await here.approve(rental)
    assert caught.value.words == (
        f"{SIZES}Nothing was changed. The person who asked can leave out the setup or a teammate, or remove a key."
    )
    assert (await here.rental(rental.id)).state is State.AWAITING_APPROVAL


async def test_keys_that_do_not_fit_at_the_purchase_are_left_out(here: World) -> None:
    with_setups(here, torch=SETUP.ljust(5_800, "#"))
    ben = await new_key(here, BEN, "ben@laptop")
    rental = await here.rent(await here.ask(teammates=(BEN.id,), setup="torch"), settle=False)
    await add_large_keys(here, ANA)
    rental = await here.until(rental, State.READY)
    (attempt,) = await here.attempts(rental)
    assert attempt.script is not None
    sent = len(attempt.script.keys)
    assert 0 < sent < 13
    assert attempt.script.setup == "torch"
    assert await left_out(here, rental) == [LeftOut(key_count=13 - sent)]
    assert await can_log_in(rental, here.outside.key)
    assert await can_log_in(rental, ben)


async def test_an_unknown_setup_is_refused_before_the_search(here: World) -> None:
    with pytest.raises(Mistake, match="I don't know a setup called"):
        await here.ask(setup="tortch")
    assert await here.calls("get_offers") == []
