"""What an interaction lets the app do afterwards: open a view by `trigger_id`, answer by `response_url`.

Rules: https://docs.slack.dev/interactivity/handling-user-interaction. Both run in real time.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sandbox.slack.calling import ApiError
from sandbox.slack.recent import Recent
from sandbox.slack.timing import Timing


@dataclass
class Trigger:
    user: str
    view_id: str | None
    """The modal that was interacted with; only such a trigger can push."""
    used: bool = False


@dataclass
class ResponseUrl:
    kind: Literal["command", "message"]
    user: str
    channel: str
    ts: str | None
    """The message that was clicked on."""
    thread_ts: str | None
    uses: int = 0


class Triggers:
    def __init__(self, timing: Timing, monotonic: Callable[[], float]) -> None:
        self._timing = timing
        self._triggers: Recent[Trigger] = Recent(monotonic)
        self._urls: Recent[ResponseUrl] = Recent(monotonic)

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._triggers) + len(self._urls)

    def trigger_id(self, user: str, view_id: str | None = None) -> str:
        name = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**11)}.{secrets.token_hex(16)}"
        self._triggers.add(name, Trigger(user, view_id))
        return name

    def exchange(self, name: str) -> Trigger:
        """Uses a trigger. Raises ApiError invalid_, expired_ or exchanged_trigger_id."""
        found = self._triggers.get(name)
        if found is None:
            raise ApiError("invalid_trigger_id")
        trigger, age = found
        if trigger.used:
            raise ApiError("exchanged_trigger_id")
        if age >= self._timing.trigger:
            raise ApiError("expired_trigger_id")
        trigger.used = True
        return trigger

    def response_path(
        self,
        kind: Literal["command", "message"],
        user: str,
        channel: str,
        ts: str | None = None,
        thread_ts: str | None = None,
    ) -> str:
        """The path of a new response_url."""
        name = f"{secrets.randbelow(10**13)}/{secrets.token_urlsafe(18)}"
        self._urls.add(name, ResponseUrl(kind, user, channel, ts, thread_ts))
        return f"/{'commands' if kind == 'command' else 'actions'}/{name}"

    def response(self, name: str) -> ResponseUrl:
        """Uses a response_url once. Raises ApiError no_such_url, expired_url or used_url."""
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
