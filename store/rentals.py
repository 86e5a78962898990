"""Rentals, one row each.

An update succeeds only if the rental's version and state haven't changed since they were read (compare-and-set).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Row,
    RowMapping,
    Select,
    Text,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import Stale
from bot.model.attempt import AttemptState
from bot.model.base import Frozen, changed
from bot.model.gpu_health import GpuHealth
from bot.model.job import Progress
from bot.model.money import in_dollars, micros
from bot.model.records import Change, ClaimedRental, Usage
from bot.model.rental import Alarm, Blocked, Decider, Ending, Lease, PendingDecision, Rental
from bot.model.state import State
from bot.model.token import SlackThread
from store import claims
from store.attempts import Attempts
from store.costs import IS_IDLE, IS_TEAMMATE, Costs, Pause
from store.events import Events
from store.mapping import IDS, Values, insert_new, listed, param, select_by, values
from store.messages import Messages
from store.probe_runs import ProbeRuns
from store.searches import Searches
from store.tables import attempts, rentals, samples

_SPENDING_LOCK = 0x67707562
"""The number of the advisory lock that `lock_spending` takes. Nothing else in this database may use it."""

_c = rentals.c
_GET = select_by(_c.id)
# These statements have no ORDER BY, and Python sorts the rows instead. With ORDER BY, SQLite would use the index
# `rentals_owner`, and read all past rentals of an owner as well.
_LIVE = select(rentals).where(_c.live)
_LIVE_OF_OWNER = _LIVE.where(_c.owner == bindparam("owner_id"))
_SHARED = _LIVE.where(IS_TEAMMATE)
_IDLE = _LIVE.where(IS_IDLE)
_LIVE_BY_PROGRAM = _LIVE.where(_c.token_id.is_not(None))
_UNDECIDED = _LIVE.where(or_(_c.decision_decider == Decider.APPROVER, _c.extension.is_not(None)))
_STATES = select(_c.state, func.count().label("number")).where(_c.live).group_by(_c.state)
# Don't look for live rentals here. A rental that is over still has a due time if the deletion of one of its
# machines isn't confirmed.
_UNCONFIRMED = select(func.count()).where(_c.due_at.is_not(None), _c.alarm_count > 0)
_MANY = select(rentals).where(_c.id.in_(IDS))
_ANY = select(_c.id).limit(1)
_ALL_IDS = select(_c.id).order_by(_c.id)
_MAKE_DUE = update(rentals).where(_c.id.in_(IDS)).values(due_at=bindparam("now"))
_LOCK_SPENDING = select(func.pg_advisory_xact_lock(_SPENDING_LOCK))
_USAGE = select(
    func.count().filter(_c.owner == bindparam("owner_id")), func.coalesce(func.sum(_c.cap_micros), 0)
).where(
    _c.live,
    _c.state != State.QUEUED,
    or_(_c.state != State.AWAITING_APPROVAL, _c.waitlist_entry.is_(None)),
    _c.id.is_distinct_from(bindparam("without")),
    func.coalesce(_c.replaced_by, "").is_distinct_from(param(_c.id, "without")),
)

_UNRESOLVED = (
    select(attempts.c.rate)
    .select_from(rentals.join(attempts))
    .where(
        _c.live,
        _c.id.is_distinct_from(bindparam("without")),
        attempts.c.orphaned,
        attempts.c.state.not_in([AttemptState.FAILED, AttemptState.TERMINATED]),
    )
)

_LATER_PROBE_RUN = (
    select(samples.c.at)
    .where(samples.c.rental_id == bindparam("key"), samples.c.at > bindparam("moment"))
    .limit(1)
)
_UNCHANGED = and_(_c.version == bindparam("was_version"), _c.state == bindparam("was_state", type_=Text))
_DUE_TIME_CHANGED = _c.due_at.is_distinct_from(bindparam("was_due"))
_DEFER = (
    update(rentals)
    .where(_c.id == bindparam("key"), claims.held(rentals))
    .values(
        {
            **claims.FREE,
            "due_at": case((and_(_UNCHANGED, ~_DUE_TIME_CHANGED), param(_c.due_at, "next_due")), else_=_c.due_at),
        }
    )
)

_CONSTANT = frozenset({"id", "created_at", "card_channel", "progress", "gpu_health", "heartbeat_at"})
"""Columns that `apply` never updates.

