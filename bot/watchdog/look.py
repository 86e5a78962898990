"""What one look finds: whether the bot is well, and what lives on the account."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from bot.model.base import Frozen, Instant
from bot.model.watched_machine import WatchedMachine


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


class Look(Frozen):
    """One look at everything."""

    at: Instant
    """Our time."""
    continues: bool
    """Whether the watchdog ran all the time since the look before, and the machine's clock was not set."""
    bot: BotAnswer
    account: tuple[Living, ...] | None
    """None if the market gave no usable answer."""
    market_trouble: str = ""
    """Why not, as a sentence. Data, never markup."""
    token_refused: bool = False


class Options(Frozen):
    """What does not change while the watchdog runs."""

    destroy: bool
    admins: tuple[str, ...]
    """Slack ids."""
    host: str
    """The name of the machine on which it runs."""
