"""Checks of machines and money: compares the market's account and bill with what people read in Slack."""

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
"""The additional time for a deletion that the vendor refuses, delays or hides."""
LATE = timedelta(seconds=30)
"""The delay after which a machine that begins to bill counts as late.

The bot can't know of such a machine before it buys the next one.
"""
SWEPT, OWNERS_CHECKED = timedelta(minutes=12), timedelta(minutes=75)
"""The longest time until the admin is asked about an unmanaged machine, and about a machine whose owner left.

The second limit allows for one failed look-up of owners, because the next look-up is 30 minutes later.
"""
ENDS = ("Ended", "Failed", "Cancelled", "Lost", "Declined", "Expired", "Withdrawn")
_UNTIL = re.compile(
    r"\bIt ends (?:[^.;,]*? )?(\d\d):(\d\d)(?:, its latest end)?"
    r"(?:, or (?:[^.;,]*? )?(\d\d):(\d\d) at the latest if its GPUs are busy)?\."
)
"""The end on a card, and the latest end if the end is flexible."""
_ASKS = re.compile(r"n't rented through me|^My database (?:is empty|seems to be an older backup: it lacks \d)")
"""Matches the questions to an admin about unmanaged machines."""
_DESTROYING = re.compile(r"(?:\S+ is|I'm) destroying this machine|The replacement for this machine is \w+, so ")
"""Matches the beginning of replies that name the cause if a machine is destroyed before its end."""
_LONGER = re.compile(r"extended |asked for|[Aa]pproved")
"""Matches replies in a rental's thread which show that the rental may have got more time than first requested."""
BUSY_BEFORE, BUSY_AFTER = timedelta(minutes=20), timedelta(minutes=5)
"""The time before and after a machine's end during which its use is checked.

A machine that computes during this whole period is certainly in use at its end.
"""
FAULT_LASTS = timedelta(minutes=75)
"""The time for which failing probe runs may affect usage statuses.

If most machines can't be probed, no usage status changes for an hour.
"""
_COMPUTES = 50
"""The minimum utilization, in percent, of a GPU that computes."""
_RECEIPT = re.compile(
    r"(?:It cost |\. )(an estimated )?(<?)\$([\d,]+\.\d\d)(?: for [^,.]+)?"
    r"(?:, of which \$[\d,]+\.\d\d was idle)?\."
)
MICROS = 1_000_000


def nothing_lives_at_the_end(evidence: Evidence) -> list[str]:
    """Check that no machine bills once everything is over."""
    if not evidence.over:
        return []
    return [f"{machine.name} ({machine.vendor}) still bills" for machine in evidence.machines if not machine.end]


def every_machine_is_on_a_card(evidence: Evidence) -> list[str]:
    """Check that every machine of the bot belongs to a rental with a card.

    These are the machines that the bot bought, and those that an admin assigned to an owner.
    """
    ids = {machine.name: machine.rental for machine in evidence.machines}
    return [f"{name} is on no card" for name, rental in ids.items() if rental and rental not in evidence.cards]


def somebody_is_asked_about_every_machine(evidence: Evidence) -> list[str]:
    """Check that the admin can decide about every unmanaged machine, and about machines whose owner left.

    The bot gets some time to notice: SWEPT or OWNERS_CHECKED.
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
            since, patience = evidence.left[owner], OWNERS_CHECKED
        since = max(since, evidence.restored_at or since)
        waited = evidence.now - since - evidence.excused(since, evidence.now)
        if waited > patience and not _is_named(open_now, rental):
            found.append(f"{machine.name} has no owner in Slack, and the admin is not asked about it")
    return found


def _is_named(texts: list[str], name: str) -> bool:
    return any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts)


def nothing_is_bought_twice(evidence: Evidence) -> list[str]:
    """Check that a rental's next offer is bought only after its earlier machines are dealt with.

    Each earlier machine must be terminated, or its deletion accepted. A purchase that was answered with `failed`
    is an exception: the next offer is then bought at once.
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
            terminated = machine.end is not None and machine.end <= later.at
            deleted = any(at <= later.at for at in deletions[machine.resource_id.lower()])
            if not terminated and not deleted:
                found.append(f"{later.name} was bought at {later.at:%H:%M:%S} while {machine.name} billed")
    return found


def _rental(name: str) -> str:
    return name.split("-")[1] if name.count("-") == 2 else ""


# --- ends


def nothing_outlives_its_lease(evidence: Evidence) -> list[str]:
    """Check that no machine bills longer than two grace periods after the latest end on its card.

    Time in which the bot couldn't act (`Evidence.excused`) is subtracted. If the response to a purchase was
    `failed`, there should be no machine at all. If the vendor bills one all the same, the check treats the
    machine's start as its end.
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
    """Return whether the admin was asked about this machine because the restored database doesn't contain it."""
    texts = [message.text for message in evidence.private(evidence.admin) if _ASKS.search(message.text)]
    return evidence.restored_at is not None and _is_named(texts, machine.rental or machine.name)


