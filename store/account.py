"""Small tables about the Compute Clear account and about this bot.

They contain facts stored as JSON, counters, and records that are written only once, such as each version of the
policy file.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import bindparam, delete, select

from bot.errors import Stale
from bot.model.account_facts import Counter, Fact
from bot.model.records import PolicyVersion
from store.columns import JsonText
from store.mapping import Rows, insert_into, insert_new, select_by, upsert, values
from store.tables import account, answered_messages, counters, policy_versions, probe_key

T = TypeVar("T")

_THIS = (account.c.name == bindparam("fact"), account.c.key == bindparam("of"))
_GET = select(account.c.value).where(*_THIS)
_REMOVE = delete(account).where(*_THIS)
_ALL = select_by(account.c.name).with_only_columns(account.c.key, account.c.value)
_COUNT = select_by(counters.c.name).with_only_columns(counters.c.count)
_PROBE_KEY = select(probe_key.c.private_key)
_NEWEST = select(policy_versions).order_by(policy_versions.c.n.desc()).limit(1)
_FORGET = delete(answered_messages).where(answered_messages.c.at < bindparam("before"))


@cache
def _json(kind: Any) -> JsonText[Any]:
    return JsonText(kind)


@cache
def _increment(dialect: str) -> Any:
    insert = insert_into(counters, dialect).values(count=1)
    return insert.on_conflict_do_update(index_elements=["name"], set_={"count": counters.c.count + 1})


class Account(Rows):
    """Facts about the Compute Clear account and this bot."""

    async def get(self, fact: Fact[T], key: str = "") -> T | None:
        """Return the stored value for a kind of fact (`bot.model.account_facts`), or None if there is none."""
        value = await self._conn.scalar(_GET, {"fact": fact.name, "of": key})
        return cast(T | None, _json(fact.kind).process_result_value(value, self._conn.dialect))

    async def all(self, fact: Fact[T]) -> dict[str, T]:
        """Return all stored values of a kind of fact, by key."""
        rows = await self._conn.execute(_ALL, {"key": fact.name})
        read = _json(fact.kind).process_result_value
        return {row.key: cast(T, read(row.value, self._conn.dialect)) for row in rows}

    async def set(self, fact: Fact[T], value: T | None, key: str = "") -> None:
        """Store a value for a kind of fact, or remove the stored one if `value` is None."""
        if value is None:
            await self._conn.execute(_REMOVE, {"fact": fact.name, "of": key})
        else:
            text = _json(fact.kind).process_bind_param(value, self._conn.dialect)
            await upsert(self._conn, account, {"name": fact.name, "key": key, "value": text})

    async def increment(self, counter: Counter) -> None:
        await self._conn.execute(_increment(self._conn.dialect.name), {"name": counter})

    async def count(self, counter: Counter) -> int:
        return await self._conn.scalar(_COUNT, {"key": counter}) or 0

    async def probe_key(self) -> str | None:
        """Return the probe's private key in OpenSSH format, or None before the bot has created the key."""
        return cast(str | None, await self._conn.scalar(_PROBE_KEY))

    async def add_probe_key(self, private_key: str) -> None:
        await insert_new(self._conn, probe_key, {"private_key": private_key})

    async def note_answered(self, message: str, at: datetime, forget_before: datetime) -> bool:
        """Record that the bot answers a person's message. Returns False if that has been recorded before.

        Slack can deliver a message twice. The caller must answer only if the result is True. Records that are
        older than `forget_before` are removed.
        """
        await self._conn.execute(_FORGET, {"before": forget_before})
        return await insert_new(self._conn, answered_messages, {"message": message, "at": at})


class Policies(Rows):
    """Versions of the policy file that came into force. Versions are added and read, never changed."""

    async def newest(self) -> PolicyVersion | None:
        """Return the version of the policy file that is in force, or None if none has been stored yet."""
        return await self._first(PolicyVersion, _NEWEST)

    async def add(self, version: PolicyVersion) -> None:
        """Store the next version of the policy file. Raises Stale if the version's number is already in use."""
        if not await insert_new(self._conn, policy_versions, values(version)):
            raise Stale
