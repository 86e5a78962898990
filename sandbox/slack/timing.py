"""Slack's deadlines. They are in wall-clock seconds, and the sandbox's clock doesn't affect them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """The deadlines and delays of a workspace. The defaults are Slack's; tests can shorten them."""

    ack: float = 3.0
    """The time within which an envelope must be acknowledged."""
    trigger: float = 3.0
    """The time for which a trigger_id can open a view."""
    response_url: float = 30 * 60.0
    response_url_uses: int = 5
    retries: tuple[float, ...] = (0.0, 60.0, 300.0)
    """The delays before the first, second and third retry of an event that wasn't acknowledged."""
    ticket: float = 60.0
    """The time for which an unused Socket Mode ticket is valid."""
    share: float = 2.0
    """The time from the completion of an upload until the message that shares the file appears."""
    connection: int = 18_060
    """The maximum lifetime of a connection, which `hello` announces.

    At its end, the connection gets `refresh_requested` and is closed.
    """
    warning: float = 10.0
    """The time between the warning of a connection and its end."""
