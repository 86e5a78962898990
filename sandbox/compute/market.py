"""The state of the market: offers made, what was procured, and the machines that came of it.

Everything happens at a `now` that the caller gives, and nothing here waits. `agenda` says when a machine next
changes by itself, so that its SSH host can follow.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random, SystemRandom
from uuid import UUID

from sandbox.compute.agenda import Agenda
from sandbox.compute.catalog import VARIANTS, RentalList, listings
from sandbox.compute.machines import Machine
from sandbox.compute.query import OfferQuery, ProcureRequest
from sandbox.compute.vendors import AT_OFFERS, AT_PROCURE, VENDORS, Behaviour, Conduct, Mood

OFFER_LASTS = timedelta(minutes=30)
OFFER_KEPT = timedelta(hours=6)
"""For so long after its time an offer that nobody bought is still known."""
LATE_BY = timedelta(seconds=60)
NODE_STAGGER = timedelta(seconds=4)
FAILS_AFTER = 90.0
STUBBORN_FOR = 300.0
CACHE_LAGS = 60.0
PARTIAL_MACHINES, PARTIAL_RUNNING = 4, 2


class Refused(Exception):
    """The API answers this status with this detail."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True)
class Offer:
    """One look at a listing; it can be procured once, until it expires."""

    offer_id: str
    listing: RentalList
    created_at: datetime
    priced: bool = True

    @property
    def expires_at(self) -> datetime:
        """When it can be procured no more."""
        return self.created_at + OFFER_LASTS


@dataclass
class Procurement:
    """An offer that somebody procured, and how that goes on."""

    offer: Offer
    at: datetime
    conduct: Conduct
    resource_name: str | None
    machines: list[Machine] = field(default_factory=list)
    fails_at: datetime | None = None

    @property
    def bought(self) -> bool:
        """Whether the account got, or will get, anything that bills."""
        return bool(self.machines)

    @property
    def answered_failed(self) -> bool:
        """Whether the procure call itself said `failed`; a machine may have come of it all the same."""
        return self.conduct.behaviour in {
            Behaviour.SOLD_OUT,
            Behaviour.FAILS_WITH_RESOURCE,
            Behaviour.LATE_RESOURCE,
        }


