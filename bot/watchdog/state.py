"""The results of a poll, and the state that the watchdog keeps in a file.

A poll is the check of the bot and the Compute Clear account that the watchdog makes every minute. Thanks to the
file, the watchdog continues after a restart where it left off.
"""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from bot.errors import Unusable
from bot.model.base import Frozen, Instant
from bot.model.watched_machine import WatchedMachine
from bot.text_file import Unreadable, read_text

LARGEST_FILE = 16 * 1024 * 1024


# --- the results of a poll


class Trouble(StrEnum):
    """The ways in which the bot can fail the check that the watchdog makes every minute."""

    NOT_WELL = "not_well"
    """The bot has answered, and reports that it isn't working properly."""
    UNREACHABLE = "unreachable"
    """Nothing responds at the bot's address, or a gateway there can't reach the bot.

    The bot may still be running.
    """
    UNUSABLE = "unusable"
    """A program responds at the bot's address, but doesn't prove that it knows the token.

    The program may be an older bot, a bot with another token, or not a bot at all. The bot is probably running.
    """


class BotAnswer(Frozen):
    """The bot's answer when the watchdog polls it."""

    trouble: Trouble | None = None
    """The kind of problem. None if the bot works."""
    why: str = ""
    """A description of the problem that can be inserted into a sentence, such as `the connection broke`.

    Even a bot that works can report a problem, such as that Slack refuses its token. The text is untrusted, so it
    must never be interpreted as markup.
    """
    machines: tuple[WatchedMachine, ...] | None = None
    """The bot's machines. None if the bot can't read its store, or if another program may have answered."""


class Living(Frozen):
    """A resource on the Compute Clear account that hasn't been terminated."""

    resource_id: str
    name: str | None
    rate: Decimal | None
    """The price in USD per hour. None if Compute Clear doesn't report a price."""
    since: Instant | None
    gpus: str | None = None
    """The GPUs, such as `1x H100 SXM 80 GB`. None if Compute Clear doesn't report them."""


class Account(Frozen):
    """The resources of the account, as Compute Clear listed them."""

    living: tuple[Living, ...] | None = None
    """The resources that haven't been terminated. None if Compute Clear gave no usable answer."""
    trouble: str = ""
    """A sentence saying why there is no usable answer. It can contain untrusted text, so it must be escaped."""
    token_refused: bool = False


class Poll(Frozen):
    """The results of one poll. In a poll, the watchdog checks the bot and lists the account at Compute Clear."""

    at: Instant
    """The time of the poll."""
    continues: bool
    """True if the watchdog ran without interruption since the previous poll, and nobody set the clock."""
    bot: BotAnswer
    account: Account


class Options(Frozen):
    """The command-line options and settings that the watchdog's decisions and messages depend on."""

    destroy: bool
    admins: tuple[str, ...]
    """The Slack IDs of the admins."""
    host: str
    """The name of the machine on which the watchdog runs."""


# --- the state


class Announced(Frozen):
    """An overdue machine that the watchdog has mentioned in an announcement.

    A machine is overdue if its lease and the grace period are over. The announcement was posted during the current
    outage, the period in which the bot isn't working properly or can't be reached.
    """

    resource_id: str
    ends_at: Instant
    """The end of the machine (the end of its lease plus the grace period) according to the announcement.

    If the end changes, the machine has to be announced again.
    """
    delete_at: Instant | None
    """The time of the deletion. None if the announcement said that nothing will be deleted."""
    gpus: str | None = None
    """The GPUs in the format of `Living.gpus`, for messages about the deletion."""


class Deletion(Frozen):
    """The most recent request to delete a machine."""

    resource_id: str
    asked_at: Instant
    done: bool
    """True if Compute Clear accepted the deletion, or the machine had already been terminated."""


class Outage(Frozen):
    """A period in which the bot isn't working properly or can't be reached."""

    since: Instant
    """The time of the last poll before the outage.

    If the watchdog wasn't running before the outage, it is the time of the first poll that found a problem.
    """
    watched: timedelta = timedelta(0)
    """The duration of the outage so far, without times during which the watchdog was not running."""
    warned_at: Instant | None = None
    """The time at which Slack accepted the first warning. None before that."""
    announced: tuple[Announced, ...] = ()
    deletions: tuple[Deletion, ...] = ()
    unnamed_ends: dict[str, Instant | None] = Field(default_factory=dict)
    """The last known ends of the machines that the bot has stopped reporting during this outage.

    The keys are resource IDs. If the bot later reports a machine again, with an earlier end, the stored end is
    used instead.
    """
    clock_is_wrong: bool = False
    """True if Slack's clock differs from this machine's. If it does, nothing is deleted."""


class State(Frozen):
    """Everything that the watchdog stores."""

    shape: Literal[1] = 1
    """The version of the file format."""
    looked_at: Instant | None = None
    """The time of the last poll."""
    answered_at: Instant | None = None
    """The time at which the bot last reported its machines."""
    machines: tuple[WatchedMachine, ...] = ()
    """The machines that the bot has reported most recently."""
    outage: Outage | None = None
    wrong_since: Instant | None = None
    """The time since which the bot has worked without being able to use Slack. None if it can use Slack."""
    wrong_told: bool = False
    """True if people have been notified that the bot can't use Slack."""
    token_refused: bool = False
    """True if people have been notified that Compute Clear refuses the watchdog's token."""
    notes: tuple[str, ...] = ()
    """Texts that still have to be posted, because Slack hasn't accepted them yet."""


class StateFile:
    """The state file. Only its owner can read it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[State, Path | None]:
        """Read the state from the file. If there is no file, return an empty state.

        If the content of the file is invalid, the file is renamed and an empty state is returned. Raises Unusable
        if the file can't be read.

        Returns:
            The state, and the new path of an invalid file. The path is None if the file was valid or missing.
        """
        try:
            text = read_text(self._path, LARGEST_FILE) if os.path.lexists(self._path) else ""
        except Unreadable as error:
            if not isinstance(error.__cause__, OSError):
                return State(), self._put_aside()
            raise Unusable(f"GPUBOT_WATCHDOG_STATE: I can't read {self._path}: {error}.") from None
        if not text:
            return State(), None
        try:
            return State.model_validate_json(text), None
        except ValidationError:
            return State(), self._put_aside()

    def _put_aside(self) -> Path:
        aside = self._path.with_name(f"{self._path.name}.broken")
        try:
            self._path.replace(aside)
        except OSError as error:
            raise Unusable(f"GPUBOT_WATCHDOG_STATE: I can't rename {self._path}: {error.strerror}.") from None
        return aside

    def write(self, state: State) -> None:
        """Replace the file with one that contains `state`. If that fails, keep the old file and raise OSError."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path.with_name(f"{self._path.name}.new")
        number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            os.fchmod(number, 0o600)
            file.write(state.model_dump_json(indent=1))
            file.flush()
            os.fsync(number)
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
