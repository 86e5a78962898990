"""Direct messages about the account and about the bot's own failures. They are sent once and never edited."""

from __future__ import annotations

from collections.abc import Mapping

from bot.model.event import Event, EventKind
from bot.model.person import OPERATOR
from bot.model.text import listed, plural
from handlers.ids import Action, RentalValue
from handlers.messages.digest import digest
from handlers.messages.trouble import outage_text, step_failure_text
from handlers.phrases import blocks
from handlers.phrases.blocks import Rendered, button
from handlers.phrases.budget_text import budget_alert
from handlers.phrases.error_text import mistakes_text
from handlers.phrases.format import Reader, actor, channel, dollars, escape, identifier, join, person


def alert(event: Event, reader: Reader, *, names: Mapping[str, str] | None = None) -> Rendered | None:
    """Return the alert of an event of the account or of the bot's own failure. Return None for other events."""
    match event.kind:
        case EventKind.UNKNOWN_RENTAL:
            lost = escape(event.facts.name or "a rental", 20)
            text = f"Somebody clicked a button about {lost}, and my database doesn't know it: it is an older copy."
            return blocks.message(f"{text} If its machine runs, I ask you about it. Compute Clear shows all.")
        case EventKind.NO_APPROVER_LEFT:
            waits = event.facts.count or 0
            text = "No approver is left: the people that the policy names are gone, and its groups are empty."
            then = f" {plural(waits, 'request waits', 'requests wait')}: /gpu list all" if waits else ""
            return blocks.message(f"{text} Until that changes, admins decide.{then}")
        case EventKind.UNAUTHORIZED:
            text = "Compute Clear refuses my token. I can neither rent nor destroy, and what runs keeps billing."
            return blocks.message(f"{text} Put a working COMPUTE_CLEAR_TOKEN in place and restart me.")
        case EventKind.AUTHORIZED_AGAIN:
            return blocks.message("Compute Clear accepts my token again. I go on where I was.")
        case EventKind.BUDGET_ALERT:
            return blocks.message(budget_alert(event, reader.rules, names or {}))
        case EventKind.DIGEST:
            return digest(event.facts.digest) if event.facts.digest is not None else None
        case EventKind.UNUSUAL_DAY:
            return _unusual_day(event, names or {})
        case EventKind.PAUSED:
            who, own_words = actor(names or {}, event), _own_words(event)
            why = f": {own_words}" if own_words else ""
            return blocks.message(
                f"Buying is paused by {who}{why}. Destroying goes on. An admin resumes: /gpu resume"
            )
        case EventKind.RESUMED:
            return blocks.message(f"Buying goes on again, resumed by {actor(names or {}, event)}.")
        case EventKind.POLICY_CHANGED:
            who = f"{person(names or {}, event.actor)} changed the rules" if event.actor else "The rules changed"
            keys = escape(event.facts.detail or "", 500)
            return blocks.message(f"{who}: {keys}. All rules: /gpu policy")
        case EventKind.POLICY_REFUSED:
            lines = (event.facts.detail or "").splitlines()
            first = "The policy file has mistakes, so the rules from before hold."
            mistakes = mistakes_text(first, lines, event.facts.count or len(lines))
            return blocks.message(f"{mistakes}\nMend it, then: /gpu policy reload")
        case EventKind.CHANNELS_CHARGE_LESS:
            return blocks.message(_channels_charge_less(event))
    failure = step_failure_text(event, reader.times)
    words = outage_text(event, reader.times) if failure is None else failure.text
    return None if words is None else blocks.message(words)


def pause_over(paused: Event, resumed: Event, reader: Reader, names: Mapping[str, str]) -> Rendered:
    """Return one message about a pause of buying and its end, for a reader who wasn't told of the pause."""
    own_words, times = _own_words(paused), reader.times
    return blocks.message(
        join(
            f"Buying was paused by {actor(names, paused)}",
            f"({own_words})" if own_words else "",
            f"from {times.time(paused.at, resumed.at)} to {times.time(resumed.at, paused.at)}.",
            f"It goes on again, resumed by {actor(names, resumed)}.",
        )
    )


def _own_words(event: Event) -> str:
    """Return a person's reason for a pause, in quotation marks. Empty for the operator, whose name it follows."""
    detail = event.facts.detail if event.actor != OPERATOR.id else None
    return f'"{escape(detail, 200)}"' if detail else ""


def _channels_charge_less(event: Event) -> str:
    """Return the notice after an upgrade that names the channels which no longer charge their project for all."""
    pairs = [line.split(" ", 1) for line in (event.facts.detail or "").splitlines()]
    named = listed([f"{channel(one)} ({escape(project, 40)})" for one, project in pairs])
    return join(
        f"I was upgraded. A channel of a project that names people now charges the project only for them and for "
        f"approvers: {named}.",
        "Others who ask there are charged to their own only project, or to none, within the team's limits.",
        "What runs or waits keeps its project. To let more people charge one, add them to its `people`.",
    )


def _unusual_day(event: Event, names: Mapping[str, str]) -> Rendered:
    """Return that today is unusually dear, what made it so, and buttons that show the dearest rentals."""
    dearest = event.facts.dearest
    what = "; ".join(
        f"{identifier(one.rental_id, 20)}, {person(names, one.owner)}, {dollars(one.amount)}" for one in dearest
    )
    text = join(
        f"Unusual day: {dollars(event.facts.amount or 0)} so far today;",
        f"a usual day costs {dollars(event.facts.estimate or 0)}.",
        f"Most of it: {what}." if what else "",
    )
    shown = dict.fromkeys(one.rental_id for one in dearest)
    return blocks.message(
        text,
        blocks.section(text),
        blocks.actions(
            *(button(f"Show {name}", Action.SHOW_RENTAL, RentalValue(rental_id=name)) for name in shown)
        ),
        closed=False,
    )
