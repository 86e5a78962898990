"""Webhooks: the events of rentals that programs of the team receive over HTTPS.

The names in `WebhookEvent` are public. Receivers compare them, so a name never changes its meaning.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import Field

from bot.model.base import Frozen, Instant

DROPPED_AFTER = timedelta(days=1)
"""The time for which an event is sent again to a receiver that doesn't accept it."""


def host_of(url: str) -> str:
    """Return the host of a receiver's URL. People see only the host, because the path can contain a secret."""
    return urlsplit(url).hostname or ""


class WebhookEvent(StrEnum):
    """The names of the events that receivers get. `EFFECTS` says which kinds of events have which name.

    The first event of a rental is REQUESTED, APPROVAL_REQUESTED or, for an adopted machine, READY. The last event
    is always ENDED, and each rental has exactly one such event.
    """

    REQUESTED = "rental.requested"
    """Somebody asked for a machine, or changed the request, and it needs no approval so far."""
    APPROVAL_REQUESTED = "rental.approval_requested"
    """Somebody has to approve the request before anything is bought."""
    APPROVED = "rental.approved"
    STARTING = "rental.starting"
    """A machine was bought and starts. If it doesn't become ready, another one may follow."""
    READY = "rental.ready"
    END_CHANGED = "rental.end_changed"
    """The lease has a new end: later or sooner than before."""
    ENDS_SOON = "rental.ends_soon"
    """The end of the lease is near. There can be several of these notices before one end."""
    JOB_ENDED = "rental.job_ended"
    """The jobs on the machine have ended. If the lease ends with its jobs, it has a new end now."""
    IDLE = "rental.idle"
    """The machine was found idle."""
    HEARTBEAT_LOST = "rental.heartbeat_lost"
    HEARTBEAT_BACK = "rental.heartbeat_back"
    GPU_FAULT = "rental.gpu_fault"
    """A GPU has a fault, or the GPUs aren't those that were sold."""
    ENDING = "rental.ending"
    """The rental ends: `on-ending.sh` is running, or the machine is being deleted."""
    ENDED = "rental.ended"
    """The rental is over: its machine is deleted, or it never got one. Its state says which."""


class QueuedEvent(Frozen):
    """An event that still has to be sent to one receiver."""

    message_id: int
    """The ID of the row in the outbox."""
    url: str = Field(repr=False)
    """The receiver's URL. Its path can contain a secret, so never log it."""
    rental_id: str
    number: int
    """The number by which receivers put the events of one rental in order, and recognize repeats.

    It is higher than the numbers of all earlier events of the rental, and the same at every receiver.
    """
    name: WebhookEvent
    at: Instant
    """The time of the event, by the bot's clock."""
    due_at: Instant
    """The wall-clock time at which to send the event."""
    tries: int
    """The number of times that sending it has failed."""

    @property
    def public_id(self) -> str:
        """The ID that receivers get. It stays the same if the event is sent again."""
        return f"{self.rental_id}-{self.number}"
