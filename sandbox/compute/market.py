"""The state of the market: offers, purchases and the machines that were bought.

The caller passes the current time as `now`, and nothing in this module waits. `schedule` contains the times at
which machines change on their own, so that their SSH servers are started and stopped at these times.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random, SystemRandom
from uuid import UUID

from sandbox.compute.catalog import Listing, listings
from sandbox.compute.machines import PROBE_AFTER, Machine
from sandbox.compute.schedule import Schedule
from sandbox.compute.validation import OfferQuery, ProcureRequest, invalid
from sandbox.compute.vendors import (
    AT_CLOUD_INIT,
    AT_OFFERS,
    AT_PROCURE,
    VENDORS,
    Behaviour,
    BehaviourSetting,
    VendorState,
)
from sandbox.on_ending import EndingPart

OFFER_LIFE = timedelta(minutes=30)
FORGOTTEN_AFTER = timedelta(hours=6)
"""The time after which an expired offer that nobody bought is forgotten."""
APPEARS_LATE_BY = timedelta(seconds=60)
NODE_STAGGER = timedelta(seconds=4)
FAILS_AFTER_SECONDS = 90.0
SLOW_DELETION_SECONDS = 300.0
CACHE_LAG_SECONDS = 60.0
LATE_PROBE_SECONDS = 600.0
PARTIAL_MACHINES, PARTIAL_RUNNING = 4, 2


def _probe_after(setting: BehaviourSetting) -> timedelta:
    if setting.behaviour is not Behaviour.LATE_PROBE:
        return PROBE_AFTER
    return timedelta(seconds=LATE_PROBE_SECONDS if setting.seconds is None else setting.seconds)


def copy_id(original: str, number: int) -> str:
    """Return the id of a numbered copy. The number replaces the last eight digits of the id, in hexadecimal."""
    return f"{original[:-8]}{number:08x}"


class Refused(Exception):
    """The API refuses a request with this HTTP status and detail."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True)
class Offer:
    """An offer of a listing. It can be procured once, until it expires."""

    offer_id: str
    listing: Listing
    created_at: datetime
    priced: bool = True

    @property
    def expires_at(self) -> datetime:
        """The time at which the offer can no longer be procured."""
        return self.created_at + OFFER_LIFE


@dataclass
class Procurement:
    """An offer that was procured, and its machines."""

    offer: Offer
    at: datetime
    setting: BehaviourSetting
    resource_name: str | None
    machines: list[Machine] = field(default_factory=list)
    fails_at: datetime | None = None

    @property
    def bought(self) -> bool:
        """True if the account gets a machine, immediately or later."""
        return bool(self.machines)

    @property
    def answered_failed(self) -> bool:
        """True if the response to the purchase was `failed`. The account may have got a machine all the same."""
        return self.setting.behaviour in {
            Behaviour.SOLD_OUT,
            Behaviour.FAILS_WITH_RESOURCE,
            Behaviour.LATE_RESOURCE,
        }