def nothing_ends_before_its_time(evidence: Evidence) -> list[str]:
    """Check that a machine ran until the last end on its card, unless its thread names another reason for its end.

    Machines that their vendor reclaimed are ignored. The bot may notice that a machine was reclaimed only when it
    deletes the machine.
    """
    found = []
    for rental in evidence.cards:
        ends = _ends(evidence, rental)
        terminated = _terminated(evidence, rental)
        if terminated is not None and ends and terminated < ends[-1].end - timedelta(minutes=1):
            found.append(f"{rental} was terminated at {terminated:%H:%M}, before its end at {ends[-1].end:%H:%M}")
    return found


def _terminated(evidence: Evidence, rental: str) -> datetime | None:
    """Return the time at which a rental's machine was terminated, if its lease ended it.

    None if something else ended the machine.
    """
    replies = [reply.text for reply in evidence.thread(rental)]
    if not any(text.startswith("This machine ended") for text in replies):
        return None
    machines = [machine for machine in evidence.machines if machine.rental == rental]
    reclaimed = any(machine.resource_id in evidence.reclaimed for machine in machines)
    if reclaimed or any(map(_DESTROYING.match, replies)):
        return None
    return max((machine.end or evidence.now for machine in machines), default=None)


def no_end_is_later_than_the_latest(evidence: Evidence) -> list[str]:
    """Check that the end on a card never exceeds the latest end that the card showed first.

    Rentals for which somebody requested more time are ignored.
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
    """Check that a machine that computes at its earliest end continues until its latest end.

    This only concerns machines with a flexible end. They are ignored if the bot may not have known that they were
    busy.
    """
    found = []
    for rental in evidence.cards:
        ends, terminated = _ends(evidence, rental), _terminated(evidence, rental)
        if terminated is None or not ends or ends[-1].latest is None or ends[-1].latest <= terminated:
            continue
        end = ends[-1].end
        since, until = end - BUSY_BEFORE, end + BUSY_AFTER
        seen = not evidence.excused(since, terminated) and not _probe_runs_may_fail(evidence, end)
        for machine in evidence.machines:
            busy = machine.rental == rental and machine.probe_runs and _computes(evidence, machine, since, until)
            if seen and busy:
                found.append(f"{machine.name} computed, and ended at its earliest end {end:%H:%M}")
    return found


def _probe_runs_may_fail(evidence: Evidence, end: datetime) -> bool:
    """Return whether the bot possibly couldn't rely on its probe runs shortly before `end`.

    There are two reasons for this, within the 75 minutes before `end`: probe runs failed on at least half of the
    machines at once, or a vendor reclaimed a machine. If most probe runs fail, the bot assumes that the cause is
    on its own side, and changes no usage status.
    """
    since = end - FAULT_LASTS
    reclaimed = [machine for machine in evidence.machines if machine.resource_id in evidence.reclaimed]
    if any(machine.end and since <= machine.end <= end for machine in reclaimed):
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
    """Return whether the machine computes, and can be probed, during the whole period."""
    phases = [_phase(evidence, machine, moment) for moment in _minutes(since, until)]
    return all(phase and not phase.fault and (phase.percent(0) or 0) >= _COMPUTES for phase in phases)


def _phase(evidence: Evidence, machine: Machine, moment: datetime) -> Phase | None:
    """Return the phase of a machine's use at a moment, or None if its use hasn't been set yet."""
    uses = [each.use for each in evidence.uses if each.resource_id == machine.resource_id]
    use = next((use for use in reversed(uses) if use.since <= moment), None)
    return use.at(moment) if use else None


def _minutes(since: datetime, until: datetime) -> list[datetime]:
    return [since + timedelta(minutes=n) for n in range(int((until - since) / timedelta(minutes=1)) + 1)]


def slow_deletion(evidence: Evidence, machine: Machine) -> timedelta:
    """Return the additional time that the deletion of this machine may take."""
    return SLOW_DELETION if evidence.slow_to_delete & {"*", machine.vendor} else timedelta(0)


class ShownEnd(NamedTuple):
    """The end that a card showed, and the latest end if the end is flexible."""

    end: datetime
    latest: datetime | None


def _ends(evidence: Evidence, rental: str) -> list[ShownEnd]:
    """Return the ends that a rental's card showed, oldest first.

    Cards show times in the reader's zone. The cards read here are Ben's, whose zone is UTC in November.
    """
    found = []
    for message in evidence.seen.get("Ben", ()):
        card, until = CARD.match(message.text), _UNTIL.search(message.text)
        if card and card["id"] == rental and until and not message.only_you:
            latest = near(message.at, int(until[3]), int(until[4])) if until[3] else None
            found.append(ShownEnd(near(message.at, int(until[1]), int(until[2])), latest))
    return found


def near(moment: datetime, hour: int, minute: int) -> datetime:
    """Return the moment nearest to `moment` at the given time of day."""
    same = moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
    days = (same + timedelta(days=day) for day in (-1, 0, 1))
    return min(days, key=lambda each: abs(each - moment))


# --- money


def receipts_are_the_bill(evidence: Evidence) -> list[str]:
    """Check that the cost on the card of a rental that is over matches the bill to the cent.

    If the cost is marked as estimated, it must be at least as high as the bill.
    """
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