Only `Messages.redirect` updates `card_channel`, only `Rentals.note_progress` updates `progress`, only
`Rentals.note_gpu_health` updates `gpu_health`, and only `Rentals.note_heartbeat` updates `heartbeat_at`.
"""
_NOTE_PROGRESS = update(rentals).where(_c.id == bindparam("key")).values(progress=param(_c.progress, "newest"))
_NOTE_GPU_HEALTH = (
    update(rentals).where(_c.id == bindparam("key")).values(gpu_health=param(_c.gpu_health, "newest"))
)
_NOTE_HEARTBEAT = update(rentals).where(_c.id == bindparam("key")).values(heartbeat_at=bindparam("now"))
_OF_TOKEN = select_by(_c.token_id, _c.created_at, _c.id)
_LIVE_OF_TOKEN = _OF_TOKEN.where(_c.live)
_OF_KEY = select_by(_c.token_id).where(_c.idempotency_key == bindparam("idempotency_key"))
_MADE_SINCE = (
    select(_c.created_at)
    .where(_c.token_id == bindparam("key"), _c.created_at > bindparam("since"))
    .order_by(_c.created_at)
)
_begun_at = func.coalesce(_c.procuring_since, _c.created_at)
_BEGUN_SINCE = (
    select(_begun_at)
    .where(_c.token_id == bindparam("key"), _begun_at > bindparam("since"), or_(_c.live, _c.attempts > 0))
    .order_by(_begun_at)
)
_RELEASED = and_(bindparam("releases", type_=Boolean), claims.held(rentals))
_next = param(_c.due_at, "next_due")
_seen = param(_c.lease_seen_at, "seen")
_APPLY = (
    update(rentals)
    .where(_c.id == bindparam("key"), _UNCHANGED)
    .values(
        # Since the rental was read, `make_due` may have scheduled it for an earlier time. If so, keep the earlier
        # time.
        due_at=case((and_(_DUE_TIME_CHANGED, or_(_next.is_(None), _c.due_at < _next)), _c.due_at), else_=_next),
        # Since the rental was read, `People.note_seen` may have stored a later time at which the owner used the
        # bot. If so, keep the later time.
        lease_seen_at=case(
            (or_(_c.lease_seen_at.is_(None), _c.lease_seen_at < _seen), _seen), else_=_c.lease_seen_at
        ),
        claimed_by=case((_RELEASED, None), else_=_c.claimed_by),
        claimed_until=case((_RELEASED, None), else_=_c.claimed_until),
    )
)


def _as_read(rental: Rental | ClaimedRental) -> Values:
    """Return the parameters that a statement needs to check whether the rental has changed since it was read."""
    return {
        "key": rental.id,
        "was_version": rental.version,
        "was_state": str(rental.state),
        "was_due": rental.due_at,
    }


class Rentals(Attempts, Costs, claims.DueTable[ClaimedRental]):
    """Rentals with their attempts (purchases), resources and ledger rows."""

    _table, _kind = rentals, ClaimedRental
    _columns = (
        *(_c.id, _c.version, type_coerce(_c.state, Text).label("state"), _c.owner),
        *(_c.accepted_at, _c.lease_ends_at.label("ends_at"), _c.due_at),
    )

    def __init__(
        self,
        conn: AsyncConnection,
        events: Events,
        messages: Messages,
        probe_runs: ProbeRuns,
        searches: Searches,
        *,
        holder: str,
        writes: bool,
        pause: Pause,
    ) -> None:
        claims.DueTable.__init__(self, conn, holder)
        self._events = events
        self._messages = messages
        self._probe_runs = probe_runs
        self._searches = searches
        self._may_read_usage = not writes
        self._pause = pause
        self.applied: list[Change] = []
        """The changes that `apply` has stored."""
        self.stale: list[Change] = []
        """The changes that `apply` refused with Stale.

        Only their purchases, resources and ledger rows are stored.
        """

    async def get(self, rental_id: str) -> Rental | None:
        row = (await self._conn.execute(_GET, {"key": rental_id})).first()
        return None if row is None else rental_of(row)

    async def apply(self, change: Change) -> None:
        """Store a change of a rental.

        Raises:
            Stale: The rental has changed in the meantime. Only attempts, resources and ledger rows are stored.
            OfferTaken: The change contains a new attempt to buy an offer, but an earlier attempt has already used
                this offer. Nothing is stored.
        """
        # Use a savepoint. A caller may catch OfferTaken and continue with the same transaction. The savepoint
        # makes sure that nothing of this change remains in that case.
        if change.attempts:
            async with self._conn.begin_nested():
                applied = await self._apply(change)
        else:
            applied = await self._apply(change)
        if not applied:
            self.stale.append(change)
            raise Stale
        self.applied.append(change)

    async def _apply(self, change: Change) -> bool:
        known = {"key": change.after.id, "moment": change.probed_at}
        probed = change.probed_at is not None and await self._conn.scalar(_LATER_PROBE_RUN, known) is not None
        ours = not change.under_claim or await self.hold(change.after.id)
        current = ours and not probed and await self._write_rental(change)
        await self.write_facts(change, with_intents=current)
        if current:
            await self._write_history(change)
        return current

    async def defer(self, rental: ClaimedRental, due_at: datetime) -> bool:
        """Release this process's claim (exclusive right to work) on a rental, and set the rental's next due time.

        If another due time has been written since this process read the rental, only the claim is released.
        """
        values = {**_as_read(rental), "holder": self._holder, "next_due": due_at}
        return (await self._conn.execute(_DEFER, values)).rowcount == 1

    async def defer_all(self, rentals: Sequence[tuple[Rental, datetime | None]]) -> None:
        """Do the work of `defer` for several rentals in one statement."""
        new = [{**_as_read(rental), "holder": self._holder, "next_due": due_at} for rental, due_at in rentals]
        await self._conn.execute(_DEFER, new)

    async def make_due(self, rental_ids: Collection[str], now: datetime) -> None:
        await self._conn.execute(_MAKE_DUE, {"ids": list(rental_ids), "now": now})

    async def note_progress(self, rental_id: str, progress: Progress | None) -> None:
        """Store the newest progress of a job. The rental gets no new version, so no message is edited.

        The next regular edit of the rental's messages shows the progress.
        """
        await self._conn.execute(_NOTE_PROGRESS, {"key": rental_id, "newest": progress})

    async def note_gpu_health(self, rental_id: str, health: GpuHealth) -> None:
        """Store the health of a machine's GPUs. The rental gets no new version, so no message is edited.

        Some values, such as the length of a slowdown, change with every report of the machine. They alone must not
        cause an edit.
        """
        await self._conn.execute(_NOTE_GPU_HEALTH, {"key": rental_id, "newest": health})

    async def note_heartbeat(self, rental_id: str, now: datetime) -> None:
        """Store the time of a heartbeat. The rental gets no new version, so no message is edited."""
        await self._conn.execute(_NOTE_HEARTBEAT, {"key": rental_id, "now": now})

    async def of_key(self, token_id: str, key: str) -> Rental | None:
        """Return the rental that was made with this token and this idempotency key, or None if there is none."""
        row = (await self._conn.execute(_OF_KEY, {"key": token_id, "idempotency_key": key})).first()
        return None if row is None else rental_of(row)

    async def of_token(self, token_id: str, *, live: bool) -> list[Rental]:
        """Return the rentals made with a token, oldest first. If `live`, leave out those that are over."""
        statement = _LIVE_OF_TOKEN if live else _OF_TOKEN
        return [rental_of(row) for row in await self._conn.execute(statement, {"key": token_id})]

    async def begun_with(self, token_id: str, since: datetime) -> list[datetime]:
        """Return the times at which a token's rentals since `since` began, oldest first.

        A rental begins when its purchase does, or, until then, when it was made. Rentals that ended before
        anything was bought are left out, for example if every offer was sold out.
        """
        return list(await self._conn.scalars(_BEGUN_SINCE, {"key": token_id, "since": since}))

    async def made_with(self, token_id: str, since: datetime) -> list[datetime]:
        """Return the times at which a token's rentals since `since` were made, oldest first.

        Rentals that ended before anything was bought are included.
        """
        return list(await self._conn.scalars(_MADE_SINCE, {"key": token_id, "since": since}))

    async def states(self) -> dict[State, int]:
        """Return the number of rentals in each state. Rentals that are over are left out."""
        return {State(row.state): row.number for row in await self._conn.execute(_STATES)}

    async def unconfirmed(self) -> int:
        """Return the number of rentals with an alarm.

        A rental has an alarm if its machine should have been deleted, the deletion isn't confirmed, and people
        have been notified.
        """
        return int(await self._conn.scalar(_UNCONFIRMED) or 0)

    async def lock_spending(self) -> None:
        """Take the spending lock, and hold it until this transaction ends.

        A transaction needs the lock to decide whether the limits allow a rental. While it holds the lock, no other
        transaction can make such a decision. The transaction sees everything that earlier holders of the lock have
        committed, such as rentals and keys.
        """
        # With SQLite, no lock is needed, because only one transaction can write at a time.
        if not self._may_read_usage and self._conn.dialect.name == "postgresql":
            await self._conn.execute(_LOCK_SPENDING)
        self._may_read_usage = True

    async def usage(self, owner: str, *, without: str | None = None) -> Usage:
        """Return the number of a person's rentals that aren't over, and the hourly rate of the whole team.

        Rentals that wait for an offer are left out. If the bot gave up a purchase that could still cost money, the
        rate includes its price. A transaction that writes must call `lock_spending` first.

        Args:
            owner: The person whose rentals are counted.
            without: A rental to leave out. The rental that it replaces is left out too.
        """
        if not self._may_read_usage:
            raise RuntimeError("What decides by the usage has to take the spending lock first")
        row = (await self._conn.execute(_USAGE, {"owner_id": owner, "without": without})).one()
        unresolved = (await self._conn.execute(_UNRESOLVED, {"without": without})).scalars()
        caps = in_dollars(int(row[1]))
        return Usage(person_rentals=row[0], team_rate=sum(unresolved, start=caps))

    async def live(self, owner: str | None = None) -> list[Rental]:
        """Return the rentals that aren't over, oldest first. If `owner` is given, return only this person's."""
        if owner is None:
            return await self._oldest_first(_LIVE)
        return await self._oldest_first(_LIVE_OF_OWNER, owner_id=owner)

    async def asked_in(self, thread: SlackThread) -> list[Rental]:
        """Return the rentals that aren't over and that Slack apps asked for in a thread, oldest first."""
        found = await self._oldest_first(_LIVE_BY_PROGRAM)
        return [one for one in found if one.program is not None and one.program.thread == thread]

    async def undecided(self) -> list[Rental]:
        """Return the rentals with a request or an extension that waits for an approver, oldest first."""
        return await self._oldest_first(_UNDECIDED)

    async def idle(self) -> list[Rental]:
        """Return the rentals that aren't over and whose stored usage status is idle, oldest first."""
        return await self._oldest_first(_IDLE)

    async def shared_with(self, person_id: str) -> list[Rental]:
        """Return the rentals that aren't over and have this person as a teammate, oldest first."""
        return await self._oldest_first(_SHARED, quoted=f'"{person_id}"')

    async def _oldest_first(self, statement: Select[Any], **given: str) -> list[Rental]:
        found = map(rental_of, await self._conn.execute(statement, given))
        return sorted(found, key=lambda rental: (rental.created_at, rental.id))

    async def get_many(self, rental_ids: Collection[str]) -> dict[str, Rental]:
        """Return the rentals with these IDs, by ID. IDs without a rental are left out."""
        found = await self._conn.execute(_MANY, {"ids": listed(rental_ids)})
        return {rental.id: rental for rental in map(rental_of, found)}

    async def any_ever(self) -> bool:
        """Return whether there has ever been a rental."""
        return await self._conn.scalar(_ANY) is not None

    async def all_ids(self) -> AsyncIterator[str]:
        """Yield the IDs of all rentals, past and present, in order. Other tasks can run after each ID."""
        for rental_id in (await self._conn.execute(_ALL_IDS)).scalars():
            yield rental_id
            await self._pause()

    async def _write_rental(self, change: Change) -> bool:
        """Write the rental itself. If the rental has changed in the meantime, write nothing and return False."""
        before, after = change.before, change.after
        fields = rental_values(after)
        if before is None:
            # The same quote may already have become a rental in another transaction, or the ID may already be in
            # use. In both cases, nothing is inserted.
            return await insert_new(self._conn, rentals, fields)
        for name in _CONSTANT | {"due_at"}:
            del fields[name]
        new = {
            "next_due": after.due_at,
            "seen": fields.pop("lease_seen_at"),
            "releases": change.releases_claim,
            "holder": self._holder,
        }
        updated = await self._conn.execute(_APPLY, {**fields, **_as_read(before), **new})
        return updated.rowcount == 1

    async def _write_history(self, change: Change) -> None:
        """Store the events and messages that belong to a change.

        Also starts or stops probing the machine, and schedules an edit of the rental's messages in Slack.
        """
        before, after = change.before, change.after
        ids = [await self._events.add(event) for event in change.events]
        for index, message in change.messages:
            await self._messages.add(message if index is None else changed(message, event_id=ids[index]))
        state_changed = before is None or before.state != after.state
        if state_changed and after.state is State.READY:
            if before is not None:  # an adopted machine was ready already, so there is no time to record
                await self.write_ready_time(after)
            await self._probe_runs.begin(after.id, after.running_lease.ready_at)
        elif state_changed and before is not None and before.state is State.READY:
            await self._probe_runs.end(after.id)
        if state_changed and after.state is State.QUEUED and after.quote_id is not None:
            at = change.events[0].at if change.events else after.created_at
            await self._searches.make_due_for(after.quote_id, at)
        if before is None or after.version > before.version:
            transition = state_changed or bool(change.events)
            if state_changed and after.state.over:
                await self._messages.reopen_newest(after.id, after.owner)
            await self._messages.show(after.id, transition=transition)
            if before is not None and before.undecided_terms != after.undecided_terms:
                await self._messages.show_reminders()


