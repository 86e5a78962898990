"""Slack's deadlines, in seconds of real time; the sandbox's clock does not change them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """The defaults are Slack's; tests may shorten them."""

    ack: float = 3.0
    """The time within which an envelope must be acknowledged."""
    trigger: float = 3.0
    """How long a trigger_id can open a view."""
    response_url: float = 30 * 60.0
    response_url_uses: int = 5
    retries: tuple[float, ...] = (0.0, 60.0, 300.0)
    """The waits before each retry of an event that was not acknowledged."""
    ticket: float = 60.0
    """How long an unused Socket Mode ticket is valid."""
    share: float = 2.0
    """The time from the completion of an upload until its share appears."""
    connection: int = 18_060
    """How long a connection lives, as `hello` says; then it gets `refresh_requested` and is closed."""
    warning: float = 10.0
    """How long before its end a connection is warned."""
