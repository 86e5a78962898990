"""Values for views: one rental in detail, many rentals in short, and the offers found for a request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from pydantic import ConfigDict, Field

from bot.errors import GpubotError
from bot.model.admin_question import AdminQuestion
from bot.model.attempt import Attempt, LedgerRow, Resource, SuccessRate
from bot.model.base import Frozen, Instant
from bot.model.budget import Demand, Month, UseCosts
from bot.model.event import Event, events_after, facts_in
from bot.model.facts import OwnerChangedFacts
from bot.model.machine_use import RecentUse
from bot.model.money import Micros
from bot.model.offer import Offer
from bot.model.person import Channel, Key, Person
from bot.model.quote import Quote, WaitlistEntry
from bot.model.rental import Rental
from bot.model.request import Request, Terms


class AccruedCost(Frozen):
    """The cost of a rental so far: its ledger, and the resources that still bill."""

    amount: Micros
    estimated: bool
    """Whether a part of it is our estimate, because the API left out a start or a price."""


class RentalSummary(Frozen):
    """A rental at one moment, as one line of a list."""

    rental: Rental
    spent: AccruedCost
    names: dict[str, str]
    """The display names of the people in it, by user id."""
    sees_money: bool = False
    """Whether the reader may see what it costs."""


class RentalDetails(RentalSummary):
    """A rental at one moment, with its history. `names` has the people in the history too."""

    attempts: tuple[Attempt, ...] = ()
    resources: tuple[Resource, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    events: tuple[Event, ...] = ()
    keys_now: dict[str, tuple[Key, ...]] = Field(default_factory=dict)
    """The keys that the owner, and each teammate who may be let in, have now, by user id. Empty if the rental is
    over, or if none of these people reads the details."""
    use_costs: UseCosts = UseCosts()
    """What the rental was billed for. Zero if the reader may not see money."""
    recent_use: RecentUse | None = None
    """How the machine was used lately. Only for `/gpu show`, and for a reader who may know."""
    runs_script: bool = True
    """Whether the vendor's machines are expected to run the boot script."""
    usual: timedelta | None = None
    """How long such machines usually take from procurement to ready."""
    replaced: Rental | None = None
    """The rental whose place it takes."""
    left: frozenset[str] = frozenset()
    """Slack ids of the former owners, and of the people whose keys were sent, who left the workspace. Empty if the
    rental never had another owner."""
    demands: tuple[Demand, ...] = ()
    """What an approval would ask of each budget, the tightest one first, in the approvers' message. In the message
    to a person who is given a machine, what it would ask of theirs. Empty in all others."""
    owner: Person | None = None
    """The owner as last known, while something waits for a decision. None otherwise."""
    owners_live: tuple[Rental, ...] = ()
    """All rentals of the owner that are not over, this one too. Empty unless this one waits for a decision."""

    @property
    def bought_by(self) -> str:
        """Slack id of the person whose keys the purchase sent: its first owner."""
        return next(iter(self.former_owners), self.rental.owner)

    @property
    def former_owners(self) -> tuple[str, ...]:
        """Return the Slack ids of the earlier owners, the first one first."""
        return tuple(facts.people[0] for facts in facts_in(self.events, OwnerChangedFacts))

    def owner_at(self, event: Event) -> str:
        """Return the Slack id of the owner when this event happened."""
        changes = facts_in(events_after(event, self.events), OwnerChangedFacts)
        return changes[0].people[0] if changes else self.rental.owner

    @property
    def current(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None


class CostTotals(Frozen):
    """What live rentals cost together."""

    count: int
    """How many rentals there are, without those that wait for a decision."""
    rate: Decimal
    """USD per hour."""


class UnmanagedTotal(Frozen):
    """What machines that no rental has cost now, without those that an admin said are not ours to manage."""

    count: int = 0
    rate: Decimal = Decimal(0)
    """USD per hour, of the machines whose price is known."""
    unpriced: int = 0
    """How many of the machines have no known price."""


class UnmanagedSummary(Frozen):
    """Unknown machines of one purchase at one moment, as one line of a list."""

    question: AdminQuestion
    spent: AccruedCost


class AdminQuestionView(Frozen):
    """A question to the admins at one moment."""

    question: AdminQuestion
    parts: tuple[AdminQuestion, ...] = ()
    """Of a question about several purchases."""
    readoptable: frozenset[str] = frozenset()
    """IDs of the parts that can be re-adopted now, as far as it is known who their owners are."""
    readopted_for: timedelta
    """How long they run from the moment in which they are re-adopted."""
    spent: dict[str, AccruedCost]
    """What the machines of each question about a purchase cost, by its id."""
    rentals: dict[str, Rental] = Field(default_factory=dict)
    """The rentals to which the machines of parts belong by now, by their id."""
    names: dict[str, str]
    """The display names of the people in it, by user id."""
    paused: bool = False
    """Whether buying is paused because of machines that were bought after the database was saved."""
    details: RentalDetails | None = None
    """The rental whose owner left."""

    @property
    def rental(self) -> RentalDetails:
        """The rental whose owner left. Raise TypeError if the question is about something else."""
        if self.details is None:
            raise TypeError(f"question {self.question.id} is about no rental")
        return self.details


class PeopleAsked(Frozen):
    """Who is asked to decide a request."""

    names: tuple[str, ...]
    admins_decide: bool = False
    """Whether the people are the admins because no approver is left."""
    away: tuple[str, ...] = ()
    """The approvers, if others are asked because each of them is away, or if nobody is."""


class EndedSummary(Frozen):
    """A rental that is over, as one part of a line of a list."""

    rental_id: str
    request: Request
    """What was asked for, with the GPU that was bought."""
    spent: AccruedCost | None
    """None if the reader may not see what it cost."""


class Extended(Frozen):
    """A rental that a person extended, or for which they asked more time."""

    rental: Rental
    span: timedelta
    """By how much the lease becomes longer."""
    waits: bool
    """Whether an approver decides."""
    asked: PeopleAsked | None
    sees_money: bool


class RentalList(Frozen):
    """Live rentals at one moment."""

    reader: str
    """Slack id of the person who asked for them."""
    shown: tuple[RentalSummary, ...]
    """The oldest of the rentals that the reader asked for: their own first, then those shared with them."""
    more: int
    """How many more of these rentals there are."""
    own: CostTotals
    own_amount: Micros = 0
    """What these have cost until now, in micro-dollars, with those that wait for a decision."""
    team: CostTotals
    idle: int = 0
    """How many of all machines are idle."""
    to_decide: tuple[RentalSummary, ...] = ()
    """The first of the requests and extensions that the reader may decide. Only if they are asked for."""
    more_to_decide: int = 0
    """How many more requests and extensions wait."""
    unmanaged_total: UnmanagedTotal = UnmanagedTotal()
    unmanaged: tuple[UnmanagedSummary, ...] = ()
    """The machines on the account that no rental has. Only for admins and approvers who asked for everything."""
    ended: tuple[EndedSummary, ...] = ()
    """The rentals of the same people that ended in the last 7 days and were billed, the last one first."""


class TeamMonth(Frozen):
    """The team's money in this month, for approvers and admins."""

    spent: Micros
    budgets: tuple[Demand, ...]
    """The budgets of the team and of each project, the tightest one first, without anything that is asked for."""


class HomeView(Frozen):
    """What a person's Home tab shows."""

    live: RentalList
    """One page of the rentals of the person and those shared with them."""
    page: int
    """The number of the page, counted from 0."""
    waits: tuple[WaitingView, ...]
    """What the person waits for, and what starts later."""
    month: Month
    spent: Micros
    """What the person spent in the month."""
    budgets: tuple[Demand, ...]
    """The person's budgets and those of their projects, the tightest one first, without what is asked for."""
    keys: tuple[Key, ...]
    team_month: TeamMonth | None = None
    """None for a person who is neither an approver nor an admin."""


class OwnRentals(Frozen):
    """The rentals that a command without an id can mean: one at least."""

    rentals: tuple[Rental, ...]
    """Oldest first."""
    names: dict[str, str]
    """The display names of their owners, by user id."""

    @property
    def only(self) -> Rental | None:
        """The rental that is meant. None if the person has to choose."""
        return self.rentals[0] if len(self.rentals) == 1 else None


class Shared(Frozen):
    """What the owner of a rental learns about the people whom they let in."""

    rental: Rental
    names: tuple[str, ...]
    """The names of all people who were named, also of those who were let in before."""
    without_key: tuple[str, ...]
    """The names of the people among them who have no SSH key. They were asked for one."""
    gone: tuple[str, ...] = ()
    """The names of people who were let in before and no longer may be: they left, or became guests."""
    key_lines: tuple[str, ...] = ()
    """The keys that the owner has to put on the machine. Empty if the purchase still sends them."""
    removable: tuple[str, ...] = ()
    """The keys of all these people that can be taken off again without locking out somebody else."""


class Over(StrEnum):
    """Which limit a request exceeds, so that an approver decides."""

    PER_HOUR = "per_hour"
    TOTAL = "total"
    BUDGET = "budget"
    """The budget of its owner, its project or the team does not hold it."""


class Proposal(Frozen):
    """The envelope for a request at a price, and who decides it."""

    terms: Terms
    over: tuple[Over, ...] = ()
    """The limits that the envelope is over. If there are none, the owner decides alone."""
    passed: tuple[Demand, ...] = ()
    """The budgets that don't hold the envelope, the tightest one first."""


class OfferChoice(Proposal):
    """An offer with what the rules say about it, for the person who asked."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    offer: Offer
    shorter: timedelta | None = None
    """The longest lease in whole hours that the budgets hold, if they don't hold this one. None: no other."""
    refused: GpubotError | None = None
    """Why it can't be rented at all."""
    usual: timedelta | None = None
    """How long such machines usually take to get ready."""
    success_rate: SuccessRate | None = None
    """How many of the vendor's last machines with this GPU got ready. None if nothing is known."""
    other_regions: int = 0
    """In how many other regions the vendor offers the same at this price, if those are not shown."""
    runs_script: bool = True
    """Whether the vendor's machines are expected to run the boot script."""
    lacks_script: bool = False
    """Whether the request needs a boot script that the vendor probably doesn't run. Then only a click rents it."""

    @property
    def needs_approval(self) -> bool:
        return bool(self.over)


class Remainder(Frozen):
    """What a rental leaves of its envelope for a replacement."""

    gpu: str
    """The GPU that was clicked."""
    lease: timedelta
    """The time until the end, or until the later of two ends."""
    max_rate: Decimal
    """USD per hour for the whole offer."""
    total: Micros


class IdleMachine(Frozen):
    """An idle machine of somebody else, which a person may ask for."""

    rental: Rental
    owner: str
    """The display name of its owner."""
    since: Instant
    """Since when it does nothing."""
    asked_at: Instant | None = None
    """When its owner was asked for it within the last hour. None: they may be asked now."""


class WaitPreview(Proposal):
    """What a person agrees to if a machine is rented for them once an offer fits, or at a later time."""

    quote: Quote
    until: Instant
    """When the wish ends if nothing fitted."""


class DearerRent(OfferChoice):
    """An offer that costs more than the owner of a waiting rental allowed, and what renting it allows."""

    rental: Rental


class WaitingView(Frozen):
    """Something that a person waits for."""

    quote: Quote
    rental: Rental | None = None
    """The rental that waits: for an approval (`awaiting_approval`) or for an offer (`queued`). None if its owner
    is told once there is an offer."""
    owner_name: str = ""

    @property
    def owner(self) -> str:
        """Return the Slack id of the person who waits."""
        return self.quote.owner if self.rental is None else self.rental.owner

    @property
    def waitlist_entry(self) -> WaitlistEntry:
        """Return the wish, as it was approved if its rental was."""
        waitlist_entry = self.quote.waitlist_entry if self.rental is None else self.rental.waitlist_entry
        if waitlist_entry is None:
            raise ValueError(f"{self.quote.id} waits without a wish")
        return waitlist_entry

    @property
    def request(self) -> Request:
        return self.quote.request if self.rental is None else self.rental.request

    @property
    def since(self) -> Instant:
        return self.waitlist_entry.since or self.quote.created_at


class QuoteView(Frozen):
    """A quote as its owner reads it now."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    quote: Quote
    rental: Rental | None = None
    """The rental that the quote made, if any."""
    asked: PeopleAsked | None = None
    """Who decides the rental, if it waits for an approver."""
    choices: tuple[OfferChoice, ...] = ()
    """The first of the quote's offers."""
    idle: tuple[IdleMachine, ...] = ()
    """Idle machines of others that fit the request."""
    token_refused: bool = False
    """Whether nothing was found because the marketplace refuses our token."""
    asked_in: Channel | None = None
    """The channel in which the quote was asked for, if known."""
    still_waiting: Request | None = None
    """The request that the quote would change, if it still waits for a decision."""
    to_replace: Rental | None = None
    """The rental whose place was to be taken."""
    left: Remainder | None = None
    """What that rental leaves."""
    teammates: tuple[str, ...] = ()
    """The names of the people who get in too."""
    without_key: tuple[str, ...] = ()
    """The names of the teammates who have no SSH key."""
    wait: WaitPreview | None = None
    """What an automatic rent would allow. None if no highest price is known."""
    wait_refused: GpubotError | None = None
    """Why nothing can be rented automatically."""


class PolicyView(Frozen):
    """What people read about the rules, besides the rules."""

    since: Instant | None = None
    """When the rules came into force. None if they are not stored yet."""
    by: str | None = None
    """The Slack id of the admin who brought them into force. None: a start or the operator did."""
    names: Mapping[str, str] = Field(default_factory=dict)
    """The names of people whom the rules name, by their ids. Unknown people are left out."""
    may_reload: bool = False
    """Whether the reader may have the file read again."""
    wrong: tuple[str, ...] = ()
    """What is wrong with the file, a line for each mistake, so that these rules stay."""
