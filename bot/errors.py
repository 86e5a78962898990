"""All errors, grouped by what the person who reads one can do.

People read a GpubotError: a Mistake says what to type instead; Refused, who may or what would be allowed; TooLate,
what is true now. After an Outage, they try again. CannotOpen ends the start.

Any other exception that escapes is a bug, whose number the person gets and the log has.

Words are plain text for any surface. What each surface writes in its own way (a command, a channel, a person) is a
fact in a field. Slack's way is handlers/phrases/error_text.py.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import NamedTuple

BUG_NUMBER_CHARACTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without the characters that are easily misread."""


def bug_number() -> str:
    """Return a new number, such as E-4F2K, for the log and for the person who ran into the bug."""
    return "E-" + "".join(secrets.choice(BUG_NUMBER_CHARACTERS) for _ in range(4))


class NextStep(Enum):
    """A step that the person can take next. The surface names the command."""

    ASK_AGAIN = auto()
    ASK_FOR_YOUR_OWN = auto()
    WITHDRAW_AND_ASK_AGAIN = auto()
    NAME_PRICE = auto()
    STOP_WAITING = auto()
    NAME_LATER_END = auto()
    RENT_ONE = auto()
    LIST_YOURS = auto()
    LIST_ALL = auto()
    LOG_IN = auto()
    DESTROY_ONE = auto()
    """Destroy one of their own rentals, to make room for another."""
    MAKE_NEW_KEY = auto()
    NAME_TEAMMATES = auto()
    PASTE_A_KEY = auto()
    TRY_AGAIN_OR_PASTE_A_KEY = auto()
    LIST_KEYS = auto()
    READ_THIS_MONTH = auto()
    REMOVE_A_KEY = auto()
    """Remove one of their own SSH keys, to make room for another."""


class BuyingBlock(StrEnum):
    """Why nothing is bought for anyone now."""

    PAUSED = "paused"
    BOUGHT_AFTER_BACKUP = "older_database"
    """Machines were bought after the backup from which the database was restored. An admin resumes buying."""
    UNAUTHORIZED = "unauthorized"
    """The marketplace refuses our token."""


class Decision(Enum):
    """A person's decision about a request, an extension, or machines that the bot doesn't know."""

    APPROVED = auto()
    DENIED = auto()
    WITHDREW = auto()
    GAVE_OWNER = auto()
    DESTROYED = auto()
    NOT_OURS = auto()


