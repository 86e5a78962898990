"""Texts about machines and rentals that many messages share, such as names, states, costs and reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from bot.lifecycle.changes.notifications import readers_of
from bot.lifecycle.money.billing import ledger_span
from bot.model.attempt import Why
from bot.model.event import Event, EventKind, OpenQuestion, deciders_in, events_after, facts_in, open_question
from bot.model.facts import DecidersFacts, EndedFacts, GpuMismatchFacts, RequestFacts, UntilFacts
from bot.model.gpu import display_name, display_variant
from bot.model.machine_use import NOT_COMPUTING, GpuModel, SetupState
from bot.model.offer import vendor_name
from bot.model.person import OPERATOR
from bot.model.rental import Rental
from bot.model.request import Contract, Request, Terms
from bot.model.state import State
from bot.model.summary import AccruedCost, PeopleAsked, RentalDetails, RentalSummary
from bot.model.text import listed, plural, span
from bot.model.token import Program
from bot.policy.team.asking import Mentions
from bot.policy.team.hours import morning_after, zone_of
from bot.policy.team.rules import Rules
from bot.policy.use.gpu_mismatch import differs
from handlers.phrases.format import (
    Reader,
    Times,
    actor,
    as_written,
    clean,
    dollars,
    escape,
    first_few,
    join,
    mention,
    mention_group,
    person,
    sentence,
)

# --- machines: vendors, GPUs and requests


def vendor(name: str | None) -> str:
    """Return the name of a vendor, such as `Hyperstack` for `hyperstack`.

    If the name is None or empty, return `the vendor`.
    """
    known = clean(name or "", 40)
    if not known:
        return "the vendor"
    shown = escape(vendor_name(known))
    return as_written(shown) if known != known.lower() else shown


def place(name: str | None, region: str | None, join: str = " ") -> str:
    """Return the vendor and the region, such as `Hyperstack nor-1`."""
    return vendor(name) + (join + escape(region, 40) if region else "")


def gpu(name: str, features: Iterable[str] = ()) -> str:
    """Return the name of a GPU: `H100 SXM 80 GB` for `nvidia-h100-sxm5-80gb`.

    `name` can also be a family of GPUs. The text then ends with the requested `features`, as in `A100 80 GB`.
    """
    return escape(display_name(clean(name, 60), features))


def variant(name: str, family: str) -> str:
    """Return the part of a GPU's name that distinguishes GPUs of the same family: `SXM 80 GB`."""
    return escape(display_variant(clean(name, 60), clean(family, 60)))


def machines(count: int, name: str, features: Iterable[str] = ()) -> str:
    """Return the number and the name of GPUs, such as `8x H100`."""
    return f"{count}x {gpu(name, features)}"


def wanted(request: Request) -> str:
    """Return the requested GPUs, such as `8x A100 80 GB`."""
    return machines(request.count, request.gpu, request.features)


def machines_of(rental: Rental) -> str:
    """Return a rental's GPUs, such as `8x H100 SXM 80 GB`.

    Before anything is bought, these are the GPUs of the offer that the person clicked.
    """
    return machines(rental.request.count, rental.model)


def describe(subject: Terms | Request | Rental) -> str:
    """Return `1x H100 in EU (spot)` for a request, and `1x H100 SXM 80 GB in EU` for a rental or its terms."""
    asked = subject.request if isinstance(subject, Rental) else subject
    match subject:
        case Rental():
            parts = [machines_of(subject)]
        case Request():
            parts = [wanted(subject)]
        case Terms():
            parts = [machines(subject.count, subject.gpu)]
    if asked.region:
        parts.append(f"in {escape(asked.region, 20)}")
    if asked.contract is Contract.SPOT:
        parts.append("(spot)")
    return " ".join(parts)


def contract(value: Contract) -> str:
    return "spot" if value is Contract.SPOT else "on demand"


# --- the progress of a setup script


def setup_text(rental: Rental) -> str:
    """Return the progress of a setup script, such as `Setup "torch" failed at line 12.` Empty if it is unknown."""
    name, progress = rental.request.setup, rental.setup_progress
    if not name or progress is None:
        return ""
    at = f" at line {progress.line}" if progress.line else ""
    how = f"failed{at}" if progress.state is SetupState.FAILED else f"is {progress.state.value}"
    return f'Setup "{escape(name)}" {how}.'


