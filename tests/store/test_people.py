"""People and rooms are believed for a while; keys and the account's facts stay."""

from __future__ import annotations

from datetime import timedelta

from bot.model.base import changed
from bot.model.person import Channel, Key, Person
from store.db import Database
from tests.databases import START
from tests.store import make

AFTER = START + timedelta(microseconds=1)


async def test_a_person_is_known_as_long_as_asked_lately_enough(database: Database) -> None:
    ana = Person(id=make.ANA, name="Ana", tz="Europe/Rome", groups=frozenset({"S1", "S2"}))
    async with database.write() as tx:
        await tx.people.put(ana, START)
    async with database.read() as tx:
        assert await tx.people.get(make.ANA, START) == ana
        assert await tx.people.get(make.ANA, AFTER) is None
        assert await tx.people.get(make.BEN, START) is None


async def test_the_newest_answer_about_a_person_holds(database: Database) -> None:
    async with database.write() as tx:
        await tx.people.put(Person(id=make.ANA, name="Ana", guest=True), START)
        await tx.people.put(Person(id=make.ANA, name="Anna"), AFTER)
    async with database.read() as tx:
        assert await tx.people.get(make.ANA, AFTER) == Person(id=make.ANA, name="Anna")


async def test_people_are_asked_again_once_forgotten(database: Database) -> None:
    async with database.write() as tx:
        for name in (make.ANA, make.BEN):
            await tx.people.put(Person(id=name, name=name), START)
        await tx.people.forget(make.ANA)
        assert await tx.people.get(make.ANA, START) is None
        assert await tx.people.get(make.BEN, START) is not None
        await tx.people.forget()
        assert await tx.people.get(make.BEN, START) is None


async def test_names_stay_known_for_what_was_said_of_people(database: Database) -> None:
    async with database.write() as tx:
        for name in (make.ANA, make.BEN):
            await tx.people.put(Person(id=name, name=name.title()), START)
        await tx.people.forget()
        assert await tx.people.names([make.ANA, "U0NOBODY"]) == {make.ANA: "U0Ana"}
        assert await tx.people.names([]) == {}


async def test_a_room_is_known_until_forgotten(database: Database) -> None:
    room = Channel(id="C1", member=True, shared=True)
    async with database.write() as tx:
        await tx.people.put_channel(Channel(id="C1", member=False), START)
        await tx.people.put_channel(room, AFTER)
        assert await tx.people.channel("C1", AFTER) == room
        assert await tx.people.channel("C2", START) is None
        await tx.people.forget_channel("C1")
        assert await tx.people.channel("C1", START) is None


async def test_a_key_replaces_the_one_before(database: Database) -> None:
    first = Key(line="ssh-ed25519 AAAA", comment="laptop", fingerprint="SHA256:1", set_at=START)
    second = changed(first, line="ssh-ed25519 BBBB", set_at=AFTER)
    async with database.write() as tx:
        assert await tx.people.key(make.ANA) is None
        await tx.people.set_key(make.ANA, first)
        await tx.people.set_key(make.ANA, second)
        await tx.people.set_key(make.BEN, first)
    async with database.read() as tx:
        assert await tx.people.key(make.ANA) == second
        assert await tx.people.key(make.BEN) == first


async def test_facts_of_the_account_are_set_changed_and_taken_away(database: Database) -> None:
    async with database.write() as tx:
        assert await tx.account.get("paused") is None
        await tx.account.set("paused", "yes")
        await tx.account.set("paused", "by U1")
        assert await tx.account.get("paused") == "by U1"
        await tx.account.set("paused", None)
        assert await tx.account.get("paused") is None
