"""The names of resources, which say to which rental, attempt and owner a machine belongs.

Anyone on the account can choose any name, so a name is a hint and never a proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.model.admin_question import UnmanagedMachine
from bot.model.base import Frozen

PREFIX = "gpubot-"
"""The beginning of our machines' names."""
_OURS = re.compile(r"gpubot-(?P<rental_id>[a-z0-9]{5})-(?P<n>[1-9][0-9]{0,3})(?:-(?P<owner>[uw][a-z0-9]{1,20}))?")


class ResourceName(Frozen):
    """What a name made by `make_name` says."""

    rental_id: str
    n: int
    """The number of the attempt."""
    owner: str | None
    """Slack id of the owner when the machine was bought. None if the name has none."""


def make_name(rental_id: str, n: int, owner: str) -> str:
    """Return the name of the resources of an attempt: `gpubot-k7mq2-1-u012abc`. It is in lower case, because
    vendors use names as host names.
    """
    return f"{PREFIX}{rental_id}-{n}-{owner.lower()}"


def read_name(name: str | None) -> ResourceName | None:
    """Return what a name of ours says. Return None for any other name, and for None."""
    found = _OURS.fullmatch((name or "").casefold())
    if found is None:
        return None
    owner = found["owner"]
    return ResourceName(rental_id=found["rental_id"], n=int(found["n"]), owner=owner and owner.upper())


def names_of(machines: Iterable[UnmanagedMachine]) -> list[ResourceName]:
    """Return what the names of machines say, each once. Names that are not like ours are left out."""
    return list(dict.fromkeys(name for name in (read_name(machine.name) for machine in machines) if name))


def named_owner(machines: Iterable[UnmanagedMachine]) -> str | None:
    """Return the Slack id of the owner in the names of machines. Return None unless they name exactly one."""
    owners = {name.owner for name in names_of(machines)}
    return next(iter(owners)) if len(owners) == 1 else None


def looks_like_ours(name: str | None) -> bool:
    """Return whether a name begins with PREFIX, in any case of letters."""
    return (name or "").casefold().startswith(PREFIX)