# --- GPU mismatches


KINDS_SHOWN = 4
"""The maximum number of different GPU models that a message about a mismatch names."""


def sold_but_seen(facts: GpuMismatchFacts) -> str:
    """Return a clause about a GPU mismatch: `was sold with 8 GPUs, but I see only 7`.

    If the machine has other GPUs, the clause names them: `was sold as 8x H100 SXM 80 GB, but I see ..`.
    """
    seen = facts.gpus_seen
    if not any(differs(facts.gpu, model) for model in seen.models):
        only = "only " if seen.count < facts.count else ""
        return f"was sold with {plural(facts.count, 'GPU')}, but I see {only}{seen.count}"
    kinds = Counter(_named(model) for model in seen.models).most_common(KINDS_SHOWN)
    seen_kinds = listed([f"{count}x {name}" for name, count in kinds])
    return f"was sold as {machines(facts.count, facts.gpu)}, but I see {seen_kinds}"


def _named(model: GpuModel) -> str:
    memory = f" with {round(model.memory_mib / 1024)} GB" if model.memory_mib else ""
    return f"{escape(model.name, 60)}{memory}"


# --- texts about rentals: their state, reasons and cost


STATES: dict[State, str] = {
    State.AWAITING_APPROVAL: "Waiting for approval",
    State.QUEUED: "On the waitlist",
    State.PROCURING: "Starting",
    State.PROVISIONING: "Starting",
    State.READY: "Ready",
    State.DESTROYING: "Being destroyed",
    State.DESTROYED: "Ended",
    State.FAILED: "Failed",
    State.CANCELLED: "Cancelled",
    State.LOST: "Lost",
    State.DENIED: "Declined",
    State.EXPIRED: "Expired",
    State.WITHDRAWN: "Withdrawn",
}

UNREACHABLE = "Running"
"""The text for the state of a ready machine whose SSH port hasn't answered yet."""

FOUND_ON_ACCOUNT = "Its machine was found in the Compute Clear account."
"""The text instead of the cost if the machine was bought after the backup of the restored database.

The restored database doesn't contain this purchase. Without this sentence, the message would say that nothing was
rented.
"""

_REASONS: dict[Why, str] = {
    Why.SOLD_OUT: "{vendor} seems to be sold out",
    Why.ANSWERED_FAILED: "{vendor} reported that the purchase failed",
    Why.EXPIRED: "{vendor}'s price was no longer valid",
    Why.REFUSED: "{vendor} rejected the purchase",
    Why.SCRIPT_REFUSED: "{vendor} doesn't accept startup scripts",
    Why.BOUGHT_BEFORE: "{vendor}'s offer was already taken",
    Why.NO_ANSWER: "{vendor} didn't confirm the purchase",
    Why.RATE_LIMITED: "Compute Clear asked me to slow down",
    Why.VENDOR_FAILED: "{vendor} couldn't create the machine",
    Why.TOO_SLOW: "{vendor} didn't get the machine ready in time",
    Why.NOTHING_LEFT: "no offer is left that matches the request",
    Why.TOO_LITTLE_TIME: "the requested end is too soon for a machine to start",
    Why.NO_KEY: "its owner no longer has an SSH key",
    Why.TOO_MANY_ATTEMPTS: "too many offers failed",
    Why.DEARER: "the offers that are left cost more than the price accepted before",
    Why.OTHER_GPU: "only a different GPU is left",
    Why.BEYOND_TERMS: "it is beyond the terms of the token",
    Why.NOT_ALLOWED: "the rules no longer allowed it",
    Why.OVER_BUDGET: "a budget no longer has room for it",
    Why.SHOWN_LATER: "my database was restored from an older backup",
    Why.BUYING_BLOCKED: "buying was on hold for too long",
    Why.OUTAGE: "Compute Clear isn't responding",
    Why.PAUSED: "buying is paused",
    Why.UNAUTHORIZED: "Compute Clear rejects my API token",
    Why.ASKED: "someone asked for it",
    Why.LEASE_ENDED: "its lease ended",
    Why.VENDOR_TOOK_IT: "{vendor} took the machine back",
    Why.ENDED_WHILE_AWAY: "the vendor took the machine back, or somebody destroyed it",
    Why.ENDED_SINCE_BACKUP: (
        "somebody probably destroyed it; I don't know who, because my database was restored from a backup"
    ),
    Why.SSH_UNREACHABLE: "nothing answers on its SSH port",
    Why.REPLACED: "another machine takes its place",
    Why.BOUGHT_AFTER_BACKUP: "its machine was found in the Compute Clear account",
    Why.NOTHING_FITTED: "no offer matched in time",
    Why.UNRESOLVED: "I'm first checking that nothing was rented",
}


