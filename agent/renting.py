"""Requests a machine and waits until it is ready."""

from __future__ import annotations

from agent import words
from agent.client import Answer, Client
from agent.screen import Screen
from bot.clock import Clock
from bot.model.api import ProgramState, Rental, RentalRequest

LONGEST_WAIT = 25
"""The number of seconds for which the API holds a question about a rental that doesn't change."""
WAIT_AT_TERMINAL = 10
"""The number of seconds between two questions while somebody watches the elapsed time."""
SHORTEST_ROUND = 2.0
"""The minimum time in seconds (wall clock) between two questions, also if the API answers at once."""
PATIENCE = 900.0
"""The time in seconds (wall clock) for which the API may be down while a request waits, such as for an upgrade."""
_GOES_ON = frozenset({ProgramState.PENDING, ProgramState.SEARCHING, ProgramState.BUYING, ProgramState.STARTING})
_FOUND = frozenset({ProgramState.BUYING, ProgramState.STARTING, ProgramState.READY})


async def rent(
    client: Client, request: RentalRequest, key: str, *, wait: bool, clock: Clock, screen: Screen
) -> Answer[Rental]:
    """Request a machine, and return the rental.

    If `wait`, returns only when the machine is ready or the request has failed. An approver may take a day to
    decide. In the meantime, the API may be down for up to `PATIENCE` seconds.
    """
    answer = await client.rent(request, key)
    progress = _Progress(clock, screen)
    while wait and answer.value.state in _GOES_ON:
        progress.show(answer.value)
        began = clock.monotonic()
        span = WAIT_AT_TERMINAL if screen.terminal else LONGEST_WAIT
        answer = await client.rental(answer.value.id, wait=span, patience=PATIENCE)
        left = SHORTEST_ROUND - (clock.monotonic() - began)
        if left > 0 and answer.value.state in _GOES_ON:
            await clock.pause(left)
    if wait:
        progress.show(answer.value)
    return answer


class _Progress:
    """Shows the progress of a request, if somebody is at a terminal."""

    def __init__(self, clock: Clock, screen: Screen) -> None:
        self._clock = clock
        self._screen = screen
        self._asked = False
        """True if the line about the approval was printed."""
        self._accepted = False
        """True if the line about the accepted request was printed."""

    def show(self, rental: Rental) -> None:
        now = self._clock.now()
        if rental.state is ProgramState.PENDING and not self._asked:
            self._asked = True
            self._screen.progress(words.pending_line(rental, now))
        if rental.state in _FOUND and not self._accepted:
            self._accepted = True
            self._screen.progress(words.request_line(rental, approved=self._asked))
        if rental.state in _GOES_ON:
            self._screen.status(words.status_line(rental, now))
