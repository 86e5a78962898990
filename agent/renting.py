"""Waits until a machine that was requested is ready, and shows the progress."""

from __future__ import annotations

from agent import words
from agent.client import Answer, Client
from agent.screen import Screen
from bot.clock import Clock
from bot.model.api import ProgramState, Rental

LONGEST_WAIT = 25
"""The number of seconds for which the API is asked to wait for a change of the rental."""
WAIT_AT_TERMINAL = 10
"""The same number at a terminal. It is lower, because the elapsed time is only updated with each answer."""
AT_ONCE = 2.0
"""If an answer arrives within this time in seconds (wall clock), the API didn't wait for a change.

The API doesn't wait if too many programs are waiting already, or if the bot is about to stop.
"""
USUAL_PAUSE = 5.0
"""The pause in seconds (wall clock) before asking again, if the API didn't wait and its answer names no pause."""
PATIENCE = 900.0
"""The time in seconds (wall clock) for which the API may be down while a request waits, such as for an upgrade."""
_GOES_ON = frozenset({ProgramState.PENDING, ProgramState.SEARCHING, ProgramState.BUYING, ProgramState.STARTING})
_FOUND = frozenset({ProgramState.BUYING, ProgramState.STARTING, ProgramState.READY})


async def wait_until_ready(
    client: Client, rental: Rental, *, clock: Clock, screen: Screen
) -> Answer[Rental] | None:
    """Wait until the machine is ready or the request has failed, and return the rental.

    An approver may take a day to decide. In the meantime, the API may be down for up to `PATIENCE` seconds.

    Returns:
        The last answer of the API. None if there was nothing to wait for.
    """
    progress, answer = _Progress(clock, screen), None
    while rental.state in _GOES_ON:
        progress.show(rental)
        before, began = rental.state, clock.monotonic()
        span = WAIT_AT_TERMINAL if screen.terminal else LONGEST_WAIT
        answer = await client.changed(rental, wait=span, patience=PATIENCE)
        rental = answer.value
        if rental.state is before and clock.monotonic() - began < AT_ONCE:
            await clock.pause(rental.ask_again_in or USUAL_PAUSE)
    progress.show(rental)
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