WHILE_AWAY = frozenset({Why.ENDED_WHILE_AWAY, Why.ENDED_SINCE_BACKUP})
"""The reasons why machines ended while the bot wasn't running. The exact time of their end is unknown."""


def reason(why: Why, vendor_name: str | None = None) -> str:
    """Return a reason as a clause, such as `Hyperstack seems to be sold out` or `buying is paused`."""
    return _REASONS[why].format(vendor=vendor(vendor_name))


def why_asked_again(facts: RequestFacts) -> str:
    """Return a clause with the reason for a new decision: `only A100 SXM 40 GB is left, not A100 PCIe 80 GB`."""
    if facts.gpu is not None and facts.before_gpu is not None:
        return f"only {gpu(facts.gpu)} is left, not {gpu(facts.before_gpu)}"
    return reason(facts.why, facts.vendor) if facts.why else "it is outside what was accepted"


def why_undecided(details: RentalDetails) -> str:
    """Return a sentence saying why a rental needs another decision. Empty if it waits for its first decision."""
    decision = details.rental.decision
    if decision is None or decision.why is None:
        return ""
    asked = [event for event in details.events if event.kind is EventKind.ASKED_AGAIN]
    if decision.why is Why.OTHER_GPU and asked:
        return sentence(why_asked_again(facts_in(asked, RequestFacts)[-1]))
    return sentence(reason(decision.why, details.rental.vendor))


def owner(details: RentalSummary) -> str:
    """Return the owner's name. The name isn't a mention, so Slack doesn't notify the owner."""
    return person(details.names, details.rental.owner)


def state_word(details: RentalSummary) -> str:
    """Return the state of a rental as a word or phrase, such as `Ready`."""
    rental = details.rental
    if rental.owner_decides:
        return f"Waiting for {owner(details)}"
    if rental.state is State.QUEUED and rental.request.starts_at is not None:
        return "Starting later"
    if rental.unreachable:
        return UNREACHABLE
    return STATES[rental.state]


def people(details: RentalSummary) -> str:
    """Return the names of the owner and the teammates of a rental: `Ana with Ben and Cleo`.

    If a program rented the machine, the name of its token comes first: `nightly eval (Ana) with Ben`.
    """
    names = names_of(details, details.rental.teammates)
    return join(renter(details), f"with {people_text(names)}" if names else "")


def renter(details: RentalSummary) -> str:
    """Return the owner's name. If a program rented the machine, return `nightly eval (Ana)`."""
    program = details.rental.program
    return owner(details) if program is None else f"{program_name(program)} ({owner(details)})"


def program_name(program: Program) -> str:
    """Return the name of the token with which a program rented a machine, such as `nightly eval`."""
    return as_written(escape(program.token_name, 40))


def machine(rental: Rental) -> str:
    """Return the name of a machine, or of a request for one: `1x H100 SXM 80 GB (k7mq2)`."""
    return f"{machines_of(rental)} ({rental.id})"


def machine_in(rental: Rental) -> str:
    """Return the name of a machine with its region: `1x H100 SXM 80 GB (k7mq2) in EU`."""
    region = rental.request.region
    return machine(rental) + (f" in {escape(region, 20)}" if region else "")


