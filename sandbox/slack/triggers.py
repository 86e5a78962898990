"""Issues trigger_ids and response_urls with each interaction.

The app can open a view with a `trigger_id`, and post or replace messages through a `response_url`. Both expire in
wall-clock time. Rules: https://docs.slack.dev/interactivity/handling-user-interaction.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sandbox.slack.arguments import ApiError
from sandbox.slack.expiring import ExpiringMap
from sandbox.slack.timing import Timing


@dataclass
class Trigger:
    """A trigger_id that was issued to the app."""

    user: str
    used: bool = False


@dataclass
class ResponseUrl:
    """A response_url that was issued to the app."""

    kind: Literal["command", "message"]
    user: str
    channel: str
    ts: str | None
    """The ts of the clicked message, if `kind` is `message`."""
    uses: int = 0


class Triggers:
    """The trigger ids and response URLs of a workspace."""

    def __init__(self, timing: Timing, monotonic: Callable[[], float]) -> None:
        self._timing = timing
        self._triggers: ExpiringMap[Trigger] = ExpiringMap(monotonic)
        self._urls: ExpiringMap[ResponseUrl] = ExpiringMap(monotonic)

    def __len__(self) -> int:
        """Return the number of trigger_ids and response_urls that are kept."""
        return len(self._triggers) + len(self._urls)

    def trigger_id(self, user: str) -> str:
        """Return a new trigger_id for a person's interaction."""
        name = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**11)}.{secrets.token_hex(16)}"
        self._triggers.add(name, Trigger(user))
        return name

    def exchange(self, name: str) -> str:
        """Use up a trigger_id, and return the id of its person.

        Raises ApiError `invalid_trigger_id`, `expired_trigger_id`, or `exchanged_trigger_id` if it was used
        before.
        """
        found = self._triggers.get(name)
        if found is None:
            raise ApiError("invalid_trigger_id")
        trigger, age = found
        if trigger.used:
            raise ApiError("exchanged_trigger_id")
        if age >= self._timing.trigger:
            raise ApiError("expired_trigger_id")
        trigger.used = True
        return trigger.user

    def response_path(
        self, kind: Literal["command", "message"], user: str, channel: str, ts: str | None = None
    ) -> str:
        """Return the path of a new response_url."""
        name = f"{secrets.randbelow(10**13)}/{secrets.token_urlsafe(18)}"
        self._urls.add(name, ResponseUrl(kind, user, channel, ts))
        return f"/{'commands' if kind == 'command' else 'actions'}/{name}"

    def response(self, name: str) -> ResponseUrl:
        """Count a use of a response_url, and return it.

        Raises ApiError `no_such_url`, `expired_url`, or `used_url` if all of its uses are spent.
        """
        found = self._urls.get(name)
        if found is None:
            raise ApiError("no_such_url")
        url, age = found
        if age >= self._timing.response_url:
            raise ApiError("expired_url")
        if url.uses >= self._timing.response_url_uses:
            raise ApiError("used_url")
        url.uses += 1
        return url
