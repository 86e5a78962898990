"""Checks that people read each message once, and nothing that is out of date."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from soak.checks.machines import ENDS
from soak.evidence import CARD, RENTAL_ID, Evidence

_OVER = {
    "ended": r"This machine ended\b",
    "lost": r".+ took back .+ spot machine|.+ ended \S+'s \d+x |.+ while I was away\.",
    "no offer": r"(?:By .+, )?no (?:offer matched|purchase worked)|No (?:offer matched|purchase worked)",
    "over": r"This request (?:failed|expired|was \w+)\b",
    "decided": r"(?:Declined|Expired|Withdrawn)\b|.+ (?:declined|withdrew) this request|Nobody decided",
}
"""Patterns for the beginning of a reply that announces an end, by the kind of end."""
_ONCE = {
    "destroying": r"(?:\S+ is|I'm) destroying this machine|.+ cancelled this request, so|The replacement .+ so",
    "ready": r"Ready\b",
    "asked": r".+ asked for approval\b",
    **_OVER,
}
"""Patterns for the beginning of a reply that can appear only once in a thread, by the kind of reply."""
_OF_A_RENTAL = re.compile(rf"^({RENTAL_ID})(?::[\d:]+)?$")


def no_message_is_posted_twice(evidence: Evidence) -> list[str]:
    """Check that no message was posted twice, except for the number of such messages that /health reports."""
    places = defaultdict(list)
    for post in evidence.posts:
        places[post.message_id].append(post)
    repeated = [posts for posts in places.values() if len(posts) > 1]
    admitted = int(evidence.health.get("perhaps_posted_twice", 0))
    twice = sum(len(posts) - 1 for posts in repeated)
    if twice <= admitted:
        return []
    shown = "; ".join(f"{len(posts)} times {posts[0].text[:60]!r}" for posts in repeated)
    return [f"{twice} posts too many, and /health admits {admitted}: {shown}"]


def each_transition_is_notified_once(evidence: Evidence) -> list[str]:
    """Check that a thread announces a transition only once if the transition can happen only once.

    The thread of a rental that is over must also announce the rental's end.
    """
    admitted = int(evidence.health.get("perhaps_posted_twice", 0))
    found = []
    for rental, card in evidence.cards.items():
        replies = Counter(_transition_in(reply.text) for reply in evidence.thread(rental))
        twice = [what for what in _ONCE if replies[what] > 1 + admitted]
        found += [f"{rental}: {replies[what]} times {what!r} in its thread" for what in twice]
        if evidence.over and not any(replies[what] for what in _OVER) and card.text.startswith(ENDS):
            found.append(f"{rental} is over, and its thread doesn't say so")
    return found


def _transition_in(text: str) -> str:
    return next((what for what, begins in _ONCE.items() if re.match(begins, text)), "")


def each_rental_has_one_card(evidence: Evidence) -> list[str]:
    """Check that no rental has two cards."""
    admitted = int(evidence.health.get("perhaps_posted_twice", 0))
    cards = Counter(rental for rental, _ in evidence.posted_cards())
    return [f"{rental} has {count} cards" for rental, count in cards.items() if count > 1 + admitted]


def cards_are_up_to_date(evidence: Evidence) -> list[str]:
    """Check that cards agree with the machines.

    If a card says Ready, the rental must have a machine that bills. If it shows an end, no machine may bill.
    """
    found = []
    for rental, card in evidence.cards.items():
        alive = [each for each in evidence.machines if each.rental == rental and each.end is None]
        if card.text.startswith("Ready") and not alive:
            found.append(f"{rental} is ready on its card and has no machine")
        late = "one more machine" in card.text.lower()
        if card.text.startswith(ENDS) and alive and not late:
            found.append(f"{rental} is over on its card, and {alive[0].name} bills")
        if evidence.over and not card.text.startswith(ENDS):
            found.append(f"{rental} is over for its vendor, and its card says {card.text[:60]!r}")
    return found


def ended_rentals_have_no_buttons(evidence: Evidence) -> list[str]:
    """Check that the cards, approvals and direct messages of a rental that is over have no buttons.

    Two buttons are allowed: Replace, in the message about a lost machine, and Show, which leads to the
    replacement.

    Private answers are ignored, because they never change. The answer to *Details* on the Home tab is ignored for
    the same reason; it is a direct message that reads like a card. Messages to people who left may keep their
    buttons: if Slack didn't respond when the bot posted such a message, the bot can't find it afterwards.
    """
    of_who_left = {(m.channel, m.ts) for name in evidence.left for m in evidence.private(name)}
    over = {rental for rental, card in evidence.cards.items() if card.text.startswith(ENDS)}
    found = []
    for message in evidence.newest.values():
        answer = message.only_you or (message.is_dm and CARD.match(message.text))
        if answer or (message.channel, message.ts) in of_who_left:
            continue
        for button in message.buttons:
            found_id = _OF_A_RENTAL.match(button.value or "")
            if found_id and found_id[1] in over and not button.text.startswith(("Replace ", "Show ")):
                found.append(f"{found_id[1]} is over, and {button.text!r} is still on {message.text[:60]!r}")
    return found


CHECKS = (
    no_message_is_posted_twice,
    each_transition_is_notified_once,
    each_rental_has_one_card,
    cards_are_up_to_date,
    ended_rentals_have_no_buttons,
)
