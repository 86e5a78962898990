"""The names of resources. A name contains the machine's rental, attempt and owner.

Anyone with access to the Compute Clear account can give a machine any name, so a name is a hint and never a proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.model.admin_question import UnmanagedMachine
from bot.model.base import Frozen

PREFIX = "gpubot-"
"""The beginning of the names of machines that the bot rents."""
_OURS = re.compile(r"gpubot-(?P<rental_id>[a-z0-9]{5})-(?P<n>[1-9][0-9]{0,3})(?:-(?P<owner>[uw][a-z0-9]{1,20}))?")


class ResourceName(Frozen):
    """The rental, attempt and owner in a name made by `make_name`."""

    rental_id: str
    n: int
    """The number of the attempt."""
    owner: str | None
    """Slack ID of the machine's owner at the time of the purchase. None if the name doesn't contain one."""


def make_name(rental_id: str, n: int, owner: str) -> str:
    """Return the name for the resources of an attempt, such as `gpubot-k7mq2-1-u012abc`.

    It is in lower case because vendors use names as host names.
    """
    return f"{PREFIX}{rental_id}-{n}-{owner.lower()}"


def read_name(name: str | None) -> ResourceName | None:
    """Parse a name made by `make_name`. Return None for any other name."""
    found = _OURS.fullmatch((name or "").casefold())
    if found is None:
        return None
    owner = found["owner"]
    return ResourceName(rental_id=found["rental_id"], n=int(found["n"]), owner=owner and owner.upper())


def names_of(machines: Iterable[UnmanagedMachine]) -> list[ResourceName]:
    """Return the rental, attempt and owner in each machine's name, without duplicates.

    Names that weren't made by `make_name` are left out.
    """
    return list(dict.fromkeys(name for name in (read_name(machine.name) for machine in machines) if name))


def named_owner(machines: Iterable[UnmanagedMachine]) -> str | None:
    """Return the Slack ID of the owner in the machines' names.

    None if the names contain no owner, or several owners.
    """
    owners = {name.owner for name in names_of(machines)}
    return next(iter(owners)) if len(owners) == 1 else None


def looks_like_ours(name: str | None) -> bool:
    """Return whether a name begins with PREFIX, ignoring case."""
    return (name or "").casefold().startswith(PREFIX)