class Market:
    """All vendors behind one counter, and what one account has bought there."""

    def __init__(self, seed: int | None = None) -> None:
        """With a `seed`, ids are the same each time."""
        self._ids = SystemRandom() if seed is None else Random(seed)  # noqa: S311 - a seeded one is for repeating
        self.offers: dict[str, Offer] = {}
        self._unbought: deque[Offer] = deque()
        """All that may have to be forgotten, the oldest first."""
        self.procurements: dict[str, Procurement] = {}
        self.machines: dict[str, Machine] = {}
        self.moods: dict[str, Mood] = {name: Mood() for name in VENDORS}
        self.agenda = Agenda()

    def _new_id(self) -> str:
        return str(UUID(int=self._ids.getrandbits(128), version=4))

    # --- offers ---------------------------------------------------------------------------------------------

    def find(self, query: OfferQuery, now: datetime) -> list[Offer]:
        """New offers for what matches, cheapest first, those without a price last."""
        matching = [listing for listing in listings() if query.matches(listing)]
        priceless = {
            name
            for name in {listing.vendor.name for listing in matching}
            if self.moods[name].take(AT_OFFERS).behaviour is Behaviour.NO_PRICE
        }
        offers = [
            Offer(self._new_id(), listing, now, priced=listing.vendor.name not in priceless)
            for listing in matching
        ]
        offers.sort(key=lambda offer: (not offer.priced, offer.listing.total))
        self._forget(now)
        self.offers.update((offer.offer_id, offer) for offer in offers)
        self._unbought.extend(offers)
        return offers

    def _forget(self, now: datetime) -> None:
        """Drops the offers that expired long ago and were never procured."""
        while self._unbought and self._unbought[0].expires_at + OFFER_KEPT <= now:
            offer = self._unbought.popleft()
            if offer.offer_id not in self.procurements:
                del self.offers[offer.offer_id]

    def procure(self, wanted: ProcureRequest, now: datetime) -> Procurement:
        """Buys an offer. Raises Refused: 404 for an unknown one, 409 for a second time, 410 when too late."""
        offer = self.offer(wanted.offer_id, now)
        if offer.offer_id in self.procurements:
            raise Refused(409, "This offer has been procured already")
        if offer.expires_at <= now:
            raise Refused(410, "This offer has expired")
        conduct = self.moods[offer.listing.vendor.name].take(AT_PROCURE)
        procurement = Procurement(offer, now, conduct, wanted.resource_name)
        self.procurements[offer.offer_id] = procurement
        self._deliver(procurement, wanted)
        return procurement

    def offer(self, offer_id: str, now: datetime) -> Offer:
        """The offer of that id. Raises Refused (404)."""
        self._forget(now)
        offer = self.offers.get(offer_id.lower())
        if offer is None:
            raise Refused(404, "No such offer")
        return offer

    def _deliver(self, procurement: Procurement, wanted: ProcureRequest) -> None:
        """Makes the machines that come of a procurement, each with the times of its life."""
        listing, conduct = procurement.offer.listing, procurement.conduct
        if conduct.behaviour is Behaviour.SOLD_OUT:
            return
        partial = conduct.behaviour is Behaviour.PARTIAL
        late = conduct.behaviour is Behaviour.LATE_RESOURCE
        count = PARTIAL_MACHINES if partial else listing.nodes or 1
        appears = procurement.at + LATE_BY if late else procurement.at
        never = conduct.behaviour in {Behaviour.SLOW, Behaviour.FAILS_LATER}
        for index in range(count):
            idle = never or (partial and index >= PARTIAL_RUNNING)
            resource_id = self._new_id()
            machine = Machine(
                resource_id=resource_id,
                name=wanted.resource_name or f"{listing.vendor.name}-{resource_id[:8]}",
                vendor=listing.vendor.name,
                region=listing.region.name,
                variant=listing.variant,
                gpus=max(1, listing.count // count),
                rate=listing.total / count,
                appears=appears,
                runs_at=None if idle else appears + listing.vendor.ready_after + NODE_STAGGER * index,
                ssh_public_key=wanted.ssh_public_key,
                offer_id=procurement.offer.offer_id,
                resource_type="cluster_node" if listing.is_cluster else "vm",
                silent=conduct.behaviour is Behaviour.SILENT_SSH,
            )
            procurement.machines.append(machine)
            self._add(machine)
        for machine in procurement.machines:
            machine.siblings = [other.resource_id for other in procurement.machines if other is not machine]
        if conduct.behaviour is Behaviour.FAILS_LATER:
            after = FAILS_AFTER if conduct.seconds is None else conduct.seconds
            procurement.fails_at = procurement.at + timedelta(seconds=after)
            for machine in procurement.machines:
                machine.ends(procurement.fails_at, procurement.at)

    # --- machines -------------------------------------------------------------------------------------------

    def _add(self, machine: Machine) -> None:
        self.machines[machine.resource_id] = machine
        self.note(machine)

    def note(self, machine: Machine) -> None:
        """Puts the times at which this machine changes by itself on the agenda."""
        for moment in (machine.runs_at, machine.gone_at):
            if moment is not None:
                self.agenda.add(moment, machine)

    def machine(self, resource_id: str, now: datetime, *, cached: bool = False) -> Machine:
        """The machine of that id, as its vendor knows it or as the cache does. Raises Refused (404)."""
        machine = self.machines.get(resource_id.lower())
        if machine is None or not machine.exists(self.synced_at(machine, now) if cached else now):
            raise Refused(404, "No such resource")
        return machine

    def existing(self, now: datetime, offer_id: str | None = None) -> list[Machine]:
        """The account's machines, the oldest first, also deleted ones; those of one offer if named."""
        machines: Iterable[Machine] = self.machines.values()
        if offer_id is not None:
            procurement = self.procurements.get(offer_id.lower())
            machines = [] if procurement is None else procurement.machines
        return [machine for machine in machines if machine.exists(self.synced_at(machine, now))]

    def synced_at(self, machine: Machine, now: datetime) -> datetime:
        """As of when the cache has it."""
        conduct = self.moods[machine.vendor].conduct
        if conduct.behaviour is not Behaviour.STALE_CACHE:
            return now
        return now - timedelta(seconds=CACHE_LAGS if conduct.seconds is None else conduct.seconds)

    def delete(self, resource_id: str, now: datetime) -> Machine:
        """Begins to take a machine down; again is as good as once until it is gone.

        Raises Refused: 404 for an unknown one, 409 when it is gone, 500 while its vendor is that stubborn.
        """
        machine = self.machine(resource_id, now)
        if machine.is_gone(now):
            raise Refused(409, "This resource has been deleted already")
        if self._refuses_delete(machine, now):
            raise Refused(500, "The vendor did not answer")
        if machine.delete_accepted is None:
            conduct = self.moods[machine.vendor].take(frozenset({Behaviour.NOT_DELETING}))
            takes: timedelta | None = VENDORS[machine.vendor].gone_after
            if conduct.behaviour is Behaviour.NOT_DELETING:
                takes = None if conduct.seconds is None else timedelta(seconds=conduct.seconds)
            machine.accept_delete(takes, now)
            self.note(machine)
        return machine

    def _refuses_delete(self, machine: Machine, now: datetime) -> bool:
        """Whether its vendor answers 500: from the first try at this machine on, for as long as was set."""
        if not machine.delete_refused:
            conduct = self.moods[machine.vendor].take(frozenset({Behaviour.DELETE_500}))
            if conduct.behaviour is Behaviour.DELETE_500:
                machine.delete_refused = True
                machine.delete_refused_until = (
                    None if conduct.seconds is None else now + timedelta(seconds=conduct.seconds)
                )
        until = machine.delete_refused_until
        return machine.delete_refused and (until is None or now < until)

    # --- what the control API does --------------------------------------------------------------------------

    def behave(self, vendor: str, conduct: Conduct, now: datetime) -> None:
        """Sets a vendor's conduct. Deletions that it had refused or delayed then go their normal way."""
        self.moods[vendor].set(conduct)
        for machine in self.machines.values():
            if machine.vendor != vendor or machine.is_gone(now):
                continue
            machine.delete_refused = False
            if machine.delete_accepted is not None:
                machine.ends(now + VENDORS[vendor].gone_after, now)
                self.note(machine)

    def stranger(self, name: str, variant: str, rate: Decimal, vendor: str, now: datetime) -> Machine:
        """A machine that runs on the account without anyone here having procured it."""
        machine = Machine(
            resource_id=self._new_id(),
            name=name,
            vendor=vendor,
            region=VENDORS[vendor].regions[0].name,
            variant=VARIANTS[variant],
            gpus=1,
            rate=rate,
            appears=now,
            runs_at=now,
        )
        self._add(machine)
        return machine

    def vanish(self, resource_id: str, how: str, now: datetime) -> Machine:
        """The vendor takes a machine back at once: it is `deleted`, or `missing` as if it had never been."""
        machine = self.machine(resource_id, now)
        machine.ends(now, now)
        machine.message = "Reclaimed by the vendor"
        machine.missing = how == "missing"
        self.note(machine)
        return machine
