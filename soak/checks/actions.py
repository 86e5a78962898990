"""Checks that every acknowledged action took effect, or that the person learned why it didn't."""

from __future__ import annotations

import re
from datetime import timedelta

from sandbox.client import SeenMessage
from soak.checks.machines import DELETION, ENDS, slow_deletion
from soak.evidence import (
    CARD,
    GRACEFUL_DESTROY,
    MACHINE_NAME,
    NOT_SUBMITTED,
    RENTAL_ID,
    Evidence,
    PerformedAction,
)

_RENTING = re.compile(
    rf"^(?:Renting|(?:.* so )?(?:I've asked|it's waiting).*? approval of) \d+x .*? \(({RENTAL_ID})\)"
)
_EXTENDED = re.compile(r"\w+ extended this machine\b")
SCRIPT = timedelta(minutes=12)
"""The additional time that a machine may run if its on-ending.sh runs first.

It includes the time until a probe run notices that the script has finished.
"""
RENT_CLICKS = frozenset({"rent", "rent_another", "rent_confirm"})
DECISIONS = frozenset({"approve", "approve_confirm", "fewer_hours_form", "deny", "deny_form"})


def every_request_is_answered(evidence: Evidence) -> list[str]:
    """Check that acknowledged requests and clicks on offers are answered.

    Each acknowledged `/gpu get`, and each acknowledged click on an offer, must have a private answer of its own.
    """
    found = []
    for name in evidence.people.keys() - evidence.left.keys():
        # Two kinds of messages don't count as the answer to a request: direct messages, and messages that begin
        # with "Looking for", which only announce the answer.
        answers = [m for m in evidence.private(name) if m.only_you and not m.text.startswith("Looking for")]
        performed = [a for a in evidence.actions if a.who == name and a.ok]
        requests = [a for a in performed if a.kind == "command" and a.text.startswith("get ") and not a.answer]
        found += _unanswered(name, "a request", requests, answers)
        clicks = _without_dialogs([a for a in performed if a.kind in {*RENT_CLICKS, NOT_SUBMITTED}])
        answers = [m for m in answers if "Prices are valid" not in m.text]
        found += _unanswered(name, "a click on an offer", clicks, answers)
    return found


def _without_dialogs(clicks: list[PerformedAction]) -> list[PerformedAction]:
    """Return the clicks that did more than open a dialog.

    A click only opened a dialog if a later action in a dialog carries the same value as the click.
    """
    opened = {action.value for action in clicks if action.kind not in {"rent", "rent_another"}}
    clicks = [action for action in clicks if action.kind != NOT_SUBMITTED]
    return [action for action in clicks if action.kind == "rent_confirm" or action.value not in opened]


def _unanswered(name: str, what: str, actions: list[PerformedAction], answers: list[SeenMessage]) -> list[str]:
    """Return a list with one problem if there are too few answers, and otherwise an empty list.

    Each action needs an answer of its own. For the newest action, at least one answer must have come after it; for
    the second newest action, at least two; and so on. The problem names the newest action with too few answers.
    """
    for count, action in enumerate(sorted(actions, key=lambda action: -action.after), start=1):
        if sum(message.seq > action.after for message in answers) < count:
            return [
                f"{name} never got an answer to {what} at {action.at:%H:%M:%S} ({action.text or action.value})"
            ]
    return []


def every_rent_has_a_card(evidence: Evidence) -> list[str]:
    """Check that each rental that was announced in a private message has a card."""
    found = []
    for name in evidence.people:
        for message in evidence.private(name):
            renting = _RENTING.match(message.text)
            if renting and renting[1] not in evidence.cards:
                found.append(f"{name} read {message.text[:60]!r}, and there is no such card")
    return found


def every_destroy_ends_it(evidence: Evidence) -> list[str]:
    """Check that soon after an acknowledged destroy, the machine is terminated and the card shows an end.

    A graceful destroy gets additional time for its on-ending.sh. It is ignored if somebody extends the lease
    afterwards.
    """
    found = []
    for action in evidence.actions:
        if action.kind != "destroy_confirm" or not action.ok or action.rental is None:
            continue
        graceful = action.text == GRACEFUL_DESTROY
        later = [reply for reply in evidence.thread(action.rental) if reply.seq > action.after]
        if graceful and any(_EXTENDED.search(reply.text) for reply in later):
            continue
        longest = DELETION + (SCRIPT if graceful else timedelta(0))
        what = f"{action.who} destroyed {action.rental} at {action.at:%H:%M}"
        card = evidence.cards.get(action.rental)
        if card is None or (evidence.over and not card.text.startswith(ENDS)):
            found.append(f"{what}, and its card says {card and card.text[:60]!r}")
        for machine in evidence.machines:
            if machine.rental != action.rental:
                continue
            end = machine.end or evidence.now
            start = max(action.at, machine.start)
            if end - start - evidence.excused(start, end) > longest + slow_deletion(evidence, machine):
                found.append(f"{what}, and it billed until {end:%H:%M}")
    return found


