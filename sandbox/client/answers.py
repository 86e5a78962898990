"""What the control API answers, as frozen models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]


@dataclass(frozen=True)
class Addresses:
    """The URLs of a running sandbox, and the tokens that it accepts."""

    compute: str
    slack: str
    api: str
    github: str
    clock: str
    bot_token: str
    app_token: str
    compute_token: str
    signing_secret: str = ""
    page: str = ""
    """What a person opens in a browser."""

    @classmethod
    def read(cls, line: bytes) -> Addresses:
        """Return the addresses in the line that `python -m sandbox` prints when it is ready."""
        return cls(**json.loads(line))


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClockState(_Answer):
    """The sandbox's time. `revision` grows with each jump."""

    now: datetime
    revision: int


class Outcome(_Answer):
    """How a command, a click or a submission ended for the person. `payload` is what the app acknowledged with."""

    ok: bool
    error: str | None = None
    errors: dict[str, str] = {}
    payload: Any = None
    took_ms: float | None = None


class Button(_Answer):
    """A button or a menu, with everything that a click on it needs."""

    text: str
    action_id: str = ""
    block_id: str = ""
    value: str | None = None


class SharedFile(_Answer):
    """A file that a message shares."""

    name: str
    url: str
    """Where its bytes are."""


class SeenMessage(_Answer):
    """A message as one person sees it. `text` is the notification, `reads` what the blocks say."""

    seq: int
    at: datetime
    channel: str
    channel_name: str
    is_dm: bool
    ts: str
    thread_ts: str | None = None
    author: str
    only_you: bool
    text: str
    reads: str
    buttons: tuple[Button, ...] = ()
    files: tuple[SharedFile, ...] = ()
    edited: bool = False
    deleted: bool = False

    def button(self, label: str) -> Button:
        """Return the first button whose text begins with `label`. Raise LookupError if there is none."""
        for button in self.buttons:
            if button.text.startswith(label):
                return button
        raise LookupError(f"no button {label!r} on {self.reads!r}: {[button.text for button in self.buttons]}")


class Ping(_Answer):
    """A notification. `why` is `dm`, `mention`, `group`, `channel` (@here and the like) or `thread`."""

    seq: int
    at: datetime
    user: str
    why: str
    channel: str
    channel_name: str
    ts: str
    thread_ts: str | None
    text: str


class Option(_Answer):
    """One choice of a menu."""

    text: str
    value: str


class Input(_Answer):
    """A field of a modal."""

    block_id: str
    action_id: str
    type: str
    """The element's, such as `static_select`."""
    label: str
    hint: str
    optional: bool
    value: Json | None
    options: tuple[Option, ...]


class Modal(_Answer):
    """A modal that one person has open."""

    view_id: str
    callback_id: str
    title: str
    reads: str
    inputs: tuple[Input, ...]
    submit: str | None
    private_metadata: str


class Purchase(_Answer):
    """An offer that was bought."""

    offer_id: str
    vendor: str
    resource_name: str | None
    at: datetime
    answered: str
    """The answer of the procure call: `accepted` or `failed`."""


class Machine(_Answer):
    """A resource of the account; `alive` while it bills."""

    resource_id: str
    offer_id: str | None
    name: str
    vendor: str
    alive: bool
    port: int | None
    billed_from: datetime
    billed_to: datetime | None


class MachineUse(_Answer):
    """How a machine is used: each GPU in percent (None in MIG mode), and the connections that were set."""

    gpus: tuple[int | None, ...]
    connections: tuple[str, ...]
    fault: str | None


class OnEndingRun(_Answer):
    """A run of a machine's on-ending.sh: the end that was told, in Unix seconds, when it began, and whether it
    still runs.
    """

    end: int
    at: datetime
    runs: bool


class Ending(_Answer):
    """The end that a machine was told last, in Unix seconds, and the runs of its on-ending.sh."""

    ends_at: int | None
    runs: tuple[OnEndingRun, ...]


class MachineDetails(Machine):
    """A resource with its boot script, and the SHA256 fingerprints of its SSH host keys by kind.

    `visits` is how often somebody logged in with the probe's key.
    """

    cloud_init: str | None
    host_keys: dict[str, str]
    use: MachineUse
    on_ending: Ending | None
    """None if its boot script brought no part that can be told an end."""
    visits: int


class Account(_Answer):
    """The offers that the account bought, and every resource of the account."""

    offers_bought: tuple[Purchase, ...]
    resources: tuple[Machine, ...]


class BillLine(_Answer):
    """The cost of one resource so far, in micro-dollars."""

    resource_id: str
    name: str
    micros: int


class LoggedRequest(_Answer):
    """A request that a server received. `status` is None while the request runs, and 0 if it got no answer."""

    n: int
    at: datetime
    endpoint: str
    path: str
    body: Any
    """JSON and forms are decoded; anything else is text."""
    status: int | None


@dataclass(frozen=True)
class Sockets:
    """The names of the app's Socket Mode connections, and how many were ever opened."""

    names: tuple[str, ...]
    opened: int
