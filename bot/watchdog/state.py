"""What the watchdog finds in one look, what it knows, and the file in which it keeps that. A restart goes on where
the last process ended.
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


# --- what one look finds


class Trouble(StrEnum):
    """Why a look finds no bot that is well."""

    NOT_WELL = "not_well"
    """It says so itself."""
    UNREACHABLE = "unreachable"
    """Nothing answers, or a gateway answers that nothing does. The bot may run all the same."""
    UNUSABLE = "unusable"
    """Something answers without proving that it knows the token: an older bot, one with another token, or another
    program. The bot probably runs."""


class BotAnswer(Frozen):
    """What the bot answered."""

    trouble: Trouble | None = None
    """None if it is well."""
    why: str = ""
    """What the trouble is, in words that continue a sentence. If the bot is well, what is wrong all the same, such
    as that Slack refuses its token. Data, never markup."""
    machines: tuple[WatchedMachine, ...] | None = None
    """None if it named none: it can't read its store, or what answered is not certainly the bot."""


class Living(Frozen):
    """A resource that lives on the account."""

    resource_id: str
    name: str | None
    rate: Decimal | None
    """USD per hour."""
    since: Instant | None
    gpus: str | None = None
    """`1x H100 SXM 80 GB`. None if the market doesn't say."""


class Account(Frozen):
    """What the market says of the account."""

    living: tuple[Living, ...] | None = None
    """None if it gave no usable answer."""
    trouble: str = ""
    """Why not, as a sentence. Data, never markup."""
    token_refused: bool = False


class Look(Frozen):
    """One look at everything."""

    at: Instant
    """Our time."""
    continues: bool
    """Whether the watchdog ran all the time since the look before, and the machine's clock was not set."""
    bot: BotAnswer
    account: Account


class Options(Frozen):
    """What does not change while the watchdog runs."""

    destroy: bool
    admins: tuple[str, ...]
    """Slack ids."""
    host: str
    """The name of the machine on which it runs."""


# --- what is kept


class Announced(Frozen):
    """A machine past its end of which people were notified in an outage."""

    resource_id: str
    ends_at: Instant
    """The end that they were told. If the machine has another end by now, they were not notified of that."""
    delete_at: Instant | None
    """When it is deleted. None if they were told that nothing is deleted."""
    gpus: str | None = None
    """As `Living.gpus`, for the messages about its deletion."""


class Deletion(Frozen):
    """The last time that the market was asked to delete a machine."""

    resource_id: str
    asked_at: Instant
    done: bool
    """Whether the market accepted it, or the machine was gone."""


class Outage(Frozen):
    """A time in which the bot is not well, or can't be reached."""

    since: Instant
    """The last look that found it well, or the first that did not, if the watchdog did not run before that."""
    watched: timedelta = timedelta(0)
    """How long that is ago. Times in which the watchdog did not run are left out."""
    warned_at: Instant | None = None
    """When Slack took the first warning."""
    announced: tuple[Announced, ...] = ()
    deletions: tuple[Deletion, ...] = ()
    unnamed_ends: dict[str, Instant | None] = Field(default_factory=dict)
    """By resource id, the known ends of machines that the bot has stopped naming during this outage. If it names a
    machine again, an earlier end doesn't count."""
    clock_is_wrong: bool = False
    """Whether Slack's clock shows another time than this machine's. Nothing is deleted then."""


class State(Frozen):
    """Everything that the watchdog keeps."""

    shape: Literal[1] = 1
    """Changes with the shape of the file."""
    looked_at: Instant | None = None
    """The last look, by our time."""
    answered_at: Instant | None = None
    """When the bot last named its machines."""
    machines: tuple[WatchedMachine, ...] = ()
    """The machines that it named then."""
    outage: Outage | None = None
    wrong_since: Instant | None = None
    """Since when something is wrong with Slack while the bot is well."""
    wrong_told: bool = False
    """Whether people were notified of that."""
    token_refused: bool = False
    """Whether people were notified that the market refuses our token."""
    notes: tuple[str, ...] = ()
    """Texts that Slack has not taken yet."""


class StateFile:
    """The file. Only its owner can read it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[State, Path | None]:
        """Return the state in the file, or an empty one if there is no file.

        If the file makes no sense, put it aside, and return an empty state and where the file is now. Raise
        Unusable if it can't be read.
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
        """Replace the file. Raise OSError if that fails; the file is then as it was before."""
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
