"""How far the set-up script of a machine is, in words."""

from __future__ import annotations

from bot.model.rental import Rental
from bot.model.use import SetupState
from handlers.views.format import escape


def setup_text(rental: Rental) -> str:
    """Return `Set-up torch: failed at line 12.` Return an empty text if nothing is known of a set-up."""
    name, progress = rental.request.setup, rental.setup_progress
    if not name or progress is None:
        return ""
    at = f" at line {progress.line}" if progress.state is SetupState.FAILED and progress.line else ""
    return f"Set-up {escape(name)}: {progress.state.value}{at}."
