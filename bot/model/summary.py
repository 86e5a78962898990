"""The data that views show: a rental in detail, rentals in lists, and the offers found for a request."""

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
from bot.model.token import Token, TokenSummary, TokenUse


class AccruedCost(Frozen):
    """The cost of a rental so far: its ledger, plus the resources that still cost money."""

    amount: Micros
    estimated: bool
    """True if a part of the cost is the bot's estimate, because the API left out a start or a price."""


class RentalSummary(Frozen):
    """A rental at one moment, for one line of a list."""

    rental: Rental
    spent: AccruedCost
    names: dict[str, str]
    """The display names of the people involved, by user ID."""
    sees_money: bool = False
    """True if the reader is allowed to see the cost."""


class RentalDetails(RentalSummary):
    """A rental at one moment, with its history. `names` includes the people in the history."""

    attempts: tuple[Attempt, ...] = ()
    resources: tuple[Resource, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    events: tuple[Event, ...] = ()
    keys_now: dict[str, tuple[Key, ...]] = Field(default_factory=dict)
    """The current keys of the owner and the teammates who are allowed to log in, by user ID.

    Empty if the rental is over, or if the reader is neither the owner nor one of these teammates.
    """
    use_costs: UseCosts = UseCosts()
    """The cost of the rental, split by usage status. Zero if the reader isn't allowed to see money."""
    recent_use: RecentUse | None = None
    """The recent use of the machine. Only set for `/gpu show`, and if the reader is allowed to see it."""
    runs_script: bool = True
    """True if the vendor's machines are expected to run the startup script."""
    usual: timedelta | None = None
    """The time that such machines usually take to become ready. None if it isn't known."""
    replaced: Rental | None = None
    """The rental that this one replaces."""
    token: Token | None = None
    """The token with which a program rented the machine. None if a person rented it."""
    left: frozenset[str] = frozenset()
    """Slack IDs of the people who left the workspace and may still have keys on the machine.

    These are former owners, and people whose keys were sent with the purchase.

    Empty if the rental never had another owner.
    """
    demands: tuple[Demand, ...] = ()
    """The effect of a decision on each budget, those with the least money left first.

    In the approvers' message, the decision is to approve. In the message to a person who is offered a machine, the
    decision is to accept the machine. Empty in all other messages.
    """
    owner: Person | None = None
    """The owner's last known profile, while a decision is pending. None otherwise."""
    owners_live: tuple[Rental, ...] = ()
    """All rentals of the owner that aren't over, including this rental.

    Empty if this rental doesn't wait for a decision.
    """

    @property
    def bought_by(self) -> str:
        """Slack ID of the first owner. Their keys were sent with the purchase."""
        return next(iter(self.former_owners), self.rental.owner)

    @property
    def former_owners(self) -> tuple[str, ...]:
        """The Slack IDs of the former owners, from first to last."""
        return tuple(facts.people[0] for facts in facts_in(self.events, OwnerChangedFacts))

    def owner_at(self, event: Event) -> str:
        """Return the Slack ID of the person who was the owner when the event happened."""
        changes = facts_in(events_after(event, self.events), OwnerChangedFacts)
        return changes[0].people[0] if changes else self.rental.owner

    @property
    def current(self) -> Attempt | None:
        """The newest purchase. None if there is none."""
        return self.attempts[-1] if self.attempts else None


class ProgramView(Frozen):
    """A rental at one moment, for the program that holds a token, or for receivers of webhooks."""

    rental: Rental
    token: Token | None
    """The token with which the program asks. For webhooks, the token with which the machine was rented, if any."""
    token_name: str
    """The name to show, such as `nightly eval (Ana)`. Only the owner's name if a person rented the machine."""
    use: TokenUse
    spent: AccruedCost
    usual: timedelta | None = None
    """The time that such machines usually take to become ready. None if it isn't known."""
    deciders: tuple[str, ...] = ()
    """The names of the people who were asked to approve the request. Empty if no decision is pending."""
    asked_at: Instant | None = None
    """The time at which these people were asked. None if no decision is pending."""
    detail: str = ""
    """The reason for the present state, such as the reason of a denial. Empty if there is none."""
    own: bool = True
    """True if the rental was made with this token."""


class CostTotals(Frozen):
    """The combined cost of rentals that aren't over."""

    count: int
    """The number of rentals. Rentals that wait for a decision aren't counted."""
    rate: Decimal
    """USD per hour."""


class UnmanagedTotal(Frozen):
    """The current cost of all unmanaged machines, which weren't rented through the bot.

    Machines that an admin marked as not ours aren't included.
    """

    count: int = 0
    rate: Decimal = Decimal(0)
    """USD per hour of the machines whose price is known."""
    unpriced: int = 0
    """The number of machines whose price isn't known."""


class UnmanagedSummary(Frozen):
    """The machines of one purchase that belong to no rental. A list shows them on one line."""

    question: AdminQuestion
    spent: AccruedCost


class AdminQuestionView(Frozen):
    """A question to the admins at one moment."""

    question: AdminQuestion
    parts: tuple[AdminQuestion, ...] = ()
    """The questions about single purchases, if this is a question about several purchases."""
    readoptable: frozenset[str] = frozenset()
    """IDs of the `parts` whose machines can now get back their previous owner.

    The names of such machines contain the owner. The owner doesn't have to be in the database, because the bot
    looks up the owner after the admin's click.
    """
    readopted_for: timedelta
    """The length of the new lease, if machines go back to their owner."""
    spent: dict[str, AccruedCost]
    """The cost of the machines of each question about a purchase, by question ID."""
    rentals: dict[str, Rental] = Field(default_factory=dict)
    """The rentals to which the machines of the `parts` now belong, by rental ID."""
    names: dict[str, str]
    """The display names of the people involved, by user ID."""
    paused: bool = False
    """True if buying is paused because of machines that were bought after the backup."""
    details: RentalDetails | None = None
    """The rental whose owner left."""

    @property
    def rental(self) -> RentalDetails:
        """The rental whose owner left. Raises TypeError if the question is about something else."""
        if self.details is None:
            raise TypeError(f"question {self.question.id} is about no rental")
        return self.details


class PeopleAsked(Frozen):
    """The people who are asked to approve or deny a request."""

    names: tuple[str, ...]
    admins_decide: bool = False
    """True if these people are admins. They are asked because no approver is left."""
    away: tuple[str, ...] = ()
    """The approvers, if all of them are away. Other people are then asked, or nobody."""
    asked_at: Instant | None = None
    """The time at which they were asked. None if it isn't needed."""


class EndedSummary(Frozen):
    """A rental that is over, for a list that shows several of them on one line."""

    rental_id: str
    request: Request
    """The original request, but with the GPU that was bought."""
    spent: AccruedCost | None
    """The cost of the rental. None if the reader isn't allowed to see it."""


class Extended(Frozen):
    """A rental that a person extended, or for which they requested more time."""

    rental: Rental
    span: timedelta
    """The additional time. It may be zero if the machine now ends when its jobs are done."""
    until_done: bool = False
    """True if the person chose that the machine ends when its jobs are done."""
    waits: bool
    """True if the extension waits for an approver."""
    asked: PeopleAsked | None
    sees_money: bool


class RentalList(Frozen):
    """The rentals that aren't over, at one moment, as they are listed for one person."""

    reader: str
    """Slack ID of the person who reads the list."""
    shown: tuple[RentalSummary, ...]
    """The first few of the rentals that the reader asked for.

    The reader's own rentals come first, followed by rentals that others share with the reader. Each group begins
    with the oldest rental.
    """
    more: int
    """The number of further rentals that aren't shown."""
    own: CostTotals
    own_amount: Micros = 0
    """The cost of the reader's own rentals until now, including those that wait for a decision."""
    team: CostTotals
    idle: int = 0
    """The number of idle machines in the whole team."""
    to_decide: tuple[RentalSummary, ...] = ()
    """The first few requests and extensions that the reader is allowed to approve or deny.

    Only set if the reader asked for them.
    """
    more_to_decide: int = 0
    """The number of further requests and extensions that wait for a decision."""
    unmanaged_total: UnmanagedTotal = UnmanagedTotal()
    unmanaged: tuple[UnmanagedSummary, ...] = ()
    """The unmanaged machines on the account. Only for admins and approvers who asked for everything."""
    ended: tuple[EndedSummary, ...] = ()
    """The rentals of the same people that ended in the last 7 days and were billed, most recent first."""


class TeamMonth(Frozen):
    """The team's spending and budgets in this month, for approvers and admins."""

    spent: Micros
    budgets: tuple[Demand, ...]
    """The current budgets of the team and of each project, those with the least money left first.

    Each is a Demand whose additional amount is zero.
    """


class HomeView(Frozen):
    """The content of a person's Home tab."""

    live: RentalList
    """One page of the person's own rentals, and of rentals that others share with them."""
    page: int
    """The number of the page, counted from 0."""
    waits: tuple[WaitingView, ...]
    """The person's waitlist entries, and rentals that start later."""
    month: Month
    spent: Micros
    """The person's spending in the month."""
    budgets: tuple[Demand, ...]
    """The current budgets of the person and of their projects, those with the least money left first.

    Each is a Demand whose additional amount is zero.
    """
    keys: tuple[Key, ...]
    tokens: tuple[TokenSummary, ...] = ()
    """The person's API tokens that aren't over."""
    tokens_to_decide: tuple[TokenSummary, ...] = ()
    """The tokens with a pending request for terms that the person can approve."""
    team_month: TeamMonth | None = None
    """The team's month. None for a person who is neither an approver nor an admin."""


class OwnRentals(Frozen):
    """The rentals that a command without an ID could mean. There is at least one."""

    rentals: tuple[Rental, ...]
    """The rentals, oldest first."""
    names: dict[str, str]
    """The display names of the rentals' owners, by user ID."""

    @property
    def only(self) -> Rental | None:
        """The rental, if there is only one. None if there are several, so that the person has to choose."""
        return self.rentals[0] if len(self.rentals) == 1 else None


class Shared(Frozen):
    """The result of sharing a rental, as the owner of the rental sees it."""

    rental: Rental
    names: tuple[str, ...]
    """The names of all people whom the owner named and who now have access, even if they had it before."""
    without_key: tuple[str, ...]
    """The names of the people in `names` who have no SSH key. They have been asked for one."""
    gone: tuple[str, ...] = ()
    """The names of people who had access before but may not any more, because they left or became guests."""
    key_lines: tuple[str, ...] = ()
    """The keys that the owner has to add to the machine. Empty if the purchase can still send them."""
    removable: tuple[str, ...] = ()
    """The keys that can be removed again: keys of the named people that nobody else with access uses."""


class Over(StrEnum):
    """The reasons for which a request needs an approval: each member is a limit or rule that applies to it."""

    ALWAYS = "always"
    """The rule `approval.always`: requests for so many GPUs, or for this model, always need approval."""
    PER_HOUR = "per_hour"
    TOTAL = "total"
    BUDGET = "budget"
    """The budget of the owner, the project or the team has too little money left."""
    TOKEN = "token"  # noqa: S105 - a reason, not a secret
    """The request of a program exceeds the terms of its token."""


class Proposal(Frozen):
    """The terms for a request at a certain price, and whether they need an approver."""

    terms: Terms
    over: tuple[Over, ...] = ()
    """The reasons why the terms need an approver. If empty, no approval is needed."""
    passed: tuple[Demand, ...] = ()
    """The budgets with too little money left for the terms, those with the least money left first."""


class OfferChoice(Proposal):
    """An offer, with the effects of the team's rules for the person who asked."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    offer: Offer
    shorter: timedelta | None = None
    """The longest lease in whole hours for which the budgets can pay.

    None if the budgets can pay for the requested lease, or if they can't even pay for one hour.
    """
    refused: GpubotError | None = None
    """The reason why the offer can't be rented at all. None if it can be rented."""
    usual: timedelta | None = None
    """The time that such machines usually take to become ready. None if it isn't known."""
    success_rate: SuccessRate | None = None
    """The success rate of the vendor's last purchases of this GPU. None if nothing is known."""
    other_regions: int = 0
    """The number of further regions in which the vendor sells the same GPUs at this price. They aren't listed."""
    runs_script: bool = True
    """True if the vendor's machines are expected to run the startup script."""
    lacks_script: bool = False
    """True if the request needs a startup script that the vendor probably won't run.

    The offer is then rented only by a click, never automatically.
    """

    @property
    def needs_approval(self) -> bool:
        return bool(self.over)


class Remainder(Frozen):
    """The remaining time and cost limits of a rental. They are the limits for its replacement."""

    gpu: str
    """The GPU that was clicked."""
    lease: timedelta
    """The time until the end of the lease. For a flexible end, the time until the latest end."""
    kept: timedelta = timedelta(0)
    """The time after the lease for which the machine would be kept if on-ending.sh failed."""
    max_rate: Decimal
    """USD per hour for the whole offer."""
    total: Micros


class IdleMachine(Frozen):
    """Another person's idle machine, which the reader can ask for."""

    rental: Rental
    owner: str
    """The display name of the machine's owner."""
    since: Instant
    """The time since which it has been idle."""
    asked_at: Instant | None = None
    """The time at which the owner was last asked for the machine, if that was in the last hour.

    None if the owner can be asked now.
    """


class WaitPreview(Proposal):
    """The terms to which a person agrees before waiting for a machine.

    The machine is rented when a suitable offer is found, or at a start time.
    """

    quote: Quote
    until: Instant
    """The time at which the waitlist entry expires if no offer has fitted."""


class DearerRent(OfferChoice):
    """An offer that costs more than the owner of a queued rental allowed, and the terms for renting it."""

    rental: Rental


class WaitingView(Frozen):
    """An entry in the list of what a person is waiting for."""

    quote: Quote
    rental: Rental | None = None
    """The waiting rental, in state `awaiting_approval` or `queued`.

    None if the owner is only notified when there is an offer.
    """
    owner_name: str = ""

    @property
    def owner(self) -> str:
        """The Slack ID of the person who waits."""
        return self.quote.owner if self.rental is None else self.rental.owner

    @property
    def waitlist_entry(self) -> WaitlistEntry:
        """The waitlist entry. If its rental was approved, this is the approved version of the entry.

        Raises ValueError if there is no entry, because that is a bug.
        """
        waitlist_entry = self.quote.waitlist_entry if self.rental is None else self.rental.waitlist_entry
        if waitlist_entry is None:
            raise ValueError(f"{self.quote.id} waits without a waitlist entry")
        return waitlist_entry

    @property
    def request(self) -> Request:
        return self.quote.request if self.rental is None else self.rental.request

    @property
    def since(self) -> Instant:
        return self.waitlist_entry.since or self.quote.created_at


class QuoteView(Frozen):
    """A quote as its owner sees it now."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    quote: Quote
    rental: Rental | None = None
    """The rental that the quote made. None if the quote made no rental."""
    asked: PeopleAsked | None = None
    """The people who decide about the rental, if it waits for an approver."""
    choices: tuple[OfferChoice, ...] = ()
    """The first few of the quote's offers."""
    idle: tuple[IdleMachine, ...] = ()
    """Idle machines of other people that match the request."""
    token_refused: bool = False
    """True if nothing was found because the marketplace refuses our token."""
    asked_in: Channel | None = None
    """The channel in which the request was made. None if it isn't known."""
    still_waiting: Request | None = None
    """The request that the quote would change. None if that request no longer waits for a decision."""
    to_replace: Rental | None = None
    """The rental that was to be replaced."""
    left: Remainder | None = None
    """The remaining limits of the rental in `to_replace`."""
    teammates: tuple[str, ...] = ()
    """The names of the teammates who get access as well."""
    without_key: tuple[str, ...] = ()
    """The names of the teammates who have no SSH key."""
    wait: WaitPreview | None = None
    """The terms of renting automatically when a suitable offer is found. None if no highest price is known."""
    wait_refused: GpubotError | None = None
    """The reason why nothing can be rented automatically. None if automatic renting is possible."""


class PolicyView(Frozen):
    """Facts about the team's rules that `/gpu policy` shows next to the rules themselves."""

    since: Instant | None = None
    """The time at which the rules came into force. None if they aren't stored yet."""
    by: str | None = None
    """The Slack ID of the admin who reloaded the rules. None if they were read at a start or by the operator."""
    names: Mapping[str, str] = Field(default_factory=dict)
    """The names of the people in the rules, by ID. Unknown people are left out."""
    may_reload: bool = False
    """True if the reader is allowed to reload the policy file."""
    wrong: tuple[str, ...] = ()
    """The mistakes in the policy file, one line for each. Because of them, the present rules stay in force."""