def machine_of(details: RentalDetails) -> str:
    """Return a machine with its owner: `Ana's 1x H100 SXM 80 GB (k7mq2)`.

    If a program rented it, the text is `1x H100 SXM 80 GB (k7mq2) of nightly eval (Ana)`.
    """
    rental = details.rental
    if rental.program is not None:
        return f"{machine(rental)} of {renter(details)}"
    return f"{owner(details)}'s {machine(rental)}"


def possessive(details: RentalDetails, reader: Reader) -> str:
    """Return `your` for the owner, and `Ana's` for other readers.

    If a program rented the machine, the owner reads the name of its token instead: `nightly eval's`.
    """
    program = details.rental.program
    if program is not None and reader.id == details.rental.owner:
        return f"{program_name(program)}'s"
    return "your" if reader.id == details.rental.owner else f"{owner(details)}'s"


def billing_since(details: RentalDetails) -> datetime | None:
    """Return the time at which billing of the newest machine began. None if there has been no machine."""
    if details.current is None:
        return details.rental.lease.ready_at if details.rental.lease else None
    starts = [
        resource.valid_from or details.current.intended_at
        for resource in details.resources
        if resource.attempt == details.current.n
    ]
    return min(starts, default=details.current.intended_at)


def in_all(cost: AccruedCost) -> str:
    """Return a cost: `$14.68`, or `an estimated $14.68` if the bot lacks data from the market."""
    return f"{'an estimated ' if cost.estimated else ''}{dollars(cost.amount)}"


def so_far(cost: AccruedCost) -> str:
    return f"{in_all(cost)} so far"


def settled(details: RentalDetails) -> bool:
    """Return whether billing has ended for every machine that was bought for the rental."""
    return all(attempt.closed for attempt in details.attempts)


def cost_nothing_text(details: RentalDetails) -> str:
    """Return a sentence saying that a rental cost nothing. It is only used once the rental is over.

    Empty if the rental cost something, or if the bot can still discover a cost.
    """
    if details.rental.bought_after_backup and not details.spent.amount:
        return FOUND_ON_ACCOUNT
    if not details.attempts:
        return "Nothing was rented."
    known = settled(details) and not details.rental.bought_after_backup
    return "It cost nothing." if known and details.spent.amount == 0 and not details.spent.estimated else ""


def receipt(details: RentalDetails) -> str:
    """Return the cost and the runtime of a rental that is over: `$14.68 for 6 h 4 min`."""
    length = ledger_span(details.ledger)
    ran = f" for {span(length)}" if length is not None else ""
    return cost_nothing_text(details) or f"{in_all(details.spent)}{ran}."


def stopped_at_night(details: RentalDetails, reader: Reader) -> str:
    """Return `Its work stopped at 01:13, so I didn't keep it running`.

    The request allowed the machine to run longer while its GPUs were busy. The sentence explains why the machine
    ended at night all the same. Empty in any other case.
    """
    rental, ending, use = details.rental, details.rental.ending, details.rental.use
    rules, times = reader.rules, reader.times
    if ending is None or ending.why is not Why.LEASE_ENDED or rental.request.up_to is None or ending.since is None:
        return ""
    if use is None or use.status not in NOT_COMPUTING or use.since <= rental.running_lease.ready_at:
        return ""
    if morning_after(ending.since, ending.since, zone_of(times.zone, rules), rules.hours) is None:
        return ""
    return f"Its work stopped {times.at_time(use.since)}, so I didn't keep it running."


def why_ended(details: RentalDetails) -> str:
    """Return a sentence saying why a rental failed or was lost. Empty for a rental that ended normally."""
    rental, ending = details.rental, details.rental.ending
    ended = {State.FAILED, State.LOST}
    if ending is None or ending.why is None or not (rental.state in ended or ending.why is Why.NOTHING_FITTED):
        return ""
    if ending.why is Why.NOTHING_FITTED and details.attempts:
        return "No purchase succeeded in time."
    return sentence(reason(ending.why, rental.vendor))


def new_one_text(rental: Rental) -> str:
    """Return a sentence such as `Its replacement is f6rat`. Empty if the machine isn't being replaced."""
    if rental.replaced_by is None:
        return ""
    return f"Its replacement {'will be' if rental.state is State.READY else 'is'} {rental.replaced_by}."


