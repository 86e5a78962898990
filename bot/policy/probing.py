"""Whether a machine has a probe. Pure."""

from __future__ import annotations

from bot.model.attempt import Attempt
from bot.model.rental import Rental
from bot.model.request import Request
from bot.policy.rules import ProbeKind, Rules


def wants_probe(request: Request, rules: Rules) -> bool:
    """Return whether a machine of this request gets a probe. The rules and the request can say no."""
    return request.probe and rules.idle.probe is ProbeKind.SSH


def has_probe(rental: Rental, attempt: Attempt | None, rules: Rules) -> bool:
    """Return whether the machine of this attempt has a probe by design, so that it is visited.

    It also has one if the place takes no boot script: its owner can install the probe by hand. It has none by
    design if the rules or the request say so, or if the bot rented it before there was a probe or did not rent it.
    """
    script = attempt.script if attempt is not None else None
    return wants_probe(rental.request, rules) and script is not None and (script.probe or script.refused)
