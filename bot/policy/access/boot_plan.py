"""What the boot script of one purchase holds, and what it has to leave out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.model.attempt import SentScript
from bot.model.base import Frozen
from bot.model.event import LeftOut
from bot.model.person import Key
from bot.model.rental import Rental
from bot.policy.access.boot import SCRIPT_VERSION, further_keys, keys_that_fit, script_text
from bot.policy.team.rules import Rules
from bot.policy.use.probing import wants_probe


class BootPlan(Frozen):
    """The boot script of one purchase."""

    text: str = ""
    """Empty if no script is sent."""
    sent: SentScript | None = None
    """What the script holds, for the attempt, or that the place takes none. None if nothing was to be sent."""
    left_out: LeftOut | None = None
    """What the script lacks, for people. None if it has everything that it should have."""


def plan_boot(
    rental: Rental,
    keys: Mapping[str, Sequence[Key]],
    rules: Rules,
    *,
    probe_line: str = "",
    takes_script: bool = True,
) -> BootPlan:
    """Return the boot script for a purchase of this rental, with the keys that the people in it have now.

    `keys` has the keys of the owner and of each teammate who may be let in, also if they have none. A teammate who
    is missing there left or became a guest, and is left out silently.

    A purchase never fails because of its script: keys that don't fit, a set-up that the rules no longer have, or
    the whole script if the place doesn't take one (`takes_script`), are left out.
    """
    request = rental.request
    wanted = further_keys(rental.owner, rental.teammates, keys)
    setup = rules.setup.get(request.setup or "")
    if not wants_probe(request, rules):
        probe_line = ""
    refused = not takes_script and bool(wanted or setup is not None or probe_line)
    unseen = refused and bool(probe_line)
    if refused:
        setup, probe_line = None, ""
    fitting = () if refused else keys_that_fit(wanted, setup, probe_line)
    text = script_text([key.line for key in fitting], setup, probe_line)
    runs = None if setup is None else request.setup
    sent = SentScript(version=SCRIPT_VERSION, keys=fitting, setup=runs, probe=bool(probe_line), refused=refused)
    left_out = LeftOut(
        refused=refused,
        setup=None if runs else request.setup,
        probe=unseen,
        key_count=len(wanted) - len(fitting),
        people=tuple(person for person in rental.teammates if person in keys and not keys[person]),
    )
    return BootPlan(
        text=text,
        sent=sent if text or refused else None,
        left_out=None if left_out == LeftOut() else left_out,
    )
