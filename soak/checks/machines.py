"""Machines and money: the account's truth against what people read."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction

from bot.demo.outside import Seen
from soak.evidence import CARD, Evidence, Machine

DELETION = timedelta(minutes=4)
"""From the moment that a machine is to go until its vendor says that it is gone: looks, tries and the deletion
itself. More where the vendor is stubborn."""
STUBBORN = timedelta(minutes=10)
LATE = timedelta(seconds=30)
"""A machine that bills only so long after it was bought was made late, which nobody can know in time."""
ENDS = ("Destroyed", "Failed", "Cancelled", "Lost", "Denied", "Expired", "Withdrawn")
_UNTIL = re.compile(r"\bEnds (?:[^.]*? )?(\d\d):(\d\d)\.")
_RECEIPT = re.compile(r"(?:^|, |: |\. )(<?)\$([\d,]+\.\d\d)( estimated)?\.")
MICROS = 1_000_000


def nothing_lives_at_the_end(evidence: Evidence) -> list[str]:
    """Nothing bills once everything is over."""
    if not evidence.over:
        return []
    return [f"{machine.name} ({machine.vendor}) still bills" for machine in evidence.machines if not machine.end]


def every_machine_is_on_a_card(evidence: Evidence) -> list[str]:
    """Whatever was bought belongs to a rental that people see."""
    ids = {machine.name: machine.rental for machine in evidence.machines}
    return [f"{name} is on no card" for name, rental in ids.items() if rental not in evidence.cards]


def nothing_is_bought_twice(evidence: Evidence) -> list[str]:
    """The next offer of a rental is bought once each machine from before is gone or its deletion was accepted."""
    found = []
    accepted = defaultdict(list)
    for request in evidence.market:
        if request.endpoint == "delete_resource" and (request.status or 0) in {*range(200, 300), 404, 409}:
            accepted[request.path.rsplit("/", 1)[-1].lower()].append(request.at)
    bought = {offer.offer_id: offer for offer in evidence.bought}
    for machine in evidence.machines:
        offer = bought.get(machine.offer_id or "")
        if offer is None or machine.start - offer.at > LATE:
            continue
        later = [one for one in evidence.bought if _rental(one.name) == machine.rental and one.at > offer.at]
        for other in later:
            gone = machine.end is not None and machine.end <= other.at
            asked = any(at <= other.at for at in accepted[machine.resource_id.lower()])
            if not gone and not asked:
                found.append(f"{other.name} was bought at {other.at:%H:%M:%S} while {machine.name} billed")
    return found


def _rental(name: str) -> str:
    return name.split("-")[1] if name.count("-") == 2 else ""


# --- ends


def nothing_outlives_its_lease(evidence: Evidence) -> list[str]:
    """No machine bills beyond two graces after the end that people last read, but for what could not be helped."""
    found = []
    for machine in evidence.machines:
        ends = _ends(evidence, machine.rental or "")
        end = max((until for _, until in ends), default=None)
        if end is None:
            continue
        over = (machine.end or evidence.now) - end - evidence.excused(end, machine.end or evidence.now)
        if over > 2 * evidence.grace + DELETION + _patience(evidence, machine):
            found.append(f"{machine.name} billed for {over} after its end at {end:%H:%M}")
    return found


def nothing_ends_before_its_time(evidence: Evidence) -> list[str]:
    """A machine whose lease ended was there until the end that its card said last, unless its vendor took it back:
    the bot may learn of that only when it ends it."""
    found = []
    for rental in evidence.cards:
        if not any("its lease ended" in reply.text for reply in evidence.thread(rental)):
            continue
        ends = _ends(evidence, rental)
        machines = [machine for machine in evidence.machines if machine.rental == rental]
        if any(machine.resource_id in evidence.taken_back for machine in machines):
            continue
        gone = max((machine.end or evidence.now for machine in machines), default=None)
        if ends and gone is not None and gone < ends[-1][1] - timedelta(minutes=1):
            found.append(f"{rental} was gone at {gone:%H:%M}, before its end at {ends[-1][1]:%H:%M}")
    return found


def _patience(evidence: Evidence, machine: Machine) -> timedelta:
    return STUBBORN if evidence.stubborn & {"*", machine.vendor} else timedelta(0)


def _ends(evidence: Evidence, rental: str) -> list[tuple[datetime, datetime]]:
    """Every end that a rental's card said, with when it said so, in order. Cards say times in their reader's zone;
    this reads those of one reader, whose zone is UTC in November."""
    found = []
    for message in evidence.seen.get("Ben", ()):
        card, until = CARD.match(message.text), _UNTIL.search(message.text)
        if card and card["id"] == rental and until and not message.only_you:
            found.append((message.at, _near(message.at, int(until[1]), int(until[2]))))
    return found


def _near(moment: datetime, hour: int, minute: int) -> datetime:
    """The moment of that time of day that is nearest."""
    same = moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
    days = (same + timedelta(days=day) for day in (-1, 0, 1))
    return min(days, key=lambda one: abs(one - moment))


# --- money


def receipts_are_the_bill(evidence: Evidence) -> list[str]:
    """What a card says at the end is what the account was billed: to the cent, or more where it says estimated."""
    if not evidence.over:
        return []
    found = []
    for rental, card in evidence.cards.items():
        billed = sum(machine.micros for machine in evidence.machines if machine.rental == rental)
        wrong = _wrong_receipt(card, billed)
        if wrong:
            found.append(f"{rental}: {wrong}: {card.text!r}")
    return found


def _wrong_receipt(card: Seen, billed: int) -> str:
    nothing = "Nothing was rented." in card.text or "It cost nothing." in card.text
    if nothing:
        return f"it cost {billed} micro-dollars" if billed else ""
    said = _RECEIPT.search(card.text)
    if said is None:
        return f"no receipt, and it cost {billed} micro-dollars"
    cents = int(said[2].replace(",", "").replace(".", ""))
    truth = round(Fraction(billed * 100, MICROS))
    if said[3]:
        return "" if cents >= truth else f"estimated below the bill of {truth} cents"
    if said[1]:
        return "" if 0 < billed < MICROS // 100 else f"not the bill of {billed} micro-dollars"
    return "" if cents == truth else f"not the bill of {truth} cents"


CHECKS = (
    nothing_lives_at_the_end,
    every_machine_is_on_a_card,
    nothing_is_bought_twice,
    nothing_outlives_its_lease,
    nothing_ends_before_its_time,
    receipts_are_the_bill,
)