def first_runs_on(details: RentalDetails) -> str:
    """Return a sentence such as `k7mq2, the machine to be replaced, keeps running`.

    `details` are about the rental that was to replace the old machine. The sentence is needed if this rental is
    over, or if somebody still has to decide about it. Empty in all other cases, and once the old machine is no
    longer ready.
    """
    replaced, has_none = details.replaced, details.rental.state.over or details.rental.decision is not None
    return (
        f"{replaced.id}, the machine to be replaced, keeps running."
        if replaced is not None and replaced.state is State.READY and has_none
        else ""
    )


def ended_by(details: RentalDetails) -> Event | None:
    """Return the event with which a person other than the owner ended the rental. None if there is none."""
    ending = details.rental.ending
    if ending is None or ending.by in {None, details.rental.owner}:
        return None
    by = (event for event in details.events if event.actor == ending.by)
    return next((e for e in by if isinstance(e.facts, EndedFacts) and e.facts.end is ending.outcome), None)


def how_it_ended(details: RentalDetails, name: str, times: Times) -> str:
    """Return a sentence about the end of a rental, to replace a message that is outdated.

    An example is `Ended by Ben at 18:41: your 1x H100 (k7mq2).` The person is named only if they aren't the owner.
    """
    if details.rental.state is State.DESTROYING:
        return sentence(f"{name} is being destroyed")
    return join(f"{over_text(details, times)}: {name}.", why_ended(details))


def over_text(details: RentalDetails, times: Times) -> str:
    """Return a clause about the end of a rental, such as `Ended by Ben at 18:41`."""
    rental, ending = details.rental, details.rental.ending
    over_at = rental.over_at if rental.state.over else None
    if over_at and rental.state is State.LOST and ending is not None and ending.why in WHILE_AWAY:
        return f"Ended before {times.time(over_at)}, while I was away"
    by = ended_by(details)
    return join(
        STATES[rental.state],
        f"by {actor(details.names, by)}" if by is not None else None,
        times.at_time(over_at) if over_at else None,
    )


def extended_by_operator(details: RentalDetails, times: Times) -> str:
    """Return `The operator (reason: "a long run") extended the machine until 20:05`.

    Empty if the operator didn't extend the machine.
    """
    longer = [e for e in details.events if e.effects.lengthens(e) and e.actor == OPERATOR.id]
    facts = longer[-1].facts if longer else None
    if not isinstance(facts, UntilFacts) or facts.until is None:
        return ""
    return sentence(f"{actor(details.names, longer[-1])} extended the machine until {times.time(facts.until)}")


_WITHOUT_WAS = frozenset({State.DESTROYED, State.FAILED, State.EXPIRED})
"""The states that are described without `was`: `it ended`, in contrast to `it was cancelled`."""


def current_state(details: RentalDetails, times: Times, name: str = "it") -> str:
    """Return a sentence about the current state of a rental, for a message about an earlier event.

    `name` is the name of the rental in that message.
    """
    rental = details.rental
    it_is = "it's" if name == "it" else f"{name} is"
    if rental.state.over:
        over = over_text(details, times)
        was = "" if (rental.state in _WITHOUT_WAS and ended_by(details) is None) or " before " in over else "was "
        return join(sentence(f"{name} {was}{over[:1].lower()}{over[1:]}"), why_ended(details))
    if rental.state is State.DESTROYING:
        return sentence(f"{it_is} being destroyed")
    if rental.state is State.READY:
        state = "running" if rental.unreachable else "ready"
        return sentence(f"{it_is} {state}, and ends {times.at_time(rental.running_lease.ends_at)}")
    if rental.state is State.AWAITING_APPROVAL:
        return sentence(f"{it_is} waiting for {owner(details) if rental.owner_decides else 'approval'}")
    if rental.state is State.QUEUED and rental.waitlist_entry is not None:
        return sentence(f"{it_is} on the waitlist until {times.time(rental.waitlist_entry.until)}")
    return sentence(f"{it_is} starting")


def has_left(details: RentalDetails) -> bool:
    """Return whether the owner has left the workspace. The admins then decide what happens to the rental."""
    return open_question(details.events, OpenQuestion.OWNER) is not None