def every_extension_counts_once(evidence: Evidence) -> list[str]:
    """Check that each acknowledged extension appears in the thread exactly once, or was refused with a reason."""
    found = []
    for rental in evidence.cards:
        replies = evidence.thread(rental)
        extensions = [a for a in evidence.actions if a.rental == rental and _extends(a)]
        # A button or dialog that extends a lease contains the end that it showed. It extends the lease beyond this
        # end only once, even if it is clicked several times. A button that cancels a graceful destroy contains the
        # end that it restores. A command contains no end, so each command counts as an extension.
        ends = {(a.kind == "extend_until", a.value.rpartition(":")[2]) for a in extensions if a.kind != "command"}
        asked = len(ends)
        asked += sum(a.kind == "command" for a in extensions)
        extended = sum(re.match(r"\w+ extended this machine\b", reply.text) is not None for reply in replies)
        if extended > asked:
            found.append(f"{rental} was extended {extended} times, and people asked for {asked}")
        for name in evidence.people.keys() - evidence.left.keys():
            first = next((a for a in extensions if a.who == name and a.ok), None)
            if first is None or first.answer:
                continue
            in_thread = any(
                re.match(rf"{name} (extended this machine|asked for .* more)", reply.text) for reply in replies
            )
            if not in_thread and not any(m.seq > first.after for m in evidence.private(name)):
                found.append(f"{name} extended {rental} at {first.at:%H:%M}, and nothing says so")
    return found


def _extends(action: PerformedAction) -> bool:
    by_command = action.kind == "command" and action.text.startswith("extend")
    return by_command or action.kind in {"extend", "extend_lease", "extend_until"}


def every_decision_counts(evidence: Evidence) -> list[str]:
    """Check that an acknowledged decision is in the thread, or that its author learned why it isn't."""
    found = []
    for action in evidence.actions:
        if action.kind not in DECISIONS or not action.ok or action.rental is None:
            continue
        by_them = re.compile(rf"\b(?:by {action.who}|{action.who} (?:approved|accepted|declined))\b")
        replies = [reply for reply in evidence.thread(action.rental) if reply.seq > action.after]
        in_thread = any(by_them.search(reply.text) for reply in replies)
        in_private = any(message.seq > action.after for message in evidence.private(action.who))
        modal = action.kind == "approve" and any(name == action.who for name, _ in evidence.modals)
        if not (in_thread or in_private or modal):
            what = f"{action.who} decided {action.rental} ({action.kind}) at {action.at:%H:%M}"
            found.append(f"{what}, and nothing says so")
    return found


def what_had_ended_is_not_rented_again(evidence: Evidence) -> list[str]:
    """Check that nothing is rented after a restore for a request that had already ended before.

    Such a request ended after the copy of the database was made, for example because its owner stopped waiting.
    The restored database still considers the request open, but its card in Slack already showed the end.
    Approvers may decide that the request continues.
    """
    restored_at = evidence.restored_at
    if restored_at is None:
        return []
    cards: dict[str, str] = {}
    for message in sorted((m for messages in evidence.seen.values() for m in messages), key=lambda m: m.seq):
        card = CARD.match(message.text)
        if card and message.at < restored_at and not (message.only_you or message.is_dm):
            cards[card["id"]] = message.text
    later = [action for action in evidence.actions if action.ok and action.at > restored_at]
    go_on = {action.rental for action in later if action.kind in DECISIONS}
    names = (MACHINE_NAME.match(each.name) for each in evidence.purchases if each.at > restored_at)
    rented = {name["id"] for name in names if name}
    return [
        f"{rental} was rented after the database was restored, and its card had said {text[:60]!r}"
        for rental, text in cards.items()
        if text.startswith(ENDS) and rental in rented - go_on
    ]


CHECKS = (
    every_request_is_answered,
    every_rent_has_a_card,
    every_destroy_ends_it,
    every_extension_counts_once,
    every_decision_counts,
    what_had_ended_is_not_rented_again,
)