# --- conversion between a rental and its row in the database. Some fields of a rental, such as its lease, contain
# a group of further fields. Each of these has a column of its own, such as `lease_ends_at`


_GROUPS: dict[str, type[Frozen]] = {
    "decision": PendingDecision,
    "blocked": Blocked,
    "lease": Lease,
    "ending": Ending,
    "alarm": Alarm,
}
"""The groups (fields of a rental whose values are models themselves), with the classes of their values."""
_COLUMNS = {group: [(field, f"{group}_{field}") for field in kind.model_fields] for group, kind in _GROUPS.items()}
"""The fields of each group, with the names of their columns.

If the column of a group's first field is null, the rental has no such group.
"""
_PLAIN = frozenset(Rental.model_fields) - _GROUPS.keys()
"""The fields that don't belong to a group. Their columns have the same names."""


def rental_values(rental: Rental) -> Values:
    """Return the values of a rental's columns, including columns that exist only for queries."""
    found = values(rental, without=frozenset(_GROUPS))
    for name, columns in _COLUMNS.items():
        group = getattr(rental, name)
        for field, column in columns:
            found[column] = None if group is None else getattr(group, field)
    return {
        **found,
        "live": not rental.state.over,
        "cap_micros": micros(rental.terms.max_rate),
        "ends_from": _ends_from(rental),
    }


def rental_of(row: Row[Any]) -> Rental:
    """Build a rental from its row.

    Raises pydantic.ValidationError if the row has an invalid value.
    """
    fields = row._mapping
    groups: dict[str, Any] = {name: _group(name, fields) for name in _GROUPS}
    return Rental(**{name: fields[name] for name in _PLAIN}, **groups)


def _group(name: str, fields: RowMapping) -> Frozen | None:
    columns = _COLUMNS[name]
    if fields[columns[0][1]] is None:
        return None
    return _GROUPS[name](**{field: fields[column] for field, column in columns})


def _ends_from(rental: Rental) -> datetime | None:
    """Return the end of the rental, as `Overdue.past_end` defines it.

    None if the rental is over and never due again. None of its machines can then still be billing.
    """
    if rental.state.over and rental.due_at is None:
        return None
    destroying_since = rental.ending.since if rental.ending else None
    ends_at = rental.lease.ends_at if rental.lease else None
    return rental.over_at or destroying_since or ends_at or rental.accepted_at or rental.created_at
