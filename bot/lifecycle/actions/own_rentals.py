"""Which rental a command without an id means."""

from __future__ import annotations

from enum import Enum, auto

from bot.errors import Mistake, NextStep, Refused, TooLate
from bot.lifecycle.deps import Deps
from bot.model.person import Person
from bot.model.state import State
from bot.model.summary import OwnRentals
from bot.policy.team.roles import check_user, is_teammate


class Purpose(Enum):
    """What a command without an id does with a rental."""

    SHOW = auto()
    SSH = auto()
    EXTEND = auto()
    """Extend or keep."""
    DESTROY = auto()
    SHARE = auto()
    """Let others in."""
    GIVE = auto()
    """Give it to somebody."""


OF_OWNER = frozenset({Purpose.DESTROY, Purpose.SHARE, Purpose.GIVE})
"""What only the owner of a rental does without an id."""
NEEDS_MACHINE = frozenset({Purpose.SSH, Purpose.EXTEND, Purpose.GIVE})


async def own_rentals(deps: Deps, person: Person, purpose: Purpose) -> OwnRentals:
    """Return the rentals that a command without an id can mean.

    These are the person's own rentals, and those that they were let into as a teammate, unless only the owner may
    do it. If the command needs a machine, only ready rentals are meant.

    If there is none, raise Refused if the person may not use the bot or is only a teammate of others, and Mistake
    otherwise. Raise TooLate if the command needs a machine and none of several rentals is ready.
    """
    async with deps.store.read() as tx:
        found = await tx.rentals.live(person.id)
        shared = [
            each for each in await tx.rentals.shared_with(person.id) if is_teammate(person, each, deps.rules)
        ]
        if purpose not in OF_OWNER:
            found = sorted([*found, *shared], key=lambda rental: (rental.created_at, rental.id))
        live = [rental for rental in found if purpose is Purpose.SHOW or rental.state is not State.DESTROYING]
        names = await tx.people.names({rental.owner for rental in live})
    if not live:
        check_user(person, deps.rules)
        if shared and purpose in OF_OWNER:
            own = "a machine that is shared with you is its owner's to destroy, share and give"
            raise Refused(f"You rent nothing yourself, and {own}. I changed nothing.")
        if purpose is Purpose.DESTROY:
            raise Mistake("You rent nothing, so there is nothing to destroy.")
        raise Mistake("You rent nothing now.", next_step=NextStep.RENT_ONE)
    ready = [rental for rental in live if rental.state is State.READY]
    if purpose in NEEDS_MACHINE and len(live) > 1:
        if not ready:
            raise TooLate("None of your rentals is ready yet. I changed nothing.", next_step=NextStep.LIST_YOURS)
        live = ready
    return OwnRentals(rentals=tuple(live), names=names)
