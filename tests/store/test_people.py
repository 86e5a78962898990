"""People and channels are returned if Slack was queried recently enough. Keys are kept."""

from __future__ import annotations

from datetime import timedelta

from bot.model.base import changed
from bot.model.person import Channel, Key, Person
from store.db import Database
from tests.databases import START
from tests.store import make

AFTER = START + timedelta(microseconds=1)


async def test_a_person_is_returned_only_if_slack_was_queried_recently(database: Database) -> None:
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


async def test_the_last_known_data_of_people_includes_forgotten_ones(database: Database) -> None:
    ana, ben = (Person(id=one, name=one) for one in ("U0ANA", "U0BEN"))
    async with database.write() as tx:
        for person in (ben, ana):
            await tx.people.put(person, START)
        await tx.people.forget()
    async with database.read() as tx:
        assert await tx.people.known() == [ana, ben]
        assert await tx.people.known(["U0BEN", "U0NOBODY"]) == [ben]
        assert await tx.people.known([]) == []


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


def key(name: str) -> Key:
    return Key(line=f"ssh-ed25519 {name}", comment=name, fingerprint=f"SHA256:{name}")


async def test_a_persons_keys_are_kept_in_order(database: Database) -> None:
    async with database.write() as tx:
        assert await tx.people.keys(make.ANA) == []
        for name in ("laptop", "desk", "phone"):
            assert await tx.people.add_key(make.ANA, key(name))
        assert await tx.people.add_key(make.BEN, key("laptop"))
    async with database.write() as tx:
        assert await tx.people.make_key_first(make.ANA, "SHA256:phone")
        assert await tx.people.remove_key(make.ANA, "SHA256:laptop")
        assert not await tx.people.remove_key(make.ANA, "SHA256:laptop")
        assert not await tx.people.make_key_first(make.ANA, "SHA256:laptop")
    async with database.read() as tx:
        assert await tx.people.keys(make.ANA) == [key("phone"), key("desk")]
        assert await tx.people.keys_of([make.ANA, make.BEN, "U0NOBODY"]) == {
            make.ANA: [key("phone"), key("desk")],
            make.BEN: [key("laptop")],
        }


async def test_adding_a_key_again_keeps_its_position_and_updates_the_comment(database: Database) -> None:
    async with database.write() as tx:
        await tx.people.add_key(make.ANA, key("laptop"))
        await tx.people.add_key(make.ANA, key("desk"))
        renamed = changed(key("laptop"), comment="old laptop")
        assert not await tx.people.add_key(make.ANA, renamed)
        assert await tx.people.keys(make.ANA) == [renamed, key("desk")]
