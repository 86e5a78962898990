"""Machines and money: what the account shows, compared with what people read."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from sandbox.client import SeenMessage
from sandbox.use import Phase
from soak.evidence import CARD, Evidence, Machine

DELETION = timedelta(minutes=4)
"""The longest time from the end of a lease, or a destroy, until the vendor confirms the deletion."""
SLOW_DELETION = timedelta(minutes=10)
"""How much longer it may take if the vendor refuses, delays or hides deletions."""
LATE = timedelta(seconds=30)
"""A machine that begins to bill this long after its purchase counts as late: the bot can't know of it in time."""
SWEPT, OWNERS_LOOKED_UP = timedelta(minutes=12), timedelta(minutes=75)
"""The longest time until the admin is asked about an unknown machine, and about a machine whose owner left. One
look-up of owners may fail, and the next is 30 minutes later."""
ENDS = ("Ended", "Failed", "Cancelled", "Lost", "Declined", "Expired", "Withdrawn")
_UNTIL = re.compile(
    r"\bIt ends (?:[^.;,]*? )?(\d\d):(\d\d)(?:, its latest end)?"
    r"(?:, or (?:[^.;,]*? )?(\d\d):(\d\d) at the latest if its GPUs are busy)?\."
)
"""The end on a card, and the latest one if it can move."""
_ASKS = re.compile(r"n't rented through me|^My database (?:is empty|seems to be an older backup: it lacks \d)")
"""Found in the questions to an admin about machines that no rental has."""
_DESTROYING = re.compile(r"(?:\S+ is|I'm) destroying this machine|The replacement for this machine is \w+, so ")
"""How the replies begin that say what destroys a machine before its end."""
_LONGER = re.compile(r"extended |asked for|[Aa]pproved")
"""Found in the thread of a rental that perhaps got more time than was asked for at first."""
BUSY_BEFORE, BUSY_AFTER = timedelta(minutes=20), timedelta(minutes=5)
"""If a machine computes from this long before its end until this long after, it is certainly in use at its end."""
FAULT_LASTS = timedelta(minutes=75)
"""If most machines can't be visited, no verdict changes for an hour."""
_COMPUTES = 50
"""Percent."""
_RECEIPT = re.compile(
    r"(?:It cost |\. )(an estimated )?(<?)\$([\d,]+\.\d\d)(?: for [^,.]+)?"
    r"(?:, of which \$[\d,]+\.\d\d was idle)?\."
)
MICROS = 1_000_000


def nothing_lives_at_the_end(evidence: Evidence) -> list[str]:
    """Nothing bills once everything is over."""
    if not evidence.over:
        return []
    return [f"{machine.name} ({machine.vendor}) still bills" for machine in evidence.machines if not machine.end]


def every_machine_is_on_a_card(evidence: Evidence) -> list[str]:
    """Every machine that the bot bought or that an admin gave an owner belongs to a rental with a card."""
    ids = {machine.name: machine.rental for machine in evidence.machines}
    return [f"{name} is on no card" for name, rental in ids.items() if rental and rental not in evidence.cards]


def somebody_is_asked_about_every_machine(evidence: Evidence) -> list[str]:
    """The admin can decide about every machine that no rental has, and about machines whose owner left long
    ago.
    """
    asked = [message for message in evidence.private(evidence.admin) if message.buttons]
    open_now = [message.text for message in asked if evidence.newest.get((message.channel, message.ts)) == message]
    found = []
    for machine in (machine for machine in evidence.machines if not machine.end):
        rental = machine.rental or machine.name
        owner = evidence.owners.get(rental)
        since, patience = machine.start, SWEPT
        if owner is not None and evidence.knows(rental):
            if owner not in evidence.left or evidence.cards[rental].text.startswith("Being destroyed"):
                continue
            since, patience = evidence.left[owner], OWNERS_LOOKED_UP
        since = max(since, evidence.restored_at or since)
        waited = evidence.now - since - evidence.excused(since, evidence.now)
        if waited > patience and not _is_named(open_now, rental):
            found.append(f"{machine.name} has no owner in Slack, and the admin is not asked about it")
    return found


def _is_named(texts: list[str], name: str) -> bool:
    return any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts)


