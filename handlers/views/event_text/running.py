"""While it runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bot.model.event import EventKind
from handlers.views.event_text.base import Said, Scene
from handlers.views.format import Times, about, span


def _kept(scene: Scene) -> Said:
    facts, rental = scene.facts, scene.details.rental
    own = scene.event.actor == rental.owner
    lead = f"{scene.actor} still needs it" if own else f"{scene.actor} says that it is still needed"
    ends_at = facts.since or (rental.lease.ends_at if rental.lease else None)
    return Said(lead, asks_again(facts.until, ends_at, scene.at))


def asks_again(until: datetime | None, ends: datetime | None, at: Times) -> str:
    """When it is asked about again, and that its end stands. `until` is None if it isn't asked about again."""
    if ends and (until is None or until >= ends):
        return f"It still ends {at.at(ends)}; I don't ask again before."
    if until is None:
        return "I don't ask again."
    either = f"; it ends {at.at(ends)} either way" if ends else ""
    return f"I ask again {at.when(until)}{either}."


def _still_needed(scene: Scene) -> Said:
    quiet = f", nothing here for {about(scene.facts.span)}" if scene.facts.span else ""
    return Said(f"Asked whether it is still needed{quiet}")


def _ending(scene: Scene) -> Said:
    end = f" {scene.at.at(scene.facts.until)}" if scene.facts.until else ""
    return Said(f"Told that it ends{end}")


def _end_word(scene: Scene) -> str:
    return scene.at.at(scene.facts.until) if scene.facts.until else "as before"


def _extended(scene: Scene) -> Said:
    by = f" by {span(scene.facts.span)}" if scene.facts.span else ""
    return Said(f"{scene.actor} extended it{by}", f"it ends {_end_word(scene)}.", colon=True)


def _extension_asked(scene: Scene) -> Said:
    until = f", until {_end_word(scene)}" if scene.facts.until else ""
    stands = f" Its end, {scene.at.at(scene.facts.since)}, stands until then." if scene.facts.since else ""
    more = f"{span(scene.facts.span)} more" if scene.facts.span else "more time"
    return Said(f"{scene.actor} asks for {more}{until}", f"An approver decides.{stands}")


def _extension_approved(scene: Scene) -> Said:
    own = " (own request)" if scene.facts.self_approved else ""
    return Said(f"More time approved by {scene.actor}{own}", f"it ends {_end_word(scene)}.", colon=True)


def _extension_over(words: str) -> Callable[[Scene], Said]:
    def tell(scene: Scene) -> Said:
        by = f" by {scene.actor}" if scene.event.actor else ""
        return Said(f"{words}{by}", f"it ends {_end_word(scene)}.", colon=True)

    return tell


def _extension_withdrawn(scene: Scene) -> Said:
    return Said(f"{scene.actor} no longer asks for more time", f"it ends {_end_word(scene)}.", colon=True)


TELLERS: dict[EventKind, Callable[[Scene], Said]] = {
    EventKind.KEPT: _kept,
    EventKind.STILL_NEEDED: _still_needed,
    EventKind.ENDING: _ending,
    EventKind.EXTENDED: _extended,
    EventKind.EXTENSION_ASKED: _extension_asked,
    EventKind.EXTENSION_APPROVED: _extension_approved,
    EventKind.EXTENSION_DENIED: _extension_over("More time denied"),
    EventKind.EXTENSION_WITHDRAWN: _extension_withdrawn,
    EventKind.EXTENSION_EXPIRED: _extension_over("Nobody decided on more time"),
}