class GpubotError(Exception):
    """Base of all errors that people read. Surfaces render `words` and `next_step`."""

    def __init__(self, words: str, *, next_step: NextStep | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.next_step = next_step


class Mistake(GpubotError):
    """The person can correct what they typed."""


class Line(NamedTuple):
    """A request that a person may have meant."""

    shown: str
    """As people read it and type it after `/gpu` and the verb."""
    text: str
    """The same as Slack sends it, with the ids of the people whom it mentions."""
    verb: str = "get"


class RequestMistake(Mistake):
    """A request for GPUs can't be read. `why` says which part; `lines` are what the person may have meant.

    `without` tells whether a line leaves out what can't be read.
    """

    def __init__(self, why: str, *lines: Line, without: bool = False) -> None:
        commands = ", or ".join(f"/gpu {line.verb} {line.shown}" for line in lines)
        lead = "Without it" if without else "Try"
        super().__init__(f"{why} {lead}: {commands}" if lines else why)
        self.lines = lines


class NeedsKey(Mistake):
    """The person needs a public SSH key first. `github` tells whether the team's rules take keys from GitHub, and
    `so_far` what has not happened yet.
    """

    def __init__(self, *, github: bool, so_far: str = "nothing has been rented yet") -> None:
        super().__init__(f"To log in, you'll need an SSH key. Add your public key and I'll continue; {so_far}.")
        self.github = github


class PrivateKey(Mistake):
    """Someone sent a private key. It is neither stored nor logged, and counts as known to others."""

    def __init__(self, *, posted: bool = False) -> None:
        """`posted`: the key is in a message that Slack shows, unlike a command."""
        words = "I didn't keep it and no channel shows it, but it went through Slack."
        if posted:
            words = "I didn't keep it, but Slack still shows your message, so delete it."
        super().__init__(f"That was a private key. {words}", next_step=NextStep.MAKE_NEW_KEY)


class Unusable(Mistake):
    """The bot can't run with these settings; the words say which and why."""


class WrongPolicy(Mistake):
    """The policy file has mistakes. `lines` says them all, each with its line in the file and its key, without a
    full stop. The words have the first of them.
    """

    MOST_LINES = 20

    def __init__(self, lines: tuple[str, ...]) -> None:
        more = len(lines) - self.MOST_LINES
        rest = [f"to see all {len(lines)} mistakes, run gpubot policy check"] if more > 0 else []
        shown = [*lines[: self.MOST_LINES], *rest]
        super().__init__("\n".join(f"GPUBOT_POLICY: {line}." for line in shown))
        self.lines = lines


class DuplicateRental(Mistake):
    """The person rents the same already. Nothing was done. They can confirm that they want another one."""

    def __init__(self, words: str, rental_id: str) -> None:
        super().__init__(words)
        self.rental_id = rental_id


class Refused(GpubotError):
    """The rules don't allow it. `channels` has the channels in which the bot may be used, if it was used in
    another one. `again_at` is the time from which on it is allowed.
    """

    def __init__(
        self,
        words: str,
        *,
        channels: tuple[str, ...] = (),
        again_at: datetime | None = None,
        next_step: NextStep | None = None,
    ) -> None:
        super().__init__(words, next_step=next_step)
        self.channels = channels
        self.again_at = again_at


class OverBudget(Refused):
    """A budget doesn't hold it, and the rules refuse that.

    The words say what the budget has left. `instead` says what was not done and what the person can do next.
    Offers that are only shown leave it out.
    """

    def __init__(self, words: str, *, instead: str) -> None:
        super().__init__(words)
        self.instead = instead


class BuyingBlocked(Refused):
    """Nothing is bought for anyone now. `block` is the reason. If an admin paused buying, `by` is their name, if
    known, `at` is when they did, and `why` has their words.
    """

    def __init__(
        self, block: BuyingBlock, *, by: str | None = None, at: datetime | None = None, why: str = ""
    ) -> None:
        super().__init__("Nothing was rented.")
        self.block = block
        self.by = by
        self.at = at
        self.why = why


class OwnerOnly(Refused):
    """Only the people in this rental get its SSH command. `owner` is the name of its owner, if known."""

    def __init__(self, rental_id: str, owner: str | None) -> None:
        super().__init__("This SSH command isn't for you.")
        self.rental_id = rental_id
        self.owner = owner


class NoTeammate(Refused):
    """Somebody whom the person named can't be let into a machine: the words say who and why."""


class TooLate(GpubotError):
    """Already decided or gone. Nothing was changed. `rental_id` names the rental if it is known."""

    def __init__(self, words: str, rental_id: str | None = None, *, next_step: NextStep | None = None) -> None:
        super().__init__(words, next_step=next_step)
        self.rental_id = rental_id


class AlreadyDecided(TooLate):
    """Somebody decided before. `name` is theirs, or None if unknown. `own` tells whether they are the reader."""

    def __init__(
        self, rental_id: str | None, decision: Decision, *, name: str | None, own: bool, ago: timedelta
    ) -> None:
        super().__init__("This time, nothing was changed.", rental_id)
        self.decision = decision
        self.name = name
        self.own = own
        self.ago = ago


class QuestionLost(TooLate):
    """The database lacks the question to the admins that is to be decided."""

    def __init__(self) -> None:
        super().__init__("My database no longer has this question. Nothing was changed.")


class RequestChanged(TooLate):
    """The request has changed since the button was shown. Nothing was decided; the person gets the new request."""


class DuplicateExtension(TooLate):
    """The same extension was made just now. Nothing was added. The person can confirm that they want more."""


class Outage(GpubotError):
    """Temporary. Nothing was done."""


class StoreBusy(Outage):
    """The database did not answer in time, or takes no writes now."""


class WrongClock(Outage):
    """This machine's clock is wrong. An end, a price or an approval judged by it would be wrong as well."""

    def __init__(self) -> None:
        super().__init__(
            "The clock of the computer that I run on is wrong, so nothing was changed. The person who runs me can "
            "set it. Until then, they can delete machines with gpubot destroy --resource."
        )


class ClaimLost(Outage):
    """Another process has the claim on this work, or may have it. Nothing was done here; the other one does it."""

    def __init__(self) -> None:
        super().__init__("Another process of mine is already doing what you asked for. Nothing was changed here.")


class KeysUnavailable(Outage):
    """GitHub gave no usable answer when asked for a person's public keys. `reason` is a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} Nothing was saved.", next_step=NextStep.TRY_AGAIN_OR_PASTE_A_KEY)
        self.reason = reason


class MarketAway(Outage):
    """The marketplace gave no usable answer. For a call that buys, the outcome is unknown.

    `retry_after` is in real seconds if the marketplace named it. `may_have_bought` is False if the call certainly
    bought nothing: it doesn't buy, was not sent, or was refused with 401 (docs/compute-clear.md, "Procure").
    """

    def __init__(self, words: str, *, retry_after: float | None = None, may_have_bought: bool = True) -> None:
        super().__init__(words)
        self.retry_after = retry_after
        self.may_have_bought = may_have_bought


class TokenRefused(MarketAway):
    """401 or 403: the marketplace answers nothing until someone replaces the token.

    A purchase that was answered with 403 may still have been made: 403 is not documented (docs/compute-clear.md,
    "Token"), so a gateway or a vendor may have sent it.
    """

    def __init__(self, words: str, *, may_have_bought: bool = False) -> None:
        super().__init__(words, may_have_bought=may_have_bought)


class RateLimited(MarketAway):
    """429. A call that buys may have bought: the limit may be a vendor's that was asked already."""


class CannotOpen(GpubotError):
    """The database can't be opened: another process has it, it doesn't exist, or we lack the permission."""


class InUse(CannotOpen):
    """Another gpubot has the database open; only one may."""


# --- control flow


class Conflict(Exception):
    """Base of the errors by which the store reports a lost race to its callers. People never read them."""


class Stale(Conflict):
    """The row was changed since it was read. The caller loads the row again and decides again."""

    def __init__(self) -> None:
        super().__init__("the row has changed")


class OfferTaken(Conflict):
    """An attempt was made for this offer before. Nothing was written; the caller takes the next offer."""

    def __init__(self, offer_id: str) -> None:
        super().__init__(f"an attempt was made for offer {offer_id} before")
        self.offer_id = offer_id