class Market:
    """All vendors, and the purchases and machines of the only account."""

    def __init__(self, seed: int | None = None) -> None:
        """Create the market. With a `seed`, ids are the same in every run."""
        self._ids = SystemRandom() if seed is None else Random(seed)  # noqa: S311 - made to be repeated, not to be secret
        self.offers: dict[str, Offer] = {}
        self._unbought: deque[Offer] = deque()
        """Offers that may have to be forgotten, oldest first."""
        self.procurements: dict[str, Procurement] = {}
        self.machines: dict[str, Machine] = {}
        self._of_offer: defaultdict[str, list[Machine]] = defaultdict(list)
        self.vendor_states: dict[str, VendorState] = {name: VendorState() for name in VENDORS}
        self.schedule = Schedule()

    def new_id(self) -> str:
        """Return a new id for an offer or a resource."""
        return str(UUID(int=self._ids.getrandbits(128), version=4))

    # --- offers

    def find(self, query: OfferQuery, now: datetime) -> list[Offer]:
        """Create offers that match the query. The cheapest comes first; offers without a price come last."""
        matching = [listing for listing in listings() if query.matches(listing)]
        behaves = {
            name: self.vendor_states[name].take(AT_OFFERS).behaviour
            for name in {listing.vendor.name for listing in matching}
        }
        offers = [
            Offer(self.new_id(), listing, now, priced=behaves[listing.vendor.name] is not Behaviour.NO_PRICE)
            for listing in matching
            if behaves[listing.vendor.name] is not Behaviour.NOTHING_FREE
        ]
        offers.sort(key=lambda offer: (not offer.priced, offer.listing.total))
        self._forget(now)
        self.offers.update((offer.offer_id, offer) for offer in offers)
        self._unbought.extend(offers)
        return offers

    def _forget(self, now: datetime) -> None:
        """Forget the offers that expired long ago and were never procured."""
        while self._unbought and self._unbought[0].expires_at + FORGOTTEN_AFTER <= now:
            offer = self._unbought.popleft()
            if offer.offer_id not in self.procurements:
                del self.offers[offer.offer_id]

    def procure(self, request: ProcureRequest, now: datetime) -> Procurement:
        """Buy an offer.

        Raises:
            Refused: The offer is unknown (404), has been procured before (409), or has expired (410).
            Invalid: The vendor refuses the startup script. The offer can still be procured.
        """
        offer = self.offer(request.offer_id, now)
        if offer.offer_id in self.procurements:
            raise Refused(409, "This offer has been procured already")
        if offer.expires_at <= now:
            raise Refused(410, "This offer has expired")
        vendor = self.vendor_states[offer.listing.vendor.name]
        setting = vendor.take(AT_PROCURE if request.cloud_init is None else AT_PROCURE | AT_CLOUD_INIT)
        if setting.behaviour is Behaviour.REFUSES_CLOUD_INIT:
            raise invalid(("body", "cloud_init"), "This vendor takes no cloud_init", "value_error")
        procurement = Procurement(offer, now, setting, request.resource_name)
        self.procurements[offer.offer_id] = procurement
        self._add_machines(procurement, request)
        return procurement

    def offer(self, offer_id: str, now: datetime) -> Offer:
        """Return the offer with this id. Raise Refused (404) if there is none."""
        self._forget(now)
        offer = self.offers.get(offer_id.lower())
        if offer is None:
            raise Refused(404, "No such offer")
        return offer

    def _add_machines(self, procurement: Procurement, request: ProcureRequest) -> None:
        """Create the machines of a procurement, each with the times at which it will change."""
        listing, setting = procurement.offer.listing, procurement.setting
        if setting.behaviour is Behaviour.SOLD_OUT:
            return
        partial = setting.behaviour is Behaviour.PARTIAL
        late = setting.behaviour is Behaviour.LATE_RESOURCE
        count = PARTIAL_MACHINES if partial else listing.nodes or 1
        appears_at = procurement.at + APPEARS_LATE_BY if late else procurement.at
        never = setting.behaviour in {Behaviour.SLOW, Behaviour.FAILS_LATER}
        for index in range(count):
            idle = never or (partial and index >= PARTIAL_RUNNING)
            resource_id = self.new_id()
            machine = Machine(
                resource_id=resource_id,
                name=request.resource_name or f"{listing.vendor.name}-{resource_id[:8]}",
                vendor=listing.vendor.name,
                region=listing.region.name,
                variant=listing.variant,
                gpus=max(1, listing.count // count),
                rate=listing.total / count,
                appears_at=appears_at,
                runs_at=None if idle else appears_at + listing.vendor.ready_after + NODE_STAGGER * index,
                ssh_public_key=request.ssh_public_key,
                cloud_init=request.cloud_init,
                probe_after=_probe_after(setting),
                runs_cloud_init=setting.behaviour is not Behaviour.IGNORES_CLOUD_INIT,
                offer_id=procurement.offer.offer_id,
                resource_type="cluster_node" if listing.is_cluster else "vm",
                silent=setting.behaviour is Behaviour.SILENT_SSH,
            )
            procurement.machines.append(machine)
            self.add(machine)
        for machine in procurement.machines:
            machine.siblings = [other.resource_id for other in procurement.machines if other is not machine]
        if setting.behaviour is Behaviour.FAILS_LATER:
            after = FAILS_AFTER_SECONDS if setting.seconds is None else setting.seconds
            procurement.fails_at = procurement.at + timedelta(seconds=after)
            for machine in procurement.machines:
                machine.end(procurement.fails_at, procurement.at)

    # --- machines

    def add(self, machine: Machine) -> None:
        """Add a machine to the account."""
        self.machines[machine.resource_id] = machine
        if machine.offer_id is not None:
            self._of_offer[machine.offer_id].append(machine)
        self._plan(machine)

    def _plan(self, machine: Machine) -> None:
        """Schedule the times at which this machine changes on its own."""
        for moment in (machine.runs_at, machine.terminated_at):
            if moment is not None:
                self.schedule.add(moment, machine)

    def machine(self, resource_id: str, now: datetime, *, cached: bool = False) -> Machine:
        """Return the machine with this id. Raise Refused (404) if there is none.

        With `cached`, the machine must be in the API's cache, whose state may be outdated.
        """
        machine = self.machines.get(resource_id.lower())
        if machine is None or not machine.exists(self.synced_at(machine, now) if cached else now):
            raise Refused(404, "No such resource")
        return machine

    def existing(self, now: datetime, offer_id: str | None = None) -> list[Machine]:
        """Return the account's machines including deleted ones, oldest first.

        With `offer_id`, only the machines of this offer are returned.
        """
        machines: Iterable[Machine] = self.machines.values()
        if offer_id is not None:
            machines = self._of_offer.get(offer_id.lower(), [])
        existing = [machine for machine in machines if machine.exists(self.synced_at(machine, now))]
        return sorted(existing, key=lambda machine: machine.appears_at)

    def synced_at(self, machine: Machine, now: datetime) -> datetime:
        """Return the time at which the API's cache last read this machine from its vendor."""
        setting = self.vendor_states[machine.vendor].setting
        if setting.behaviour is not Behaviour.STALE_CACHE:
            return now
        return now - timedelta(seconds=CACHE_LAG_SECONDS if setting.seconds is None else setting.seconds)

    def delete(self, resource_id: str, now: datetime) -> Machine:
        """Start deleting a machine. Further calls change nothing.

        Raises Refused if the machine is unknown (404) or already terminated (409), or while its vendor is set to
        fail deletions (500).
        """
        machine = self.machine(resource_id, now)
        if machine.is_terminated(now):
            raise Refused(409, "This resource has been deleted already")
        if self._refuses_delete(machine, now):
            raise Refused(500, "The vendor did not answer")
        if machine.delete_accepted_at is None:
            setting = self.vendor_states[machine.vendor].take(frozenset({Behaviour.NOT_DELETING}))
            takes: timedelta | None = VENDORS[machine.vendor].deletion_takes
            if setting.behaviour is Behaviour.NOT_DELETING:
                takes = None if setting.seconds is None else timedelta(seconds=setting.seconds)
            machine.accept_delete(takes, now)
            self._plan(machine)
        return machine

    def _refuses_delete(self, machine: Machine, now: datetime) -> bool:
        """Return whether the vendor refuses this deletion with status 500.

        The vendor refuses the first attempt to delete the machine. It also refuses all further attempts during
        the time that the control API has set for this behaviour.
        """
        if not machine.delete_refused:
            setting = self.vendor_states[machine.vendor].take(frozenset({Behaviour.DELETE_500}))
            if setting.behaviour is Behaviour.DELETE_500:
                machine.delete_refused = True
                machine.delete_refused_until = (
                    None if setting.seconds is None else now + timedelta(seconds=setting.seconds)
                )
        until = machine.delete_refused_until
        return machine.delete_refused and (until is None or now < until)

    # --- for the control API

    def set_behaviour(self, vendor: str, setting: BehaviourSetting, now: datetime) -> None:
        """Change the behaviour of a vendor.

        Deletions that the vendor refused or delayed before are carried out normally from now on.
        """
        self.vendor_states[vendor].set(setting)
        for machine in self.machines.values():
            if machine.vendor != vendor or machine.is_terminated(now):
                continue
            machine.delete_refused = False
            if machine.delete_accepted_at is not None:
                machine.end(now + VENDORS[vendor].deletion_takes, now)
                self._plan(machine)

    def copy(self, resource_id: str, count: int, now: datetime) -> None:
        """Add copies of a purchased machine until there are `count` copies.

        Each copy has its own offer, as if it had been bought at the same time, and never runs. `copy_id`
        determines the ids. Raises Refused (404) if the machine is unknown or wasn't bought.
        """
        machine = self.machine(resource_id, now)
        if (bought := self.procurements.get(machine.offer_id or "")) is None:
            raise Refused(404, "No offer of this resource was bought")
        for number in range(1, count + 1):
            if copy_id(machine.resource_id, number) in self.machines:
                continue
            offer = replace(bought.offer, offer_id=copy_id(bought.offer.offer_id, number))
            copied = replace(
                machine,
                resource_id=copy_id(machine.resource_id, number),
                name=f"{machine.name}-{number}",
                offer_id=offer.offer_id,
                runs_at=None,
                siblings=[],
                host=None,
                host_keys=[],
                ending_part=EndingPart(),
            )
            self.offers[offer.offer_id] = offer
            self.procurements[offer.offer_id] = Procurement(
                offer, bought.at, BehaviourSetting(Behaviour.SLOW), copied.name, [copied]
            )
            self.add(copied)

    def vanish(self, resource_id: str, how: str, now: datetime) -> Machine:
        """Make the vendor reclaim a machine.

        `how` is `deleted`, or `missing` to make the API respond as if the machine had never existed.
        """
        machine = self.machine(resource_id, now)
        machine.end(now, now)
        machine.message = "Reclaimed by the vendor"
        machine.missing = how == "missing"
        self._plan(machine)
        return machine
