"""Shares a rental with teammates.

If no machine has been bought yet, the purchase will include the teammates' keys. If a machine has been bought, the
owner has to paste a line with the keys into a shell on the machine.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.errors import Mistake, NextStep, Refused, TooLate
from bot.lifecycle.actions.action import Direct
from bot.lifecycle.actions.queries import details_for
from bot.lifecycle.changes import transitions
from bot.lifecycle.changes.apply import apply
from bot.lifecycle.deps import Deps, known_rental
from bot.lifecycle.people.teammates import check_startup_script, checked_people, keys_that_get_in, let_in, names_of
from bot.model.person import Person
from bot.model.records import Change
from bot.model.rental import Rental
from bot.model.state import State
from bot.model.summary import RentalDetails, Shared
from bot.policy.access.keys import keys_still_go_in, removable_lines
from bot.policy.team.roles import check_number, check_user, is_owner
from store.db import Tx


class Share(Direct[Rental, Shared], id="share"):
    """Share a rental with people, in addition to its present teammates.

    If `people` is empty, nothing changes, and the result describes the present teammates. If the machine is
    already running, the result contains lines with the people's SSH keys. The owner has to paste these lines into
    a shell on the machine.

    The caller has already looked up the people in Slack or, if `people` is empty, the present teammates
    (`teammates_of`). `version` is the version of the terms that a dialog showed, or None.

    Raises:
        Mistake: The ID is unknown, too many people are named, or there are neither people nor teammates. Also
            raised if the keys don't fit into the startup script.
        Refused: The rental is somebody else's.
        NoTeammate: The rental can't be shared with one of the people.
        TooLate: The rental is over, or the request has changed.
    """

    rental_id: str
    people: Sequence[str]
    version: int | None = None

    async def load(self, tx: Tx, deps: Deps, person: Person) -> Rental:
        return await _load_shareable(tx, deps, person, self.rental_id, self.version)

    async def do(self, tx: Tx, deps: Deps, person: Person, plan: Rental) -> Shared:
        rental = plan
        wanted = await checked_people(tx, deps.rules, rental.owner, self.people) or rental.teammates
        if not wanted:
            raise Mistake("Share with whom?", next_step=NextStep.NAME_TEAMMATES)
        added = [teammate for teammate in wanted if teammate not in rental.teammates]
        after = transitions.add_teammates(rental, added) if added else rental
        check_number(after.teammates)
        go_in = keys_still_go_in(rental, await tx.rentals.attempts(rental.id))
        if added:
            if go_in:
                await check_startup_script(tx, deps, after.owner, after.teammates, after.request, reader=person.id)
            events = await let_in(tx, after, added, deps.clock.now())
            await apply(tx, deps, Change(rental, after, events))
        return await _shared(tx, deps, after, wanted, go_in=go_in)


async def _shared(tx: Tx, deps: Deps, rental: Rental, people: Sequence[str], *, go_in: bool) -> Shared:
    """Return the result of sharing a rental with these people.

    `go_in` is True if the machine hasn't been bought yet. The purchase will then install the people's keys.
    """
    keys = await tx.people.keys_of((rental.owner, *rental.teammates))
    allowed = await keys_that_get_in(tx, rental, deps.rules)
    get_in = [user for user in people if user in allowed]
    lines = dict.fromkeys(key.line for user in get_in for key in allowed[user])
    return Shared(
        rental=rental,
        names=await names_of(tx, get_in),
        without_key=await names_of(tx, [user for user in get_in if not allowed[user]]),
        gone=await names_of(tx, [user for user in people if user not in allowed]),
        key_lines=() if go_in else tuple(lines),
        removable=() if go_in else removable_lines(people, rental.owner, rental.teammates, keys),
    )


async def teammates_of(deps: Deps, person: Person, rental_id: str) -> tuple[str, ...]:
    """Return the Slack IDs of the people with whom a person shares one of their own rentals.

    Empty if the rental belongs to somebody else.
    """
    async with deps.store.read() as tx:
        rental = await tx.rentals.get(rental_id)
    return rental.teammates if rental is not None and rental.owner == person.id else ()


async def rental_to_share(deps: Deps, person: Person, rental_id: str, version: int) -> RentalDetails:
    """Return a rental for the dialog in which it is shared.

    Raises the same errors as `Share`. Also raises TooLate if the machine has already been bought, because the keys
    of new teammates are sent to the vendor with the purchase.
    """
    async with deps.store.read() as tx:
        rental = await _load_shareable(tx, deps, person, rental_id, version)
        details = await details_for(tx, deps, person, rental)
        if not keys_still_go_in(rental, details.attempts):
            message = f"{rental.id} is rented already, so nobody was added."
            raise TooLate(message, rental.id, next_step=NextStep.NAME_TEAMMATES)
        return details


async def _load_shareable(tx: Tx, deps: Deps, person: Person, rental_id: str, version: int | None) -> Rental:
    check_user(person, deps.rules)
    rental = await known_rental(tx, rental_id)
    if not is_owner(person.id, rental.owner):
        raise Refused(f"Only its owner can share {rental.id}. Nothing was changed.")
    if rental.state.over or rental.state is State.DESTROYING:
        done = "is over" if rental.state.over else "is being destroyed"
        raise TooLate(f"{rental.id} {done}, so nobody was added.", rental.id)
    if version is not None and rental.terms.version != version:
        message = f"The request {rental.id} has changed, so nobody was added. Its card shows the new version."
        raise TooLate(message, rental.id)
    return rental