def nothing_is_bought_twice(evidence: Evidence) -> list[str]:
    """A rental's next offer is bought only when each earlier machine is gone or its deletion was accepted. After
    the answer `failed`, the next offer is bought at once.
    """
    found = []
    deletions = defaultdict(list)
    for request in evidence.market:
        if request.endpoint == "delete_resource" and (request.status or 0) in {*range(200, 300), 404, 409}:
            deletions[request.path.rsplit("/", 1)[-1].lower()].append(request.at)
    purchases = {purchase.offer_id: purchase for purchase in evidence.purchases}
    for machine in evidence.machines:
        purchase = purchases.get(machine.offer_id or "")
        if purchase is None or purchase.failed or machine.start - purchase.at > LATE:
            continue
        same_rental = (each for each in evidence.purchases if _rental(each.name) == machine.rental)
        for later in (each for each in same_rental if each.at > purchase.at):
            gone = machine.end is not None and machine.end <= later.at
            deleted = any(at <= later.at for at in deletions[machine.resource_id.lower()])
            if not gone and not deleted:
                found.append(f"{later.name} was bought at {later.at:%H:%M:%S} while {machine.name} billed")
    return found


def _rental(name: str) -> str:
    return name.split("-")[1] if name.count("-") == 2 else ""


# --- ends


def nothing_outlives_its_lease(evidence: Evidence) -> list[str]:
    """No machine bills longer than two grace periods after the latest end on its card, less the excused time. The
    machine of a purchase that was answered with `failed` should not have begun to bill.
    """
    found = []
    failed = {purchase.offer_id for purchase in evidence.purchases if purchase.failed}
    for machine in evidence.machines:
        ends = _ends(evidence, machine.rental or "")
        end = max((shown.end for shown in ends), default=None)
        if machine.offer_id in failed:
            end = machine.start
        if end is None or _waits_for_the_admin(evidence, machine):
            continue
        overdue = (machine.end or evidence.now) - end - evidence.excused(end, machine.end or evidence.now)
        if overdue > 2 * evidence.grace + DELETION + slow_deletion(evidence, machine):
            found.append(f"{machine.name} billed for {overdue} after its end at {end:%H:%M}")
    return found


def _waits_for_the_admin(evidence: Evidence, machine: Machine) -> bool:
    """Return whether the admin was asked about a machine that the older copy of the database lacks."""
    texts = [message.text for message in evidence.private(evidence.admin) if _ASKS.search(message.text)]
    return evidence.restored_at is not None and _is_named(texts, machine.rental or machine.name)


def nothing_ends_before_its_time(evidence: Evidence) -> list[str]:
    """If a lease ended its machine, the machine was there until the last end on its card. If something else ended
    it, its thread says so.

    Machines that their vendor took back don't count: the bot may learn of that only when it deletes them.
    """
    found = []
    for rental in evidence.cards:
        ends = _ends(evidence, rental)
        gone = _gone(evidence, rental)
        if gone is not None and ends and gone < ends[-1].end - timedelta(minutes=1):
            found.append(f"{rental} was gone at {gone:%H:%M}, before its end at {ends[-1].end:%H:%M}")
    return found


def _gone(evidence: Evidence, rental: str) -> datetime | None:
    """Return when the machine of a rental was gone, if its lease ended it. Return None if something else did."""
    replies = [reply.text for reply in evidence.thread(rental)]
    if not any(text.startswith("This machine ended") for text in replies):
        return None
    machines = [machine for machine in evidence.machines if machine.rental == rental]
    taken = any(machine.resource_id in evidence.taken_back for machine in machines)
    if taken or any(map(_DESTROYING.match, replies)):
        return None
    return max((machine.end or evidence.now for machine in machines), default=None)


def no_end_is_later_than_the_latest(evidence: Evidence) -> list[str]:
    """No end on a card is later than the latest end that the card showed first, unless somebody asked for more
    time.
    """
    found = []
    for rental in evidence.cards:
        ends = _ends(evidence, rental)
        if not ends or any(_LONGER.search(reply.text) for reply in evidence.thread(rental)):
            continue
        latest = ends[0].latest or ends[0].end
        found += [
            f"{rental} ends {shown.end:%H:%M} on its card, and {latest:%H:%M} is its latest end"
            for shown in ends
            if shown.end > latest
        ][:1]
    return found


def busy_machines_go_on(evidence: Evidence) -> list[str]:
    """A machine with two ends that computes at its end goes on, until the later end. Machines that the bot perhaps
    could not see don't count.
    """
    found = []
    for rental in evidence.cards:
        ends, gone = _ends(evidence, rental), _gone(evidence, rental)
        if gone is None or not ends or ends[-1].latest is None or ends[-1].latest <= gone:
            continue
        end = ends[-1].end
        since, until = end - BUSY_BEFORE, end + BUSY_AFTER
        seen = not evidence.excused(since, gone) and not _probe_runs_may_fail(evidence, end)
        for machine in evidence.machines:
            busy = machine.rental == rental and machine.probe_runs and _computes(evidence, machine, since, until)
            if seen and busy:
                found.append(f"{machine.name} computed, and ended at its first end {end:%H:%M}")
    return found