def first_after(details: RentalDetails, event: Event, *kinds: EventKind) -> Event | None:
    """Return the first event of the given kinds after `event`. None if there is none."""
    return next((other for other in events_after(event, details.events) if other.kind in kinds), None)


# --- texts about teammates, the people with whom an owner shares a machine


NAMED = 5
"""The maximum number of people that a text names. If there are more, the text says how many."""


def names_of(details: RentalSummary, people: Sequence[str]) -> list[str]:
    return [details.names.get(one, one) for one in people]


def people_text(names: Sequence[str]) -> str:
    """Join display names to a text such as `Ben and Cleo`. A long list is shortened."""
    return listed(first_few([as_written(escape(name, 40)) for name in names], NAMED))


def people_are(names: Sequence[str]) -> str:
    return f"{people_text(names)} {'is' if len(names) == 1 else 'are'}"


def people_were(names: Sequence[str]) -> str:
    """Return `Ben was`, `Ben and Cleo were`, or `nobody was`."""
    return f"{people_text(names) or 'nobody'} {'were' if len(names) > 1 else 'was'}"


def without_key_text(names: Sequence[str], then: str = "I asked for one") -> str:
    """Return sentences saying which people have no SSH key. The clause `then` says what the bot does next."""
    if not names:
        return ""
    people = people_text(names)
    has, they = ("has", people) if len(names) == 1 else ("have", "they")
    return f"{people} {has} no SSH key yet, so {then}. Without it, {they} can't log in."


# --- texts about the people who are asked to decide a request


def away_text(names: Sequence[str]) -> str:
    return f"{people_are(names)} away"


def asked_for(asked: PeopleAsked | None, what: str = "approval") -> str:
    """Return a clause saying that the bot asked people about a request: `I've asked Ben and Dora for approval`.

    The clause is for the person who made the request. `what` replaces `approval`.
    """
    if asked is None or not (asked.names or asked.away):
        return f"I've asked for {what}"
    if not asked.names:
        return f"{away_text(asked.away)}, so it's waiting for {what}"
    people = people_text(asked.names)
    if asked.away:
        return f"{away_text(asked.away)}, so I've asked {people} for {what}"
    if asked.admins_decide:
        return f"No approver is left, so I've asked the admins ({people}) for {what}"
    return f"I've asked {people} for {what}"


def asked_by_event(facts: DecidersFacts, details: RentalDetails) -> str:
    """Return a sentence saying who was asked to decide, such as `Ben and Dora were asked`.

    If other people than usual were asked, the sentence also says why.
    """
    names, away = names_of(details, facts.people), names_of(details, facts.away)
    if not names:
        return f"{away_text(away)}." if away else ""
    if away:
        return f"{away_text(away)}, so {people_were(names)} asked."
    if facts.admins_decide:
        return f"No approver is left, so the admins ({people_text(names)}) were asked."
    return f"{people_were(names)} asked."


def asked_now(details: RentalDetails) -> str:
    """Return a sentence saying who is being asked to decide at the moment."""
    newest = deciders_in(details.events)
    return asked_by_event(newest, details) if newest is not None else ""


def mentions(details: RentalDetails, asked: Event, asked_now: Mentions, rules: Rules) -> str:
    """Return mentions of the people who are asked to approve: `@approvers, @ben`. Empty if there are none.

    A mention notifies a person. The person who made the request isn't mentioned, but named. People who get a
    direct message about the request are only named, too.
    """
    informed = [asked.actor or "", *readers_of(asked, details.rental, rules)]
    return mention_deciders(asked_now, named=informed, names=details.names)


def mention_deciders(asked: Mentions, *, named: Collection[str], names: Mapping[str, str]) -> str:
    """Return mentions of the people who are asked to decide: `@approvers, @ben`. Empty if there are none.

    The people in `named` are named instead of mentioned. `names` contains the display names by Slack ID.
    """
    pings = [mention_group(group) for group in asked.groups]
    pings += [person(names, one) if one in named else mention(one) for one in asked.people]
    return ", ".join(pings)
