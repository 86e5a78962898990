"""What people read: everything once, and nothing that isn't so any more."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from soak.checks.machines import ENDS
from soak.evidence import CARD, Evidence

GONE = "Gone"
"""How the reply begins that tells the end of a machine that was in use."""
ONCE = ("Being destroyed", "Ready", "Approval asked for", GONE, *ENDS)
"""How the replies begin that a thread can hold only once."""
_LATE = re.compile(r"^Gone [^,]* too,")
"""Something that turned up late; that can happen more than once."""
_OF_A_RENTAL = re.compile(r"^([a-hjkmnp-z2-9]{5})(?::[\d:]+)?$")


def nothing_is_told_twice(evidence: Evidence) -> list[str]:
    """No message was posted twice, but for those that /health admits."""
    places = defaultdict(list)
    for post in evidence.posts:
        places[post.message_id].append(post)
    more = [posts for posts in places.values() if len(posts) > 1]
    admitted = int(evidence.health.get("perhaps_posted_twice", 0))
    twice = sum(len(posts) - 1 for posts in more)
    if twice <= admitted:
        return []
    shown = "; ".join(f"{len(posts)} times {posts[0].text[:60]!r}" for posts in more)
    return [f"{twice} posts too many, and /health admits {admitted}: {shown}"]


def each_transition_is_told_once(evidence: Evidence) -> list[str]:
    """What can happen to a rental only once stands only once in its thread, and an end stands there."""
    admitted = int(evidence.health.get("perhaps_posted_twice", 0))
    found = []
    for rental, card in evidence.cards.items():
        told = Counter(_lead(reply.text) for reply in evidence.thread(rental))
        twice = [lead for lead in ONCE if told[lead] > 1 + admitted]
        found += [f"{rental}: {told[lead]} times {lead!r} in its thread" for lead in twice]
        if evidence.over and not any(told[lead] for lead in (GONE, *ENDS)) and card.text.startswith(ENDS):
            found.append(f"{rental} is over, and its thread doesn't say so")
    return found


def _lead(text: str) -> str:
    if _LATE.match(text):
        return ""
    return next((lead for lead in ONCE if re.match(rf"{lead}\b", text)), "")


def each_rental_has_one_card(evidence: Evidence) -> list[str]:
    """One card a rental."""
    admitted = int(evidence.health.get("perhaps_posted_twice", 0))
    cards: Counter[str] = Counter()
    for message in evidence.newest.values():
        card = CARD.match(message.text)
        if card and not message.only_you and not message.is_dm and message.thread_ts in {None, message.ts}:
            cards[card["id"]] += 1
    return [f"{rental} has {count} cards" for rental, count in cards.items() if count > 1 + admitted]


def cards_say_what_is(evidence: Evidence) -> list[str]:
    """A card that says Ready has a machine that bills; one that says an end has none."""
    found = []
    for rental, card in evidence.cards.items():
        alive = [one for one in evidence.machines if one.rental == rental and one.end is None]
        if card.text.startswith("Ready") and not alive:
            found.append(f"{rental} is called ready and has no machine")
        late = "turned up late" in card.text
        if card.text.startswith(ENDS) and alive and not late:
            found.append(f"{rental} is called over, and {alive[0].name} bills")
        if evidence.over and not card.text.startswith(ENDS):
            found.append(f"{rental} is over for its vendor, and its card says {card.text[:60]!r}")
    return found


def nothing_of_what_is_over_can_be_clicked(evidence: Evidence) -> list[str]:
    """Cards, approvals and direct messages of a rental that is over have no buttons."""
    over = {rental for rental, card in evidence.cards.items() if card.text.startswith(ENDS)}
    found = []
    for message in evidence.newest.values():
        if message.only_you:
            continue
        for button in message.buttons:
            named = _OF_A_RENTAL.match(str(button["value"] or ""))
            if named and named[1] in over:
                found.append(f"{named[1]} is over, and {button['text']!r} stands at {message.text[:60]!r}")
    return found


CHECKS = (
    nothing_is_told_twice,
    each_transition_is_told_once,
    each_rental_has_one_card,
    cards_say_what_is,
    nothing_of_what_is_over_can_be_clicked,
)
