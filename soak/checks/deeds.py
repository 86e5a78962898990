"""What was acknowledged has happened, or the person who did it was told why not."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta

from bot.demo.outside import Seen
from soak.checks.machines import DELETION, ENDS, STUBBORN
from soak.evidence import Deed, Evidence

_CHOSEN = re.compile(r"^(?:Renting|Asked for approval): .*?, ([a-hjkmnp-z2-9]{5}), ")
RENTS = frozenset({"rent", "rent_another", "rent_confirm"})
DECIDES = frozenset({"approve", "approve_confirm", "deny"})


def every_question_is_answered(evidence: Evidence) -> list[str]:
    """Each acknowledged `/gpu get` and each acknowledged click on an offer has an answer of its own."""
    found = []
    for name in evidence.people:
        # What came by itself, as a direct message, answers nothing; nor does "Looking for", which offers follow.
        told = [m for m in evidence.private(name) if m.only_you and not m.text.startswith("Looking for")]
        asks = [d for d in evidence.deeds if d.who == name and d.ok and d.kind == "command" and _asks(d)]
        found += _unanswered(name, "a question", asks, told)
        rents = [d for d in evidence.deeds if d.who == name and d.ok and d.kind in RENTS]
        found += _unanswered(
            name, "a click on an offer", _without_dialogs(rents), [m for m in told if "Prices stand" not in m.text]
        )
    return found


def _asks(deed: Deed) -> bool:
    return deed.words.startswith("get ") and not deed.answer


def _without_dialogs(rents: list[Deed]) -> list[Deed]:
    """A click that opened a dialog did nothing yet. Where the same was sent off later, it had opened one."""
    sent = Counter(deed.value for deed in rents if deed.kind == "rent_confirm")
    return [deed for deed in rents if deed.kind == "rent_confirm" or not sent[deed.value]]


def _unanswered(name: str, what: str, deeds: list[Deed], told: list[Seen]) -> list[str]:
    """Matches the newest deed with the newest answer, and so on: an answer serves one deed alone."""
    for count, deed in enumerate(sorted(deeds, key=lambda one: -one.after), start=1):
        if sum(message.seq > deed.after for message in told) < count:
            return [f"{name} never got an answer to {what} at {deed.at:%H:%M:%S} ({deed.words or deed.value})"]
    return []


def every_rent_has_a_card(evidence: Evidence) -> list[str]:
    """Who read that something is being rented finds its card."""
    found = []
    for name in evidence.people:
        for message in evidence.private(name):
            chosen = _CHOSEN.match(message.text)
            if chosen and chosen[1] not in evidence.cards:
                found.append(f"{name} read {message.text[:60]!r}, and there is no such card")
    return found


def every_destroy_ends_it(evidence: Evidence) -> list[str]:
    """What somebody was told is being destroyed is gone soon, and its card says an end."""
    found = []
    for deed in evidence.deeds:
        if deed.kind != "destroy_confirm" or not deed.ok or deed.rental is None:
            continue
        card = evidence.cards.get(deed.rental)
        if card is None or (evidence.over and not card.text.startswith(ENDS)):
            found.append(f"{deed.who} destroyed {deed.rental}, and its card says {card and card.text[:60]!r}")
        for machine in evidence.machines:
            if machine.rental != deed.rental:
                continue
            end = machine.end or evidence.now
            start = max(deed.at, machine.start)
            patience = STUBBORN if evidence.stubborn & {"*", machine.vendor} else timedelta(0)
            if end - start - evidence.excused(start, end) > DELETION + patience:
                found.append(
                    f"{deed.who} destroyed {deed.rental} at {deed.at:%H:%M}, and it billed until {end:%H:%M}"
                )
    return found


def every_extension_counts_once(evidence: Evidence) -> list[str]:
    """An acknowledged wish for more time is in the thread or was refused in words, and none is there twice."""
    found = []
    for rental in evidence.cards:
        replies = evidence.thread(rental)
        all_wished = [d for d in evidence.deeds if d.rental == rental and _extends(d)]
        # Buttons and dialogs carry the end that was shown: with one end, they extend once. Commands carry none.
        wishes = len({d.value.rpartition(":")[2] for d in all_wished if d.kind != "command"})
        wishes += sum(d.kind == "command" for d in all_wished)
        extended = sum(re.match(r"\w+ extended it\b", reply.text) is not None for reply in replies)
        if extended > wishes:
            found.append(f"{rental} was extended {extended} times with {wishes} wishes")
        for name in evidence.people:
            wished = [d for d in all_wished if d.who == name]
            told = [r for r in replies if re.match(rf"{name} (extended it|asks for .* more)", r.text)]
            first = next((d for d in wished if d.ok), None)
            answered = first is None or told or any(m.seq > first.after for m in evidence.private(name))
            if first is not None and not answered and not first.answer:
                found.append(f"{name} extended {rental} at {first.at:%H:%M}, and nothing says so")
    return found


def _extends(deed: Deed) -> bool:
    return deed.kind in {"extend", "extend_lease"} or (deed.kind == "command" and deed.words.startswith("extend"))


def every_decision_counts(evidence: Evidence) -> list[str]:
    """An acknowledged decision is in the thread, or the person who made it was told why not."""
    found = []
    for deed in evidence.deeds:
        if deed.kind not in DECIDES or not deed.ok or deed.rental is None:
            continue
        replies = evidence.thread(deed.rental)
        by = any(
            re.search(rf"\b(by {deed.who}|{deed.who} goes on)", r.text) and r.seq > deed.after for r in replies
        )
        told = any(message.seq > deed.after for message in evidence.private(deed.who))
        dialog = deed.kind == "approve" and any(name == deed.who for name, _ in evidence.modals)
        if not (by or told or dialog):
            found.append(f"{deed.who} decided {deed.rental} ({deed.kind}) at {deed.at:%H:%M}, and nothing says so")
    return found


CHECKS = (
    every_question_is_answered,
    every_rent_has_a_card,
    every_destroy_ends_it,
    every_extension_counts_once,
    every_decision_counts,
)
