"""People and channels are read if Slack was asked recently enough; keys stay."""

from __future__ import annotations

from datetime import timedelta

from bot.model.base import changed
from bot.model.person import Channel, Key, Person
from store.db import Database
from tests.databases import START
from tests.store import make

AFTER = START + timedelta(microseconds=1)


async def test_a_person_is_read_only_if_slack_was_asked_recently_enough(database: Database) -> None:
    ana = Person(id=make.ANA, name="Ana", tz="Europe/Rome", groups=frozenset({"S1", "S2"}))
    async with database.write() as tx:
        await tx.people.put(ana, START)
    async with database.read() as tx:
        assert await tx.people.get(make.ANA, START) == ana
        assert await tx.people.get(make.ANA, AFTER) is None
        assert await tx.people.get(make.BEN, START) is None


async def test_a_newer_answer_about_a_person_replaces_the_older_one(database: Database) -> None:
    async with database.write() as tx:
        await tx.people.put(Person(id=make.ANA, name="Ana", guest=True), START)
        await tx.people.put(Person(id=make.ANA, name="Anna"), AFTER)
    async with database.read() as tx:
        assert await tx.people.get(make.ANA, AFTER) == Person(id=make.ANA, name="Anna")


async def test_a_forgotten_person_is_not_read(database: Database) -> None:
    async with database.write() as tx:
        for name in (make.ANA, make.BEN):
            await tx.people.put(Person(id=name, name=name), START)
        await tx.people.forget(make.ANA)
        assert await tx.people.get(make.ANA, START) is None
        assert await tx.people.get(make.BEN, START) is not None
        await tx.people.forget()
        assert await tx.people.get(make.BEN, START) is None


async def test_names_of_forgotten_people_are_still_read(database: Database) -> None:
    async with database.write() as tx:
        for name in (make.ANA, make.BEN):
            await tx.people.put(Person(id=name, name=name.title()), START)
        await tx.people.forget()
        assert await tx.people.names([make.ANA, "U0NOBODY"]) == {make.ANA: "U0Ana"}
        assert await tx.people.names([]) == {}


async def test_a_channel_is_read_until_it_is_forgotten(database: Database) -> None:
    channel = Channel(id="C1", member=True, shared=True)
    async with database.write() as tx:
        await tx.people.put_channel(Channel(id="C1", member=False), START)
        await tx.people.put_channel(channel, AFTER)
        assert await tx.people.channel("C1", AFTER) == channel
        assert await tx.people.channel("C2", START) is None
        await tx.people.forget_channel("C1")
        assert await tx.people.channel("C1", START) is None


async def test_a_new_key_replaces_the_old_one(database: Database) -> None:
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