def _probe_runs_may_fail(evidence: Evidence, end: datetime) -> bool:
    """Return whether visits to half of the machines failed at some time before that end. If most visits fail, the
    bot is the cause, and no verdict changes.
    """
    since = end - FAULT_LASTS
    taken = [machine for machine in evidence.machines if machine.resource_id in evidence.taken_back]
    if any(machine.end and since <= machine.end <= end for machine in taken):
        return True
    for moment in _minutes(since, end):
        probed = [
            each for each in evidence.machines if each.probe_runs and each.start <= moment <= (each.end or moment)
        ]
        phases = [_phase(evidence, machine, moment) for machine in probed]
        failing = sum(phase is not None and phase.fault is not None for phase in phases)
        if failing and 2 * failing >= len(probed):
            return True
    return False


def _computes(evidence: Evidence, machine: Machine, since: datetime, until: datetime) -> bool:
    """Return whether the machine computes, and can be visited, during the whole time."""
    phases = [_phase(evidence, machine, moment) for moment in _minutes(since, until)]
    return all(phase and not phase.fault and (phase.percent(0) or 0) >= _COMPUTES for phase in phases)


def _phase(evidence: Evidence, machine: Machine, moment: datetime) -> Phase | None:
    """Return how a machine is used at a moment. Return None if nobody set that yet."""
    uses = [each.use for each in evidence.uses if each.resource_id == machine.resource_id]
    use = next((use for use in reversed(uses) if use.since <= moment), None)
    return use.at(moment) if use else None


def _minutes(since: datetime, until: datetime) -> list[datetime]:
    return [since + timedelta(minutes=n) for n in range(int((until - since) / timedelta(minutes=1)) + 1)]


def slow_deletion(evidence: Evidence, machine: Machine) -> timedelta:
    """Return how much longer this machine's deletion may take."""
    return SLOW_DELETION if evidence.slow_to_delete & {"*", machine.vendor} else timedelta(0)


class ShownEnd(NamedTuple):
    """The end that a card showed, and the latest end if the end can move."""

    end: datetime
    latest: datetime | None


def _ends(evidence: Evidence, rental: str) -> list[ShownEnd]:
    """Return which ends a rental's card showed, in order.

    Cards show times in the reader's zone. These are Ben's, whose zone is UTC in November.
    """
    found = []
    for message in evidence.seen.get("Ben", ()):
        card, until = CARD.match(message.text), _UNTIL.search(message.text)
        if card and card["id"] == rental and until and not message.only_you:
            latest = near(message.at, int(until[3]), int(until[4])) if until[3] else None
            found.append(ShownEnd(near(message.at, int(until[1]), int(until[2])), latest))
    return found


def near(moment: datetime, hour: int, minute: int) -> datetime:
    """Return the nearest moment at that time of day."""
    same = moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
    days = (same + timedelta(days=day) for day in (-1, 0, 1))
    return min(days, key=lambda each: abs(each - moment))


# --- money


def receipts_are_the_bill(evidence: Evidence) -> list[str]:
    """The cost on a card at the end is the bill to the cent, or at least the bill if it is marked as estimated."""
    if not evidence.over:
        return []
    found = []
    for rental, card in evidence.cards.items():
        billed = sum(machine.micros for machine in evidence.machines if machine.rental == rental)
        wrong = _wrong_receipt(card, billed)
        if wrong:
            found.append(f"{rental}: {wrong}: {card.text!r}")
    return found


def _wrong_receipt(card: SeenMessage, billed: int) -> str:
    nothing = "Nothing was rented." in card.text or "It cost nothing." in card.text
    if nothing:
        return f"it cost {billed} micro-dollars" if billed else ""
    receipt = _RECEIPT.search(card.text)
    if receipt is None:
        return f"no receipt, and it cost {billed} micro-dollars"
    cents = int(receipt[3].replace(",", "").replace(".", ""))
    exact = round(Fraction(billed * 100, MICROS))
    if receipt[1]:
        return "" if cents >= exact else f"estimated below the bill of {exact} cents"
    if receipt[2]:
        return "" if 0 < billed < MICROS // 100 else f"not the bill of {billed} micro-dollars"
    return "" if cents == exact else f"not the bill of {exact} cents"


CHECKS = (
    nothing_lives_at_the_end,
    every_machine_is_on_a_card,
    somebody_is_asked_about_every_machine,
    nothing_is_bought_twice,
    nothing_outlives_its_lease,
    nothing_ends_before_its_time,
    no_end_is_later_than_the_latest,
    busy_machines_go_on,
    receipts_are_the_bill,
)
