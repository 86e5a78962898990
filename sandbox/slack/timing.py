"""Slack's deadlines, all in seconds of real time, whatever the sandbox's clock does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """The defaults are Slack's; tests may shorten them."""

    ack: float = 3.0
    """Until an envelope has to be acknowledged."""
    trigger: float = 3.0
    """How long a trigger_id opens a view."""
    response_url: float = 30 * 60.0
    response_url_uses: int = 5
    retries: tuple[float, ...] = (0.0, 60.0, 300.0)
    """The waits before an event that nobody acknowledged is sent again."""
    ticket: float = 60.0
    """How long an unused Socket Mode ticket stays good."""
    share: float = 2.0
    """From the completion of an upload until its share shows."""
    connection: int = 18_060
    """A connection's life, as `hello` tells it; then it is asked to leave, and closed."""
    warning: float = 10.0
    """How long before its end a connection is warned."""
