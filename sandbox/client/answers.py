"""The responses of the control API, as frozen models."""

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
    """The URL of the page that people open in a browser."""

    @classmethod
    def read(cls, line: bytes) -> Addresses:
        """Parse the line of JSON that `python -m sandbox` prints when it is ready."""
        return cls(**json.loads(line))


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClockState(_Answer):
    """The sandbox's time. `revision` increases with each jump or change of speed."""

    now: datetime
    revision: int


class Outcome(_Answer):
    """The result of a command, a click or a submission, as the person sees it.

    `payload` is the payload of the app's acknowledgement, and `took_ms` the wall-clock time until it arrived.
    """

    ok: bool
    error: str | None = None
    errors: dict[str, str] = {}
    payload: Any = None
    took_ms: float | None = None


class Button(_Answer):
    """A button or a menu, with everything that is needed to click it."""

    text: str
    action_id: str = ""
    block_id: str = ""
    value: str | None = None


class SharedFile(_Answer):
    """A file that a message shares."""

    name: str
    url: str
    """The URL from which the file can be downloaded."""


class SeenMessage(_Answer):
    """A message as one person sees it.

    `text` is the text of the message's notification, and `reads` is the text of its blocks.
    """

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
    """A notification of a person about a message.

    The reason, `why`, is `dm`, `mention`, `group`, `channel` (for @here, @channel and @everyone) or `thread`.
    """

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
    """The type of the element, such as `static_select`."""
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
    """The response of the procure call: `accepted` or `failed`."""


class Machine(_Answer):
    """A resource of the account. `alive` is true while it is billed."""

    resource_id: str
    offer_id: str | None
    name: str
    vendor: str
    alive: bool
    port: int | None
    billed_from: datetime
    billed_to: datetime | None


class MachineUse(_Answer):
    """The utilization of each GPU of a machine in percent (None in MIG mode), and its simulated connections."""

    gpus: tuple[int | None, ...]
    connections: tuple[str, ...]
    fault: str | None


class Job(_Answer):
    """A job on a machine."""

    id: str
    """The user ID and a random part: `0.4f1c9a0b7d`."""
    name: str
    uid: int
    runs: bool
    status: int | None
    """The exit status. None while the job runs, and if its end is unknown."""
    began_at: datetime
    ended_at: datetime | None
    progress: str | None
    """The newest line that the job has printed."""


class BrokenGpu(_Answer):
    """The faults of one GPU. docs/sandbox-api.md explains each field."""

    gpu: int
    lost: bool
    xids: tuple[int, ...]
    ecc: int
    hot: bool
    power: bool
    remap_failed: bool


class OnEndingRun(_Answer):
    """A run of a machine's on-ending.sh.

    `end` is the end of the machine that caused the run, in Unix seconds. `at` is the start of the run, and `runs`
    is true while the script is running.
    """

    end: int
    at: datetime
    runs: bool


class Ending(_Answer):
    """The end that was last sent to a machine, in Unix seconds, and the runs of its on-ending.sh."""

    ends_at: int | None
    runs: tuple[OnEndingRun, ...]


class MachineDetails(Machine):
    """A resource with its startup script, and the SHA256 fingerprints of its SSH host keys by kind.

    `visits` is the number of logins with the probe's key.
    """

    cloud_init: str | None
    host_keys: dict[str, str]
    use: MachineUse
    jobs: tuple[Job, ...] | None
    """The jobs that the machine knows. None if the startup script didn't install `gpubot-run`."""
    broken_gpus: tuple[BrokenGpu, ...]
    on_ending: Ending | None
    """None if the startup script didn't install the program that receives the end."""
    visits: int


class Account(_Answer):
    """The offers that the account has bought, and all of its resources."""

    offers_bought: tuple[Purchase, ...]
    resources: tuple[Machine, ...]


class BillLine(_Answer):
    """The cost of one resource so far, in micro-dollars."""

    resource_id: str
    name: str
    micros: int


class LoggedRequest(_Answer):
    """A request that a server received.

    `status` is None until the server has responded, and 0 if the connection ended without a response.
    """

    n: int
    at: datetime
    endpoint: str
    path: str
    body: Any
    """The body. JSON and forms are decoded; anything else is text."""
    status: int | None


@dataclass(frozen=True)
class Sockets:
    """The names of the app's open Socket Mode connections, and the number that have ever been opened."""

    names: tuple[str, ...]
    opened: int
